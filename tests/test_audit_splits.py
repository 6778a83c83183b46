"""What stands on two sides of a split, however it got there, is found: events, noise, identical audio."""

from __future__ import annotations

from itertools import combinations

import pytest
from auditing import first_changed, found_in
from hypothesis import given, settings
from hypothesis import strategies as st
from preparing import options
from rewriting import flac_of, in_split, rewritten, samples_of
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.auditing.audit_clips import clips_table
from toyadmos_datasets.auditing.findings import Findings
from toyadmos_datasets.auditing.split_check import check_splits, with_events
from toyadmos_datasets.jobs.prepare import prepare


def test_an_event_on_two_sides_is_a_leak(prepared, rows_by_split, tmp_path):
    stolen = rows_by_split["clean/train"][0]
    copy = rewritten(prepared, tmp_path / "copy", in_split("clean/test", lambda rows: [*rows, stolen]))
    leaks = found_in(audit(copy), "leak")

    (event,) = leaks["An event stands on two sides."]
    assert event.startswith(f"clean: {stolen['event_id']} in train (data/clean/train-")
    n_test = len(rows_by_split["clean/test"])
    assert f"and test (data/clean/test-00000-of-00001.parquet, row {n_test})" in event
    (twice,) = leaks["Identical audio stands on two sides."]
    assert f"row 0 (train) = data/clean/test-00000-of-00001.parquet, row {n_test} (test)" in twice


def test_the_same_event_in_two_configs_is_no_leak(rows_by_split):
    assert {row["event_id"] for row in rows_by_split["clean/train"]} == {
        row["event_id"] for row in rows_by_split["snr_6db/train"]
    }


def test_identical_audio_under_other_names_is_found(prepared, rows_by_split, tmp_path):
    stolen = rows_by_split["clean/train"][0]
    copy = {name: stolen[name] for name in ("target_level_db", "target_active_level_db")}
    copy["audio"] = {"bytes": flac_of(samples_of(stolen)), "path": "other.flac"}
    across = rewritten(prepared, tmp_path / "across", in_split("clean/test", first_changed(**copy)))
    within = rewritten(prepared, tmp_path / "within", in_split("clean/train", lambda rows: [rows[0], rows[1] | copy]))

    assert list(found_in(audit(across), "leak")) == ["Identical audio stands on two sides."]
    report = audit(within)
    assert not report.has_leak
    assert list(found_in(report, "problem")) == ["Identical audio stands in a config more than once."]


def test_noise_on_two_sides_is_a_leak_and_its_overlap_is_measured(prepared, rows_by_split, tmp_path):
    other = rows_by_split["snr_6db/train"][0]
    noise = {name: other[name] for name in ("noise_recording_ids", "noise_recording_hashes", "noise_start")}
    copy = rewritten(prepared, tmp_path / "copy", in_split("snr_6db/test", first_changed(**noise)))
    leaks = found_in(audit(copy), "leak")

    assert set(leaks) == {"A noise recording stands on two sides.", "A stretch of noise stands on two sides."}
    start = other["noise_start"]
    assert any(
        f"samples {start} to {start + 4000} in " in one for one in leaks["A stretch of noise stands on two sides."]
    )


@pytest.mark.parametrize(
    "asked",
    [{"protocols": ("basic",), "snrs_db": (0.0,), "shared_noise": True}, {"faithful": True, "channels": "mix"}],
    ids=["shared-noise", "faithful"],
)
def test_noise_that_was_asked_to_be_shared_is_told_and_is_no_leak(tmp_path, asked):
    tree = write_tree(TinyCorpus(n_noise=1).files(), tmp_path / "tree")
    report = audit(prepare(options(tree, tmp_path, **asked)).out)

    assert not report.has_leak
    assert "A noise recording stands on two sides, as was asked for." in found_in(report, "problem")


SPLITS = st.sampled_from(["train", "validation", "test"])
CLIPS = st.lists(st.tuples(SPLITS, st.integers(0, 4), st.integers(1, 3), st.integers(0, 60)), min_size=1, max_size=12)


@settings(max_examples=40)
@given(CLIPS)
def test_exactly_what_two_sides_share_is_a_leak(clips):
    rows = [
        {
            "place": f"row {number}",
            "config": "clean",
            "split": split,
            "toy": "ToyTrain",
            "event_id": f"event{event}",
            "noise_recording_ids": [f"noise_case1_ch1_{noise}"],
            "noise_start": start,
            "n_samples": 20,
        }
        for number, (split, event, noise, start) in enumerate(clips)
    ]
    findings = Findings()
    check_splits(with_events(clips_table(rows)), findings)
    leaks = {one.what: one.places for one in findings.all()}
    pairs = [(a, b) for a, b in combinations(clips, 2) if a[0] != b[0]]
    same_noise = [(a, b) for a, b in pairs if a[2] == b[2]]

    assert len(leaks.get("An event stands on two sides.", ())) == len({a[1] for a, b in pairs if a[1] == b[1]})
    assert len(leaks.get("A noise recording stands on two sides.", ())) == len({a[2] for a, _ in same_noise})
    overlapping = [(a, b) for a, b in same_noise if abs(a[3] - b[3]) < 20]
    assert bool(leaks.get("A stretch of noise stands on two sides.")) == bool(overlapping)
