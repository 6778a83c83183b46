"""Augmentation: what is drawn follows from seed, epoch and event, and what becomes of a clip is what was drawn."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preparing import options
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import Augment, AugmentTransform, load_dataset
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.loading.augmentation import Augmentation, ClipPart, training_rows

ALL = Augment(snr_db=(-6, 6), noise="train", mix_up=0.4, gain_db=(-3, 3), shift=True)
N_ROWS, N_SAMPLES, EPOCH = 12, 400, 3


class Sounds:
    """Targets and noises that tell which row they are of."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.targets = random.normal(size=(N_ROWS, N_SAMPLES)).astype(np.float32)
        self.noises = random.normal(size=(N_ROWS, N_SAMPLES)).astype(np.float32)

    def target(self, row: int) -> ClipPart:
        return ClipPart(samples=self.targets[row])

    def noise(self, row: int, n_samples: int, place: float) -> ClipPart:
        return ClipPart(samples=self.noises[row], start=int(place * N_SAMPLES))


def columns(**changed: list[object]) -> pa.Table:
    """Two cases on two channels, three events each."""
    known = {
        "event_id": [f"event{number // 2}" for number in range(N_ROWS)],
        "case": [1 + number // 6 for number in range(N_ROWS)],
        "channel": [1 + number % 2 for number in range(N_ROWS)],
        "label": [number % 2 for number in range(N_ROWS)],
        "noise_recording_ids": [["a"]] * N_ROWS,
    }
    return pa.table(known | changed)


def augmentation(augment: Augment = ALL, seed: int = 0, **changed: list[object]) -> Augmentation:
    return Augmentation(augment, training_rows(columns(**changed)), Sounds(), seed=seed)


EVERY = np.arange(N_ROWS)


def clip_of(one: Augmentation, row: int, epoch: int) -> np.ndarray:
    """Augment one row alone."""
    rows = np.array([row])
    return one.clips(rows, one.draws(rows, epoch))[0][0]


@settings(max_examples=20)
@given(rows=st.lists(st.integers(0, N_ROWS - 1), min_size=1, max_size=20), epoch=st.integers(0, 5))
def test_a_row_gets_the_same_draws_in_whatever_batch_it_comes(rows, epoch):
    one = augmentation()
    some, alone = one.draws(np.array(rows), epoch).named(), one.draws(EVERY, epoch).named()

    for name, values in some.items():
        assert np.array_equal(values, alone[name][rows])


def test_seed_epoch_and_event_each_change_the_draws():
    first = augmentation().draws(EVERY, 0)

    for other in (augmentation(seed=1).draws(EVERY, 0), augmentation().draws(EVERY, 1)):
        for name in ("snr_db", "weight", "gain_db", "shift", "noise_place"):
            assert not (getattr(first, name) == getattr(other, name)).any()
    assert len(np.unique(first.snr_db)) == N_ROWS // 2
    for one, other in zip(EVERY[::2], EVERY[1::2], strict=True):  # the microphones of an event stay together
        assert first.snr_db[one] == first.snr_db[other]
        assert first.noise_row[other] == first.noise_row[one] + 1


def test_noise_is_of_the_same_case_and_channel_and_partners_are_other_rows_of_the_same_channel():
    one, known = augmentation(), columns()
    case, channel = known["case"].to_numpy(), known["channel"].to_numpy()
    drawn = [one.draws(EVERY, epoch) for epoch in range(40)]

    for draws in drawn:
        assert (case[draws.noise_row] == case).all()
        assert (channel[draws.noise_row] == channel).all()
        assert (channel[draws.partner_row] == channel).all()
        assert (draws.partner_row != EVERY).all()
    assert {int(draws.noise_row[0]) for draws in drawn} == {0, 2, 4}
    assert {int(draws.partner_row[0]) for draws in drawn} == {2, 4, 6, 8, 10}


def test_draws_are_spread_over_what_was_asked_for():
    many = [augmentation().draws(EVERY, epoch) for epoch in range(80)]
    snr_db, gain_db, weight = (
        np.concatenate([getattr(one, name) for one in many]) for name in ("snr_db", "gain_db", "weight")
    )

    for values, limit in ((snr_db, 6), (gain_db, 3)):
        assert -limit <= values.min() < -0.96 * limit
        assert 0.96 * limit < values.max() <= limit
    assert abs(snr_db.mean()) < 0.5
    assert abs(weight.mean() - 0.5) < 0.05
    assert abs(weight.var() - 1 / (4 * (2 * 0.4 + 1))) < 0.015  # of Beta(alpha, alpha)


def test_the_noise_stands_below_the_target_by_the_snr_that_was_drawn():
    one = augmentation(Augment(snr_db=(-6, 6)))
    draws = one.draws(EVERY, EPOCH)
    for row in EVERY:
        target = one.sounds.targets[row]
        noise = clip_of(one, row, EPOCH) - target

        assert 10 * np.log10(np.mean(target**2) / np.mean(noise**2)) == pytest.approx(draws.snr_db[row], abs=1e-4)


def test_the_levels_of_the_dataset_say_what_an_snr_is_relative_to():
    one = augmentation(Augment(snr_db=(0, 0)), reference_level_db=[-20.0] * N_ROWS, snr_db=[6.0] * N_ROWS)
    draws = one.draws(EVERY, EPOCH)
    noise = clip_of(one, 0, EPOCH) - one.sounds.targets[0]
    heard = np.roll(one.sounds.noises[draws.noise_row[0]], -int(draws.noise_place[0] * N_SAMPLES))

    # The stem is the noise at 6 dB, so 6 dB more are 0 dB.
    assert np.allclose(noise, heard * 10 ** (6 / 20), atol=1e-5)


def test_a_mix_up_is_the_weighted_sum_of_both_and_labels_are_these_weights():
    one = augmentation(Augment(mix_up=0.4))
    draws = one.draws(EVERY, EPOCH)
    weights = one.label_weights(EVERY, draws, 2)
    labels = columns()["label"].to_numpy()
    for row in EVERY:
        partner, weight = int(draws.partner_row[row]), draws.weight[row]

        expected = weight * one.sounds.targets[row] + (1 - weight) * one.sounds.targets[partner]
        assert np.allclose(clip_of(one, row, EPOCH), expected, atol=1e-6)
        assert weights[row, labels[row]] == pytest.approx(weight if labels[partner] != labels[row] else 1)
    assert np.allclose(weights.sum(axis=1), 1)


def test_gain_and_shift_are_those_that_were_drawn():
    one = augmentation(Augment(gain_db=(-3, 3), shift=True))
    draws = one.draws(EVERY, EPOCH)
    for row in EVERY:
        moved = np.roll(one.sounds.targets[row], int(draws.shift[row] * N_SAMPLES))

        assert np.allclose(clip_of(one, row, EPOCH), moved * 10 ** (draws.gain_db[row] / 20), atol=1e-5)
    assert len(np.unique(draws.shift)) > 1


def test_digital_silence_leaves_a_clip_without_noise():
    one = augmentation(Augment(snr_db=(0, 0)))
    one.sounds.noises[:] = 0

    assert np.array_equal(clip_of(one, 0, EPOCH), one.sounds.targets[0])


def test_a_row_without_noise_of_its_surroundings_is_refused():
    with refused(DatasetError) as caught:
        augmentation(noise_recording_ids=[["a"]] * 6 + [[]] * 6)

    assert caught.value.where == "row 6"


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"snr_db": (6, -6)}, "snr_db"),
        ({"snr_db": 6}, "snr_db"),
        ({"snr_db": (-200, 0)}, "snr_db"),
        ({"gain_db": (0, float("nan"))}, "gain_db"),
        ({"mix_up": -1}, "mix_up"),
        ({"mix_up": "0.4"}, "mix_up"),
        ({"noise": "test"}, "noise"),
    ],
)
def test_an_augmentation_that_cannot_be_is_refused(asked, where):
    with refused(OptionError) as caught:
        Augment(**asked)

    assert caught.value.where == where


def rows_of_arrays() -> list[dict[str, object]]:
    sounds = Sounds()
    rows = columns().to_pylist()
    return [row | {"target": sounds.targets[at], "noise": sounds.noises[at]} for at, row in enumerate(rows)]


def test_rows_of_arrays_become_what_the_core_makes_of_them():
    rows = rows_of_arrays()
    transform = AugmentTransform(ALL, rows, seed=2).at_epoch(EPOCH)
    one = augmentation(seed=2)
    draws = one.draws(EVERY, EPOCH)
    for row in (0, 5, 11):
        made = pickle.loads(pickle.dumps(transform))(rows[row])  # as a worker would

        assert np.array_equal(made["audio"], clip_of(one, row, EPOCH))
        assert made["drawn_snr_db"] == draws.snr_db[row]
        assert np.array_equal(made["label_weights"], one.label_weights(EVERY, draws, 2)[row])


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda rows: [{key: one[key] for key in one if key != "noise"} for one in rows], "noise"),
        (lambda rows: [{key: one[key] for key in one if key != "event_id"} for one in rows], "event_id"),
        (lambda rows: rows + rows[:1], "tell apart"),
    ],
)
def test_rows_that_cannot_be_augmented_are_refused(change, part):
    with pytest.raises(OptionError, match=part):
        AugmentTransform(ALL, change(rows_of_arrays()))


def test_a_row_of_another_split_is_refused():
    transform = AugmentTransform(ALL, rows_of_arrays()[:6])

    with refused(OptionError):
        transform(rows_of_arrays()[7])


@pytest.fixture(scope="module")
def stems(tmp_path_factory):
    """A small dataset with stems and two channels."""
    place = tmp_path_factory.mktemp("stems")
    tree = write_tree(TinyCorpus(n_normal=6, n_noise=4, channels=(1, 2)).files(), place / "source")
    return prepare(options(tree, place, protocols=("basic",), snrs_db=(6.0,), stems=True, channels="1")).out


def test_a_dataset_is_transformed_and_hears_the_training_split_alone(stems, datasets_cache):
    splits = load_dataset(stems, "snr_6db")
    train, test = splits["train"], splits["test"]
    noises = {tuple(one) for one in train["noise_recording_ids"]}
    transform = AugmentTransform(Augment(snr_db=(-6, 6)), train, seed=1)
    for epoch in range(3):
        for row, made in zip(train, train.with_transform(transform.at_epoch(epoch)), strict=True):
            drawn = train[int(made["drawn_noise_row"])]
            noise = np.fft.rfft(made["audio"]["array"] - row["target"]["array"])
            stem = np.fft.rfft(drawn["noise"]["array"])

            # Turned and amplified, a stem keeps the shape of its spectrum.
            assert np.corrcoef(np.abs(noise), np.abs(stem))[0, 1] > 0.999
            assert tuple(drawn["noise_recording_ids"]) in noises
    assert noises.isdisjoint({tuple(one) for one in test["noise_recording_ids"]})
    with pytest.raises(OptionError):
        transform(test[0])
