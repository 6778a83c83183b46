"""An addition to a prepared dataset: the configs of a plan that the folder lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import DatasetError, OutputConflictError
from toyadmos_datasets.options.render_options import RenderOptions
from toyadmos_datasets.rendering.mixing_rules import rules_of
from toyadmos_datasets.values.dataset_requests import OWN_HEADROOM, request_of_addition
from toyadmos_datasets.values.manifest import FEATURES_SUFFIX, RECIPE_NAME, Manifest, read_manifest, schema_toy_of
from toyadmos_datasets.values.recipe import Recipe, read_recipe
from toyadmos_datasets.values.shards import columns_of_shard

STEMS_SUFFIX = "_stems"
"""What the name of a config has that holds the clips of another config of its folder with their stems."""

CARD_COLUMNS = ("target_start", "n_samples", "health", "noise_level_db")
"""What a card and the counts of oddities tell of rendered examples, beside what their recipe does."""

_ORDER = [(name, "ascending") for name in ("split", "event_id", "draw", "channel", "target_start")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one request comes to: configs that are planned and rendered together.

    Attributes:
        recipe: Their examples.
        request: The request, for the manifest.
        options: How they are rendered.
        featured: The configs of which features are made: its own, or those that are there already.
        is_level_shared: Whether they have the headroom of what was prepared before of this toy; only for what is added.
    """

    recipe: Recipe
    request: dict[str, Any]
    options: RenderOptions
    featured: tuple[str, ...] = ()
    is_level_shared: bool = False

    @property
    def toy(self) -> str:
        """The toy, ``ToyTrain``."""
        return str(self.recipe.parameters["toy"])

    @property
    def schema_toy(self) -> str | None:
        """The toy whose parts are columns; see `Manifest.schema_toy`."""
        return schema_toy_of(self.request, self.toy)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to make."""
        return not len(self.recipe.examples) and not self.featured


def whole_part(recipe: Recipe, request: dict[str, Any], options: RenderOptions) -> Part:
    """Return the one part of a dataset that is prepared in one go."""
    featured = tuple(recipe.configs) if options.log_mel else ()
    return Part(recipe=recipe, request=request, options=options, featured=featured)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedFolder:
    """A dataset that configs are added to.

    Attributes:
        path: The folder.
        manifest: What is in it.
        recipe: What it was made from.
    """

    path: Path
    manifest: Manifest
    recipe: Recipe

    @classmethod
    def at(cls, path: Path) -> PreparedFolder:
        """Read a prepared folder.

        Raises:
            DatasetError: It holds no whole dataset.
        """
        return cls(path=path, manifest=read_manifest(path), recipe=read_recipe(path / RECIPE_NAME))

    def part_to_add(self, planned: Recipe, request: Mapping[str, Any], options: RenderOptions) -> Part:
        """Return what a plan has and the folder has not; a part without configs and features if it has all.

        A config that is there with the same examples, mixed by the same rules, stays as it is. One that is there
        without stems that are asked for comes beside it, under a name of its own.

        Args:
            planned: Everything that is asked for.
            request: The request, as typed.
            options: How it is rendered.

        Raises:
            OutputConflictError: A config of the same name is there with other examples, or other levels.
        """
        manifest = self.manifest
        headroom_db = manifest.headroom_of_toy(planned.parameters["toy"])
        kept = request_of_addition(request, manifest.requests, headroom_db=headroom_db, where=self.path)
        names = {config: self._name_of(config, planned, kept, options) for config in planned.configs}
        new = [config for config, name in names.items() if name not in manifest.configs]
        return Part(
            recipe=planned.only(new).renamed(names),
            request=kept,
            options=options,
            featured=tuple(name for name in names.values() if self._lacks_features(name, options)),
            is_level_shared=kept.get("headroom") != OWN_HEADROOM,
        )

    def rendered_rows(self) -> pa.Table:
        """Return the examples of the recipe with `CARD_COLUMNS`, as the shards have them.

        Raises:
            DatasetError: A shard is missing or damaged, or has other rows than the recipe.
        """
        examples, shards = self.recipe.examples, self.manifest.audio_shards
        known = [columns_of_shard(self.path, shard, CARD_COLUMNS) for shard in shards]
        if sum(map(len, known)) != len(examples):
            raise DatasetError(
                "The folder and its recipe disagree.",
                where=self.path,
                expected=f"{len(examples)} examples",
                actual=f"{sum(map(len, known))} examples",
                remedy="Look for what is damaged: toyadmos verify DIR",
            )
        places = [pc.indices_nonzero(self._is_of(config, split)) for config, split in self._sides()]
        order = pc.sort_indices(pa.chunked_array(places))  # shards hold the rows of each side in the recipe's order
        columns = pa.concat_tables(known).replace_schema_metadata().take(order)
        for name in CARD_COLUMNS:
            examples = examples.drop_columns(name) if name in examples.column_names else examples
            examples = examples.append_column(columns.schema.field(name), columns[name])
        return examples

    def _sides(self) -> list[tuple[str, str]]:
        """Return configs and splits in the order of the shards."""
        return [(config, split) for config, splits in self.manifest.audio_configs.items() for split in splits]

    def _is_of(self, config: str, split: str) -> pa.ChunkedArray:
        examples = self.recipe.examples
        return pc.and_(pc.equal(examples["config"], config), pc.equal(examples["split"], split))

    def _name_of(self, config: str, planned: Recipe, request: Mapping[str, Any], options: RenderOptions) -> str:
        """Return the name that a planned config has in the folder, whether it is there or not."""
        manifest = self.manifest
        if config not in manifest.configs:
            return config
        self._require_same(config, config, planned, request, options)
        if not options.stems or manifest.request_of(config).get("stems"):
            return config
        with_stems = f"{config}{STEMS_SUFFIX}"
        if with_stems in manifest.configs:
            self._require_same(config, with_stems, planned, request, options)
        return with_stems

    def _require_same(
        self, config: str, name: str, planned: Recipe, request: Mapping[str, Any], options: RenderOptions
    ) -> None:
        """Raise unless a config that is there holds the examples that were planned for one."""
        there, asked = self.recipe.planned, planned.planned
        ours, theirs = (
            table.filter(pc.equal(table["config"], one)).drop_columns("config").sort_by(_ORDER)
            for table, one in ((there, name), (asked, config))
        )
        rate_hz = options.encoding.rate_hz
        has_snr = len(theirs["snr_db"].drop_null()) > 0
        mine, other = (rules_of(one, rate_hz) for one in (self.recipe.parameters_of(name), planned.parameters))
        is_other_mix = mine != other if has_snr else mine.is_stacked != other.is_stacked
        differs = next(
            (
                what
                for what, is_other in (
                    ("other examples", not ours.equals(theirs)),
                    ("levels by other rules", is_other_mix),
                    ("other events left out", self.manifest.request_of(name).get("exclude") != request.get("exclude")),
                )
                if is_other
            ),
            None,
        )
        if differs is not None:
            raise _clash(self.path, name, differs)

    def _lacks_features(self, config: str, options: RenderOptions) -> bool:
        """Tell whether features of a config are asked for and not there."""
        name = f"{config}{FEATURES_SUFFIX}"
        if options.log_mel is None or name not in self.manifest.configs:
            return options.log_mel is not None
        if self.manifest.request_of(name).get("features") != options.log_mel.as_parameters():
            raise _clash(self.path, name, "features of other settings")
        return False


def _clash(folder: Path, config: str, what: str) -> OutputConflictError:
    return OutputConflictError(
        "The folder has a config of this name that is another one.",
        where=f"{folder}, config {config}",
        expected="the same examples as were asked for, or another name",
        actual=what,
        remedy="Give the options that it was prepared with, or prepare what is new into another folder with --out.",
    )
