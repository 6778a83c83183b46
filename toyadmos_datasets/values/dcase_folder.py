"""Folders in a layout of DCASE task 2: which clips they have, and the columns of ours that these can fill."""

from __future__ import annotations

import csv
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toyadmos_datasets.corpus.dcase_names import DcaseName, parse_dcase, truth_of
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.reading import MAX_CARD_BYTES, expanded_path, read_bounded_file, sha256_of
from toyadmos_datasets.values.columns import LABELS
from toyadmos_datasets.values.manifest import Manifest, Shard

PREFIX = "dcase:"
"""Before a folder: its clips are read as the challenge's."""

_LISTS = "eval_data_list*.csv"


ONE_CLIP: dict[str, Any] = {"channel": 0, "draw": 0, "snr_db": None}
"""What tells the clips of an event apart, where each event has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DcaseClip:
    """A clip of such a folder.

    Attributes:
        path: The file.
        name: What its place and name say.
    """

    path: Path
    name: DcaseName

    @property
    def event_id(self) -> str:
        """Machine, folder and name: the years from 2020 on call clips of different folders alike."""
        return f"{self.name.machine}/{self.path.parent.name}/{self.path.stem}"

    def columns(self) -> dict[str, Any]:
        """Return the columns that are known of it, under the names that ours have.

        `case` is the number of the section or id. What the layout does not tell, such as damage, stems and levels, is
        left out.
        """
        attributes = [f"{key}={value}" for key, value in self.name.attributes.items()]
        return {
            "label": None if self.name.label not in LABELS else LABELS.index(self.name.label),
            "toy": self.name.machine,
            "case": self.name.section,
            "domain": self.name.domain,
            "attributes": attributes,
            "take": self.name.number,
            "event_id": self.event_id,
            "file_name": self.path.name,
        }


def is_dcase(place: str | os.PathLike[str]) -> bool:
    """Whether a place is a folder in a layout of DCASE: ``dcase:DIR``."""
    return os.fspath(place).startswith(PREFIX)


def dcase_root(place: str | os.PathLike[str]) -> Path:
    """Return the folder that ``dcase:DIR`` names, absolute."""
    return expanded_path(os.fspath(place).removeprefix(PREFIX)).absolute()


def dcase_clips(root: Path) -> dict[str, dict[str, list[DcaseClip]]]:
    """Return the clips below a folder by machine and split, in the order of their names.

    A list of the organisers (``eval_data_list_2023.csv``) in the folder itself gives clips of an evaluation set their
    labels.

    Args:
        root: The folder: that of the machines, one above it, or that of one machine.

    Raises:
        DatasetError: There are no clips of the challenge.
    """
    truth = truth_in(root)
    found: dict[str, dict[str, list[DcaseClip]]] = {}
    for path in sorted(_walk(root)):
        folders = [root.name, *path.relative_to(root).parts[:-1]]
        known = truth.get((folders[-2], path.name)) if len(folders) > 1 else None
        name = parse_dcase(folders, path.name, known)
        if name is not None:
            found.setdefault(name.machine, {}).setdefault(name.split, []).append(DcaseClip(path=path, name=name))
    if not found:
        raise DatasetError(
            "There are no clips of DCASE task 2.",
            where=root,
            expected="<machine>/train/*.wav and <machine>/test/*.wav, named as the challenge names them",
            actual="none",
            remedy="Name the folder of the machines: dcase:DIR/dev_data",
        )
    return {
        machine: dict(sorted(splits.items(), key=lambda one: one[0] != "train")) for machine, splits in found.items()
    }


def dcase_manifest(root: Path, machine: str, splits: dict[str, list[DcaseClip]]) -> Manifest:
    """Return what a machine's clips consist of, as manifests say it: each split counts as one file, with its hash."""
    shards = tuple(_shard_of(root, machine, split, clips) for split, clips in splits.items())
    digest = hashlib.sha256("\n".join(one.sha256 for one in shards).encode()).hexdigest()
    return Manifest(
        toy=machine,
        request={},
        source={"kind": "dcase", "is_simulated": False},
        versions={},
        recipe_sha256=digest,
        headroom_db=0.0,
        shards=shards,
    )


def chosen_machine(
    found: dict[str, dict[str, list[DcaseClip]]], machine: str | None
) -> tuple[str, dict[str, list[DcaseClip]]]:
    """Return a machine and its splits; None is the first.

    Raises:
        OptionError: There is no such machine.
    """
    chosen = next(iter(found)) if machine is None else machine
    if chosen not in found:
        raise OptionError(
            "The folder has no such machine.",
            where="--config",
            expected=", ".join(found),
            actual=chosen,
            remedy="Choose one that it has.",
        )
    return chosen, found[chosen]


def scored_rows(clips: Sequence[DcaseClip]) -> Iterator[dict[str, Any]]:
    """Yield the clips as trainings and scores take them: with their audio, and nothing made up but what is empty.

    Raises:
        DatasetError: A clip has no label.
    """
    for clip in clips:
        known = clip.columns()
        if known["label"] is None:
            raise DatasetError(
                "The labels of these clips are not known.",
                where=clip.path,
                expected=f"names with normal or anomaly, or the organisers' list ({_LISTS}) in the folder",
                actual=clip.path.name,
                remedy="Put the list of that year's evaluation set beside the machines' folders.",
            )
        yield {
            "audio": {"bytes": clip.path.read_bytes(), "path": clip.path.name},
            **ONE_CLIP,
            "condition": "normal" if known["label"] == 0 else "anomaly",
            "damage": [],
            "damaged_parts": [],  # the states of a toy's parts stand after it: there are none
            "take": known.pop("take"),
            **known,
            "snr_achieved_db": None,
        }


def content_hash(path: Path) -> str:
    """Hash a file, in the form that recordings' content has: its CRC32, 32 bits of BLAKE2b, its length."""
    content = path.read_bytes()
    return f"{zlib.crc32(content):08x}{hashlib.blake2b(content, digest_size=4).hexdigest()}{len(content):x}"


def _shard_of(root: Path, machine: str, split: str, clips: Sequence[DcaseClip]) -> Shard:
    lines = [f"{clip.path.relative_to(root).as_posix()} {sha256_of(clip.path)}" for clip in clips]
    return Shard(
        path=f"{machine}/{split}",
        config=machine,
        split=split,
        n_rows=len(clips),
        n_bytes=sum(clip.path.stat().st_size for clip in clips),
        sha256=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        n_clipped=0,
    )


def _walk(root: Path) -> Iterable[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder) / name for name in files if name.lower().endswith(".wav"))


def truth_in(root: Path) -> dict[tuple[str, str], str]:
    """Return the names with labels that the organisers' lists in a folder give, by machine and file name.

    Raises:
        DatasetError: A list cannot be read.
    """
    found: dict[tuple[str, str], str] = {}
    for path in sorted(root.glob(_LISTS)):
        text = read_bounded_file(path, MAX_CARD_BYTES, remedy="Get the list again.").decode(errors="replace")
        found |= truth_of(list(csv.reader(text.splitlines())))
    return found
