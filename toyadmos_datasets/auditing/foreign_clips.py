"""Clips of a folder that this package did not make, described by paths and samples."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from toyadmos_datasets.auditing.audit_clips import WHOLE, StoredClip, measure_clips
from toyadmos_datasets.corpus.dcase_names import DcaseName, parse_dcase
from toyadmos_datasets.corpus.names import RecordingName, parse_name
from toyadmos_datasets.corpus.noise_names import NOISE_FOLDER
from toyadmos_datasets.corpus.toys import CHANNELS, TOYS, RecordingType
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import NameGrammarError, OptionError
from toyadmos_datasets.values.dcase_folder import truth_in

SUFFIXES = (".wav", ".flac")
SPLITS = {"train", "test", "validation", "adapt", "support", "eval", "dev"}
FILES_A_TASK = 64

LABELS_OF_FOLDERS = {
    **dict.fromkeys(("normal", "NormalSound_IND", "NormalSound_CNT"), "normal"),
    **dict.fromkeys(("anomaly", "anomalous", "abnormal", "AnomalousSound_IND"), "anomalous"),
    NOISE_FOLDER: "noise",
}
_LABELS_OF_NAMES = {"normal": "normal", "anomaly": "anomalous", "anomalous": "anomalous", "abnormal": "anomalous"}
_EVENT = re.compile(r"(Toy[A-Za-z]+)_case([0-9])_(normal|ab[0-9]{2})_(IND|CNT)_([0-9]{4})_(?:ch([1-4])|[a-z]+)(?:_.*)?")
"""How this package names a clip: its event, then its microphone, ``mix`` or ``stack``."""

_TOY = re.compile("|".join(toy.name for toy in TOYS))


@dataclass(frozen=True, slots=True, kw_only=True)
class _FolderClips:
    """Some of the audio files below a folder; a `ClipShare`.

    Attributes:
        root: The folder.
        places: Of the files.
        truth: Names with labels, where the organisers of DCASE list them, by machine and file name.
    """

    root: Path
    places: tuple[str, ...]
    truth: Mapping[tuple[str, str], str]

    @property
    def n_clips(self) -> int:
        return len(self.places)

    def stored(self) -> Iterator[StoredClip]:
        """Yield the files as clips, with what their paths say of them."""
        for place in self.places:
            path = _path_of(place)
            facts = _facts_of(path, root=self.root.name, truth=self.truth) | {"place": place}
            part = "noise" if facts["label"] == "noise" else "target"
            audio = partial(open_in_folder, self.root, place, part)
            yield StoredClip(facts=facts, name=str(self.root / path), audio=audio, parts={part: audio})


def clips_of_folder(root: Path, progress: Progress, *, workers: int) -> pa.Table:
    """Decode and measure every WAV and FLAC file below a folder.

    Returns:
        Table with `CLIPS_SCHEMA`, sorted by place.
    """
    places = sorted(map(_visible, _walk(root)))
    truth = truth_in(root)
    shares = [
        _FolderClips(root=root, places=tuple(places[start : start + FILES_A_TASK]), truth=truth)
        for start in range(0, len(places), FILES_A_TASK)
    ]
    return measure_clips(shares, root, progress, workers=workers)


def open_in_folder(root: Path, place: str, _part: str) -> BinaryIO:
    """Open a file by its place; a file has one part."""
    return (root / _path_of(place)).open("rb")


def _walk(root: Path) -> Iterator[str]:
    """Yield the paths of all audio files below a folder, relative, forward slashes; hidden ones are not."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()


def _visible(path: str) -> str:
    """Return a path, or a part of it, as any terminal can show it: a file's place."""
    return ascii(path)[1:-1]


def _path_of(place: str) -> str:
    """Return the path of a file by its place."""
    return place.encode("ascii").decode("unicode_escape")


def _facts_of(path: str, *, root: str, truth: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Return what a path tells of a clip: the columns of `CLIPS_SCHEMA` that are neither measured nor its place.

    Args:
        path: Relative to the folder, forward slashes.
        root: Name of the folder.
        truth: Names with labels, by machine and file name.
    """
    *folders, file_name = path.split("/")
    machine = [root, *folders][-2] if folders else root
    dcase = parse_dcase([root, *folders], file_name, truth.get((machine, file_name)))
    if dcase is not None:
        return _facts_of_dcase(dcase, path)
    stem = file_name.rpartition(".")[0]
    toy = next((match[0] for part in (stem, *reversed(folders), root) if (match := _TOY.search(part))), None)
    others = [part for part in folders if part not in SPLITS and part not in LABELS_OF_FOLDERS]
    facts: dict[str, Any] = {
        "config": _visible(toy or (others[0] if others else root)),
        "split": next((part for part in folders if part in SPLITS), WHOLE),
        "label": _label_of(folders, stem),
        "toy": toy,
        "recording_ids": [_visible(stem)],
    }
    name = _parsed(f"{stem}.wav", folders, toy) or _event_of(stem)
    if name is None:
        return facts
    same = ("case", "recording_type", "condition", "take", "event_id")
    named = {one: getattr(name, one) for one in same} | {"label": facts["label"] or name.sound}
    channel = name.channel if f"ch{name.channel}" in stem.lower() else 0
    return facts | named | {"channel": channel, "recording_ids": [name.recording_id]}


def _facts_of_dcase(name: DcaseName, path: str) -> dict[str, Any]:
    return {
        "config": _visible(name.machine),
        "split": name.split,
        "label": name.label,
        "toy": name.machine if _TOY.fullmatch(name.machine) else None,
        "case": name.section,
        "recording_ids": [_visible(path.rpartition("/")[2].rpartition(".")[0])],
    }


def _label_of(folders: Sequence[str], stem: str) -> str | None:
    by_folder = next((LABELS_OF_FOLDERS[part] for part in reversed(folders) if part in LABELS_OF_FOLDERS), None)
    if by_folder:
        return by_folder
    words = {_LABELS_OF_NAMES[word] for word in re.split(r"[_.\- ]", stem.lower()) if word in _LABELS_OF_NAMES}
    return words.pop() if len(words) == 1 else None


def _parsed(file_name: str, folders: Sequence[str], toy: str | None) -> RecordingName | None:
    is_noise = NOISE_FOLDER in folders and toy is not None
    try:
        return parse_name(file_name, folder=f"{toy}/{NOISE_FOLDER}" if is_noise else None)
    except NameGrammarError:
        return None


def _event_of(stem: str) -> RecordingName | None:
    """Read a name that this package gave a clip; of several microphones it stands for the first."""
    match = _EVENT.fullmatch(stem)
    if match is None:
        return None
    toy, case, condition, recording_type, take, channel = match.groups()
    try:
        return RecordingName(
            toy=toy,
            case=int(case),
            condition=condition,
            recording_type=cast("RecordingType", recording_type),
            channel=int(channel or CHANNELS[0]),
            take=int(take),
        )
    except OptionError:
        return None
