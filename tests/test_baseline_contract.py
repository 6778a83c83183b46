"""The contract of `fit` and `score`: which clips, models and losses they take, and what they do with them."""

from __future__ import annotations

import numpy as np
import pytest
from baselines import NO_TORCH
from wording import refused

torch = pytest.importorskip("torch", reason=NO_TORCH)
from torch import nn

from toyadmos_datasets.baseline import CODE, KNN, PAPER, Autoencoder, fit, stacks
from toyadmos_datasets.baseline.detector import Detector, Stacks
from toyadmos_datasets.baseline.frames import frames_of
from toyadmos_datasets.baseline.residuals import ResidualCovariance
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.presets import changed

SMALL = changed(
    PAPER, {"offsets": [-1, 0, 1], "n_units": 16, "n_code": 4, "n_hidden": 0, "epochs": 3, "learning_rate": 1e-3}
)


def clips(n: int, *, seed: int = 0, level: float = 0.05) -> list[np.ndarray]:
    """Return half-second clips of noise at 16 kHz."""
    return [np.random.default_rng([seed, one]).normal(0, level, 8_000).astype("f4") for one in range(n)]


class Returning(nn.Module):
    """A model that returns what a function makes of its input."""

    def __init__(self, change) -> None:
        super().__init__()
        self.change = change
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.change(x * self.scale)


def test_int16_is_scaled_to_full_scale():
    floats = clips(3)
    integers = [np.round(one * 32768).astype(np.int16) for one in floats]
    detector = fit([one / np.float32(32768) for one in integers], KNN)

    found = detector.score(integers)

    np.testing.assert_array_equal(found, detector.score([one / np.float32(32768) for one in integers]))
    assert found == pytest.approx(np.zeros(3), abs=1e-6)


def test_decoded_audio_is_brought_to_the_presets_rate():
    audio = [{"array": one, "sampling_rate": 16_000, "path": None} for one in clips(3)]
    slower = [{"array": one[::2], "sampling_rate": 8_000} for one in clips(3)]

    assert fit(audio, KNN).score(clips(3)) == pytest.approx(np.zeros(3), abs=1e-6)
    assert len(frames_of(slower, KNN).values) == len(frames_of(audio, KNN).values)


WRONG_CLIPS = {
    "integers of 32 bits": np.zeros(8_000, np.int32),
    "Python's integers": [0] * 8_000,
    "booleans": np.zeros(8_000, bool),
    "complex": np.zeros(8_000, complex),
    "NaN": np.full(8_000, np.nan),
    "infinity": np.full(8_000, -np.inf),
    "integers that were called floats": np.full(8_000, 1000.0),
    "a column": np.zeros((8_000, 1), np.float32),
    "two channels": np.zeros((2, 8_000), np.float32),
}


@pytest.mark.parametrize("name", WRONG_CLIPS)
def test_a_clip_that_would_be_taken_for_another_is_refused_by_its_number(name):
    with refused(OptionError) as caught:
        frames_of([*clips(2), WRONG_CLIPS[name]], PAPER)

    assert caught.value.where == "clip 2"


WRONG_OUTPUTS = {
    "(n, 1), which is broadcast": lambda x: x[:, :1],
    "a number for each input": lambda x: x.sum(dim=1),
    "frames by bands": lambda x: x.reshape(len(x), 3, 64),
    "no tensor": lambda x: {"x_hat": x},
    "nothing": lambda x: (),
    "integers": lambda x: x.long(),
    "complex": lambda x: torch.complex(x, x),
}


@pytest.mark.parametrize("name", WRONG_OUTPUTS)
def test_an_output_that_is_no_reconstruction_is_refused(name):
    with refused(OptionError) as caught:
        fit(clips(2), SMALL, model=Returning(WRONG_OUTPUTS[name]), device="cpu")

    assert caught.value.where == "forward(x)"


def test_a_model_that_returns_nan_does_not_become_a_detector():
    with refused(OptionError) as caught:
        fit(clips(2), SMALL, model=Returning(lambda x: x * float("nan")), device="cpu")

    assert caught.value.where == "epoch 1"


def test_a_score_that_is_no_number_is_an_error_that_names_the_clip():
    detector = Detector(Returning(lambda x: torch.where(x > -5, float("nan"), x)), SMALL)
    quiet, (loud,) = np.zeros(8_000, "f4"), clips(1, level=0.5)
    with refused(OptionError) as caught:
        detector.score([quiet, loud, quiet])

    assert caught.value.where == "clip 1"


def test_the_first_of_a_tuple_is_the_reconstruction():
    plain, tupled = (
        fit(clips(2), SMALL, model=Returning(change), device="cpu")
        for change in (lambda x: x / 2, lambda x: (x / 2, x.sum(), "anything"))
    )

    np.testing.assert_array_equal(plain.score(clips(3, seed=1)), tupled.score(clips(3, seed=1)))


def test_a_loss_of_ones_own_is_given_the_batch_and_is_what_is_lowered():
    seen = []

    def loss(batch):
        seen.append(batch)
        return (batch.output[1] ** 2).mean() + 0 * batch.errors.mean()

    model = Returning(lambda x: (x, x.mean(dim=1)))
    detector = fit(clips(4), changed(SMALL, {"learning_rate": 0.1}), model=model, loss=loss, device="cpu")

    rows = {tuple(one.shape) for batch in seen for one in (batch.x, batch.x_hat)}
    assert all(len(shape) == 2 and shape[1] == SMALL.n_inputs for shape in rows)
    assert abs(model.scale.item()) < 1
    assert detector.history[-1] < detector.history[0]
    torch.testing.assert_close(seen[0].errors, torch.zeros_like(seen[0].errors))


def test_a_batch_says_which_clip_each_input_is_of():
    frames = frames_of([np.zeros(8_000, "f4"), *clips(2), np.zeros(9_000, "f4")], SMALL)
    place = Stacks(frames, SMALL, torch.device("cpu"))

    for clip in range(frames.n_clips):
        assert set(place.clips(torch.from_numpy(frames.rows_of(clip, SMALL))).tolist()) == {clip}


@pytest.mark.parametrize("value", [lambda b: 1.0, lambda b: b.errors, lambda b: torch.ones(()), lambda b: None])
def test_a_loss_that_cannot_be_lowered_is_refused(value):
    with pytest.raises(OptionError) as caught:
        fit(clips(2), SMALL, model=Returning(lambda x: x / 2), loss=value, device="cpu")

    assert caught.value.where == "loss(batch)"


def test_training_stops_when_validation_gets_worse_and_keeps_the_best_weights():
    # Normal clips of another level: each step towards the training clips leads away from them.
    model = Returning(lambda x: x)
    preset = changed(SMALL, {"epochs": 50, "learning_rate": 0.05, "normalisation": "none"})
    drift = fit(
        clips(4), preset, model=model, loss=lambda b: b.x_hat.square().mean(), validation=clips(2), patience=3,
        device="cpu",
    )  # fmt: skip

    best = int(np.argmin(drift.validation_history)) + 1
    assert len(drift.history) == len(drift.validation_history) == best + 3 < 50
    measured = np.concatenate([one.ravel() for one in drift.residuals(clips(2))]).astype(float)
    assert (measured**2).mean() * 64 == pytest.approx(min(drift.validation_history), rel=1e-4)


def test_validation_that_gets_better_lets_training_go_on_to_its_last_epoch():
    detector = fit(clips(6), SMALL, validation=clips(2, seed=1), patience=2, device="cpu")

    assert len(detector.validation_history) == SMALL.epochs
    assert detector.validation_history == sorted(detector.validation_history, reverse=True)


def test_a_patience_of_no_epoch_is_refused():
    with refused(OptionError):
        fit(clips(2), SMALL, validation=clips(1), patience=0, device="cpu")


@pytest.mark.parametrize("preset", [SMALL, changed(CODE, {"normalisation": "none"})], ids=["stretch", "padded"])
def test_stacks_are_what_the_network_is_given_before_normalisation(preset):
    frames = frames_of(clips(2), preset)
    detector = Detector(nn.Identity(), changed(preset, {"normalisation": "none"}))
    place = Stacks(frames, preset, torch.device("cpu"))

    found = stacks(clips(2), preset)

    for clip, one in enumerate(found):
        expected = detector.inputs(place, torch.from_numpy(frames.rows_of(clip, preset)))
        assert one.shape == (len(expected), len(preset.offsets), 64)
        np.testing.assert_array_equal(one.reshape(len(one), -1), expected.numpy())


def test_residuals_are_what_the_scores_are_made_of():
    preset = changed(SMALL, {"clip_score": "mean"})
    detector = fit(clips(3), preset, device="cpu")
    others = clips(2, seed=1)

    found = detector.residuals(others)

    assert [one.shape[1] for one in found] == [SMALL.n_inputs] * 2
    by_hand = [(one.astype(float) ** 2).sum(axis=1).mean() / len(SMALL.offsets) for one in found]
    np.testing.assert_allclose(by_hand, detector.score(others), rtol=1e-5)


def test_the_selective_distance_is_that_of_the_formula_and_the_lesser_of_two_domains():
    random = np.random.default_rng(0)
    source, target = (random.normal(0, 1, (400, 12)) @ random.normal(0, 1, (12, 12)) for _ in range(2))
    residuals = random.normal(0, 1, (5, 12))
    expected, learnt = [], []
    for known in (source, target):
        frames = known.reshape(-1, 4)
        precision = np.linalg.inv(np.cov(frames.T))
        apart = residuals.reshape(5, 3, 4)
        expected.append(np.einsum("rfi,ij,rfj->rf", apart, precision, apart).mean(axis=1))
        covariance = ResidualCovariance(4, torch.device("cpu"))
        for piece in np.array_split(known, 3):
            covariance.add(torch.from_numpy(piece))
        learnt.append(covariance)

    found = [one.squared_distances(torch.from_numpy(residuals)).numpy() for one in learnt]
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    detector = Detector(Returning(lambda x: x * 0), SMALL)
    detector.learn_residuals(clips(3), clips(3, seed=1, level=0.5))
    both, each = detector.covariances, []
    preset = changed(SMALL, {"clip_score": "selective-mahalanobis"})
    for one in both:
        detector.covariances = (one,)
        each.append(np.concatenate(detector.scored(frames_of(clips(2, seed=2), SMALL), how=preset).frame_scores))
    detector.covariances = both
    joint = np.concatenate(detector.scored(frames_of(clips(2, seed=2), SMALL), how=preset).frame_scores)
    np.testing.assert_array_equal(joint, np.minimum(*each))


def test_fit_learns_the_residuals_where_the_preset_scores_by_them():
    preset = changed(SMALL, {"clip_score": "selective-mahalanobis"})
    detector = fit(clips(4), preset, device="cpu")

    normal, loud = detector.score(clips(4)), detector.score(clips(4, seed=1, level=0.5))
    assert normal.mean() == pytest.approx(64, rel=0.2)  # the mean of a squared distance is the number of bands
    assert loud.min() > normal.max()


def test_the_selective_score_of_a_detector_that_saw_no_residuals_is_refused():
    detector = Detector(Autoencoder.of(SMALL), changed(SMALL, {"clip_score": "selective-mahalanobis"}))
    with refused(OptionError):
        detector.score(clips(1))


def test_too_few_residuals_have_no_covariance():
    detector = Detector(Autoencoder.of(SMALL), changed(SMALL, {"clip_score": "selective-mahalanobis"}))
    detector.learn_residuals([np.zeros(1100, "f4")])
    with refused(OptionError) as caught:
        detector.score(clips(1))

    assert caught.value.where == "learn_residuals"
