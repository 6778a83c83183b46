"""A tiny corpus behind a loopback server, and what is needed to fetch it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pytest
from loopback import Loopback
from tiny import PACKED, Filters, TinyCorpus, write_volumes

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.remote.fetch_options import FetchOptions, RetryPolicy
from toyadmos_datasets.archives.remote.fetching import use_fetched
from toyadmos_datasets.archives.remote.http_request import origin_named
from toyadmos_datasets.archives.remote.remote_opening import open_remote
from toyadmos_datasets.archives.remote.volume_list import VolumeList, describe_volumes
from toyadmos_datasets.engine.progress import Progress, Quiet
from toyadmos_datasets.values.source import Source

TOY = "ToyTrain"
IMPATIENT = RetryPolicy(
    first_wait_s=0.01, max_wait_s=0.02, max_retry_after_s=0.02, silence_timeout_s=0.5, connect_timeout_s=1
)
CHANNEL_1 = {one for one in TinyCorpus().members() if "_ch1_" in one and "normal" in one}
"""Some of the corpus's recordings, in some of its blocks."""
LONG = TinyCorpus(n_normal=8, conditions=("ab01",), clip_s=1.0, noise_s=1.0)
"""Recordings of 96 kB: those of one block are read in several pieces, and take a while to come."""
WAYS = pytest.mark.parametrize("is_whole", [False, True], ids=["blocks", "volumes"])


class Said(Quiet):
    """Keeps what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A corpus as volumes in a folder, and its manifest."""

    folder: Path
    manifest: VolumeList

    @property
    def files(self) -> dict[str, bytes | Path]:
        return {volume.name: self.folder / volume.name for volume in self.manifest.volumes}

    @property
    def local(self) -> Source:
        return open_source(self.folder, TOY)

    def options(self, server: Loopback, folder: Path, **changed: object) -> FetchOptions:
        return FetchOptions(
            **{
                "origin": origin_named(server.url),
                "manifest": self.manifest,
                "folder": folder,
                "retry_policy": IMPATIENT,
                **changed,
            }
        )


def publish(
    folder: Path,
    *,
    n_blocks: int = 4,
    n_volumes: int = 3,
    corpus: TinyCorpus | None = None,
    filters: Filters = PACKED,
) -> Published:
    """Write a corpus as volumes."""
    files = (corpus or TinyCorpus()).files()
    write_volumes(files, folder, n_blocks=n_blocks, n_volumes=n_volumes, filters=filters)
    manifest = VolumeList(toy=TOY, volumes=describe_volumes(folder, TOY))
    return Published(folder=folder, manifest=manifest)


def contents(source: Source, wanted: set[str] | None = None) -> dict[str, bytes]:
    """Read recordings from a source."""
    names = {member.path for member in source.members()} if wanted is None else wanted
    return {
        member.path: b"".join(chunks)
        for block in source.blocks()
        for member, chunks in source.read(block.number, names)
    }


def fetched(
    options: FetchOptions,
    wanted: Collection[str] | None = None,
    *,
    progress: Progress | None = None,
    is_whole: bool = False,
) -> dict[str, bytes]:
    """Fetch recordings and read them on the way."""
    source = open_remote(dataclasses.replace(options, whole=is_whole))
    names = {member.path for member in source.members()} if wanted is None else set(wanted)
    return use_fetched(source, names, lambda readable: contents(readable, names), progress=progress or Quiet())
