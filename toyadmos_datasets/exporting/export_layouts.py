"""The names that others' tools look for."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.exporting.export_clips import Clip

LayoutName: TypeAlias = Literal["dcase2020", "dcase2023", "wav", "webdataset", "lhotse"]
LAYOUTS: tuple[str, ...] = get_args(LayoutName)

ROOT = "dev_data"
"""What the challenge's baselines read; nothing but their own files may lie in it."""

_DCASE_LABELS = {"normal": "normal", "anomalous": "anomaly"}
_DCASE_SPLITS = {"train": "train", "adapt": "train", "test": "test"}


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
        has_target_domain: Whether test clips are of the target domain: the config has a split ``adapt``.
        counts: How many names of each kind were given.
    """

    layout: LayoutName
    config: str
    has_target_domain: bool = False
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
        """
        if self.layout == "dcase2020":
            return self._dcase2020(clip)
        if self.layout == "dcase2023":
            return self._dcase2023(clip)
        stem, _, suffix = clip.name.rpartition(".")
        suffix = suffix if self.layout == "webdataset" else "wav"
        return f"{self.config}/{clip.split}/{clip.label}/{stem}.{suffix}", {}

    def _dcase2020(self, clip: Clip) -> tuple[str, dict[str, str]] | None:
        if clip.split not in _DCASE_SPLITS:
            return None
        split, label = _DCASE_SPLITS[clip.split], _DCASE_LABELS[clip.label]
        kind = f"{split}/{label}_id_{clip.columns['case']:02d}"
        return f"{ROOT}/{clip.columns['toy']}/{kind}_{self._number(kind):08d}.wav", {}

    def _dcase2023(self, clip: Clip) -> tuple[str, dict[str, str]] | None:
        if clip.split not in _DCASE_SPLITS:
            return None
        split, label = _DCASE_SPLITS[clip.split], _DCASE_LABELS[clip.label]
        is_target = clip.split == "adapt" or (split == "test" and self.has_target_domain)
        kind = f"{split}/section_00_{'target' if is_target else 'source'}_{split}_{label}"
        attributes = _attributes(clip)
        spelled = "_".join(f"{name}_{value}" for name, value in attributes.items())
        path = f"{ROOT}/raw/{clip.columns['toy']}/{kind}_{self._number(kind):04d}_{spelled}.wav"
        return path, attributes

    def _number(self, kind: str) -> int:
        number = self.counts[kind]
        self.counts[kind] += 1
        return number


def _attributes(clip: Clip) -> dict[str, str]:
    """Return what may be known of a clip without its label: case, microphone, noise."""
    columns = clip.columns
    snr_db = columns["snr_db"]
    noise = "no" if not columns["noise_recording_ids"] else "gain" if snr_db is None else f"{snr_db:g}dB"
    return {"case": str(columns["case"]), "mic": str(columns["channel"] or "mix"), "noise": noise}


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
    return {name: " ".join(value) if isinstance(value, list) else value for name, value in columns.items()}


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["file_name"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
