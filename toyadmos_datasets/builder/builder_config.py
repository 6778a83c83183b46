"""The configs of the builder: one for each toy and protocol, and what can be changed about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.engine.preflight import versions
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.files.checked_json import canonical_json
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.options.declaration import defaults_of, options_of
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.planning import PROTOCOL_NAMES, PlanOptions
from toyadmos_datasets.rendering import Encoding, RenderOptions
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.health import exclusion_of
from toyadmos_datasets.values.manifest import SCHEMA_VERSION
from toyadmos_datasets.values.source import Source

DATASET_VERSION = datasets.Version(f"{SCHEMA_VERSION}.0.0")


_SAID_OTHERWISE = {"protocols", "snrs_db"}
"""Of `PlanOptions`: one builder is one config, so these are `protocol` and `snr_db`."""

_PLANNED = {name: default for name, default in defaults_of(PlanOptions).items() if name not in _SAID_OTHERWISE}
_RENDERED = {
    one.key: defaults_of(kind)[name]
    for kind in (Encoding, RenderOptions)
    for name, one in options_of(kind).items()
    if one.is_requested
}


def _with_declared_options(config: type) -> type:
    """Give a class an attribute for each option that `PlanOptions`, `Encoding` and `RenderOptions` declare."""
    for name, default in (_PLANNED | _RENDERED).items():
        config.__annotations__[name] = Any
        setattr(config, name, default)
    return config


@dataclass
@_with_declared_options
class ToyAdmosConfig(datasets.BuilderConfig):  # type: ignore[misc]  # datasets has no type annotations to see
    """What a dataset is built from: the options of `toyadmos prepare`, for one of the configs that it would write.

    Besides the attributes below it has those of `PlanOptions`, except `protocols` and `snrs_db`, and ``encoding``,
    ``bit_depth``, ``rate_hz``, ``headroom_db``, ``on_clip`` and ``stems``. docs/cli.md says what each option does.

    Attributes:
        toy: ``train``, ``car`` or ``conveyor``, or their full names.
        protocol: One of the protocols.
        snr_db: For protocols that take an SNR: the config of this one; None for the protocol's own first config,
            which for ``basic`` is ``clean``.
        config: Name of another config of the protocol's, where it has several.
        skip_bad: Leave out recordings that cannot be read.
        exclude: Flags of health, or text files of recordings and events, that are left out, as ``--exclude``.
        source: ``record``, the address of a mirror, a path, or ``simulate[:size]``.
        cache: Folder of the recording store; None for that of the command line.
        fetch: How a source on the web is fetched.
        ignore: Glob patterns of files and folders in the source that are left out.
        workers: Processes that ingest and measure; ``num_proc`` sets it too.
    """

    version: datasets.Version = DATASET_VERSION
    toy: str = "train"
    protocol: str = "waspaa2019"
    snr_db: Decibels | None = None
    config: str | None = None
    skip_bad: bool = False
    exclude: tuple[str, ...] = ()
    source: str = "record"
    cache: str | Path | None = None
    fetch: FetchChoices = field(default_factory=FetchChoices)
    ignore: tuple[str, ...] = ()
    workers: int = 1

    def prepare_options(self) -> PrepareOptions:
        """Return the same as options of `prepare`.

        Raises:
            OptionError: A value is invalid.
        """
        cache = default_cache() if self.cache is None else expanded_path(self.cache).absolute()
        planned = {name: getattr(self, name) for name in _PLANNED}
        planned["cases"] = None if self.cases is None else tuple(self.cases)
        planned["snrs_db"] = () if self.snr_db is None else (float(self.snr_db),)
        return PrepareOptions(
            plan=PlanOptions(toy=self.toy, protocols=(self.protocol,), **planned),
            render=RenderOptions.of_request({name: getattr(self, name) for name in _RENDERED}, workers=self.workers),
            source=str(self.source),
            out=cache / "builder",
            cache=cache,
            skip_bad=self.skip_bad,
            exclude=exclusion_of(self.exclude),
            fetch=self.fetch,
            ignore=tuple(self.ignore),
        )

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: object = None) -> str:
        """Name the config until its source is opened, which the constructor of a builder does not do.

        Raises:
            OptionError: A value is invalid.
        """
        del config_kwargs, custom_features
        self.prepare_options()  # refuses what is invalid
        return f"{self.name}-unopened"

    def opened_id(self, source: Source) -> str:
        """Name the config by all that its rows follow from: options, the source's identity, versions.

        `datasets` keeps its result under this name, so every change of a row leads to a new build.
        """
        facts = {
            "request": self.prepare_options().request(source),
            "config": [self.config, self.snr_db],
            "versions": versions(),
        }
        return f"{self.name}-{hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]}"


def ready_configs() -> list[ToyAdmosConfig]:
    """Return a config for each toy and protocol, such as ``train-waspaa2019``."""
    return [
        ToyAdmosConfig(
            name=f"{toy.short}-{protocol}",
            description=f"{toy.name} as the protocol {protocol} has it",
            toy=toy.short,
            protocol=protocol,
        )
        for toy in TOYS
        for protocol in PROTOCOL_NAMES
    ]
