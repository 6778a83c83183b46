"""The loader for training: which batches come, in what order, shared by ranks, and resumed in the middle."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from baselines import NO_TORCH
from hypothesis import given
from hypothesis import strategies as st
from loading import first_shard
from preparing import options
from tiny import TinyCorpus, write_tree
from wording import refused

from toyadmos_datasets import Augment, AugmentTransform, load_dataset, torch_loader
from toyadmos_datasets.errors import DatasetError, MissingExtraError, OptionError
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.loading.clip_batches import Clips
from toyadmos_datasets.loading.epochs import Epochs
from toyadmos_datasets.options.render_options import LogMel
from toyadmos_datasets.signal.logmel import log_mel
from toyadmos_datasets.values.recording_store import RecordingReader

torch = pytest.importorskip("torch", reason=NO_TORCH)

pytestmark = [
    pytest.mark.usefixtures("datasets_cache"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def rows_of(loader) -> list[list[int]]:
    return [batch["row"].tolist() for batch in loader]


def test_batches_hold_the_very_samples_that_are_stored(prepared):
    train = load_dataset(prepared, split="train")
    loader = torch_loader(prepared, split="train", batch_size=2, columns=("label", "event_id", "snr_db"))
    batches = list(loader)

    assert isinstance(loader, torch.utils.data.DataLoader)
    assert len(batches) == len(loader) == 3
    for batch in batches:
        for number, row in enumerate(batch["row"].tolist()):
            assert np.array_equal(batch["waveform"][number], train[row]["audio"]["array"])
            assert batch["event_id"][number] == train[row]["event_id"]
            assert batch["label"][number] == train[row]["label"]
            assert batch["n_samples"][number] == train[row]["n_samples"]
        assert batch["waveform"].dtype == torch.float32
        assert batch["snr_db"].isnan().all()


def test_log_mel_is_that_of_the_waveforms(prepared):
    settings = LogMel(rate_hz=16000, n_fft=256, n_hop=128, n_mels=32, scale="ln")
    waves = next(iter(torch_loader(prepared, shuffle=False, batch_size=2)))
    batch = next(iter(torch_loader(prepared, shuffle=False, batch_size=2, features="logmel", log_mel=settings)))

    assert batch["logmel"].shape == (2, int(batch["n_frames"][0]), 32)
    for number in range(2):
        assert np.array_equal(batch["logmel"][number], log_mel(waves["waveform"][number].numpy(), settings))


def test_shorter_clips_are_filled_up_with_silence(prepared, tmp_path, monkeypatch):
    loader = torch_loader(prepared, batch_size=2, features="logmel", cache_dir=tmp_path)
    real = Clips.waveform
    monkeypatch.setattr(Clips, "waveform", lambda self, row: real(self, row)[: 4000 if row else 2000])
    waves = torch_loader(prepared, batch_size=2, shuffle=False, cache_dir=tmp_path).dataset.clips.batch([0, 1])
    mels = loader.dataset.clips.batch([0, 1])

    assert waves["n_samples"].tolist() == [2000, 4000]
    assert waves["waveform"].shape == (2, 4000)
    assert not waves["waveform"][0, 2000:].any()
    first, second = mels["n_frames"]
    assert first < second == mels["logmel"].shape[1]
    assert np.unique(mels["logmel"][0, first:]).size == 1


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}])
def test_a_state_goes_on_in_the_middle_of_an_epoch(prepared, options):
    def make():
        return torch_loader(prepared, split="test", batch_size=2, seed=3, **options)

    whole = make()
    epochs = [rows_of(whole), rows_of(whole)]
    cut = make()
    rows_of(cut)
    seen, state = [], None
    for batch in cut:
        seen.append(batch["row"].tolist())
        state = cut.state_dict()
        break
    resumed = make()
    resumed.load_state_dict(json.loads(json.dumps(state)))
    rest = rows_of(resumed)

    assert epochs[0] != epochs[1]
    assert seen + rest == epochs[1]
    assert rows_of(resumed) != rest
    assert resumed.epochs.epoch == 3


def test_the_order_follows_from_seed_and_epoch(prepared):
    one, other = torch_loader(prepared, seed=1, batch_size=2), torch_loader(prepared, seed=2, batch_size=2)
    first = rows_of(one)
    one.set_epoch(0)

    assert rows_of(one) == first
    assert rows_of(other) != first
    assert rows_of(torch_loader(prepared, shuffle=False, batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert rows_of(torch_loader(prepared, shuffle=False, batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]


@given(
    n_rows=st.integers(0, 50),
    world_size=st.integers(1, 5),
    batch_size=st.integers(1, 7),
    is_shuffled=st.booleans(),
    epoch=st.integers(0, 3),
)
def test_ranks_share_the_rows(n_rows, world_size, batch_size, is_shuffled, epoch):
    ranks = [
        Epochs(
            key="k",
            n_rows=n_rows,
            batch_size=batch_size,
            is_shuffled=is_shuffled,
            rank=rank,
            world_size=world_size,
            epoch=epoch,
        )
        for rank in range(world_size)
    ]
    rows = [[row for batch in rank for row in batch] for rank in ranks]
    together = sorted(row for of_rank in rows for row in of_rank)

    assert set(together) == set(range(n_rows))
    assert [sum(1 for _ in rank) for rank in ranks] == [len(rank) for rank in ranks]
    if is_shuffled:
        assert len({len(of_rank) for of_rank in rows}) == 1
        assert len(together) < n_rows + world_size
    else:
        assert together == list(range(n_rows))


def test_the_rank_is_that_of_torch_distributed(prepared, tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        loader = torch_loader(prepared)
    finally:
        torch.distributed.destroy_process_group()

    assert (loader.epochs.rank, loader.epochs.world_size) == (0, 1)


def test_the_state_of_another_loader_is_refused(prepared):
    state = torch_loader(prepared, batch_size=2).state_dict()

    with refused(OptionError) as caught:
        torch_loader(prepared, batch_size=3).load_state_dict(state)
    assert caught.value.where == "batch_size"
    with refused(OptionError):
        torch_loader(prepared, "snr_6db", batch_size=2).load_state_dict(state)


def test_workers_are_sent_no_audio(prepared):
    loader = torch_loader(prepared, batch_size=2)
    rows_of(loader)

    assert len(pickle.dumps(loader.dataset)) < 2000


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"features": "mfcc"}, "features"),
        ({"columns": ("labels",)}, "columns"),
        ({"columns": ("audio",)}, "columns"),
        ({"split": "train[:2]"}, "split"),
        ({"name": "snr_9db"}, "name"),
        ({"batch_size": 0}, "batch_size"),
        ({"rank": 2, "world_size": 2}, "rank"),
    ],
)
def test_an_invalid_argument_is_refused(prepared, changes, where):
    with pytest.raises(OptionError) as caught:
        torch_loader(prepared, **changes)

    assert caught.value.where == where


def test_features_for_another_rate_than_the_clips_are_refused(prepared):
    with refused(OptionError) as caught:
        torch_loader(prepared, features="logmel", log_mel=LogMel(rate_hz=48_000))

    assert "rate_hz=16000" in caught.value.remedy


def test_a_config_of_features_is_refused_with_those_of_clips(tmp_path):
    source = write_tree(TinyCorpus().files(), tmp_path / "source")
    folder = prepare(
        options(source, tmp_path, protocols=("basic",), log_mel=LogMel(n_fft=256, n_hop=128, n_mels=8))
    ).out

    with refused(OptionError) as caught:
        torch_loader(folder, "clean_logmel")

    assert (caught.value.where, caught.value.expected) == ("name", "clean")


def test_damage_is_an_error_in_the_first_batch_or_before(prepared, tmp_path):
    copy = Path(shutil.copytree(prepared, tmp_path / "dataset"))
    _, path = first_shard(copy)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with refused(DatasetError):
        torch_loader(copy)


def test_without_torch_the_error_names_it(prepared, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    with refused(MissingExtraError, "pip install torch"):
        torch_loader(prepared)


AUGMENT = Augment(snr_db=(-6, 6), noise="train", mix_up=0.4, gain_db=(-3, 3), shift=True)


@pytest.fixture(scope="module")
def stems(prepared, tmp_path_factory):
    """A small dataset with stems, of the source of `prepared`."""
    place = tmp_path_factory.mktemp("stems")
    asked = options(prepared.parent / "source", place, protocols=("basic",), snrs_db=(6.0,), stems=True)
    return prepare(replace(asked, cache=prepared.parent / "cache")).out


def clips_of(loader) -> dict[int, np.ndarray]:
    """One epoch, by row."""
    return {
        int(row): clip for batch in loader for row, clip in zip(batch["row"], batch["waveform"].numpy(), strict=True)
    }


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[row], other[row]) for row in one)


def test_augmented_clips_are_the_same_for_any_number_of_workers_and_ranks_and_after_resuming(stems):
    def make(**options):
        return torch_loader(stems, "snr_6db", augment=AUGMENT, batch_size=2, seed=5, **options)

    whole = make()
    first, second = clips_of(whole), clips_of(whole)
    workers = make(num_workers=2, persistent_workers=True)
    ranks = [clips_of(make(rank=rank, world_size=2)) for rank in range(2)]
    resumed = make()
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict() | {"epoch": 1, "n_done": 1})))
    rest = clips_of(resumed)

    assert not same(first, second)
    assert same(clips_of(workers), first)
    assert same(clips_of(workers), second)  # by workers that were there before
    assert same({**ranks[0], **ranks[1]}, first)
    assert 0 < len(rest) < len(second)
    assert same(rest, {row: second[row] for row in rest})


def test_the_loader_and_the_transform_make_the_same_clips(stems):
    train = load_dataset(stems, "snr_6db", "train")
    loader = torch_loader(stems, "snr_6db", augment=AUGMENT, seed=5)
    loader.set_epoch(2)
    clips = clips_of(loader)

    for row, made in enumerate(train.with_transform(AugmentTransform(AUGMENT, train, seed=5, epoch=2))):
        assert np.array_equal(made["audio"]["array"], clips[row])


def test_a_batch_tells_what_was_drawn(stems):
    (batch,) = torch_loader(stems, "snr_6db", augment=AUGMENT, columns=("label", "event_id"))
    events = load_dataset(stems, "snr_6db", "train")["event_id"]

    assert ((batch["drawn_snr_db"] >= -6) & (batch["drawn_snr_db"] <= 6)).all()
    assert batch["label_weights"].sum(dim=1).tolist() == pytest.approx([1] * len(batch["row"]))
    assert batch["partner_event_id"] == [events[row] for row in batch["drawn_partner_row"].tolist()]


def test_the_state_of_another_augmentation_is_refused(stems):
    state = torch_loader(stems, "snr_6db", augment=AUGMENT).state_dict()

    with refused(OptionError):
        torch_loader(stems, "snr_6db", snr_db=(-6, 6)).load_state_dict(state)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"name": "snr_6db", "split": "test", "augment": AUGMENT}, "augment"),
        ({"name": "snr_6db", "augment": AUGMENT}, "snr_db"),
        ({"protocol": "basic"}, "source"),
    ],
)
def test_what_cannot_be_augmented_is_refused(prepared, changes, where):
    with refused(OptionError) as caught:
        torch_loader(prepared, **changes)

    assert caught.value.where == where


def test_clips_without_stems_are_augmented_as_they_are(prepared):
    train = load_dataset(prepared, "snr_6db", "train")
    (batch,) = torch_loader(prepared, "snr_6db", augment=Augment(gain_db=(6, 6)), shuffle=False)

    for row, clip in enumerate(batch["waveform"].numpy()):
        assert np.allclose(clip, train[row]["audio"]["array"] * 10 ** (6 / 20), atol=1e-6)


def test_a_source_is_mixed_without_being_rendered_and_hears_its_training_split_alone(prepared, monkeypatch):
    splits = load_dataset(prepared, "snr_6db")
    heard = set()
    real = RecordingReader.stretch

    def listening(self, recording_id, start, n_samples):
        heard.add(recording_id)
        return real(self, recording_id, start, n_samples)

    loader = torch_loader(
        source=prepared.parent / "source",
        protocol="basic",
        augment=Augment(snr_db=(-6, 6), mix_up=0.4),
        cache=prepared.parent / "cache",
        batch_size=2,
    )
    monkeypatch.setattr(RecordingReader, "stretch", listening)
    for _ in range(3):
        clips_of(loader)

    def used_by(split):
        return {name for row in splits[split] for key in ("recording_ids", "noise_recording_ids") for name in row[key]}

    assert heard == used_by("train")
    assert heard.isdisjoint(used_by("test"))


def test_a_source_is_mixed_at_the_snr_that_was_drawn(prepared):
    clean = load_dataset(prepared, "clean", "train")
    mixed = load_dataset(prepared, "snr_6db", "train")
    loader = torch_loader(
        "train",
        "basic",
        source=str(prepared.parent / "source"),
        snr_db=(-6, 6),
        cache=prepared.parent / "cache",
        headroom_db=0.0,
        columns=("event_id",),
    )
    (batch,) = loader
    for number, row in enumerate(batch["row"].tolist()):
        target = clean[row]["audio"]["array"] * 10 ** (clean[row]["headroom_db"] / 20)
        noise = batch["waveform"][number].numpy() - target
        snr_db = mixed[row]["reference_level_db"] - 10 * np.log10(np.mean(noise**2))

        assert clean[row]["event_id"] == batch["event_id"][number]
        assert snr_db == pytest.approx(float(batch["drawn_snr_db"][number]), abs=0.05)


def test_a_source_has_levels_that_are_measured_as_it_is_mixed(prepared):
    with refused(OptionError) as caught:
        torch_loader(
            source=prepared.parent / "source",
            snr_db=(-6, 6),
            weighting="A",
            cache=prepared.parent / "cache",
        )

    assert caught.value.where == "weighting"
