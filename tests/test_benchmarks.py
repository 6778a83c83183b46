"""Every benchmark still runs; what it measures is for people to read, so no time is looked at here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from baselines import NO_TORCH
from tiny import TinyCorpus, write_tree, write_volumes

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def runs(script: str, *options: str) -> list[str]:
    """Run a benchmark as a smoke test; return the lines that it prints."""
    command = [sys.executable, str(BENCHMARKS / script), "--smoke", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


IN_DRILLS = pytest.mark.skipif(not os.environ.get("TOYADMOS_DRILLS"), reason="It takes long: `make drills` runs it")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    files = TinyCorpus().files()
    write_tree(files, folder / "tree")
    write_volumes(files, folder / "volumes")
    return folder


def test_every_script_has_a_test():
    scripts = {path.name for path in BENCHMARKS.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}

    assert scripts == {
        "augmentation.py",
        "bare_loop.py",
        "baseline_epoch.py",
        "engines.py",
        "second_snr.py",
        "store_checks.py",
        "shard_checks.py",
        "solid_block.py",
        "fetch.py",
        "indexing.py",
        "interval_coverage.py",
        "jobs.py",
        "loading.py",
        "memory.py",
        "opening.py",
        "planning.py",
        "startup.py",
        "structure.py",
        "training_memory.py",
        "tree.py",
        "volumes.py",
    }


@IN_DRILLS
def test_engines_tell_what_a_cluster_costs_and_that_it_makes_the_same(tmp_path, corpus):
    pytest.importorskip("distributed")
    lines = runs("engines.py", "--source", str(corpus), "--work", str(tmp_path))

    assert any(line.startswith("dask / local: ") for line in lines)
    assert lines[-1] == "datasets that differ: 0"


@IN_DRILLS
def test_shard_checks_tell_ratios_of_exports_and_streaming(tmp_path):
    lines = runs("shard_checks.py", "--work", str(tmp_path))

    for name in ("export wav", "export webdataset", "streaming"):
        assert any(line.startswith(f"{name}, checked / {name}, unchecked: ") for line in lines)


def test_tree_tells_real_time_factors_on_a_corpus_that_it_makes_itself(tmp_path):
    lines = runs("tree.py", "--work", str(tmp_path))

    assert any(line.startswith("# ToyTrain, simulated tree: ") for line in lines)
    assert any(line.startswith("real-time factor of everything, 2 workers: ") for line in lines)
    assert any(line.startswith("ingest, 1 worker / ingest, 2 workers: ") for line in lines)


def test_store_checks_tell_the_ratio_to_a_config_that_compares_nothing(corpus, tmp_path):
    lines = runs("store_checks.py", "--source", str(corpus), "--work", str(tmp_path))

    assert any(line.startswith("as it is / without comparing: ") for line in lines)


@IN_DRILLS
def test_second_snr_tells_the_ratio_to_the_bare_loop_for_each_encoding(corpus, tmp_path):
    lines = runs("second_snr.py", "--source", str(corpus), "--work", str(tmp_path))

    assert sum(line.startswith("added / bare loop: ") for line in lines) == 2


@IN_DRILLS
def test_volumes_tells_the_ratio_to_the_floor_on_given_volumes(corpus, tmp_path):
    lines = runs("volumes.py", "--source", str(corpus), "--work", str(tmp_path))

    assert any(line.startswith("everything / floor (bare lzma): ") for line in lines)
    assert any(line.startswith("everything, 1 worker / everything, 2 workers: ") for line in lines)


@pytest.mark.skipif(not (shutil.which("7z") or shutil.which("7zz")), reason="no 7z program")
@IN_DRILLS
def test_solid_block_tells_the_ratio_of_two_workers_to_one_and_to_7z(corpus, tmp_path):
    lines = runs("solid_block.py", "--source", str(corpus / "tree"), "--work", str(tmp_path))

    assert any(line.startswith("ingest, 1 worker / ingest, 2 workers: ") for line in lines)
    assert any(line.startswith("everything, 2 workers / 7z t -mmt=1: ") for line in lines)
    assert any(re.match(r"# largest block: [1-9]\d* resets in ", line) for line in lines)


@IN_DRILLS
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_tells_peaks_of_two_sizes_and_of_a_solid_block(corpus, tmp_path):
    lines = runs("memory.py", "--source", str(corpus), "--work", str(tmp_path))

    rows = [line.split(" | ")[0].split() for line in lines if line.count(" | ") == 4]
    assert rows[1:] == [
        [*what, workers] for what in (["tree"], ["4", "x", "tree"], ["one", "solid", "block"]) for workers in "12"
    ]
    assert any(line.startswith("one solid block, the process that decodes: PSS ") for line in lines)


def test_startup_compares_with_an_empty_python():
    assert any(line.startswith("toyadmos --help / python -c pass: ") for line in runs("startup.py"))


def test_planning_tells_its_time_and_its_growth():
    assert any(line.startswith("basic, 4 SNRs / basic, a quarter: ") for line in runs("planning.py"))


def test_indexing_tells_the_ratio_to_another_version(tmp_path):
    lines = runs("indexing.py", "--against", str(BENCHMARKS.parent), "--work", str(tmp_path))

    assert any(re.match(r"# \d{4} recordings$", line) for line in lines)
    for kind in ("tree", "archive"):
        assert any(line.startswith(f"{kind} / {kind}, before: ") for line in lines)
        assert any(line.startswith(f"{kind}, before: ") and line.endswith(" MB at most") for line in lines)


@IN_DRILLS
def test_interval_coverage_tells_the_least_coverage_of_every_figure_and_false_positives():
    lines = runs("interval_coverage.py")

    for figure in ("auc", "pauc", "overlooked", "f1", "auc, clustered"):
        assert any(line.startswith(f"{figure}, spread 1: at least ") for line in lines)
    assert any(line.startswith("compare, false positives: at most ") for line in lines)


@IN_DRILLS
def test_baseline_epoch_tells_the_ratio_to_the_naive_loop():
    pytest.importorskip("torch", reason=NO_TORCH)
    lines = runs("baseline_epoch.py")

    assert any(line.startswith("naive / kept: CPU ") for line in lines)
    assert any(line.startswith("evaluation, clips a CPU second: ") for line in lines)
    for beside in ("alone", "beside others"):
        assert any(line.startswith(f"{beside}, default / PASSIVE: CPU ") for line in lines)


@IN_DRILLS
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_training_memory_tells_peaks_of_features_and_of_training(tmp_path):
    pytest.importorskip("torch", reason=NO_TORCH)
    lines = runs("training_memory.py", "--work", str(tmp_path))

    for what in ("4 clips, features", "4 clips, training", "8 clips, training"):
        assert any(line.startswith(f"{what}: anonymous ") for line in lines)


def test_fetch_tells_bytes_overlap_and_kills(corpus, tmp_path):
    lines = runs("fetch.py", "--source", str(corpus), "--work", str(tmp_path))

    for part in ("of the least possible", "of the line", "both at once over the longer alone", "fetched again"):
        assert any(part in line for line in lines)


def test_loading_tells_clips_a_second_and_sizes(corpus, tmp_path):
    pytest.importorskip("torch", reason=NO_TORCH)
    lines = runs("loading.py", "--source", str(corpus), "--work", str(tmp_path))

    jobs = [line for line in lines if line.startswith(("torch_loader", "map-style", "streaming", "hand-written"))]
    assert len(jobs) == 7
    assert any(line.startswith("  cache of datasets after load_dataset") for line in lines)
    assert not any(line.startswith("NOTE") for line in lines)


@IN_DRILLS
def test_augmentation_tells_the_price_over_loading(corpus, tmp_path):
    pytest.importorskip("torch", reason=NO_TORCH)
    lines = runs("augmentation.py", "--source", str(corpus), "--work", str(tmp_path))

    for features in ("waveform", "logmel"):
        assert sum(line.startswith(f"{features}: ") and " over loading: " in line for line in lines) == 4


@IN_DRILLS
def test_opening_tells_the_ratio_to_plain_datasets_and_to_half_as_many_shards(tmp_path):
    lines = runs("opening.py", "--work", str(tmp_path))

    assert any(line.startswith("ours, first / plain, first: ") for line in lines)
    assert any(line.startswith("ours, first / ours, first, half: ") for line in lines)
    assert any(line.startswith("ours, again / plain, again: ") for line in lines)


def test_structure_counts_files_and_what_a_preparation_enters():
    lines = runs("structure.py")
    counts = {
        fact: int(value) for fact, value in re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", "\n".join(lines), re.MULTILINE)
    }

    assert counts["files"] > 100
    assert 0 < counts["entered"] < counts["files"]
    assert counts["circles"] == 0
