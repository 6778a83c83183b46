"""What an audit hears: levels that give the label away, the SNR that there is, silence, clipping, damage."""

from __future__ import annotations

import numpy as np
import pytest
from auditing import found_in, write_wav
from preparing import options
from rewriting import flac_of, in_split, rewritten, samples_of
from tiny import TinyCorpus, write_tree

from toyadmos_datasets.auditing import audit
from toyadmos_datasets.jobs.prepare import prepare


def test_an_snr_that_is_not_what_was_asked_for_is_found(prepared, tmp_path):
    def quieter(rows):
        return [row | {"snr_achieved_db": row["snr_achieved_db"] + 0.03} for row in rows]

    def change(here, rows):
        return quieter(rows) if here.startswith("snr") else rows

    report = audit(rewritten(prepared, tmp_path / "copy", change))

    assert "The achieved SNR is not what was asked for: off by over 0.01 dB." in found_in(report, "problem")
    assert report.snrs[0].largest_error_db == pytest.approx(0.03, abs=1e-3)


def test_where_noise_is_measured_where_machines_are_active_the_columns_tell_the_snr(tmp_path):
    tree = write_tree(TinyCorpus().files(), tmp_path / "tree")
    whole = prepare(options(tree, tmp_path, protocols=("basic",), snrs_db=(0.0,), snr_reference="active")).out

    (snr,) = audit(whole).snrs
    assert (snr.reference, snr.is_from_stems, snr.n_groups) == ("active", False, snr.n_clips)
    assert snr.largest_error_db < 0.01


def test_one_snr_of_several_that_is_not_what_was_asked_for_is_found(tmp_path):
    tree = write_tree(TinyCorpus(n_normal=8, n_noise=4).files(), tmp_path / "tree")
    whole = prepare(options(tree, tmp_path, protocols=("noise-shift",))).out

    def raise_anomalous(rows):
        return [
            row | {"snr_achieved_db": row["snr_achieved_db"] + 0.02 * (row["snr_db"] == -6 and row["label"])}
            for row in rows
        ]

    report = audit(whole)
    spoilt = audit(rewritten(whole, tmp_path / "copy", in_split("noise_shift/test", raise_anomalous)))

    assert report.is_clean
    assert [one.requested_db for one in report.snrs] == [-6.0, 0.0, 6.0]
    assert all(one.largest_error_db < 0.01 for one in report.snrs)
    said = found_in(spoilt, "problem")["The achieved SNR is not what was asked for: off by over 0.01 dB."]
    assert any("-6 dB asked for, -5.980 dB there" in one for one in said)
    assert [one.largest_error_db for one in spoilt.snrs[:2]] == pytest.approx([0.02, 0.02], abs=1e-3)


def test_loudness_that_gives_the_label_away_is_told_with_its_auc(prepared, tmp_path):
    def louder(rows):
        return [
            row | {"audio": {"bytes": flac_of(samples_of(row) * 3), "path": None}} if row["label"] else row
            for row in rows
        ]

    report = audit(rewritten(prepared, tmp_path / "copy", in_split("clean/test", louder)))
    check = next(one for one in report.levels if one.config == "clean")

    assert check.auc == 1.0
    assert check.anomalous_db - check.normal_db == pytest.approx(20 * np.log10(3), abs=1.5)
    (said,) = found_in(report, "note")["Loudness alone tells much of the label; a system has to beat that."]
    assert "clean, test: AUC of level alone 1.000, within a case and channel 1.000" in said


def test_loudness_is_compared_within_a_case_and_channel_too(tmp_path):
    random = np.random.default_rng(0)
    for channel, gain in ((1, 1000), (2, 8000)):
        for take, louder in ((1, 1.0), (2, 1.2)):
            condition, digits = ("normal", "00") if louder == 1 else ("ab01", "01")
            name = f"31{digits}0{channel}{take:04d}_ToyTrain_case1_{condition}_IND_ch{channel}_{take:04d}.wav"
            write_wav(tmp_path / "mine/test" / name, random.normal(0, gain * louder, 8000).astype(np.int16))
    (check,) = audit(tmp_path / "mine").levels

    assert (check.auc, check.auc_within) == (0.75, 1.0)
    assert check.separation == 1.0


def test_stems_give_the_snr_of_every_clip_and_their_sum(tmp_path):
    tree = write_tree(TinyCorpus(channels=(1, 2, 3, 4)).files(), tmp_path / "tree")
    asked = options(tree, tmp_path, protocols=("basic",), snrs_db=(0.0,), channels="stack", stems=True)
    whole = prepare(asked).out
    report = audit(whole)
    (snr,) = report.snrs

    assert report.is_clean
    assert snr.is_from_stems
    assert (snr.n_groups, snr.n_clips) == (6, 6)
    assert snr.largest_error_db < 0.01
    assert max(filter(None, report.clips["stem_error"].to_pylist()), default=0) <= 1

    def swap(rows):
        stems = rows[1]["noise"]
        return [rows[0] | {"noise": stems}, *rows[1:]]

    spoilt = audit(rewritten(whole, tmp_path / "copy", in_split("snr_0db/train", swap)))
    assert "row 0: up to " in found_in(spoilt, "problem")["Target and noise do not add up to the clip."][0]


def test_silence_clipping_and_damage_are_found_and_stop_nothing(prepared, tmp_path):
    full = np.full(4000, 32767)

    def change(rows):
        audios = [flac_of(np.zeros(4000)), flac_of(full), flac_of(np.arange(4000) % 9), b"fLaC and then nothing"]
        spoilt = [row | {"audio": {"bytes": audio, "path": None}} for row, audio in zip(rows, audios, strict=False)]
        return [*spoilt, *rows[len(audios) :]]

    report = audit(rewritten(prepared, tmp_path / "copy", in_split("snr_6db/train", change)))
    problems = found_in(report, "problem")

    assert "row 0: -200.0 dB" in problems["A clip is digital silence."][0]
    assert "row 1: " in problems["A mixture has samples at full scale."][0]
    assert "row 3: " in problems["A clip cannot be decoded."][0]
    assert "row 2: " in found_in(report, "note")["A clip is quieter than -60 dB re full scale."][0]
