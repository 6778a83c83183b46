"""docs/examples/published_draws.py gives what the corpus authors' scripts give, from the lists of their glob.

What the scripts do is written down a second time here, straight from YumaKoizumi/ToyADMOS-dataset,
C01_create_small_INT_dataset, with one difference: sums are resampled by soxr, since nobody knows by which librosa then.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from preparing import toyadmos
from tiny import TinyCorpus, wav_bytes, write_tree

from toyadmos_datasets import load_dataset

SCRIPT = Path(__file__).parents[1] / "docs" / "examples" / "published_draws.py"
N_TRAIN = 3
CORPORA = {
    "car": TinyCorpus(toy="ToyCar", channels=(1,), n_normal=5, n_anomalous=2),
    "train": TinyCorpus(toy="ToyTrain", n_normal=5, n_anomalous=2),
}
SOUNDS = {"normal": "NormalSound_IND", "anomalous": "AnomalousSound_IND", "noise": "EnvironmentalNoise_CNT"}

pytestmark = pytest.mark.usefixtures("datasets_cache")


def lists_of(tree: Path, toy: str, *, is_paired: bool) -> dict[tuple[str, int], list[Path]]:
    """Shuffle the files of each microphone: all in one order, or each in its own."""
    lists = {}
    for sound, folder in SOUNDS.items():
        for channel in CORPORA[toy].channels:
            place = next(path for path in tree.rglob(folder) if path.is_dir())
            lists[sound, channel] = sorted(place.glob(f"*ch{channel}*.wav"))
            np.random.default_rng(0 if is_paired else channel).shuffle(lists[sound, channel])
    return lists


def keep(lists: dict[tuple[str, int], list[Path]], folder: Path) -> Path:
    """Write a text file for each list."""
    folder.mkdir()
    for (sound, channel), paths in lists.items():
        (folder / f"{sound}_ch{channel}.txt").write_text("".join(f"{path}\n" for path in paths))
    return folder


def transcribed(toy: str, lists: dict[tuple[str, int], list[Path]]) -> dict[tuple[str, str], np.ndarray]:
    """Return each clip as the script computes it, in steps of int16 and before it wraps, by folder and name."""

    def load(sound: str) -> list[tuple[str, np.ndarray]]:
        loaded = []
        for paths in zip(*(lists[sound, channel] for channel in CORPORA[toy].channels), strict=True):
            waves = [soundfile.read(path, dtype="int16")[0].astype(np.float32) / 2**15 for path in paths]
            signal = waves[-1]
            if toy == "train":
                signal *= 0
                for wave in waves:
                    signal += wave  # the last one is the signal itself
            name = paths[-1].name[1:].replace("ch4", "chAll") if toy == "train" else paths[-1].name[4:]
            loaded.append((name, soxr.resample(signal, 48_000, 16_000)))
        return loaded

    normal, anomalous, noise = (load(sound) for sound in SOUNDS)
    target_gain, noise_gain = (10 ** (10 / 20), 1.0) if toy == "train" else (1.0, 10 ** (10 / 20))
    before = np.random.get_state()  # noqa: NPY002  # the scripts use the global generator
    np.random.seed(0)  # noqa: NPY002
    clips = {}

    def mix(folder: str, name: str, signal: np.ndarray) -> None:
        _, other = noise[np.random.randint(len(noise))]  # noqa: NPY002
        start = int((len(other) - len(signal) - 1) * np.random.rand(1)[0])  # noqa: NPY002
        mixed = target_gain * signal + noise_gain * other[start : start + len(signal)]
        clips[folder, name] = np.around(mixed * 2**15)

    for number, place in enumerate(np.random.permutation(len(normal))):  # noqa: NPY002
        mix("train_normal" if number < N_TRAIN else "test_normal", *normal[place])
    for name, signal in anomalous:
        mix("test_anomaly", name, signal)
    np.random.set_state(before)  # noqa: NPY002
    return clips


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the script in this process; return what it prints."""

    def as_main(action: str, toy: str, tree: Path, lists: Path, out: Path) -> str:
        arguments = ["--toy", toy, "--source", tree, "--lists", lists, "--out", out, "--n-train", N_TRAIN]
        monkeypatch.setattr(sys, "argv", [SCRIPT.name, action, *map(str, arguments)])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return capsys.readouterr().out

    return as_main


@pytest.fixture(params=["car", "train"])
def toy(request) -> str:
    return request.param


@pytest.fixture
def tree(toy, tmp_path) -> Path:
    return write_tree(CORPORA[toy].files(), tmp_path / "tree")


def test_a_recipe_gives_the_clips_of_the_script_but_for_samples_that_wrap(toy, tree, run, tmp_path, capsys):
    lists = lists_of(tree, toy, is_paired=True)
    recipe, out = tmp_path / "published.parquet", tmp_path / "out"
    run("recipe", toy, tree, keep(lists, tmp_path / "lists"), recipe)
    words = ["--shared-noise", "--headroom-db", "0", "--on-clip", "count", "--workers", "1", "--cache", tmp_path / "c"]
    ran = toyadmos(capsys, "prepare", "--toy", toy, "--source", tree, "--recipe", recipe, "--out", out, *words)
    assert ran.status == 0, ran.err

    found = {}
    for split, rows in load_dataset(out, "published").items():
        for row in rows:
            name = row["recording_ids"][0]
            name = name[1:].replace("_ch1_", "_chAll_") if toy == "train" else name[4:]
            folder = "test_anomaly" if row["condition"] != "normal" else f"{split}_normal"
            found[folder, name[name.index("_") :]] = row["audio"]["array"] * 2**15

    expected = {(folder, name[name.index("_") : -4]): clip for (folder, name), clip in transcribed(toy, lists).items()}
    assert found.keys() == expected.keys()
    # A recording is rounded once it is resampled: half a step, times the gains, and half a step for the mixture.
    steps = 6 * (10**0.5 + 1) / 2 if toy == "train" else (1 + 10**0.5) / 2
    for one, clip in expected.items():
        assert np.abs(found[one] - np.clip(clip, -(2**15), 2**15 - 1)).max() <= steps + 1
    n_past = sum(int((np.abs(clip + 0.5) > 2**15).sum()) for clip in expected.values())
    assert (n_past > 0) == (toy == "train")


def test_sums_of_different_takes_and_samples_that_wrap_come_as_the_script_writes_them(toy, tree, run, tmp_path):
    lists = lists_of(tree, toy, is_paired=False)
    kept, out = keep(lists, tmp_path / "lists"), tmp_path / "clips"

    said = run("clips", toy, tree, kept, out)

    expected = transcribed(toy, lists)
    found = {(path.parent.name, path.name): soundfile.read(path, dtype="int16")[0] for path in out.rglob("*.wav")}
    assert found.keys() == expected.keys()
    for one, clip in expected.items():
        np.testing.assert_array_equal(found[one], (clip.astype(np.int64) + 2**15) % 2**16 - 2**15)
    n_wrapped = sum(int((found[one] != clip).sum()) for one, clip in expected.items())
    assert (n_wrapped > 0) == (toy == "train")
    n_all = sum(map(len, expected.values()))
    assert said.endswith(f"{len(expected)} clips, {n_wrapped} of {n_all} samples wrapped\n")


@pytest.mark.parametrize("toy", ["train"], indirect=True)
def test_no_recipe_is_made_of_sums_of_different_takes(toy, tree, run, tmp_path):
    kept = keep(lists_of(tree, toy, is_paired=False), tmp_path / "lists")

    with pytest.raises(SystemExit) as caught:
        run("recipe", toy, tree, kept, tmp_path / "published.parquet")

    assert "one event" in str(caught.value)
    assert not (tmp_path / "published.parquet").exists()


@pytest.mark.parametrize("toy", ["car"], indirect=True)
@pytest.mark.parametrize(("name", "said"), [("recording.wav", "not in the source"), ("", "length")])
def test_a_recording_of_the_lists_that_is_missing_or_of_another_length_ends_it(toy, tree, run, tmp_path, name, said):
    lists = lists_of(tree, toy, is_paired=True)
    first = lists["normal", 1][0]
    kept = keep(lists | {("normal", 1): [first.parent / name, first]} if name else lists, tmp_path / "lists")
    if not name:
        first.write_bytes(wav_bytes(np.zeros(12_001, np.int16)))

    with pytest.raises(SystemExit, match=said):
        run("recipe", toy, tree, kept, tmp_path / "published.parquet")


def test_lists_are_kept_in_the_order_of_glob(toy, tree, run, tmp_path):
    run("list", toy, tree, tmp_path / "lists", tmp_path)

    for (sound, channel), paths in lists_of(tree, toy, is_paired=True).items():
        kept = (tmp_path / "lists" / f"{sound}_ch{channel}.txt").read_text().split("\n")
        as_found = [path.name for path in paths[0].parent.glob(f"*ch{channel}*.wav")]
        assert [Path(one).name for one in kept] == as_found
