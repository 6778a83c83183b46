from __future__ import annotations

from pathlib import Path

import pytest
from wording import refused

from toyadmos_datasets.archives.sevenzip.volume_set import find_volumes, volume_name
from toyadmos_datasets.errors import VolumeError

TOY = "ToyTrain"


def put(folder: Path, **sizes: int) -> None:
    for name, size in sizes.items():
        (folder / name.replace("_", ".")).write_bytes(bytes(size))


def test_volumes_are_found_in_the_order_of_their_numbers(tmp_path):
    put(tmp_path, ToyTrain_7z_002=10, ToyTrain_7z_003=4, ToyTrain_7z_001=10)

    volumes = find_volumes(tmp_path, TOY)

    assert volumes is not None
    assert [path.name for path in volumes.paths] == ["ToyTrain.7z.001", "ToyTrain.7z.002", "ToyTrain.7z.003"]
    assert volumes.sizes == (10, 10, 4)
    assert volumes.n_bytes == 24
    assert volumes.location == f"{tmp_path / 'ToyTrain.7z.001'} to .003"
    assert all(path.is_absolute() for path in volumes.paths)


def test_a_thousandth_volume_has_four_digits():
    assert volume_name(TOY, 999) == "ToyTrain.7z.999"
    assert volume_name(TOY, 1000) == "ToyTrain.7z.1000"


def test_files_with_other_names_beside_the_volumes_are_not_volumes(tmp_path):
    put(tmp_path, ToyTrain_7z_001=10, ToyTrain_7z_002_part=3, ToyTrain_7z_001_md5=3, ToyCar_7z_002=9, MD5SUMS=1)

    volumes = find_volumes(tmp_path, TOY)

    assert volumes is not None
    assert [path.name for path in volumes.paths] == ["ToyTrain.7z.001"]


def test_a_folder_without_volumes_has_none(tmp_path):
    put(tmp_path, ToyCar_7z_001=10)

    assert find_volumes(tmp_path, TOY) is None


@pytest.mark.parametrize(
    ("numbers", "missing"), [((1, 3), "002"), ((2, 3), "001"), ((1, 2, 5), "003"), ((1, 99999999), "002")]
)
def test_a_gap_is_an_error_that_names_the_first_missing_volume(tmp_path, numbers, missing):
    for n in numbers:
        (tmp_path / volume_name(TOY, n)).write_bytes(b"12345")

    with refused(VolumeError) as caught:
        find_volumes(tmp_path, TOY)

    assert caught.value.actual == f"no ToyTrain.7z.{missing} among {len(numbers)} volumes"
    assert f"Fetch ToyTrain.7z.{missing} into {tmp_path}" in caught.value.remedy


def test_one_number_under_two_names_is_an_error_that_names_both(tmp_path):
    put(tmp_path, ToyTrain_7z_001=10, ToyTrain_7z_0001=10)

    with refused(VolumeError) as caught:
        find_volumes(tmp_path, TOY)

    assert caught.value.actual == "ToyTrain.7z.0001 and ToyTrain.7z.001"
    assert "mv " in caught.value.remedy


def test_a_volume_with_too_few_or_too_many_digits_is_an_error(tmp_path):
    put(tmp_path, ToyTrain_7z_001=10, ToyTrain_7z_02=10)

    with refused(VolumeError) as caught:
        find_volumes(tmp_path, TOY)

    assert caught.value.expected == "ToyTrain.7z.002"
    assert caught.value.where.endswith("ToyTrain.7z.02")


def test_a_volume_zero_is_an_error(tmp_path):
    put(tmp_path, ToyTrain_7z_000=10, ToyTrain_7z_001=10)

    with refused(VolumeError) as caught:
        find_volumes(tmp_path, TOY)

    assert caught.value.expected == "numbers from ToyTrain.7z.001 on"


def test_a_whole_archive_beside_its_volumes_is_an_error(tmp_path):
    put(tmp_path, ToyTrain_7z=20, ToyTrain_7z_001=10, ToyTrain_7z_002=10)

    with refused(VolumeError):
        find_volumes(tmp_path, TOY)


def test_a_truncated_middle_volume_is_an_error_that_counts_the_missing_bytes(tmp_path):
    put(tmp_path, ToyTrain_7z_001=1000, ToyTrain_7z_002=700, ToyTrain_7z_003=1000)

    with refused(VolumeError) as caught:
        find_volumes(tmp_path, TOY)

    assert caught.value.where.endswith("ToyTrain.7z.002")
    assert caught.value.actual == "700 bytes (700 B), 300 too few"
    assert "Fetch ToyTrain.7z.002 again" in caught.value.remedy


def test_an_empty_last_volume_is_an_error(tmp_path):
    put(tmp_path, ToyTrain_7z_001=1000, ToyTrain_7z_002=0)

    with refused(VolumeError):
        find_volumes(tmp_path, TOY)


def test_a_truncated_first_volume_makes_the_others_larger_and_is_the_suspect(tmp_path):
    put(tmp_path, ToyTrain_7z_001=600, ToyTrain_7z_002=1000)

    with refused(VolumeError) as caught:
        find_volumes(tmp_path, TOY)

    assert "400 too many" in caught.value.actual
    assert "Fetch ToyTrain.7z.001 again" in caught.value.remedy


def test_a_folder_in_the_place_of_a_volume_is_an_error(tmp_path):
    (tmp_path / "ToyTrain.7z.001").mkdir()

    with refused(VolumeError):
        find_volumes(tmp_path, TOY)


def test_a_span_of_bytes_names_the_volumes_that_hold_it(tmp_path):
    put(tmp_path, ToyTrain_7z_001=10, ToyTrain_7z_002=10, ToyTrain_7z_003=4)
    volumes = find_volumes(tmp_path, TOY)
    assert volumes is not None

    def names(start: int, stop: int) -> list[str]:
        return [path.suffix for path in volumes.spanning(start, stop)]

    assert names(0, 10) == [".001"]
    assert names(9, 11) == [".001", ".002"]
    assert names(10, 10) == [".002"]
    assert names(5, 24) == [".001", ".002", ".003"]
