"""The presets `code` and `dcase2020` against transcriptions of what the published systems compute, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from baselines import NO_TORCH
from wording import refused

torch = pytest.importorskip("torch", reason=NO_TORCH)

from toyadmos_datasets.baseline import CODE, DCASE2020, Autoencoder
from toyadmos_datasets.baseline.detector import Detector, Stacks
from toyadmos_datasets.baseline.frames import Frames
from toyadmos_datasets.baseline.training_loop import batches, begin, go_on, validation_rows
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.options.presets import changed

TINY = {"n_units": 6, "n_hidden": 1, "n_code": 3}


def frames_of_bands(*lengths: int, n_mels: int, seed: int = 0) -> Frames:
    """Clips of random frames, no band of which has the statistics of another."""
    random = np.random.default_rng(seed)
    values = random.normal(np.arange(n_mels), 1 + np.arange(n_mels) / 10, (sum(lengths), n_mels))
    return Frames(values=values.astype(np.float32), bounds=np.cumsum([0, *lengths]))


def concatenated(h: np.ndarray) -> np.ndarray:
    """Stack frames as the published code does: itself, 0 to 9 frames later, 1 to 10 earlier, zeros past the ends."""
    later = [np.concatenate([h[shift:], np.zeros((shift, h.shape[1]))]) for shift in range(10)]
    earlier = [np.concatenate([np.zeros((shift, h.shape[1])), h[:-shift]]) for shift in range(1, 11)]
    return np.stack([h, *later, *earlier], axis=1)


def test_a_clip_is_normalised_and_stacked_as_the_published_code_does():
    frames = frames_of_bands(40, n_mels=64)
    detector = Detector(torch.nn.Identity(), CODE).train()
    x = frames.values.astype(np.float64)
    expected = concatenated((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 2e-5))

    found = detector.inputs(Stacks(frames, CODE, torch.device("cpu")), torch.arange(40)).numpy().reshape(40, 21, 64)

    # A dense network does not mind in which order the frames of a stack stand.
    order = [CODE.offsets.index(0), *(20 - CODE.offsets[::-1].index(one) for one in range(10))]
    order += [CODE.offsets.index(-one) for one in range(1, 11)]
    np.testing.assert_allclose(found[:, order], expected, atol=1e-4)


def test_clips_are_not_concatenated_which_costs_the_frames_and_stacks_that_the_docs_say():
    n_samples, rows = 160_000, torch.arange(2 * 623)
    each, both = ((n - 512) // 256 for n in (n_samples, 2 * n_samples))
    apart, joined = (
        Stacks(Frames(values=np.ones((1246, 64), np.float32), bounds=np.array(bounds)), CODE, torch.device("cpu"))
        for bounds in ([0, 623, 1246], [0, 1246])
    )
    sees_zeros = (apart.is_inside(rows) != joined.is_inside(rows)).any(dim=1)

    assert CODE.log_mel.n_frames(n_samples) == each == 623
    assert both - 2 * each == 2
    assert int(sees_zeros.sum()) == 19


def test_the_codes_running_statistics_are_those_of_chainer():
    frames = frames_of_bands(30, n_mels=64)
    x = frames.values.astype(np.float64)
    detector = Detector(torch.nn.Identity(), CODE).train()
    detector.inputs(Stacks(frames, CODE, torch.device("cpu")), torch.arange(30))

    np.testing.assert_allclose(detector.mean, 0.1 * x.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(detector.variance, 0.9 + 0.1 * x.var(axis=0) * 30 / 29, rtol=1e-4)


def chainer_adam(gradients, start):
    """Follow Chainer's Adam with AMSGrad and its hook of weight decay, for one weight."""
    weight, m, v, top = start, 0.0, 0.0, 0.0
    for t, gradient in enumerate(gradients, start=1):
        g = gradient + 1e-4 * weight
        m += (1 - 0.9) * (g - m)
        v += (1 - 0.999) * (g * g - v)
        top = max(top, v)
        rate = 1e-4 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weight -= rate * m / (np.sqrt(top) + 1e-8)
    return weight


def test_the_codes_steps_are_those_of_chainers_adam():
    gradients = np.random.default_rng(3).normal(1, 1, 50)
    training = begin(torch.nn.Linear(1, 1, bias=False), frames_of_bands(30, n_mels=64), CODE, seed=0, device="cpu")
    (weight,) = training.optimiser.param_groups[0]["params"]
    with torch.no_grad():
        weight.fill_(0.5)
    for one in gradients:
        weight.grad = torch.full_like(weight, float(one))
        training.optimiser.step()

    assert float(weight.detach()) == pytest.approx(chainer_adam(gradients, 0.5), abs=1e-6)
    assert float(weight.detach()) < 0.5 - 1e-3


def test_the_challenges_layers_are_normalised_as_keras_does():
    model = Autoencoder.of(changed(DCASE2020, TINY)).train()
    dense, norm = model.encoder[0], model.encoder[1]
    x = torch.from_numpy(np.random.default_rng(1).normal(0, 0.01, (20, 640)).astype(np.float32))
    h = dense(x).detach().double().numpy()

    found = norm(dense(x)).detach()

    np.testing.assert_allclose(found, (h - h.mean(axis=0)) / np.sqrt(h.var(axis=0) + 1e-3), atol=1e-5)
    np.testing.assert_allclose(norm.running_mean, 0.01 * h.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(norm.running_var, 0.99 + 0.01 * h.var(axis=0) * 20 / 19, rtol=1e-5)


def test_the_challenges_optimiser_is_keras_adam():
    training = begin(Autoencoder.of(DCASE2020), frames_of_bands(30, n_mels=128), DCASE2020, seed=0, device="cpu")
    group = training.optimiser.param_groups[0]

    assert (group["lr"], group["betas"], group["eps"]) == (1e-3, (0.9, 0.999), 1e-7)
    assert not group["amsgrad"]
    assert not group["weight_decay"]


def test_the_challenges_last_tenth_of_the_inputs_validates_and_is_not_trained_on():
    frames = frames_of_bands(30, 25, n_mels=128)
    n_inputs = 26 + 21
    drawn = np.concatenate(list(batches(frames, DCASE2020, seed=0, epoch=0)))

    rows = frames.rows(DCASE2020)
    assert len(rows) == n_inputs
    assert sorted(drawn) == rows[: int(n_inputs * 0.9)].tolist()
    assert validation_rows(frames, DCASE2020).tolist() == rows[int(n_inputs * 0.9) :].tolist()


def test_clips_validate_where_clips_are_drawn():
    frames = frames_of_bands(30, 25, 20, n_mels=64)
    preset = changed(CODE, {"validation_share": 0.4})

    assert {int(row) for rows in batches(frames, preset, seed=0, epoch=0) for row in rows} == set(range(30))
    assert validation_rows(frames, preset).tolist() == list(range(30, 75))


def test_the_validation_loss_is_told_after_each_epoch_and_changes_no_weight():
    frames = frames_of_bands(30, 25, n_mels=128)
    preset = changed(DCASE2020, TINY | {"epochs": 3})
    training = begin(Autoencoder.of(preset), frames, preset, seed=0, device="cpu")
    before = None

    def note(now, _told):
        nonlocal before
        before = {name: one.clone() for name, one in now.detector.state_dict().items()}

    go_on(training, frames, note)
    found = training.detector
    rows = torch.from_numpy(validation_rows(frames, preset))
    with torch.inference_mode():
        last = float(found.errors(Stacks(frames, preset, torch.device("cpu")), rows).mean())

    assert len(found.validation_history) == 3
    assert found.validation_history[-1] == pytest.approx(last, rel=1e-5)
    assert all(torch.equal(one, before[name]) for name, one in found.state_dict().items())


def test_the_bands_statistics_are_not_those_of_what_validates():
    frames = frames_of_bands(30, 30, n_mels=64)
    preset = changed(CODE, {"normalisation": "bands", "validation_share": 0.5})
    detector = Detector(torch.nn.Identity(), preset)
    detector.learn_bands(frames)

    np.testing.assert_allclose(detector.mean, frames.values[:30].mean(axis=0), rtol=1e-4)


def test_a_training_that_keeps_nothing_to_validate_on_is_refused():
    with refused(DatasetError, "validation_share=0"):
        validation_rows(frames_of_bands(30, n_mels=64), changed(CODE, {"validation_share": 0.1}))


def test_the_challenges_score_is_the_mean_over_values_and_frames():
    frames = frames_of_bands(12, n_mels=128)
    x = frames.values.astype(np.float64)
    vectors = np.stack([x[t : t + 5].ravel() for t in range(12 - 5 + 1)])

    class Zero(torch.nn.Module):
        def forward(self, x):
            return torch.zeros_like(x)

    detector = Detector(Zero(), DCASE2020).eval()
    rows = torch.from_numpy(frames.rows(DCASE2020))
    found = detector.errors(Stacks(frames, DCASE2020, torch.device("cpu")), rows)

    np.testing.assert_allclose(found, np.mean(np.square(vectors), axis=1), rtol=1e-5)
