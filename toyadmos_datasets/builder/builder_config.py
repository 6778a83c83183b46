"""The configs of the builder: one for each toy and protocol, and what can be changed about them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from toyadmos_datasets.corpus.toys import TOYS, toy_named
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.files.checked_json import canonical_json
from toyadmos_datasets.files.reading import expanded
from toyadmos_datasets.jobs.prepare import PrepareOptions
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.planning import PROTOCOL_NAMES, PlanOptions
from toyadmos_datasets.rendering import Encoding, RenderOptions, versions
from toyadmos_datasets.units import Decibels, Hertz
from toyadmos_datasets.values.health import exclusion_of
from toyadmos_datasets.values.manifest import SCHEMA_VERSION
from toyadmos_datasets.values.source import Source

DATASET_VERSION = datasets.Version(f"{SCHEMA_VERSION}.0.0")


@dataclass
class ToyAdmosConfig(datasets.BuilderConfig):  # type: ignore[misc]  # datasets has no type annotations to see
    """What a dataset is built from: the options of `toyadmos prepare`, for one of the configs that it would write.

    Attributes:
        toy: ``train``, ``car`` or ``conveyor``, or their full names.
        protocol: One of the protocols.
        cases: Cases; None for what the protocol uses.
        channels: Microphones, as ``--channels``; None for what the protocol uses.
        snr_db: For protocols that take an SNR: the config of this one; None for the protocol's own first config,
            which for ``basic`` is ``clean``.
        config: Name of another config of the protocol's, where it has several.
        snr_reference: What an SNR is relative to.
        seed: Seed of every draw.
        max_events: At most so many events a split, case and label.
        rate_hz: Sampling rate.
        encoding: ``flac`` or ``wav``.
        bit_depth: 16 or 24.
        headroom_db: Attenuation of all clips; None to find it from what is built, noise of this SNR included.
        on_clip: ``error``, or ``count`` the clips that exceed full scale.
        stems: Whether the parts of each mixture are kept beside it, as the columns `target` and `noise`.
        skip_bad: Leave out recordings that cannot be read.
        exclude: Flags of health, or text files of recordings and events, that are left out, as ``--exclude``.
        options: Attributes of `PlanOptions` that only some protocols take.
        source: ``record``, the address of a mirror, a path, or ``simulate[:size]``.
        cache: Folder of the recording store; None for that of the command line.
        fetch: How a source on the web is fetched.
        ignore: Glob patterns of files and folders in the source that are left out.
        workers: Processes that ingest and measure; ``num_proc`` sets it too.
    """

    version: datasets.Version = DATASET_VERSION
    toy: str = "train"
    protocol: str = "waspaa2019"
    cases: tuple[int, ...] | None = None
    channels: str | None = None
    snr_db: Decibels | None = None
    config: str | None = None
    snr_reference: str = "corpus"
    seed: int = 0
    max_events: int | None = None
    rate_hz: Hertz = 16_000
    encoding: str = "flac"
    bit_depth: int = 16
    headroom_db: Decibels | None = None
    on_clip: str = "error"
    stems: bool = False
    skip_bad: bool = False
    exclude: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    source: str = "record"
    cache: str | Path | None = None
    fetch: FetchChoices = field(default_factory=FetchChoices)
    ignore: tuple[str, ...] = ()
    workers: int = 1

    def prepare_options(self) -> PrepareOptions:
        """Return the same as options of `prepare`.

        Raises:
            OptionError: A value that cannot be meant.
        """
        cache = default_cache() if self.cache is None else expanded(self.cache).absolute()
        return PrepareOptions(
            plan=PlanOptions(
                toy=toy_named(self.toy).name,
                protocols=(self.protocol,),
                cases=None if self.cases is None else tuple(self.cases),
                channels=None if self.channels is None else str(self.channels),
                snrs_db=() if self.snr_db is None else (float(self.snr_db),),
                snr_reference=self.snr_reference,
                max_events=self.max_events,
                seed=self.seed,
                **self.options,
            ),
            render=RenderOptions(
                encoding=Encoding(container=self.encoding, bit_depth=self.bit_depth, rate_hz=self.rate_hz),
                headroom_db=self.headroom_db,
                on_clip=self.on_clip,
                stems=self.stems,
                workers=self.workers,
            ),
            source=str(self.source),
            out=cache / "builder",
            cache=cache,
            skip_bad=self.skip_bad,
            exclude=exclusion_of(self.exclude),
            fetch=self.fetch,
            ignore=tuple(self.ignore),
        )

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: object = None) -> str:
        """Name the config until its source is opened, which the constructor of a builder, who asks, does not do.

        Raises:
            OptionError: A value that cannot be meant.
        """
        del config_kwargs, custom_features
        self.prepare_options()  # refuses what cannot be meant
        return f"{self.name}-unopened"

    def opened_id(self, source: Source) -> str:
        """Name the config by all that its rows follow from: options, the source's identity, versions.

        `datasets` keeps what it builds under this name, so that whatever changes a row is built anew.
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
