"""The autoencoder and its training: shapes, presets, stacking, repeatability, plugging in."""

from __future__ import annotations

import numpy as np
import pytest
from baselines import NO_TORCH
from wording import refused

torch = pytest.importorskip("torch", reason=NO_TORCH)

from toyadmos_datasets import load_dataset
from toyadmos_datasets.baseline import CODE, DCASE2020, PAPER, Autoencoder, auc, fit
from toyadmos_datasets.baseline.detector import Detector, Stacks
from toyadmos_datasets.baseline.frames import Frames, frames_of
from toyadmos_datasets.baseline.training_loop import batches
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.presets import changed, chosen_preset
from toyadmos_datasets.options.training_options import TrainOptions

SMALL = changed(PAPER, {"n_units": 32, "n_code": 4, "n_hidden": 1, "epochs": 8, "learning_rate": 1e-3})


def shapes(model):
    return [tuple(layer.weight.shape) for layer in model.modules() if isinstance(layer, torch.nn.Linear)]


def clips(n, *, seed=0, tone=0.0):
    """Second-long clips of noise at 16 kHz, with or without a tone."""
    random = np.random.default_rng(seed)
    time_s = np.arange(16_000) / 16_000
    return [(random.normal(0, 0.05, 16_000) + tone * np.sin(2 * np.pi * 1800 * time_s)).astype("f4") for _ in range(n)]


def test_the_papers_layers_have_the_papers_shapes():
    model = Autoencoder.of(PAPER)

    assert shapes(model) == shapes(Autoencoder.of(CODE))
    encoder = [(512, 1344), *[(512, 512)] * 4, (128, 512)]
    assert shapes(model) == [*encoder, *[shape[::-1] for shape in reversed(encoder)]]
    weights = 2 * (1344 * 512 + 4 * 512 * 512 + 512 * 128)
    biases = 5 * 512 + 128 + 5 * 512 + 1344
    assert sum(one.numel() for one in model.parameters()) == weights + biases == 3_611_072
    n_relu = sum(isinstance(one, torch.nn.ReLU) for one in model.modules())
    assert n_relu == 11
    assert isinstance(model.decoder[-1], torch.nn.Linear)


def test_the_challenges_layers_have_the_challenges_shapes():
    model = Autoencoder.of(DCASE2020)

    encoder = [(128, 640), *[(128, 128)] * 3, (8, 128)]
    assert shapes(model) == [*encoder, *[shape[::-1] for shape in reversed(encoder)]]
    assert sum(isinstance(one, torch.nn.BatchNorm1d) for one in model.modules()) == 9
    weights = 2 * (640 * 128 + 3 * 128 * 128 + 128 * 8)
    biases = 4 * 128 + 8 + 4 * 128 + 640
    scales_and_shifts = 2 * (4 * 128 + 8 + 4 * 128)
    assert sum(one.numel() for one in model.parameters()) == weights + biases + scales_and_shifts == 267_928


def test_the_start_is_glorot_normal_and_follows_from_the_seed():
    first, again, other = (Autoencoder.of(PAPER, seed=seed).encoder[0] for seed in (1, 1, 2))

    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    assert float(first.weight.detach().std()) == pytest.approx((2 / (1344 + 512)) ** 0.5, rel=0.01)
    assert not first.bias.any()


def test_building_a_model_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    Autoencoder.of(PAPER)

    assert torch.equal(torch.rand(1), expected)


def counted_frames():
    """Two clips of 30 and 25 frames; every value is the number of its frame."""
    values = np.repeat(np.arange(55, dtype=np.float32)[:, None], 64, axis=1)
    return Frames(values=values, bounds=np.array([0, 30, 55]))


def test_the_papers_stacks_are_views_and_never_reach_into_another_clip():
    frames = counted_frames()
    stacks = Stacks(frames, PAPER, torch.device("cpu"))
    rows = torch.from_numpy(frames.rows(PAPER))

    stacked = stacks.around(rows)[:, :, 0]
    assert rows.tolist() == [*range(10, 20), *range(40, 45)]
    assert stacked[0].tolist() == list(range(21))
    assert stacked[-1].tolist() == list(range(34, 55))
    assert stacks._view.untyped_storage().data_ptr() == stacks.values.untyped_storage().data_ptr()
    assert stacks.values.data_ptr() == frames.values.ctypes.data


def test_the_codes_stacks_have_the_current_frame_twice_and_zeros_past_the_ends():
    frames, detector = counted_frames(), Detector(torch.nn.Identity(), changed(CODE, {"normalisation": "none"}))
    stacks = Stacks(frames, CODE, torch.device("cpu"))

    x = detector.inputs(stacks, torch.tensor([30, 29]))
    first, last = x.reshape(2, 21, 64)[:, :, 0].tolist()

    # Row 30 begins the second clip: what would be earlier is zero, and so is nothing that is its own.
    assert first == [0.0] * 10 + [30.0, 30.0] + [float(row) for row in range(31, 40)]
    assert last == [float(row) for row in range(19, 30)] + [29.0] + [0.0] * 9
    assert len(frames.rows(CODE)) == 55


def test_batches_have_every_input_once_and_follow_from_the_seed():
    frames = counted_frames()
    preset = changed(PAPER, {"batch_inputs": 4})
    drawn = [[rows.tolist() for rows in batches(frames, preset, seed=0, epoch=epoch)] for epoch in (0, 0, 1)]

    assert sorted(row for rows in drawn[0] for row in rows) == frames.rows(preset).tolist()
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_codes_batches_are_of_two_clips():
    frames = Frames(values=np.zeros((50, 64), np.float32), bounds=np.arange(0, 51, 10))

    sizes = [len(rows) for rows in batches(frames, CODE, seed=0, epoch=0)]
    assert sizes == [20, 20, 10]


def test_the_learning_rate_decays_as_the_paper_says_and_hardly_in_the_code():
    rates = [PAPER.learning_rate_at(epoch) for epoch in range(200)]

    assert rates[:100] == [1e-4] * 100
    assert np.allclose(np.diff(rates[99:]), rates[100] - rates[99])
    assert rates[-1] == pytest.approx(1e-6)
    rate, by_the_code = 1e-4, []
    for epoch in range(1, 201):  # which lowers the rate after an epoch past the hundredth
        by_the_code.append(rate)
        rate -= 1e-4 / 100 / (200 - 100) if epoch > 100 else 0
    assert [CODE.learning_rate_at(epoch) for epoch in range(200)] == pytest.approx(by_the_code, rel=1e-9)


def test_a_frames_score_is_the_squared_error_over_the_frames_stacked():
    class Zero(torch.nn.Module):
        def forward(self, x):
            return torch.zeros_like(x)

    for preset, divisor in ((PAPER, 21), (DCASE2020, 640)):
        plain = changed(preset, {"normalisation": "none"})
        frames = frames_of(clips(1), plain)
        first = frames.rows(plain)[0]
        window = frames.values[[first + offset for offset in plain.offsets]].astype(np.float64)
        detector = Detector(Zero(), plain)
        errors = detector.errors(Stacks(frames, plain, torch.device("cpu")), torch.tensor([first]))

        assert float(errors[0]) == pytest.approx((window**2).sum() / divisor, rel=1e-5)


@pytest.mark.parametrize(
    "preset", [SMALL, changed(CODE, {"n_units": 32, "epochs": 2}), changed(DCASE2020, {"epochs": 2})]
)
def test_training_lowers_the_loss_and_the_same_seed_gives_the_same_weights(preset):
    train = clips(4)
    first, again = (fit(train, preset, seed=5, device="cpu") for _ in range(2))

    assert first.history[-1] < first.history[0]
    assert first.history == again.history
    states = first.state_dict(), again.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_what_was_not_trained_on_scores_higher():
    detector = fit(clips(6), SMALL, device="cpu")
    labels = [0] * 8 + [1] * 8

    assert auc(labels, detector.score(clips(8, seed=1) + clips(8, seed=2, tone=0.05))) > 0.9


def test_the_clip_score_is_the_largest_the_mean_or_a_quantile_of_the_frames():
    detector, frames = fit(clips(2), SMALL, device="cpu"), frames_of(clips(1, seed=4), SMALL)
    by = {
        how: detector.scored(frames, how=changed(SMALL, {"clip_score": how, "quantile": 0.5})).scores[0]
        for how in ("max", "mean", "quantile")
    }

    assert by["quantile"] < by["max"]
    assert by["mean"] < by["max"]


def test_someone_elses_module_goes_through_fit_and_score():
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(torch.nn.Linear(1344, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1344))

    detector = fit(clips(3), changed(PAPER, {"epochs": 2}), model=theirs, device="cpu")
    assert detector.model is theirs
    assert detector.score(clips(2)).shape == (2,)


def test_a_dataset_with_audio_goes_through_fit_and_score(prepared):
    preset = changed(SMALL, {"offsets": [-1, 0, 1], "epochs": 1})
    ours = load_dataset(prepared, "clean")
    detector = fit(ours["train"], preset, device="cpu")

    found = detector.score(ours["test"])
    as_arrays = detector.score([clip["array"] for clip in ours["test"]["audio"]])
    assert found == pytest.approx(as_arrays)


def test_presets_are_changed_by_settings_and_by_files(tmp_path):
    (tmp_path / "paper.toml").write_text("epochs = 3\n")
    (tmp_path / "mine.toml").write_text('base = "dcase2020"\nepochs = 3\noffsets = [0, 1]\n')

    mine = chosen_preset(str(tmp_path / "mine.toml"), ["learning_rate=1", "clip_score=max", "is_padded=true"])

    assert (mine.name, mine.epochs, mine.offsets, mine.n_code) == ("mine", 3, (0, 1), 8)
    assert (mine.learning_rate, mine.clip_score, mine.is_padded) == (1.0, "max", True)
    assert (mine.label, chosen_preset(str(tmp_path / "paper.toml")).label) == ("mine (dcase2020*)", "paper*")


def test_a_preset_with_changed_settings_has_a_star_and_a_list_of_them():
    assert [one.label for one in (PAPER, CODE, DCASE2020)] == ["paper", "code", "dcase2020"]
    assert changed(PAPER, {"epochs": 200}).label == "paper"
    assert changed(CODE, {"epochs": 3}).label == "code*"
    assert changed(CODE, {"epochs": 3, "offsets": [0]}).changes == {"offsets": [0], "epochs": 3}
    assert not PAPER.changes


@pytest.mark.parametrize(
    "setting",
    [
        "epoch=3",
        "name=paper",
        "base=code",
        "validation_share=1",
        "epochs",
        "epochs=many",
        "epochs=0",
        "clip_score=best",
        "offsets=[]",
        "is_padded=1",
        "power=3",
        "n_hidden=-1",
        "batch_clips=-1",
        "weight_decay=-0.1",
        "decay_factor=nan",
        "learning_rate=inf",
    ],
)
def test_an_invalid_setting_is_refused(setting):
    with pytest.raises(OptionError) as caught:
        chosen_preset("paper", [setting])

    name, equals, _ = setting.partition("=")
    assert caught.value.where == (name if equals else "--set")


def test_settings_change_the_preset_that_is_trained(tmp_path):
    options = TrainOptions(dataset=tmp_path, out=tmp_path, preset=CODE, settings=("epochs=3", "offsets=[0, 1]"))

    assert options.preset == changed(CODE, {"epochs": 3, "offsets": [0, 1]})


@pytest.mark.parametrize(("name", "value"), [("device", "gpu"), ("seed", -1)])
def test_a_wrong_option_of_training_is_refused_in_python_too(tmp_path, name, value):
    with pytest.raises(OptionError) as caught:
        TrainOptions(dataset=tmp_path, out=tmp_path, **{name: value})

    assert (caught.value.where, caught.value.actual) == (f"--{name}", str(value))


def test_an_unknown_preset_is_refused():
    with refused(OptionError):
        chosen_preset("waspaa")
