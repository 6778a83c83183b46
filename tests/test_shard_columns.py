"""The columns of a rendered example: what tells of its audio, the stems beside it, and names of clips."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_resolve import random_sound, store
from test_shard import RATE_HZ, decoded, encodings, example, rendered

from toyadmos_datasets.options.render_options import Encoding
from toyadmos_datasets.rendering.mixing_rules import MixingRules


def test_a_row_tells_what_its_audio_is_made_of(tmp_path):
    sounds = {f"{kind}{channel}": random_sound(channel, 1500) for channel in range(4) for kind in "tn"}
    catalogue = store(tmp_path, sounds)
    ids = [[f"{kind}{channel}" for channel in range(4)] for kind in "tn"]
    asked = {"target_gain_db": 10.0, "noise_start": 77, "case": 2, "take": 5, "label": "anomalous", "condition": "ab01"}

    (found,) = rendered(tmp_path, catalogue, example(*ids, **asked), headroom_db=12.0)

    assert (found["label"], found["toy"], found["case"], found["channel"], found["take"]) == (1, "ToyTrain", 2, 0, 5)
    assert (found["recording_ids"], found["noise_recording_ids"]) == tuple(ids)
    assert (found["noise_start"], found["n_samples"], len(decoded(found))) == (77, 1000, 1000)
    assert (found["target_gain_db"], found["noise_gain_db"], found["headroom_db"]) == (10.0, 0.0, 12.0)
    assert (found["condition"], found["damage_source"]) == ("ab01", "published")
    assert found["damaged_parts"]
    assert all(found[part] != "Normal" for part in found["damaged_parts"])
    assert found["audio"]["path"] == "event of t0_mix.wav"


def test_a_clean_normal_row_has_no_damage_no_noise_and_no_snr(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 1000)})

    (found,) = rendered(tmp_path, catalogue, example("t"), encoding=Encoding(container="flac"))

    none = ("damage_source", "noise_start", "noise_gain_db", "snr_db", "snr_achieved_db", "snr_active_db")
    assert [found[name] for name in none] == [None] * len(none)
    assert (found["label"], found["damaged_parts"], found["noise_recording_ids"]) == (0, [], [])
    assert found["curved_railway_track"] == "Normal"
    assert found["audio"]["path"] == "event of t_ch1.flac"


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32),
    gains_db=st.tuples(st.floats(-90, 0), st.floats(-90, 0)),
    encoding=encodings,
    is_stacked=st.booleans(),
)
def test_stems_add_up_to_the_audio_within_one_step(tmp_path_factory, *, seed, gains_db, encoding, is_stacked):
    folder = tmp_path_factory.mktemp("shard")
    sounds = {f"{kind}{c}": random_sound(seed + c, 1500, 5000) for c in range(4) for kind in "tn"}
    ids = [[f"{kind}{channel}" for channel in range(4)] for kind in "tn"]
    gains = {"target_gain_db": gains_db[0], "noise_gain_db": gains_db[1], "noise_start": 7}
    rules = MixingRules(rate_hz=RATE_HZ, is_stacked=is_stacked)

    (found,) = rendered(
        folder,
        store(folder, sounds),
        example(*ids, **gains),
        encoding=encoding,
        rules=rules,
        stems=True,
        headroom_db=6.0,
    )

    clips = {name: decoded({"audio": found[name]}, encoding.bit_depth) for name in ("audio", "target", "noise")}
    assert np.abs(clips["target"] + clips["noise"] - clips["audio"]).max() <= 1
    assert {clip.shape for clip in clips.values()} == {(1000, 4) if is_stacked else (1000,)}
    name = "stack" if is_stacked else "mix"
    paths = [f"event of t0_{name}{suffix}.{encoding.container}" for suffix in ("", "_target", "_noise")]
    assert [found[column]["path"] for column in clips] == paths


def test_a_clean_clip_has_a_target_and_no_noise(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 1000)})

    (found,) = rendered(tmp_path, catalogue, example("t"), stems=True)

    assert found["target"]["bytes"] == found["audio"]["bytes"]
    assert found["noise"] is None


def test_a_stack_has_the_four_microphones_one_after_the_other_with_one_gain(tmp_path):
    sounds = {f"t{channel}": random_sound(channel, 1000, 500) for channel in range(4)}
    rules = MixingRules(rate_hz=RATE_HZ, is_stacked=True)
    asked = example(list(sounds), target_gain_db=6.0)

    (found,) = rendered(tmp_path, store(tmp_path, sounds), asked, rules=rules)

    expected = np.rint(np.array(list(sounds.values())) * 10 ** (6 / 20))
    np.testing.assert_array_equal(decoded(found).T, expected)
    assert (found["channel"], found["n_samples"]) == (0, 1000)


def test_clips_of_one_event_have_names_of_their_own(tmp_path):
    catalogue = store(tmp_path, {"t": random_sound(1, 2000)})
    some = [example("t"), example("t", draw=1), example("t", target_start=160, target_length=3000, n_samples=1000)]

    found = rendered(tmp_path, catalogue, *some)

    paths = [one["audio"]["path"] for one in found]
    assert paths == ["event of t_ch1.wav", "event of t_ch1_d1.wav", "event of t_ch1_at160.wav"]
