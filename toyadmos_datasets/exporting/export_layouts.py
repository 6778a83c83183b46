"""Layouts and audio formats of exports."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import pyarrow.compute as pc

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.atomic import write_file
from toyadmos_datasets.files.safe_paths import inside
from toyadmos_datasets.values.columns import LABELS, STEMS
from toyadmos_datasets.values.manifest import Shard
from toyadmos_datasets.values.shards import clip_rows, row_groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip with what is known of it.

    Attributes:
        split: ``train``.
        label: ``normal`` or ``anomalous``; `NOISE` of noise alone.
        columns: Every column but audio.
        content: The bytes of its audio file.
        name: What that file is called in the dataset.
    """

    split: str
    label: str
    columns: dict[str, Any]
    content: bytes
    name: str


NOISE = "noise"
"""The stem that is exported by itself, and the label of such a clip."""


def clips_of(folder: Path, shards: Sequence[Shard], *, noise_of: Collection[str] = ()) -> Iterator[Clip]:
    """Yield the clips of some shards, in order; memory holds a row group.

    Args:
        folder: The prepared folder.
        shards: Which.
        noise_of: Splits of which not the clips are yielded but their noise alone, where they have any.
    """
    for shard in shards:
        column = NOISE if shard.split in noise_of else "audio"
        for row in clip_rows(folder, [shard], is_wanted=partial(_is_wanted, column)):
            audio, label = row.pop(column), NOISE if column == NOISE else LABELS[row["label"]]
            if audio is not None:
                columns = row | {"label": label}
                yield Clip(split=shard.split, label=label, columns=columns, content=audio["bytes"], name=audio["path"])


def _is_wanted(clip: str, column: str) -> bool:
    """Whether a column is the one of the clips, or holds no clips."""
    return column == clip or column not in {"audio", *STEMS}


def target_cases_of(folder: Path, splits: dict[str, list[Shard]]) -> frozenset[int]:
    """Return the cases that a config adapts to and does not train on; those that it adapts to, if it trains on all."""
    cases = {
        split: {
            case
            for shard in splits.get(split, [])
            for group in row_groups(folder, shard, ["case"])
            for case in pc.unique(group["case"]).to_pylist()
        }
        for split in ("adapt", "train")
    }
    return frozenset(cases["adapt"] - cases["train"] or cases["adapt"])


def lengths_of(folder: Path, shards: Sequence[Shard]) -> tuple[int, int]:
    """Return the lengths of the shortest and of the longest clip, samples."""
    groups = [group["n_samples"] for shard in shards for group in row_groups(folder, shard, ["n_samples"])]
    return min(pc.min(one).as_py() for one in groups), max(pc.max(one).as_py() for one in groups)


def packed_name(clip: Clip, suffix: str | None = None) -> str:
    """Return what a clip's audio is called in a tar file, or what else of it has another suffix.

    Source:
        webdataset: the files of a sample share the name up to the first dot.
    """
    stem, _, own = clip.name.rpartition(".")
    name = f"{stem.replace('.', '-')}.{suffix or own}"
    inside(Path(), name, where=clip.name)  # unpacking the tar writes nowhere else
    return name


def write_tar(path: Path, clips: Iterable[Clip]) -> None:
    """Write a tar file of clips, the same bytes for the same clips.

    Source:
        webdataset: the files of a sample follow each other.
    """
    with write_file(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for clip in clips:
            facts = json.dumps(clip.columns | {"split": clip.split}, sort_keys=True, default=str).encode()
            for name, content in ((packed_name(clip), clip.content), (packed_name(clip, "json"), facts)):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def manifests(placed: Iterable[Placed], root: str) -> dict[str, bytes]:
    """Return the manifests of each split by file name.

    Paths are relative to the export, so that it can be moved; `lhotse` takes ``with_path_prefix``.

    Args:
        placed: The exported clips.
        root: Folder of the config within the export.

    Source:
        lhotse: `Recording.to_dict` and `SupervisionSegment.to_dict`, version 1.
    """
    by_split: dict[str, list[Placed]] = {}
    for one in placed:
        by_split.setdefault(one.path.removeprefix(f"{root}/").partition("/")[0], []).append(one)
    files = {}
    for split, some in by_split.items():
        files[f"{root}/{split}_recordings.jsonl.gz"] = _lines(_recording(one) for one in some)
        files[f"{root}/{split}_supervisions.jsonl.gz"] = _lines(_supervision(one) for one in some)
    return files


def _recording(one: Placed) -> dict[str, Any]:
    return {
        "id": _id(one),
        "sources": [{"type": "file", "channels": list(range(one.n_channels)), "source": one.path}],
        "sampling_rate": one.rate_hz,
        "num_samples": one.n_samples,
        "duration": one.n_samples / one.rate_hz,
        "channel_ids": list(range(one.n_channels)),
    }


def _supervision(one: Placed) -> dict[str, Any]:
    channels = list(range(one.n_channels))
    return {
        "id": _id(one),
        "recording_id": _id(one),
        "start": 0.0,
        "duration": one.n_samples / one.rate_hz,
        "channel": channels if len(channels) > 1 else 0,
        "custom": one.columns,
    }


def _id(one: Placed) -> str:
    return one.path.rpartition("/")[2].rpartition(".")[0]


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as file:
        for value in values:
            file.write(json.dumps(value, sort_keys=True).encode() + b"\n")
    return target.getvalue()


LayoutName: TypeAlias = Literal["dcase2020", "dcase2023", "dcase2026", "wav", "webdataset", "lhotse"]
LAYOUTS: tuple[str, ...] = get_args(LayoutName)

ROOT = "dev_data"
"""What the challenge's baselines read; nothing but their own files may lie in it."""

DCASE: tuple[str, ...] = ("dcase2020", "dcase2023", "dcase2026")
"""The layouts of the challenge's task 2."""

WITH_ATTRIBUTES = ("dcase2023", "dcase2026")

SUPPLEMENTAL = "supplemental"
"""Split of which the challenge has the noise alone."""

_DCASE_LABELS = {"normal": "normal", "anomalous": "anomaly"}
_DCASE_SPLITS = {"train": "train", "adapt": "train", "test": "test"}
_MICROPHONE = re.compile(r"_ch([1-4])(?=_| |$)")


def has_place(layout: str, split: str, *, has_stems: bool) -> bool:
    """Tell whether a layout has a place for a split; for supplemental noise, if there are stems to take it from."""
    if split == SUPPLEMENTAL and layout == "dcase2026":
        return has_stems
    return layout not in DCASE or split in _DCASE_SPLITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A clip that has a place in the export.

    Attributes:
        path: Relative to the export, forward slashes.
        columns: What is known of the clip.
        n_samples: Its length there.
        n_channels: Its channels.
        rate_hz: Its rate.
        attributes: What its name says of it, by name, for the challenge's attributes file.
    """

    path: str
    columns: dict[str, Any]
    n_samples: int
    n_channels: int
    rate_hz: int
    attributes: dict[str, str]


@dataclass(slots=True)
class Namer:
    """Gives each clip its name, in the order of the dataset.

    Attributes:
        layout: Whose names.
        config: The config that is exported.
        target_cases: Cases whose test clips are of the target domain: those of the split ``adapt``.
        is_stacked: Whether the microphones of a clip are its channels.
        has_stems: Whether there is noise to export by itself.
        counts: How many names of each kind were given.
    """

    layout: LayoutName
    config: str
    target_cases: frozenset[int] = frozenset()
    is_stacked: bool = False
    has_stems: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def name(self, clip: Clip) -> tuple[str, dict[str, str]] | None:
        """Return a clip's path and attributes, or None if the layout has no place for its split.

        Source:
            dcase2020: y-kawagu/dcase2020_task2_baseline, as read: the machines are all folders in ``dev_data``, train
            clips ``<machine>/train/*.wav``, test clips ``<machine>/test/{normal,anomaly}_id_NN*.wav``, and ids what
            ``id_[0-9][0-9]`` finds in their paths.
            dcase2023: nttcslab/dcase2023_task2_baseline_ae, as read: ``<data>/raw/<machine>/{train,test}/
            section_NN_*_{normal,anomaly}_*.wav``; the names of the challenge's own files (`section_00_source_
            train_normal_0033_car_B1_spd_7_mic_1.wav`) as that repository lists them.
            dcase2026: the same repository, version 5: the same folders and names, two channels, near on the left.
            Its README_legacy has ``supplemental/section_00_machine_0001_.wav`` for the machine alone (2025); that
            noise alone is called ``section_00_noise_0001_`` is inferred.
        """
        if not has_place(self.layout, clip.split, has_stems=self.has_stems):
            return None
        if self.layout == "dcase2020":
            return self._dcase2020(clip)
        if self.layout in WITH_ATTRIBUTES:
            return self._with_attributes(clip)
        stem, _, suffix = clip.name.rpartition(".")
        suffix = suffix if self.layout == "webdataset" else "wav"
        return f"{self.config}/{clip.split}/{clip.label}/{stem}.{suffix}", {}

    def _dcase2020(self, clip: Clip) -> tuple[str, dict[str, str]]:
        split, label = _DCASE_SPLITS[clip.split], _DCASE_LABELS[clip.label]
        kind = f"{split}/{label}_id_{clip.columns['case']:02d}"
        return f"{ROOT}/{clip.columns['toy']}/{kind}_{self._number(kind):08d}.wav", {}

    def _with_attributes(self, clip: Clip) -> tuple[str, dict[str, str]]:
        if clip.split == SUPPLEMENTAL:
            kind = f"{SUPPLEMENTAL}/section_00_{clip.label}"
            number = self._number(kind) + 1
        else:
            split, label = _DCASE_SPLITS[clip.split], _DCASE_LABELS[clip.label]
            is_target = clip.split == "adapt" or (split == "test" and clip.columns["case"] in self.target_cases)
            kind = f"{split}/section_00_{'target' if is_target else 'source'}_{split}_{label}"
            number = self._number(kind)
        attributes = self._attributes(clip)
        spelled = "_".join(f"{name}_{value}" for name, value in attributes.items())
        return f"{ROOT}/raw/{clip.columns['toy']}/{kind}_{number:04d}_{spelled}.wav", attributes

    def _attributes(self, clip: Clip) -> dict[str, str]:
        """Return what may be known of a clip without its label: case, microphones, noise."""
        columns = clip.columns
        snr_db = columns["snr_db"]
        noise = "no" if not columns["noise_recording_ids"] else "gain" if snr_db is None else f"{snr_db:g}dB"
        together = "-".join(_MICROPHONE.findall(" ".join(columns["recording_ids"]))) if self.is_stacked else "mix"
        return {"case": str(columns["case"]), "mic": str(columns["channel"] or together), "noise": noise}

    def _number(self, kind: str) -> int:
        number = self.counts[kind]
        self.counts[kind] += 1
        return number


def labels_csv(placed: Iterable[Placed]) -> bytes:
    """Return a table of every exported clip with all that is known of it."""
    rows = [{"file_name": one.path, "n_samples_exported": one.n_samples} | _flat(one.columns) for one in placed]
    return _csv(rows)


def attributes_csv(placed: Iterable[Placed]) -> bytes:
    """Return the challenge's attributes file: ``file_name,d1p,d1v,d2p,d2v ..``.

    Source:
        DCASE 2022 and 2023 task 2, `attributes_00.csv` of each machine, as public code reads it.
    """
    rows = []
    for one in placed:
        row = {"file_name": one.path.removeprefix(f"{ROOT}/raw/")}
        for number, (name, value) in enumerate(one.attributes.items(), start=1):
            row |= {f"d{number}p": name, f"d{number}v": value}
        rows.append(row)
    return _csv(rows)


def require_layout(name: str) -> LayoutName:
    """Return a layout's name.

    Raises:
        OptionError: There is no such layout.
    """
    if name not in LAYOUTS:
        raise OptionError(
            "There is no such layout.",
            where="--layout",
            expected=", ".join(LAYOUTS),
            actual=name,
            remedy="toyadmos export --help",
        )
    return name  # type: ignore[return-value]  # one of them, as was checked


def _flat(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: " ".join(map(_word, value)) if isinstance(value, list) else value for name, value in columns.items()}


def _word(value: str | dict[str, str]) -> str:
    return value if isinstance(value, str) else ":".join(value.values())


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["file_name"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
