"""Whether test clips were used for training: by event, by content of the recordings, by noise recording."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import msgspec

from toyadmos_datasets.auditing.split_check import is_silence, source_of
from toyadmos_datasets.errors import DatasetError, LeakageError
from toyadmos_datasets.files.checked_json import Count, canonical_json
from toyadmos_datasets.values.manifest import RECIPE_NAME
from toyadmos_datasets.values.recipe import Recipe, read_recipe
from toyadmos_datasets.values.shards import DcaseSplit, SplitOfConfig

_IDENTIFYING = ["event_id", "recording_hashes", "noise_recording_hashes"]

_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=1 << 10)]
_Hash: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{17,40}\Z")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntClips:
    """What a system was trained and validated on.

    Attributes:
        events: Identifiers of the events, sorted.
        recordings: Hashes of their recordings' content, sorted, without digital silence, which is equal anywhere.
        noises: The same of the noise recordings.
    """

    events: tuple[_Text, ...]
    recordings: tuple[_Hash, ...]
    noises: tuple[_Hash, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What of a test split was trained on.

    Attributes:
        n_events: Events that are tested.
        events: Those of them that were trained on, under whatever name.
        n_noises: Noise recordings that are tested with, where the protocol keeps them apart; else 0.
        noises: How many of these were trained with.
        is_known: Whether it is known what was trained on.
    """

    n_events: Count
    events: tuple[_Text, ...] = ()
    n_noises: Count = 0
    noises: Count = 0
    is_known: bool = True

    @property
    def is_clean(self) -> bool:
        """Whether it is known that nothing tested was trained on."""
        return self.is_known and not self.events and not self.noises

    def __str__(self) -> str:
        if not self.is_known:
            return "it is not known what was trained on"
        found = [(len(self.events), self.n_events, "events"), (self.noises, self.n_noises, "noise recordings")]
        return " and ".join(f"{n} of {of} test {what} were trained on" for n, of, what in found if n)

    @property
    def mark(self) -> str:
        """What every table says of figures that were allowed all the same; empty where there is nothing to say."""
        return "" if self.is_clean else f"OVERLAP: {self}"

    def require_clean(self, where: object) -> None:
        """Raise unless it is known that nothing tested was trained on.

        Raises:
            LeakageError: It was, or it is not known.
        """
        if not self.is_clean:
            raise LeakageError(
                "What is tested was trained on." if self.is_known else "It is not known what this run was trained on.",
                where=where,
                expected="no event and no noise recording in both" if self.is_known else "a run with its event ids",
                actual=f"{self}{f', as {self.events[0]}' if self.events else ''}",
                remedy="Test on a config that divides the events as the training's does. "
                "Or have the overlap marked in every table: --allow-overlap",
            )


def learnt_clips(splits: Iterable[SplitOfConfig]) -> LearntClips:
    """Return what somebody who trains on some splits has learnt from.

    Raises:
        DatasetError: A shard is missing or was changed.
    """
    events: set[str] = set()
    recordings: set[str] = set()
    noises: set[str] = set()
    for split in splits:
        for row in split.known(_IDENTIFYING):
            events.add(row["event_id"])
            recordings.update(row["recording_hashes"])
            noises.update(row["noise_recording_hashes"])
    return LearntClips(
        events=tuple(sorted(events)), recordings=_without_silence(recordings), noises=_without_silence(noises)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedClips:
    """What a test split consists of.

    Attributes:
        recordings: The hashes of each event's recordings, by event.
        noises: Hashes of the noise recordings; empty where the protocol lets splits share them.
        recipe_rows: A hash of what each clip is made of, in the order of the clips; see `recipe_rows`.
    """

    recordings: dict[str, set[str]]
    noises: tuple[str, ...]
    recipe_rows: tuple[str, ...]

    def overlap(self, learnt: LearntClips) -> Overlap:
        """Return what of it was trained on."""
        names, contents, noises = set(learnt.events), set(learnt.recordings), set(learnt.noises)
        events = (name for name, hashes in self.recordings.items() if name in names or hashes & contents)
        return Overlap(
            n_events=len(self.recordings),
            events=tuple(sorted(events)),
            n_noises=len(self.noises),
            noises=sum(one in noises for one in self.noises),
            is_known=bool(learnt.events),
        )


def evaluated_clips(split: SplitOfConfig) -> EvaluatedClips:
    """Return what a test split consists of.

    Raises:
        DatasetError: A shard or the recipe is missing, was changed, or they do not belong together.
    """
    recordings: dict[str, set[str]] = {}
    noises: set[str] = set()
    rows = list(split.known(_IDENTIFYING))
    for row in rows:
        recordings.setdefault(row["event_id"], set()).update(row["recording_hashes"])
        noises.update(row["noise_recording_hashes"])
    if isinstance(split, DcaseSplit):
        return EvaluatedClips(recordings=recordings, noises=(), recipe_rows=tuple(map(_hash_of_file, rows)))
    recipe = read_recipe(split.folder / RECIPE_NAME)
    return EvaluatedClips(
        recordings=recordings,
        noises=() if split.config in recipe.configs_sharing_noise else _without_silence(noises),
        recipe_rows=_recipe_rows(recipe, split, rows),
    )


_OF_PLACE = {"config", "split"}
"""Columns that say where a row stands, and not what its clip is made of."""
_OF_ALL_ROWS = ("snr_reference", "weighting")
"""Parameters from which, beside its own columns, the gains of a row follow."""


def _recipe_rows(recipe: Recipe, split: SplitOfConfig, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """Hash what each clip is made of: its row of the recipe, and the published content of its recordings.

    Neither the rate nor the encoding of the dataset counts, nor what else is in it.
    """
    examples = [
        one for one in recipe.examples.to_pylist() if one["config"] == split.config and one["split"] == split.split
    ]
    if [one["event_id"] for one in examples] != [row["event_id"] for row in rows]:
        raise DatasetError(
            "The recipe is not that of the dataset.",
            where=split.folder / RECIPE_NAME,
            expected=f"the {len(rows)} clips of {split.config}, {split.split}, in their order",
            actual=f"{len(examples)} rows",
            remedy="Prepare the folder again with the same command and --overwrite.",
        )
    parameters = recipe.parameters_of(split.config)
    common = {name: parameters.get(name) for name in _OF_ALL_ROWS}
    found = []
    for example, row in zip(examples, rows, strict=True):
        made_of = {name: value for name, value in example.items() if name not in _OF_PLACE}
        contents = [[source_of(one) for one in row[name]] for name in _IDENTIFYING[1:]]
        digest = hashlib.sha256(canonical_json([common, made_of, contents]).encode())
        found.append(digest.hexdigest()[:32])
    return tuple(found)


def _hash_of_file(row: dict[str, Any]) -> str:
    """Hash what a clip is that nobody mixed here: its file."""
    return hashlib.sha256(canonical_json(row["recording_hashes"]).encode()).hexdigest()[:32]


def _without_silence(hashes: set[str]) -> tuple[str, ...]:
    return tuple(sorted(one for one in hashes if not is_silence(one)))
