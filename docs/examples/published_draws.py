"""The draws of the corpus authors' scripts, repeated from the file lists that their `glob` gave.

    python docs/examples/published_draws.py list --toy car --source ToyADMOS --lists lists
    python docs/examples/published_draws.py recipe --toy car --source ToyADMOS --lists lists --out published.parquet
    python docs/examples/published_draws.py clips --toy train --source ToyADMOS --lists lists --out exp1_dataset

docs/protocols.md#the-published-scripts-own-draws says what is the same and what is not.
"""

from __future__ import annotations

import argparse
import glob
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import soxr

from toyadmos_datasets import index

RATE_HZ = 16_000
FOLDERS = {"normal": "NormalSound_IND", "anomalous": "AnomalousSound_IND", "noise": "EnvironmentalNoise_CNT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What one of the published scripts does for a toy.

    Source:
        YumaKoizumi/ToyADMOS-dataset, C01_create_small_INT_dataset, at commit a3fe109; gains as corrected in 2020.

    Attributes:
        toy: ``ToyCar``.
        channels: Microphones whose files it lists; a clip has the name of the last.
        n_heard: How many of these are in the sum, from the first on.
        factor: What the sum is multiplied with, besides the gains.
        gains_db: Gain of target and noise.
        n_cut: Characters that it cuts off the front of a file's name.
    """

    toy: str
    channels: tuple[int, ...]
    n_heard: int
    factor: float
    gains_db: tuple[float, float]
    n_cut: int

    def pattern(self, sound: str, channel: int) -> str:
        """Return where the script looks for files, as a pattern of `glob` below the corpus's folder."""
        of_case = {"normal": "case1/", "anomalous": "case1/"}.get(sound, "")
        in_name = "*case1" if sound == "noise" and self.toy != "ToyCar" else ""
        return f"{self.toy}/{of_case}{FOLDERS[sound]}/{in_name}*ch{channel}*.wav"


SCRIPTS = {
    "car": Script(toy="ToyCar", channels=(1,), n_heard=1, factor=1, gains_db=(0, 10), n_cut=4),
    "conveyor": Script(toy="ToyConveyor", channels=(1,), n_heard=1, factor=1, gains_db=(0, 10), n_cut=4),
    # The array of channel 4 holds the train's sum: it is zeroed first, and added to itself last.
    "train": Script(toy="ToyTrain", channels=(1, 2, 3, 4), n_heard=3, factor=2, gains_db=(10, 0), n_cut=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One clip of the scripts.

    Attributes:
        folder: ``train_normal``, ``test_normal`` or ``test_anomaly``.
        name: Of the file that the script writes.
        targets: Recordings that are summed, in the order of microphones.
        noises: Recordings of noise that are summed.
        start: Where the noise begins, samples at 16 kHz.
    """

    folder: str
    name: str
    targets: tuple[str, ...]
    noises: tuple[str, ...]
    start: int


def lists_in(folder: Path, script: Script) -> dict[str, list[list[str]]]:
    """Read ``normal_ch1.txt`` and so on: of each sound and channel, recordings in the order that `glob` gave."""
    found = {}
    for sound in FOLDERS:
        texts = [(folder / f"{sound}_ch{channel}.txt").read_text() for channel in script.channels]
        # Lists of Windows have backslashes.
        found[sound] = [[re.split(r"[/\\]", line.strip())[-1] for line in text.split("\n") if line] for text in texts]
        if len({len(one) for one in found[sound]}) > 1 or not found[sound][0]:
            sys.exit(f"The lists of {sound} in {folder} differ in length or are empty.")
    return {sound: [[Path(name).stem for name in one] for one in lists] for sound, lists in found.items()}


def lengths_of(n_bytes: dict[str, int]) -> dict[str, int]:
    """Return how many samples recordings have at 16 kHz, by the sizes of their files at 48 kHz."""
    odd = sorted(name for name, n in n_bytes.items() if (n - 44) % 6)
    if odd:
        sys.exit(f"The length of {odd[0]} is no multiple of three samples: resamplers may differ by one.")
    return {name: (n - 44) // 6 for name, n in n_bytes.items()}


def draws_of(
    script: Script, lists: dict[str, list[list[str]]], lengths: dict[str, int], n_train: int
) -> Iterator[Draw]:
    """Repeat the script's draws, in its order: a permutation, then of each clip a noise and where that begins.

    NumPy keeps the stream of its legacy generator the same in all versions (NEP 19).

    Args:
        script: What the script does for this toy.
        lists: As `lists_in` gives them.
        lengths: Samples at 16 kHz of each recording.
        n_train: How many of the shuffled normal clips are for training; 1000 in the scripts.
    """
    random = np.random.RandomState(0)
    sums = {sound: list(zip(*some[: script.n_heard], strict=True)) for sound, some in lists.items()}
    order = [("normal", place) for place in random.permutation(len(sums["normal"]))]
    order += [("anomalous", place) for place in range(len(sums["anomalous"]))]
    for number, (sound, place) in enumerate(order):
        noise = random.randint(len(sums["noise"]))
        n_clip, n_noise = (lengths[lists[kind][-1][at]] for kind, at in ((sound, place), ("noise", noise)))
        start = int((n_noise - n_clip - 1) * random.rand()) if n_noise > n_clip else 0
        of_normal = "train_normal" if number < n_train else "test_normal"
        name = lists[sound][-1][place][script.n_cut :] + ".wav"
        yield Draw(
            folder=of_normal if sound == "normal" else "test_anomaly",
            name=name.replace("ch4", "chAll") if script.toy == "ToyTrain" else name,
            targets=sums[sound][place],
            noises=sums["noise"][noise],
            start=start,
        )


def mispaired(lists: dict[str, list[list[str]]], n_heard: int, events: dict[str, str]) -> tuple[int, int]:
    """Return how many sums pair different takes, and how many sums there are."""
    sums = [one for some in lists.values() for one in zip(*some[:n_heard], strict=True)]
    return sum(len({events[name] for name in one}) > 1 for one in sums), len(sums)


def write_recipe(draws: list[Draw], script: Script, lengths: dict[str, int], out: Path) -> None:
    """Write a table for ``toyadmos prepare --recipe``; the mean of k microphones is their sum divided by k."""
    gain_db = 20 * np.log10(script.factor * script.n_heard)
    rows = [
        {
            "config": "published",
            "split": one.folder.split("_")[0],
            "recording_ids": list(one.targets),
            "noise_recording_ids": list(one.noises),
            # A recipe's noise begins at floor(position x places): the middle of the step is safe from rounding.
            "noise_position": (one.start + 0.5) / (lengths[one.noises[0]] - lengths[one.targets[0]] + 1),
            "target_gain_db": script.gains_db[0] + gain_db,
            "noise_gain_db": script.gains_db[1] + gain_db,
        }
        for one in draws
    ]
    pq.write_table(pa.Table.from_pylist(rows), out)


def write_clips(draws: list[Draw], script: Script, tree: Path, out: Path) -> tuple[int, int]:
    """Write every clip as the script does; return how many samples wrapped past full scale, and of how many."""
    paths = {path.stem: path for path in (tree / script.toy).rglob("*.wav")}

    @lru_cache(maxsize=1)  # a noise is 600 s long
    def summed(names: tuple[str, ...]) -> np.ndarray:
        """Sum recordings as float32 and resample the sum."""
        total = sum(soundfile.read(paths[name], dtype="float32")[0] for name in names) * np.float32(script.factor)
        return soxr.resample(total, 48_000, RATE_HZ)

    target_gain, noise_gain = (np.float32(10 ** (gain_db / 20)) for gain_db in script.gains_db)
    n_wrapped = n_samples = 0
    for one in sorted(draws, key=lambda draw: draw.noises):
        noise = summed(one.noises)
        target = summed.__wrapped__(one.targets)
        whole = np.around((target_gain * target + noise_gain * noise[one.start :][: len(target)]) * 2**15)
        wrapped = whole.astype(np.int32).astype(np.int16)
        n_wrapped, n_samples = n_wrapped + int((wrapped != whole).sum()), n_samples + len(whole)
        (out / one.folder).mkdir(parents=True, exist_ok=True)
        soundfile.write(out / one.folder / one.name, wrapped, RATE_HZ, subtype="PCM_16")
    return n_wrapped, n_samples


def write_lists(script: Script, tree: Path, folder: Path) -> None:
    """Keep the order in which this file system gives the files, which is what the script sees here."""
    folder.mkdir(parents=True, exist_ok=True)
    for sound in FOLDERS:
        for channel in script.channels:
            found = glob.glob(script.pattern(sound, channel), root_dir=tree)  # noqa: PTH207  # as the scripts
            (folder / f"{sound}_ch{channel}.txt").write_text("\n".join(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["list", "recipe", "clips"])
    parser.add_argument("--toy", choices=list(SCRIPTS), required=True)
    parser.add_argument("--source", type=Path, required=True, help="the corpus; for list and clips a tree")
    parser.add_argument("--lists", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--n-train", type=int, default=1000)
    chosen = parser.parse_args()
    script = SCRIPTS[chosen.toy]
    if chosen.action == "list":
        write_lists(script, chosen.source, chosen.lists)
    lists = lists_in(chosen.lists, script)
    table = index(chosen.source, toy=chosen.toy).table
    ids, n_bytes, event_ids = (table[name].to_pylist() for name in ("recording_id", "n_bytes", "event_id"))
    listed = {name for some in lists.values() for one in some for name in one}
    strange = sorted(listed - set(ids))
    if strange:
        sys.exit(f"{len(strange)} recordings of the lists are not in the source, such as {strange[0]}.")
    n_wrong, n_sums = mispaired(lists, script.n_heard, dict(zip(ids, event_ids, strict=True)))
    print(f"{n_wrong} of {n_sums} sums pair different takes")
    if chosen.action == "list":
        return
    lengths = lengths_of({name: n for name, n in zip(ids, n_bytes, strict=True) if name in listed})
    draws = list(draws_of(script, lists, lengths, chosen.n_train))
    if chosen.action == "clips":
        n_wrapped, n = write_clips(draws, script, chosen.source, chosen.out)
        print(f"{len(draws)} clips, {n_wrapped} of {n} samples wrapped")
    elif n_wrong:
        sys.exit("An example of a recipe is one event, heard by one or several microphones. Use the action clips.")
    else:
        write_recipe(draws, script, lengths, chosen.out)
        print(f"{len(draws)} examples")


if __name__ == "__main__":
    main()
