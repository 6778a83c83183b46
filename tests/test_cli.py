"""The command line: what it prints and where, and its exit statuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from preparing import fields, toyadmos
from small import SMALL, basic
from tiny import STORED, only, write_tree, write_volumes
from wording import hold_printed

from toyadmos_datasets.cli import command_table
from toyadmos_datasets.corpus.damage import condition_text
from toyadmos_datasets.files.lock import folder_lock
from toyadmos_datasets.jobs import preview
from toyadmos_datasets.jobs.sources import simulated_folder
from toyadmos_datasets.values.index import read_index
from toyadmos_datasets.values.manifest import read_manifest

COMMANDS = sorted(command_table.COMMANDS)
pytestmark = pytest.mark.usefixtures("without_surroundings")


# Help


def test_the_program_alone_says_what_it_can_do_and_that_this_was_no_command(capsys):
    ran = toyadmos(capsys)

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Usage: toyadmos [OPTIONS] COMMAND")
    assert [name for name in COMMANDS if f"\n  {name} " not in ran.err] == []


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], *([name, "--help"] for name in COMMANDS)])
def test_help_is_printed_on_request(capsys, arguments):
    ran = toyadmos(capsys, *arguments)

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("Usage: toyadmos")


def test_the_list_of_commands_cuts_no_sentence(capsys):
    assert "..." not in toyadmos(capsys, "--help").out.split("\nPrepare:")[1]


LEFT_BY = {
    "the command line": "import sys; sys.argv[1:] = ['--version']; from toyadmos_datasets.cli import main; main()",
    "the library": "import toyadmos_datasets; from toyadmos_datasets import load_dataset, torch_loader",
}


@pytest.mark.parametrize(
    ("program", "chosen", "expected"),
    [
        ("the command line", {}, "PASSIVE"),
        ("the command line", {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ("the library", {}, "None"),
    ],
)
def test_threads_sleep_while_they_wait_where_the_command_line_owns_the_process(program, chosen, expected):
    show = "import atexit, os; atexit.register(lambda: print(os.environ.get('OMP_WAIT_POLICY')))"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | chosen
    command = [sys.executable, "-c", f"{show}; {LEFT_BY[program]}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment)

    assert done.stdout.splitlines()[-1] == expected


def test_the_version_is_that_of_the_package_and_that_of_liblzma(capsys):
    of_package, of_liblzma = toyadmos(capsys, "--version").out.splitlines()

    assert of_package == f"toyadmos {version('toyadmos-datasets')}"
    assert re.fullmatch(r"liblzma (5\.\d+\.\d+\w*|of unknown version)", of_liblzma)


# What commands print


def test_prepare_says_what_there_is_now_and_how_to_load_it(capsys, small_tree, tmp_path):
    ran = toyadmos(capsys, "prepare", *basic(small_tree, "--snr", "6,-6", "--out", "here"))
    lines = ran.out.splitlines()

    assert (ran.status, ran.err) == (0, "")
    assert re.fullmatch(r"Prepared here in \S+ s: 18 clips, [\d.]+ [kM]B", lines[0])
    assert lines[1].split() == ["config", "split", "clips", "hours", "size"]
    assert [line.split()[:3] for line in lines[2:8]] == [
        [shard.config, shard.split, str(shard.n_rows)] for shard in read_manifest(tmp_path / "here").shards
    ]
    assert lines[-3].startswith("Load it with: import toyadmos_datasets; ds = toyadmos_datasets.load_dataset(")
    assert lines[-2:] == [
        "Check it with: toyadmos audit here",
        "Share it with: toyadmos recipe export here --out mine.toyrecipe",
    ]
    assert "SIMULATED" not in ran.out


def test_a_dataset_lands_in_data_by_default(capsys, small_tree, tmp_path):
    toyadmos(capsys, "prepare", *basic(small_tree))

    assert read_manifest(tmp_path / "data" / "train-basic").toy == "ToyTrain"


def test_the_same_command_again_says_that_there_is_nothing_to_do(capsys, small_tree):
    toyadmos(capsys, "prepare", *basic(small_tree))
    ran = toyadmos(capsys, "prepare", *basic(small_tree))

    assert ran.status == 0
    assert ran.out.startswith("Nothing to do: data/train-basic already holds this dataset, ")


def test_a_second_dataset_says_what_it_took_from_the_cache(capsys, small_tree):
    toyadmos(capsys, "prepare", *basic(small_tree))
    ran = toyadmos(capsys, "prepare", *basic(small_tree, "--seed", "1", "--overwrite"))

    assert "recordings were in the cache, 0 were read." in ran.out


def test_a_simulated_corpus_is_called_one(capsys, simulated):
    ran = toyadmos(capsys, "prepare", *basic(simulated / "tree", "--max-events", "1"))

    assert "The corpus is SIMULATED: results on it are not results on ToyADMOS.\n" in ran.out


def test_recordings_that_were_skipped_are_listed(capsys, tmp_path, small_files):
    bad = only(small_files, "normal_IND_ch1_0003")
    source = write_tree(small_files | {bad: small_files[bad][:-100]}, tmp_path / "source")
    ran = toyadmos(capsys, "prepare", *basic(source, "--skip-bad"))

    assert ran.status == 0
    assert "Skipped because they could not be used: 1 (listed in manifest.json)\n" in ran.out
    assert f"  {bad}: This WAV file is shorter than its header says.\n" in ran.out


def test_clips_past_full_scale_are_an_error_by_default_and_counted_on_request(capsys, small_tree, tmp_path):
    loud = basic(small_tree, "--snr", "-60", "--headroom-db", "0")
    refused = toyadmos(capsys, "prepare", *loud)
    ran = toyadmos(capsys, "prepare", *loud, "--on-clip", "count")
    manifest = read_manifest(tmp_path / "data" / "train-basic")
    n_loud = sum(shard.n_rows for shard in manifest.shards if shard.config == "snr_minus_60db")
    card = (tmp_path / "data" / "train-basic" / "README.md").read_text()

    assert (refused.status, ran.status) == (1, 0)
    assert fields(refused.err)["what"] == "An example exceeds full scale."
    assert sum(shard.n_clipped for shard in manifest.shards) == n_loud > 0
    assert f"Clips that exceed full scale, and stand at full scale there: {n_loud}\n" in ran.out
    assert f"the same headroom, 0 dB, so that levels stay comparable; {n_loud} clips still exceed full scale" in card


def test_plan_tells_the_way_from_the_source_to_the_folder(capsys, small_tree):
    ran = toyadmos(capsys, "plan", *basic(small_tree, "--snr", "6"))
    told = {line.split()[0]: line for line in ran.out.split("\n\n")[1].splitlines()}

    assert ran.status == 0
    assert ran.out.splitlines()[0].split() == ["config", "split", "label", "events", "clips"]
    assert list(told) == ["source", "recordings", "read", "decode", "cache", "write", "size", "time", "health", "note"]
    assert told["write"].endswith("in 4 shards to data/train-basic")
    assert re.fullmatch(r"size +about [\d.]+ [kM]B as WAV, [\d.]+ [kM]B as FLAC \(--encoding\)", told["size"])


def test_plan_reckons_with_a_corpus_that_is_still_to_be_simulated_and_makes_nothing(capsys, tmp_path):
    ran = toyadmos(capsys, "plan", "--toy", "train", "--source", "simulate", "--out", "data/demo")

    assert (ran.status, ran.err) == (0, "")
    assert re.search(r"^simulate +[\d.]+ MB first: the corpus is not there yet$", ran.out, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_plan_says_that_nobody_knows_yet_whether_workers_can_share_a_block(capsys, small_files, tmp_path, monkeypatch):
    monkeypatch.setattr(preview, "ARCHIVE_BYTES_A_S", 1e4)
    archive = write_volumes(small_files, tmp_path / "volumes", n_blocks=1)
    one, two = (toyadmos(capsys, "plan", *basic(archive, "--workers", workers)).out for workers in (1, 2))

    assert "not known yet" not in one
    assert re.search(
        r"^ +not known yet: whether several workers can decode 1 large block at once; .*\d+ s$", two, re.MULTILINE
    )


def test_plan_says_when_there_is_nothing_to_do(capsys, small_tree):
    toyadmos(capsys, "prepare", *basic(small_tree))
    ran = toyadmos(capsys, "plan", *basic(small_tree))

    assert "write       nothing: data/train-basic already holds this dataset\n" in ran.out


def test_verify_counts_odd_headers_and_finds_nothing_wrong(capsys, small_files, tmp_path):
    first, *_ = small_files
    source = write_tree(small_files | {first: small_files[first] + bytes(16)}, tmp_path / "odd")
    ran = toyadmos(capsys, "verify", source, "--toy", "train", "--workers", "1")

    assert ran.status == 3
    lines = [line.strip() for line in ran.out.splitlines()]
    (place,) = [number for number, line in enumerate(lines) if "bytes after the sound" in line]
    assert lines[place].endswith("(header_trailing_bytes: 1)")
    assert lines[place + 1] == first


def test_index_prints_a_row_a_recording_and_its_summary_beside_them(capsys, small_tree, small_files):
    ran = toyadmos(capsys, "index", small_tree, "--toy", "train", "--rows")
    names = [line.split()[0] for line in ran.out.splitlines()[1:]]

    assert names == sorted(Path(member).stem for member in small_files)
    assert ran.err.startswith(f"{len(small_files)} recordings in {len(small_files)} blocks (tree), ")


def test_index_lists_a_simulated_corpus_too(capsys, simulated, tmp_path):
    cache = tmp_path / "cache"
    (cache / "simulated").mkdir(parents=True)
    shutil.copytree(simulated, simulated_folder(cache, "ToyTrain", "tiny"))

    ran = toyadmos(capsys, "index", "simulate:tiny", "--toy", "train", "--cache", cache, "--json")

    assert ran.status == 0
    assert len(json.loads(ran.out)["recordings"]) == sum(1 for _ in simulated.rglob("*.wav"))


def test_index_of_volumes_tells_size_checksum_and_block_of_every_recording(capsys, tmp_path, small_files):
    first, content = next(iter(small_files.items()))
    ends = (content[:-2] + last.to_bytes(2, "little") for last in range(1 << 16))
    some = small_files | {first: next(one for one in ends if zlib.crc32(one) < 1 << 24)}  # two zeros stand before it
    source = write_volumes(some, tmp_path / "volumes", n_blocks=3)
    ran = toyadmos(capsys, "index", source, "--toy", "train", "--rows")
    heading, *rows = (line.split() for line in ran.out.splitlines())

    assert heading == ["recording_id", "sound", "channel", "n_bytes", "crc32", "block", "condition_text"]
    assert {row[0]: (int(row[3]), int(row[4], 16)) for row in rows} == {
        Path(member).stem: (len(content), zlib.crc32(content)) for member, content in some.items()
    }
    assert {len(row[4]) for row in rows} == {8}
    assert {row[5] for row in rows} == {"0", "1", "2"}
    assert ran.err.startswith(f"{len(small_files)} recordings in 3 blocks (volumes), ")


def test_index_writes_the_table_that_json_prints_on_request(capsys, small_tree, tmp_path):
    ran = toyadmos(capsys, "index", small_tree, "--toy", "train", "--out", "index.parquet")
    printed = toyadmos(capsys, "index", small_tree, "--toy", "train", "--json")

    assert (ran.status, ran.out.splitlines()[0].split()[0]) == (0, "toy")
    assert "Written to index.parquet.\n" in ran.err
    rows = json.loads(printed.out)["recordings"]
    words = [row.pop("condition_text") for row in rows]
    assert read_index(tmp_path / "index.parquet").to_pylist() == rows
    assert words == [None if row["sound"] == "noise" else condition_text("train", row["condition"]) for row in rows]


def test_verify_tells_good_from_bad_by_its_exit_status(capsys, small_tree, tmp_path):
    toyadmos(capsys, "prepare", *basic(small_tree))
    good = toyadmos(capsys, "verify", "data/train-basic", "--workers", "1")
    shard = next((tmp_path / "data" / "train-basic").rglob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1])
    bad = toyadmos(capsys, "verify", "data/train-basic", "--workers", "1")

    assert (good.status, good.out.splitlines()[-1]) == (0, "Everything is as it should be.")
    assert bad.status == 1
    assert str(shard.relative_to(tmp_path)) in bad.out


def test_verify_of_a_source_counts_takes_and_names_what_is_corrupt(capsys, tmp_path, small_files):
    source = write_volumes(small_files, tmp_path / "volumes", n_volumes=1, filters=STORED)
    good = toyadmos(capsys, "verify", source, "--toy", "train", "--workers", "1")
    bad = only(small_files, "ab01_IND_ch1_0001")
    volume = source / "ToyTrain.7z.001"
    content = bytearray(volume.read_bytes())
    content[content.index(small_files[bad]) + 1000] ^= 1
    volume.write_bytes(content)
    spoilt = toyadmos(capsys, "verify", source, "--toy", "train", "--workers", "1")
    rows = [line.split() for line in good.out.splitlines()]

    assert good.status == 3
    assert ["1", "normal", "IND", "4", "1350"] in rows
    assert "No volume has the published size, and no md5 was compared.\n" in good.out
    assert "missing: case 1, normal IND, channel 1: 4 of 1350 takes\n" in good.out
    assert "missing: case 1, normal IND, channels 2, 3, 4: 0 of 1350 takes\n" in good.out
    assert good.out.endswith("PARTIAL: nothing is wrong with what is there, but recordings are missing.\n")
    assert spoilt.status == 1
    assert "\n1 problem:\n" in spoilt.out
    assert bad in spoilt.out


# JSON


def json_runs(small_tree: Path, simulated: Path) -> dict[str, list[object]]:
    return {
        "prepare": ["prepare", *basic(small_tree)],
        "prepare again": ["prepare", *basic(small_tree)],
        "plan": ["plan", *basic(small_tree, "--out", "other")],
        "index": ["index", small_tree, "--toy", "train"],
        "verify a dataset": ["verify", "data/train-basic", "--workers", "1"],
        "verify a source": ["verify", small_tree, "--toy", "train", "--workers", "1"],
        "simulate": ["simulate", "--toy", "train", "--size", "tiny", "--out", simulated, "--no-volumes"],
    }


def test_json_is_one_value_on_standard_output_and_nothing_else(capsys, small_tree, simulated):
    values = {}
    for name, arguments in json_runs(small_tree, simulated).items():
        ran = toyadmos(capsys, *arguments, "--json")

        assert (name, ran.err) == (name, "")
        values[name] = json.loads(ran.out, parse_constant=_refuse)

    assert values["prepare"]["was_done"] is False
    assert values["prepare again"]["was_done"] is True
    assert values["prepare"]["manifest"]["shards"] == values["prepare again"]["manifest"]["shards"]
    assert values["plan"]["n_decoded_bytes"] == 0
    assert len(values["index"]["recordings"]) == len(SMALL.names())
    assert values["verify a dataset"]["is_good"] is True
    assert values["simulate"]["volumes"] is None


def _refuse(constant: str) -> Any:
    raise AssertionError(f"{constant} is not JSON")


def test_json_says_what_was_skipped(capsys, tmp_path, small_files):
    bad = only(small_files, "normal_IND_ch1_0003")
    source = write_tree(small_files | {bad: small_files[bad][:-100]}, tmp_path / "source")
    ran = toyadmos(capsys, "prepare", *basic(source, "--skip-bad", "--json"))

    assert [one["member"] for one in json.loads(ran.out)["manifest"]["skipped"]] == [bad]


def test_json_of_an_error_is_one_value_beside_the_block(capsys, tmp_path):
    ran = toyadmos(capsys, "prepare", *basic(tmp_path / "nowhere"), "--json")
    wrong = toyadmos(capsys, "prepare", "--toy", "tank", "--json")

    assert (ran.status, wrong.status) == (1, 2)
    told = json.loads(ran.out)["error"]
    assert (told["class"], told["code"]) == ("SourceNotFoundError", "source_not_found")
    assert fields(ran.err) == {name: told[name] for name in fields(ran.err)}
    assert json.loads(wrong.out)["error"]["where"] == "--toy"


# Errors


def test_an_error_is_one_block_that_says_what_where_and_what_to_do(capsys, tmp_path):
    ran = toyadmos(capsys, "prepare", *basic(tmp_path / "nowhere"))
    told = fields(ran.err)

    assert (ran.status, ran.out) == (1, "")
    assert list(told) == ["what", "where", "expected", "actual", "remedy"]
    assert told["where"] == str(tmp_path / "nowhere")
    assert "toyadmos simulate --toy train" in told["remedy"]


def test_an_unknown_name_is_an_error_and_never_a_normal_clip(capsys, tmp_path, small_files):
    odd = only(small_files, "normal_IND_ch1_0003").replace("_normal_", "_odd_")
    ran = toyadmos(capsys, "prepare", *basic(write_tree(small_files | {odd: b""}, tmp_path / "source")))

    assert ran.status == 1
    assert fields(ran.err)["where"].endswith(Path(odd).name)
    assert "remedy" in fields(ran.err)


def test_a_name_in_the_wrong_folder_is_an_error_that_names_both(capsys, tmp_path, small_files):
    member = only(small_files, "ab01_IND_ch1_0001")
    moved = member.replace("AnomalousSound_IND", "NormalSound_IND")
    ran = toyadmos(
        capsys, "prepare", *basic(write_tree(small_files | {moved: small_files[member]}, tmp_path / "source"))
    )

    assert ran.status == 1
    assert "NormalSound_IND" in ran.err
    assert Path(member).name in ran.err


@pytest.mark.parametrize("command", ["audit", "evaluate"])
def test_a_place_that_the_system_refuses_is_named(capsys, command):
    place = "a" * 300

    ran = toyadmos(capsys, command, place)

    assert ran.status == 1
    assert place in ran.err
    assert "ENAMETOOLONG" in ran.err
    hold_printed(ran.err)


def test_an_unforeseen_error_is_a_block_too(capsys, small_tree, monkeypatch):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("toyadmos_datasets.jobs.prepare.prepare", fail)
    ran = toyadmos(capsys, "prepare", *basic(small_tree))
    told = fields(ran.err)

    assert ran.status == 1
    assert told["actual"] == "ZeroDivisionError: division by zero"
    assert told["remedy"] == "Run the same command with --debug and report what it prints."
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("place", [0, 1, -1])
def test_debug_shows_a_traceback_before_the_block_wherever_it_stands(capsys, tmp_path, place):
    arguments = ["prepare", *basic(tmp_path / "nowhere"), ""][:-1]
    arguments.insert(place % (len(arguments) + 1), "--debug")
    ran = toyadmos(capsys, *arguments)

    assert ran.status == 1
    assert ran.err.startswith("Traceback (most recent call last):")
    hold_printed(ran.err)


def test_a_busy_folder_is_an_error_that_says_who_and_what_to_do(capsys, small_tree, tmp_path):
    with folder_lock(tmp_path / "data" / "train-basic"):
        ran = toyadmos(capsys, "prepare", *basic(small_tree))
    told = fields(ran.err)

    assert ran.status == 1
    assert told["actual"] == f"held by process {os.getpid()} on {os.uname().nodename}"
    assert told["remedy"] == "Wait until it is done or stop it, then run the same command again."


def test_other_options_into_the_same_folder_name_what_differs_and_the_way_on(capsys, small_tree):
    toyadmos(capsys, "prepare", *basic(small_tree))
    ran = toyadmos(capsys, "prepare", *basic(small_tree, "--seed", "1"))
    told = fields(ran.err)

    assert ran.status == 1
    assert (told["expected"], told["actual"]) == ("seed=1", "seed=0")
    assert "--overwrite" in told["remedy"]
    assert toyadmos(capsys, "prepare", *basic(small_tree, "--seed", "1", "--overwrite")).status == 0


# Surroundings


def test_the_console_script_is_this_program():
    script = Path(sys.executable).with_name("toyadmos")
    done = subprocess.run([str(script), "--version"], check=True, capture_output=True, text=True, timeout=60)

    assert done.stdout.startswith("toyadmos ")
