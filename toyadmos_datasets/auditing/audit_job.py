"""Runs an audit of a place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import (
    Listener,
    clips_of_dataset,
    clips_of_recipe,
    clips_of_shared_recipe,
    open_in_dataset,
)
from toyadmos_datasets.auditing.findings import AuditReport, Findings, Kind, PairReport, SnrCheck
from toyadmos_datasets.auditing.foreign_clips import SUFFIXES, clips_of_folder, open_in_folder
from toyadmos_datasets.auditing.health_check import check_health
from toyadmos_datasets.auditing.name_check import check_names
from toyadmos_datasets.auditing.pair import compare
from toyadmos_datasets.auditing.snr_check import check_snrs
from toyadmos_datasets.auditing.sound_check import check_alike, check_levels, check_sounds, count_clips
from toyadmos_datasets.auditing.split_check import check_names_of_contents, check_splits, check_takes, with_events
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.values.dcase_folder import dcase_root, is_dcase
from toyadmos_datasets.values.manifest import MANIFEST_NAME, RECIPE_NAME, read_manifest
from toyadmos_datasets.values.recipe import Recipe, read_recipe
from toyadmos_datasets.values.shared_recipe import is_shared_recipe, read_shared_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What is at a place.

    Attributes:
        kind: What kind of place.
        clips: Table with `CLIPS_SCHEMA`.
        recipe: The recipe, where there is one.
        is_simulated: Whether the recordings are known to be synthesised.
        listener: Gives the sound of clips again, where there is any.
    """

    kind: Kind
    clips: pa.Table
    recipe: Recipe | None = None
    is_simulated: bool = False
    listener: Listener | None = None


@overload
def audit(
    place: str | os.PathLike[str], other: None = None, *, workers: int = 1, progress: Progress | None = None
) -> AuditReport: ...


@overload
def audit(
    place: str | os.PathLike[str], other: str | os.PathLike[str], *, workers: int = 1, progress: Progress | None = None
) -> PairReport: ...


def audit(
    place: str | os.PathLike[str],
    other: str | os.PathLike[str] | None = None,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> AuditReport | PairReport:
    """Tell from the data whether a dataset is what a reviewer would sign, or whether two are apart.

    Of a prepared folder every clip is decoded and measured, of any other folder every WAV and FLAC file; of a
    recipe, what can be told without audio.

    Args:
        place: A prepared folder, a recipe, or a folder of audio files in DCASE layout or with ToyADMOS names.
        other: Another of these: then tell whether one learns from anything that the other tests.
        workers: Number of processes.
        progress: Told about the work.

    Raises:
        OptionError: There is nothing to audit.
        DatasetError: The manifest, the recipe or a shard is damaged.
    """
    paths = [dcase_root(one) if is_dcase(one) else expanded_path(one) for one in (place, other) if one is not None]
    first, *second = [_hear(path, workers=workers, progress=progress or Quiet()) for path in paths]
    return _audit_pair(paths, first, second[0]) if second else _audit_one(paths[0], first)


def _audit_pair(paths: Sequence[Path], first: _Heard, second: _Heard) -> PairReport:
    common, findings = compare(
        first.clips,
        second.clips,
        (first.listener, second.listener),
        is_one_corpus=first.is_simulated == second.is_simulated,
    )
    return PairReport(
        places=(str(paths[0]), str(paths[1])),
        kinds=(first.kind, second.kind),
        are_simulated=(first.is_simulated, second.is_simulated),
        n_clips=(len(first.clips), len(second.clips)),
        common=common,
        findings=findings,
    )


def _audit_one(path: Path, heard: _Heard) -> AuditReport:
    findings = Findings()
    clips = heard.clips
    sharing_noise = heard.recipe.configs_sharing_noise if heard.recipe else set()
    counts = count_clips(clips, findings)
    named = with_events(clips)
    check_splits(named, findings, sharing_noise=sharing_noise)
    if heard.listener:
        check_alike(named, findings, heard.listener, sharing_noise=sharing_noise)
    check_names_of_contents(named, findings)
    check_takes(named, findings, sharing_noise=sharing_noise)
    check_names(clips, findings, must_parse=heard.kind != "folder")
    check_sounds(clips, findings)
    check_health(clips, findings)
    return AuditReport(
        place=str(path),
        kind=heard.kind,
        toys=tuple(sorted(pc.unique(clips["toy"].drop_null()).to_pylist())),
        is_simulated=heard.is_simulated,
        levels=check_levels(clips, findings),
        snrs=_snrs(heard, findings),
        findings=findings.all(),
        counts=counts,
        clips=clips,
    )


def _snrs(heard: _Heard, findings: Findings) -> tuple[SnrCheck, ...]:
    """Check the SNRs of each part by the rules that it was planned with."""
    if heard.recipe is None:
        return check_snrs(heard.clips, findings, reference="corpus")
    found: tuple[SnrCheck, ...] = ()
    for part in heard.recipe.parts:
        mine = pc.is_in(heard.clips["config"], value_set=pa.array(part.configs, pa.string()))
        found += check_snrs(
            heard.clips.filter(mine),
            findings,
            reference=part.parameters.get("snr_reference", "corpus"),
            weighting=part.parameters.get("weighting"),
            excluded=part.excluded,
        )
    return found


def _hear(path: Path, *, workers: int, progress: Progress) -> _Heard:
    if path.is_file():
        return _hear_recipe(path)
    if (path / MANIFEST_NAME).exists():
        manifest, recipe = read_manifest(path), read_recipe(path / RECIPE_NAME)
        return _Heard(
            kind="dataset",
            clips=clips_of_dataset(path, manifest, recipe, progress, workers=workers),
            recipe=recipe,
            is_simulated=bool(manifest.source.get("is_simulated")),
            listener=Listener(root=path, reopen=open_in_dataset),
        )
    clips = clips_of_folder(path, progress, workers=workers) if path.is_dir() else None
    if not clips:
        raise OptionError(
            "There is nothing to audit.",
            where=path,
            expected=f"a prepared dataset, a recipe, or a folder with {' or '.join(SUFFIXES)} files",
            actual="no such folder" if clips is None else "a folder without any",
            remedy="Say where it is: toyadmos audit DIR",
        )
    return _Heard(kind="folder", clips=clips, listener=Listener(root=path, reopen=open_in_folder))


def _hear_recipe(path: Path) -> _Heard:
    if not is_shared_recipe(path):
        recipe = read_recipe(path)
        return _Heard(kind="recipe", clips=clips_of_recipe(recipe), recipe=recipe)
    shared = read_shared_recipe(path)
    return _Heard(
        kind="recipe",
        clips=clips_of_shared_recipe(shared),
        recipe=shared.recipe,
        is_simulated=bool(shared.source.get("is_simulated")),
    )
