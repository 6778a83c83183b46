import subprocess
import sys

import pytest

from toyadmos_datasets.corpus.facts import CITATION, PAPER_EXPERIMENTS, paper_experiment
from toyadmos_datasets.corpus.toys import ALL_CASES, CHANNELS, TOYS
from toyadmos_datasets.corpus.volumes import (
    archive_md5,
    file_counts,
    published_license,
    published_volumes,
    recording_counts,
)


@pytest.mark.parametrize(("toy", "n_volumes"), [("car", 8), ("conveyor", 7), ("train", 9)])
def test_volumes_are_listed_in_order_without_a_gap(toy, n_volumes):
    volumes = published_volumes(toy)

    assert [volume.name.rpartition(".")[2] for volume in volumes] == [f"{n:03d}" for n in range(1, n_volumes + 1)]
    assert len({volume.n_bytes for volume in volumes[:-1]}) == 1
    assert volumes[-1].n_bytes < volumes[0].n_bytes


def test_volumes_sum_to_the_published_size():
    assert sum(volume.n_bytes for toy in TOYS for volume in published_volumes(toy.name)) == 197_082_716_968


def test_every_checksum_is_an_md5_of_its_own():
    checksums = [volume.md5 for toy in TOYS for volume in published_volumes(toy.name)]
    checksums += [archive_md5(toy.name) for toy in TOYS] + [published_license().md5]

    assert len(set(checksums)) == len(checksums) == 24 + 3 + 1
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in checksums)


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_counts_by_kind_add_up_to_the_counts_by_folder(toy):
    counts = recording_counts(toy.name)
    by_folder = {f"{toy.name}/case{case}": 0 for case in toy.cases} | {f"{toy.name}/EnvironmentalNoise_CNT": 0}
    for count in counts:
        folder = "EnvironmentalNoise_CNT" if count.sound == "noise" else f"case{count.case}"
        by_folder[f"{toy.name}/{folder}"] += count.n_takes * len(CHANNELS)

    assert by_folder == {count.folder: count.n_files for count in file_counts(toy.name)}
    assert {count.case for count in counts if count.sound == "noise"} == set(toy.noise_cases)


def test_the_corpus_has_as_many_files_as_published():
    assert sum(count.n_files for toy in TOYS for count in file_counts(toy.name)) == 84_680


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_the_space_on_disk_is_what_the_clip_lengths_make(toy):
    n_seconds = sum(
        count.n_takes * len(CHANNELS) * (toy.clip_s if count.recording_type == "IND" else 600)
        for count in recording_counts(toy.name)
    )

    n_bytes_on_disk = sum(count.disk_kib for count in file_counts(toy.name)) * 1024

    assert 1.0 < n_bytes_on_disk / (n_seconds * 96_000) < 1.03  # disks give out whole blocks, here 128 KiB


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_the_experiment_takes_its_clips_from_a_case_that_has_them(toy):
    experiment = paper_experiment(toy.name)
    clips = {
        count.case: count.n_takes
        for count in recording_counts(toy.name)
        if (count.sound, count.recording_type) == ("normal", "IND")
    }

    assert experiment.n_normal == clips[experiment.case]
    assert experiment.n_train == 1000


def test_the_gains_as_printed_are_those_as_run_reversed():
    for experiment in PAPER_EXPERIMENTS:
        run, printed = experiment.gains, experiment.gains_as_printed

        assert (run.target_db, run.noise_db) == (printed.noise_db, printed.target_db)
        assert run.noise_db - run.target_db == (-10 if experiment.toy == "ToyTrain" else 10)


def test_only_the_car_shares_its_noise():
    assert {toy.short: toy.noise_cases for toy in TOYS} == {
        "car": (ALL_CASES,),
        "conveyor": (1, 2, 3),
        "train": (1, 2, 3, 4),
    }


def test_the_citation_is_balanced_bibtex():
    assert CITATION.startswith("@inproceedings{")
    assert CITATION.count("{") == CITATION.count("}")


def test_importing_the_corpus_loads_neither_numpy_nor_pyarrow():
    modules = ("names", "damage", "volumes", "facts", "toys")
    code = "import sys\n" + "".join(f"import toyadmos_datasets.corpus.{module}\n" for module in modules)
    code += "print(sorted({'numpy', 'pyarrow', 'datasets', 'librosa', 'torch'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
