"""The dataset: Parquet shards that plain `datasets` opens, and the manifest that lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.toys import EVERY_TOY, TOYS, toy_named
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.checked_json import Count, Sha256, checked, read_json, write_json
from toyadmos_datasets.files.installing import upgrade_command
from toyadmos_datasets.files.reading import file_errors, is_there
from toyadmos_datasets.files.safe_paths import unsafe_reason
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.health import Health
from toyadmos_datasets.values.recipe_parameters import Request, SourceFacts, require_parameter_types
from toyadmos_datasets.values.source import Oddity

SIDE = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Letters, digits, ``_``, ``.`` and ``-``, and neither a dot nor a dash at the start."""


def invalid_split_name(examples: pa.Table) -> str | None:
    """Return the first config or split of a recipe's rows whose name cannot be a part of a path, or None."""
    names = [name for column in ("config", "split") for name in pc.unique(examples[column]).to_pylist()]
    return next((name for name in names if not _is_usable(name)), None)


def shard_path(config: str, split: str, number: int, count: int) -> str:
    """Name a shard as the Hub does: ``data/clean/train-00000-of-00004.parquet``."""
    return f"data/{config}/{split}-{number:05d}-of-{count:05d}.parquet"


def is_shard_path(path: str, config: str, split: str) -> bool:
    """Whether a path is one that `shard_path` gives for this config and split."""
    numbers = re.fullmatch(r"data/.+-([0-9]{5,9})-of-([0-9]{5,9})\.parquet", path)
    if numbers is None or not _is_usable(config) or not _is_usable(split):
        return False
    return path == shard_path(config, split, int(numbers[1]), int(numbers[2]))


def _is_usable(name: str | None) -> bool:
    return name is not None and re.fullmatch(SIDE, name) is not None and unsafe_reason(name) is None


SCHEMA_VERSION = 4

MANIFEST_NAME = "manifest.json"
RECIPE_NAME = "recipe.parquet"
CARD_NAME = "README.md"
DATA_NAME = "data"

FEATURES_SUFFIX = "_logmel"
"""What the name of a config has that holds the log-mel features of another config's clips."""

NAMED_BY_TOY = "is_named_by_toy"
"""In the requests of a dataset of several toys: the names of configs begin with the toy, and all have one schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One Parquet file of a dataset.

    Attributes:
        path: Relative to the dataset's folder, forward slashes.
        config: Config it belongs to.
        split: Split it belongs to.
        n_rows: Examples in it.
        n_bytes: Its size.
        sha256: Hash of its bytes, hex.
        n_clipped: Examples in it with samples past full scale, which stand at full scale.
    """

    path: str
    config: str
    split: str
    n_rows: Count
    n_bytes: Count
    sha256: Sha256
    n_clipped: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRecording:
    """A recording that the source has and the dataset not, because it could not be read."""

    recording_id: str
    member: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What was added to a prepared folder in one go.

    Attributes:
        toy: ``ToyTrain``.
        request: What was asked for, as JSON values; the same request finds it done.
        configs: The configs of clips that it brought, in order.
        feature_configs: The configs of features that it brought.
        headroom_db: How much their examples were attenuated; the folder's, unless they were to have their own.
        versions: Versions of what their bytes depend on.
        source: Where their recordings are from, as in `Manifest`.
    """

    toy: str
    request: dict[str, Any]
    configs: tuple[str, ...]
    feature_configs: tuple[str, ...]
    headroom_db: Decibels
    versions: dict[str, str]
    source: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a prepared folder consists of; written last, so that a folder with a manifest is whole.

    Attributes:
        toy: ``ToyTrain``; of several toys the first.
        request: What was asked for, as JSON values; the same request finds the folder done.
        source: Kind and identity of the source, whether it is simulated, and hashes of the checksums of the
            recordings that were used: as published, and as resampled.
        versions: Versions of what the bytes depend on.
        recipe_sha256: Hash of the recipe.
        headroom_db: How much every example was attenuated.
        shards: All shards, ordered by config, split and number.
        skipped: Recordings that were left out.
        oddities: What is not as published in the source or in the recordings that were used.
        health: What is odd about the clips, and how many are left out.
        additions: What was added later, and what is of further toys, in order. `toy`, `request`, `source`, `versions`
            and `headroom_db` are those of the first preparation; all else is of the whole.
    """

    toy: str
    request: dict[str, Any]
    source: dict[str, Any]
    versions: dict[str, str]
    recipe_sha256: Sha256
    headroom_db: Decibels
    shards: tuple[Shard, ...]
    skipped: tuple[SkippedRecording, ...] = ()
    oddities: tuple[Oddity, ...] = ()
    health: Health = field(default_factory=Health)
    additions: tuple[Addition, ...] = ()

    @property
    def toys(self) -> tuple[str, ...]:
        """The toys, in the order in which they came."""
        return tuple(dict.fromkeys((self.toy, *(one.toy for one in self.additions))))

    @property
    def toys_text(self) -> str:
        """The toys, for people."""
        return ", ".join(self.toys)

    @property
    def schema_toy(self) -> str | None:
        """The toy whose parts are columns; None where all configs have the columns of every toy."""
        return schema_toy_of(self.request, self.toy)

    def toy_of(self, config: str) -> str:
        """Return the toy of a config."""
        found = self._addition_of(config)
        return self.toy if found is None else found.toy

    @property
    def requests(self) -> tuple[dict[str, Any], ...]:
        """What was asked for, one after the other."""
        return (self.request, *(one.request for one in self.additions))

    def request_of(self, config: str) -> dict[str, Any]:
        """Return what was asked for when a config was made."""
        found = self._addition_of(config)
        return self.request if found is None else found.request

    def versions_of(self, config: str) -> dict[str, str]:
        """Return the versions of what the bytes of a config depend on."""
        found = self._addition_of(config)
        return self.versions if found is None else found.versions

    def headroom_of(self, config: str) -> Decibels:
        """Return how much the examples of a config, or those that its features are of, were attenuated, dB."""
        found = self._addition_of(config.removesuffix(FEATURES_SUFFIX) if self.has_features(config) else config)
        return self.headroom_db if found is None else found.headroom_db

    def headroom_of_toy(self, toy: str) -> Decibels | None:
        """Return how much the first examples of a toy were attenuated, dB; None where the folder has none of it."""
        if toy == self.toy:
            return self.headroom_db
        return next((one.headroom_db for one in self.additions if one.toy == toy), None)

    def _addition_of(self, config: str) -> Addition | None:
        return next((one for one in self.additions if config in (*one.configs, *one.feature_configs)), None)

    @property
    def configs(self) -> dict[str, dict[str, list[Shard]]]:
        """Shards by config and split, in order."""
        by_config: dict[str, dict[str, list[Shard]]] = {}
        for shard in self.shards:
            by_config.setdefault(shard.config, {}).setdefault(shard.split, []).append(shard)
        return by_config

    @property
    def joint_configs(self) -> dict[str, dict[str, list[Shard]]]:
        """What several toys have under one name, one toy after the other, as `configs` has it.

        ``all_snr_6db`` joins ``car_snr_6db`` and ``train_snr_6db``; ``all`` is the first of the joint ones. Toys share
        no recording, so that the splits of a joint config are as disjoint as those of its parts.
        """
        if self.schema_toy is not None:
            return {}
        alone = self.configs
        joint: dict[str, dict[str, list[Shard]]] = {}
        for name, members in joint_names({config: self.toy_of(config) for config in alone}).items():
            joint[name] = {}
            for split, shards in (one for config in members for one in alone[config].items()):
                joint[name].setdefault(split, []).extend(shards)
        return joint

    def has_features(self, config: str) -> bool:
        """Whether a config holds log-mel features in place of clips."""
        found = self._addition_of(config)
        if found is not None:
            return config in found.feature_configs
        return "features" in self.request and config.endswith(FEATURES_SUFFIX)

    @property
    def audio_configs(self) -> dict[str, dict[str, list[Shard]]]:
        """The configs that hold clips."""
        return {name: splits for name, splits in self.configs.items() if not self.has_features(name)}

    @property
    def audio_shards(self) -> tuple[Shard, ...]:
        """The shards that hold clips, in order."""
        return tuple(shard for shard in self.shards if not self.has_features(shard.config))


def config_of_toy(toy: str, config: str) -> str:
    """Return what a config is called in a dataset of several toys: ``train_snr_6db``."""
    return f"{toy if toy == EVERY_TOY else toy_named(toy).short}_{config}"


def joint_names(toys: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what several toys have under one name: its joint name, and the configs, in order.

    Args:
        toys: The toy of each config of a dataset of several toys.
    """
    members: dict[str, list[str]] = {}
    for config, toy in toys.items():
        name = config_of_toy(EVERY_TOY, config.removeprefix(config_of_toy(toy, "")))
        members.setdefault(name, []).append(config)
    joint = {name: configs for name, configs in members.items() if len(configs) > 1}
    return ({EVERY_TOY: next(iter(joint.values()))} if joint else {}) | joint


def schema_toy_of(request: Mapping[str, Any], toy: str) -> str | None:
    """Return the toy whose parts are columns in what was asked for; None for the columns of every toy."""
    return None if request.get(NAMED_BY_TOY) else toy


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder whose other files are in place."""
    content = asdict(manifest)
    write_json(folder / MANIFEST_NAME, {"schema_version": SCHEMA_VERSION} | content)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a prepared folder.

    Raises:
        DatasetError: There is none, it is damaged, or a newer version wrote it.
    """
    path = folder / MANIFEST_NAME
    remedy = "Prepare the folder again with the same command and --overwrite."
    with file_errors(folder):
        if not is_there(path):
            raise DatasetError(
                "This folder holds no prepared dataset, or one that is not complete.",
                where=folder,
                expected=MANIFEST_NAME,
                actual="none" if is_there(folder) else "no such folder",
                remedy=f"Give the folder of a dataset, or prepare one: "
                f"toyadmos prepare --toy TOY --out {shell_word(folder)}",
            )
    return manifest_of(read_json(path, remedy=remedy), path)


def manifest_of(content: dict[str, Any], where: object) -> Manifest:
    """Make a manifest of the JSON object that `write_manifest` wrote.

    Args:
        content: The object.
        where: Where it was read, for the error.

    Raises:
        DatasetError: It is damaged, or a newer version wrote it.
    """
    version = content.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise DatasetError(
            "The manifest is of a version that this package does not read.",
            where=where,
            expected=f"schema_version {SCHEMA_VERSION}",
            actual=version,
            remedy=f"Prepare the dataset again with this version; a newer one reads it after: {upgrade_command()}",
        )
    what, remedy = "The manifest is damaged.", "Prepare the folder again with the same command and --overwrite."
    manifest = checked(Manifest, content, what=what, where=where, remedy=remedy)
    for source in (manifest.source, *(one.source for one in manifest.additions)):
        require_parameter_types(SourceFacts, source, what=what, where=where, remedy=remedy)
    for request in manifest.requests:
        require_parameter_types(Request, request, what=what, where=where, remedy=remedy)
    stray = set(manifest.toys) - {toy.name for toy in TOYS}
    if stray:
        raise DatasetError(what, where=where, expected="a toy", actual=ascii(min(stray)), remedy=remedy)
    for shard in manifest.shards:
        _require_own_place(shard, where)
    return manifest


def _require_own_place(shard: Shard, where: object) -> None:
    """Raise unless a shard lies where its config, split and number put it: below `data`, and nowhere else."""
    if not is_shard_path(shard.path, shard.config, shard.split):
        raise DatasetError(
            "The manifest is damaged: a shard is not where its config and split put it.",
            where=where,
            expected=f"{shard_path('CONFIG', 'SPLIT', 0, 1)} of its own config and split",
            actual=f"{shard.path!a} for config {shard.config!a}, split {shard.split!a}",
            remedy="Do not use this dataset: prepare it again, or get it from a source that you trust.",
        )


def read_shard_note(path: Path) -> Shard:
    """Read what was noted of a finished shard.

    Raises:
        DatasetError: The note is damaged.
    """
    remedy = "Remove it: the shard is then rendered again."
    shard = checked(Shard, read_json(path, remedy=remedy), what="A note is damaged.", where=path, remedy=remedy)
    _require_own_place(shard, path)
    return shard


def check_shard_sizes(folder: Path, shards: Sequence[Shard]) -> None:
    """Compare the size of every shard with the manifest's.

    Raises:
        DatasetError: A shard is missing or has another size.
    """
    for shard in shards:
        path = folder / shard.path
        with file_errors(path):
            n_bytes = path.stat().st_size if is_there(path) else None
        if n_bytes != shard.n_bytes:
            raise DatasetError(
                "A shard is missing." if n_bytes is None else "A shard has another size than it was written with.",
                where=path,
                expected=f"{shard.n_bytes} bytes, sha256 {shard.sha256}",
                actual="no file" if n_bytes is None else f"{n_bytes} bytes",
                remedy="Prepare the folder again with the same command and --overwrite.",
            )
