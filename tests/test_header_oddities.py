"""How odd headers are told: from flags in a store to the manifest of a dataset."""

from __future__ import annotations

import pyarrow as pa
import pytest
from preparing import options
from tiny import TinyCorpus, only, write_tree, write_volumes

from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.signal.wav import QUIRKS
from toyadmos_datasets.values.health import header_flags, header_oddities
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recording_store import CATALOGUE_SCHEMA


def catalogue(flags: dict[str, list[str]]) -> pa.Table:
    column = pa.array(list(flags.values()), pa.list_(pa.string()))
    return pa.table({"recording_id": pa.array(list(flags), pa.string()), "flags": column})


def test_flags_of_headers_are_counted_and_those_of_the_sound_are_not():
    found = header_oddities(
        catalogue(
            {
                "c": ["silent", *header_flags(["riff_size", "unfinished"])],
                "b": [],
                "a": header_flags(["riff_size"]),
                "d": ["clipped"],
            }
        )
    )

    assert [(one.code, one.n, one.examples) for one in found] == [
        ("header_riff_size", 2, ("a", "c")),
        ("header_unfinished", 1, ("c",)),
    ]
    assert [one.what for one in found] == [QUIRKS["riff_size"], QUIRKS["unfinished"]]


def test_all_are_counted_and_ten_are_named():
    (found,) = header_oddities(catalogue({f"r{number:02d}": header_flags(["padding"]) for number in range(30)[::-1]}))

    assert found.n == 30
    assert found.examples == tuple(f"r{number:02d}" for number in range(10))


def test_rows_that_were_filtered_are_counted_by_themselves():
    whole = catalogue({f"r{number}": header_flags(["padding"]) for number in range(6)})

    (found,) = header_oddities(pa.concat_tables([whole.slice(1, 2), whole.slice(4)]))

    assert found.examples == ("r1", "r2", "r4", "r5")


def test_an_empty_catalogue_has_nothing_odd():
    assert header_oddities(CATALOGUE_SCHEMA.empty_table()) == ()


@pytest.mark.parametrize("write", [write_tree, write_volumes])
def test_the_manifest_counts_odd_headers_of_the_recordings_that_were_used(tmp_path, write):
    files = TinyCorpus(n_normal=6, conditions=("ab01",), n_noise=4, channels=(1, 2), clip_s=0.1, noise_s=0.2).files()
    used, other = (only(files, part) for part in ("normal_IND_ch1_0002", "normal_IND_ch2_0002"))
    for member in (used, other):
        files[member] += bytes(16)

    report = prepare(options(write(files, tmp_path / "source"), tmp_path, protocols=("basic",), channels="1"))

    (oddity,) = [one for one in read_manifest(report.out).oddities if one.code.startswith("header_")]
    assert (oddity.code, oddity.n) == ("header_trailing_bytes", 1)
    assert oddity.examples == (used.rpartition("/")[2].removesuffix(".wav"),)
