"""What `prepare` is asked for, and the preparations that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.reading import sha256_of
from toyadmos_datasets.jobs.preparation import Preparation
from toyadmos_datasets.jobs.sources import resolve_source
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.planning import (
    OWN,
    EqualEvents,
    PlanOptions,
    complete_custom_recipe,
    plan,
    require_no_choice_beside,
)
from toyadmos_datasets.planning.custom_table import read_examples
from toyadmos_datasets.rendering import OutputFolder, RenderOptions
from toyadmos_datasets.values.dataset_requests import OWN_HEADROOM
from toyadmos_datasets.values.health import Exclusion
from toyadmos_datasets.values.manifest import (
    MANIFEST_NAME,
    NAMED_BY_TOY,
    config_of_toy,
    read_manifest,
)
from toyadmos_datasets.values.recipe import Recipe
from toyadmos_datasets.values.source import Source

HEADROOMS = ("folder", OWN_HEADROOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOptions:
    """What to prepare, from where, to where.

    Attributes:
        plan: Which examples.
        recipe: A table of the user's own that says which examples, in the place of a protocol.
        render: How they are rendered; with stems where a protocol gives them.
        source: ``record``, the address of a mirror, a path, or ``simulate[:size]``.
        out: Folder of the dataset.
        cache: Folder for the recording store, copies of volumes and simulated corpora.
        skip_bad: Leave out recordings that cannot be read, and list them.
        overwrite: Replace a dataset that is in `out` already.
        fetch: How a source on the web is fetched.
        exclude: Events that are left out once the splits are drawn, for what is odd about their sound or by name.
        ignore: Glob patterns of files and folders in the source that are left out.
        strict: Refuse a source of which anything is not as published, instead of counting it.
        executor: Runs the tasks: any `concurrent.futures.Executor` whose workers see the same folders. It stays
            open. None for what `render.engine` names.
        add: Add the configs that are new to the dataset that is in `out` already.
        headroom: ``folder``, the one that the dataset has, or ``own``: with `add`, whose new configs have.
        is_named_by_toy: Whether the names of configs begin with the toy, as in every dataset of several toys.
    """

    plan: PlanOptions
    render: RenderOptions
    source: str
    out: Path
    cache: Path
    skip_bad: bool = False
    overwrite: bool = False
    fetch: FetchChoices = field(default_factory=FetchChoices)
    recipe: Path | None = None
    exclude: Exclusion = field(default_factory=Exclusion)
    ignore: tuple[str, ...] = ()
    strict: bool = False
    executor: Executor | None = None
    add: bool = False
    headroom: str = "folder"
    is_named_by_toy: bool = False

    def __post_init__(self) -> None:
        if self.recipe is not None:
            require_no_choice_beside(self.plan, self.recipe)
        elif self.plan.has_stems:
            object.__setattr__(self, "render", replace(self.render, stems=True))
        if self.headroom not in HEADROOMS or (self.headroom == OWN_HEADROOM and not self.add):
            raise OptionError(
                "What is added has the headroom of the dataset, or one of its own.",
                where="--headroom",
                expected=f"{' or '.join(HEADROOMS)}, with --add",
                actual=f"{self.headroom}{'' if self.add else ' without --add'}",
                remedy="To choose the headroom of a new dataset: --headroom-db 16",
            )
        if self.add and self.overwrite:
            raise OptionError(
                "A dataset is either added to or replaced.",
                where="--add",
                expected="--add or --overwrite",
                actual="both",
                remedy="Leave --overwrite out to keep what is there.",
            )

    def each_toy(self) -> tuple[PrepareOptions, ...]:
        """Return what is to be prepared of each toy.

        Raises:
            OptionError: A recipe of the user's own is to be of several toys.
        """
        plans = self.plan.each_toy()
        is_named = len(plans) > 1 or self.is_named_by_toy or (self.add and _is_named_by_toy(self.out))
        if len(plans) > 1 and self.recipe is not None:
            raise OptionError(
                "A recipe of your own is of one toy.",
                where=f"--recipe {self.recipe}",
                expected="one --toy",
                actual=self.plan.toy,
                remedy="Prepare each toy into a folder of its own.",
            )
        return tuple(replace(self, plan=plan, is_named_by_toy=is_named) for plan in plans)

    def request(self, source: Source) -> dict[str, Any]:
        """Return what the rows of a toy follow from, as JSON values."""
        return (
            self.plan.as_parameters()
            | self.render.as_request()
            | self.exclude.as_request()
            | {
                "source": source.identity,
                "skip_bad": self.skip_bad,
            }
            | ({"ignored": source.ignored} if source.ignored else {})
            | ({} if self.recipe is None else {"protocols": [OWN], "recipe": sha256_of(self.recipe)})
            | ({"headroom": OWN_HEADROOM} if self.headroom == OWN_HEADROOM else {})
            | ({NAMED_BY_TOY: True} if self.is_named_by_toy else {})
        )

    def open_source(self, progress: Progress) -> Source:
        """Open the source of a toy: a simulated one is made first if it is not cached; one on the web gives its header.

        Raises:
            LicenseError: The licence has not been accepted.
            SourceError: There is nothing usable.
        """
        return resolve_source(
            self.source,
            self.plan.toy,
            self.cache,
            workers=self.render.workers,
            progress=progress,
            fetch=self.fetch,
            ignore=self.ignore,
        )

    def preparation(self, source: Source, output: OutputFolder | None = None) -> Preparation:
        """Return what is made of an opened source.

        Args:
            source: The recordings of the toy.
            output: Where it goes, together with other toys; None for a folder of this toy.

        Raises:
            DatasetError: The user's own recipe cannot be read.
        """
        examples = self._examples()  # a recipe that cannot be read is refused first
        is_cut_by_activity = self.recipe is None and self.plan.is_cut_by_activity
        request = self.request(source)
        return Preparation(
            source=source,
            output=output or OutputFolder.of(self.out, [request], add=self.add),
            request=request,
            cache=self.cache,
            render=self.render,
            examples=lambda index, joined: self._named(examples(index, joined)),
            examples_heard=(
                (lambda index, joined, heard: self._named(plan(index, self.plan, joined=joined, activity=heard)))
                if is_cut_by_activity
                else None
            ),
            skip_bad=self.skip_bad,
            overwrite=self.overwrite,
            exclude=self.exclude,
            strict=self.strict,
            executor=self.executor,
        )

    def _named(self, recipe: Recipe) -> Recipe:
        """Give the configs the names that they have in the dataset."""
        if not self.is_named_by_toy:
            return recipe
        return recipe.renamed({config: config_of_toy(self.plan.toy, config) for config in recipe.configs})

    def _examples(self) -> Callable[[pa.Table, EqualEvents], Recipe]:
        path = self.recipe
        if path is None:
            return lambda index, joined: plan(index, self.plan, joined=joined)
        table = read_examples(path)
        return lambda index, joined: complete_custom_recipe(table, index, self.plan, path, joined=joined)


def preparations_of(each: Sequence[PrepareOptions], sources: Sequence[Source]) -> list[Preparation]:
    """Return what is made of each toy, all into one folder.

    Args:
        each: As `PrepareOptions.each_toy` gives them.
        sources: The source of each.
    """
    pairs = list(zip(each, sources, strict=True))
    output = OutputFolder.of(each[0].out, [one.request(source) for one, source in pairs], add=each[0].add)
    return [one.preparation(source, output) for one, source in pairs]


def _is_named_by_toy(folder: Path) -> bool:
    """Whether a folder holds a dataset of several toys."""
    return (folder / MANIFEST_NAME).exists() and bool(read_manifest(folder).request.get(NAMED_BY_TOY))
