"""A preparation: what is made of which recordings.

`prepare` and `rebuild` run it, `plan` describes it, and the builder renders what it plans.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.engine import Engine, opened_engine, proved
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.ingest import Indexed, index_source
from toyadmos_datasets.ingest.machine_activity import activity_of
from toyadmos_datasets.ingest.recordings import INGESTED_BY, Store, store_for
from toyadmos_datasets.options.render_options import LOCAL
from toyadmos_datasets.planning import NONE_JOINED, EqualEvents, find_equal_events, windowed_recordings
from toyadmos_datasets.rendering import (
    ExclusionRequest,
    OutputFolder,
    Part,
    PreparedFolder,
    RenderOptions,
    require_features_possible,
    whole_part,
)
from toyadmos_datasets.values.health import Exclusion
from toyadmos_datasets.values.manifest import SkippedRecording, invalid_split_name
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.recording_store import read_catalogue, require_stored
from toyadmos_datasets.values.source import Source

UNCHECKED = (
    "Whether some recordings carry the same sound under several names is not checked before the recordings are read. "
    "Where they do, prepare divides the splits anew, so that no sound is in two of them."
)
"""What a reader of a plan must know as long as not all of its recordings are in the store."""

Ingest: TypeAlias = Callable[[pa.Table], tuple[pa.Table, list[str]]]
"""Is given rows of the index. Returns what the store knows then, and the recordings that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparationPlan:
    """What a preparation comes to.

    Attributes:
        recipe: The examples.
        wanted: The recordings that they need: rows of the index, of the columns `INGESTED_BY`.
        missing: Those of them that the recording store lacks.
        catalogue: What the store knows.
    """

    recipe: Recipe
    wanted: pa.Table
    missing: pa.Table
    catalogue: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A dataset to be made of a toy, wherever its examples come from, or the part of one that is of the toy.

    Attributes:
        source: Where the recordings are.
        output: Where the dataset goes.
        request: What is asked for of this toy; None where it is all that is asked of `output`.
        cache: Folder for the recording store.
        render: How the examples are rendered.
        examples: Says which examples there are, given the index of the source and which events carry the same sound.
        examples_heard: The same, given also where machines run in the continuous recordings that `examples` names;
            None where that changes nothing.
        skip_bad: Leave out recordings that cannot be read, and list them.
        overwrite: Replace a dataset that is in the folder already.
        skipped: Recordings that the examples were made without.
        exclude: Events that are left out of the examples.
        strict: Refuse what is not as published.
        executor: Runs the tasks, in the place of `render.engine`.
        engine: Where tasks run while `engaged`; None for this machine.
        parts: What is rendered, where it was asked for one after the other; None for all examples in one part.
    """

    source: Source
    output: OutputFolder
    cache: Path
    render: RenderOptions
    examples: Callable[[pa.Table, EqualEvents], Recipe]
    examples_heard: Callable[[pa.Table, EqualEvents, pa.Table], Recipe] | None = None
    skip_bad: bool = False
    overwrite: bool = False
    skipped: tuple[SkippedRecording, ...] = ()
    exclude: Exclusion = field(default_factory=Exclusion)
    strict: bool = False
    executor: Executor | None = None
    engine: Engine | None = None
    parts: tuple[Part, ...] | None = None
    request: dict[str, Any] | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether tasks run anywhere else than in this process and its own workers."""
        return self.executor is not None or self.render.engine != LOCAL

    def placed(self) -> Preparation:
        """Return the same, with paths that mean the same to workers elsewhere."""
        if not self.is_elsewhere:
            return self
        output = replace(self.output, path=self.output.path.absolute())
        return replace(self, output=output, cache=self.cache.absolute())

    @contextlib.contextmanager
    def engaged(self) -> Iterator[Preparation]:
        """Give the same with its workers, which have proved that they fit; the caller holds the output.

        Raises:
            MissingExtraError: Dask or Ray is not installed.
            EngineError: There is no such cluster, or one of its workers does not fit.
        """
        if not self.is_elsewhere:
            yield self
            return
        with opened_engine(self.render.engine, self.executor, workers=self.render.workers) as found:
            store, source = self.store.folder, self.source.sample_file
            with proved(found, out=self.output.path, store=store, source=source) as engine:
                n_slots = self.render.workers if engine is None else engine.n_slots
                yield replace(self, engine=engine, render=replace(self.render, workers=n_slots))

    def parts_of(self, recipe: Recipe, there: PreparedFolder | None) -> tuple[Part, ...]:
        """Return what is to be rendered of the examples that were planned.

        Args:
            recipe: The examples.
            there: The dataset that they are added to; None to make a new one.

        Raises:
            OutputConflictError: What is there has a config of the same name that is another one.
        """
        request = self.output.request if self.request is None else self.request
        if there is not None:
            part = there.part_to_add(recipe, request, self.render)
            return () if part.is_empty else (part,)
        return (whole_part(recipe, request, self.render),) if self.parts is None else self.parts

    @property
    def store(self) -> Store:
        """Where the recordings are kept."""
        return store_for(self.cache, self.source, self.render.encoding.rate_hz)

    @property
    def leaving_out(self) -> ExclusionRequest:
        """What is left out when the recordings are known."""
        return ExclusionRequest(exclusion=self.exclude, is_skipping=self.skip_bad)

    def index(self) -> Indexed:
        """List the recordings of the source."""
        return index_source(self.source, strict=self.strict)

    def plan(self, index: pa.Table, progress: Progress, ingest: Ingest | None = None) -> PreparationPlan:
        """Find the examples and the recordings that they need; plan again when those show more than was known.

        Recordings that cannot be read are left out, events with the same content are joined. Both only grow, so it
        ends.

        Args:
            index: The recordings of the source.
            progress: Told about listening to recordings.
            ingest: Brings recordings into the store; None to take what is there.

        Raises:
            PlanError: The source lacks what the examples need, or they have an unusable name.
        """
        ingest = ingest or (lambda _wanted: (read_catalogue(self.store.folder), []))
        activity = functools.lru_cache(maxsize=1)(lambda some: self._activity(some, progress))
        joined = NONE_JOINED
        while True:
            recipe, bad = self._examples(index, joined, activity, ingest)
            wanted = _rows_of(index, recipe.recording_ids)
            if not bad:
                catalogue, bad = ingest(wanted)
            if bad:
                index = _without_events(index, bad)
                continue
            found = find_equal_events(recipe.recording_ids, index, catalogue, so_far=joined)
            if found == joined:
                missing = wanted.filter(pc.invert(pc.is_in(wanted["recording_id"], catalogue["recording_id"])))
                notes = (*recipe.notes, UNCHECKED) if len(missing) else recipe.notes
                return PreparationPlan(
                    recipe=replace(recipe, notes=notes), wanted=wanted, missing=missing, catalogue=catalogue
                )
            joined = found

    def _examples(
        self, index: pa.Table, joined: EqualEvents, activity: Callable[[tuple[str, ...]], pa.Table], ingest: Ingest
    ) -> tuple[Recipe, list[str]]:
        """Return the examples, cut where machines run if that is known; and what could not be read to know it."""
        recipe = self.examples(index, joined)
        _require_usable_names(recipe)
        require_features_possible(recipe.parameters, self.render)
        if self.examples_heard is None:
            return recipe, []
        continuous = windowed_recordings(recipe)
        catalogue, bad = ingest(_rows_of(index, continuous))
        is_known = pc.all(pc.is_in(pa.array(continuous, pa.string()), catalogue["recording_id"]), min_count=0).as_py()
        if is_known and not bad:
            recipe = self.examples_heard(index, joined, activity(tuple(continuous)))
        return recipe, bad

    def _activity(self, recording_ids: Sequence[str], progress: Progress) -> pa.Table:
        store = self.store
        catalogue = require_stored(read_catalogue(store.folder), recording_ids)
        return activity_of(
            recording_ids,
            catalogue,
            rate_hz=store.rate_hz,
            workers=self.render.workers,
            engine=self.engine,
            progress=progress,
        )


def _require_usable_names(recipe: Recipe) -> None:
    """Raise where a config or a split could not be a part of a path; a recipe may come from anywhere."""
    unusable = invalid_split_name(recipe.examples)
    if unusable is not None:
        raise PlanError(
            "A config or a split has a name that cannot be a part of a path.",
            where=ascii(unusable),
            expected="letters, digits, _, . and -, beginning with a letter or a digit",
            actual="another character, or another beginning",
            remedy="Give it another name.",
        )


def _rows_of(index: pa.Table, recording_ids: Sequence[str]) -> pa.Table:
    return index.select(INGESTED_BY).filter(
        pc.is_in(index["recording_id"], value_set=pa.array(recording_ids, pa.string()))
    )


def _without_events(index: pa.Table, recording_ids: list[str]) -> pa.Table:
    """Leave out the events of some recordings: a mix needs all microphones, and rows the same events."""
    bad = pc.is_in(index["recording_id"], value_set=pa.array(recording_ids, pa.string()))
    return index.filter(pc.invert(pc.is_in(index["event_id"], value_set=index.filter(bad)["event_id"])))
