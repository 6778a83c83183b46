"""A tiny corpus behind a loopback server, and what is needed to fetch it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loopback import Loopback
from tiny import TinyCorpus, write_volumes

from toyadmos_datasets.archive import open_source
from toyadmos_datasets.archive.remote.http import origin_named
from toyadmos_datasets.archive.remote.manifest import Manifest, describe_volumes
from toyadmos_datasets.archive.remote.options import FetchOptions
from toyadmos_datasets.archive.remote.patience import Patience
from toyadmos_datasets.values.source import Source

TOY = "ToyTrain"
IMPATIENT = Patience(first_wait_s=0.01, longest_wait_s=0.02, longest_asked_s=0.02, silence_s=0.5, connect_s=1)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A corpus as volumes in a folder, and its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def files(self) -> dict[str, bytes | Path]:
        return {volume.name: self.folder / volume.name for volume in self.manifest.volumes}

    @property
    def local(self) -> Source:
        return open_source(self.folder, TOY)

    def options(self, server: Loopback, folder: Path, **changed: object) -> FetchOptions:
        origin = origin_named(server.url)
        assert origin is not None
        return FetchOptions(
            **{"origin": origin, "manifest": self.manifest, "folder": folder, "patience": IMPATIENT, **changed}
        )


def publish(folder: Path, *, n_blocks: int = 4, n_volumes: int = 3, corpus: TinyCorpus | None = None) -> Published:
    """Write a corpus as volumes."""
    write_volumes((corpus or TinyCorpus()).files(), folder, n_blocks=n_blocks, n_volumes=n_volumes)
    manifest = Manifest(toy=TOY, volumes=describe_volumes(folder, TOY))
    return Published(folder=folder, manifest=manifest)


def contents(source: Source, wanted: set[str] | None = None) -> dict[str, bytes]:
    """Read recordings from a source."""
    names = {member.path for member in source.members()} if wanted is None else wanted
    return {
        member.path: b"".join(chunks)
        for block in source.blocks()
        for member, chunks in source.read(block.number, names)
    }
