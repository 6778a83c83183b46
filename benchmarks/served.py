"""Volumes on a server in a process of its own, as they are elsewhere: it takes nothing from who fetches but a core."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from toyadmos_datasets.archives.remote.fetch_options import FetchOptions, Origin
from toyadmos_datasets.archives.remote.volume_list import VolumeList, describe_volumes

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
from loopback import serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Volumes that are to be had over HTTP.

    Attributes:
        url: Address of their folder.
        manifest: What they are.
        pipe: To the server.
    """

    url: str
    manifest: VolumeList
    pipe: Connection

    def count(self) -> tuple[int, int]:
        """Return the bytes that the server has given, and the requests that it has seen."""
        self.pipe.send("count")
        n_given, n_requests = self.pipe.recv()
        return int(n_given), int(n_requests)

    def fetched_to(self, folder: Path, *, is_whole: bool = False) -> FetchOptions:
        """Return the options that fetch them into a folder."""
        return FetchOptions(origin=Origin(base=self.url), manifest=self.manifest, folder=folder, whole=is_whole)


@contextlib.contextmanager
def served(folder: Path, toy: str, **line: float | None) -> Iterator[Served]:
    """Serve the volumes in a folder while the block runs, over a line such as `loopback.Loopback` has."""
    manifest = VolumeList(toy=toy, volumes=describe_volumes(folder, toy))
    files = {one.name: folder / one.name for one in manifest.volumes}
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(files, line, there))
    process.start()
    try:
        yield Served(url=here.recv(), manifest=manifest, pipe=here)
    finally:
        here.send("end")
        process.join()


def _serve(files: dict[str, Path], line: dict[str, float | None], pipe: Connection) -> None:
    with serving(files, **line) as server:
        pipe.send(server.url)
        while pipe.recv() == "count":
            pipe.send((server.n_given, len(server.seen)))
