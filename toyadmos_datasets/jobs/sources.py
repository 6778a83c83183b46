"""From what a user types after `--source` to a source: on the disk, on the web, or simulated in the cache."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from toyadmos_datasets.archives import open_source
from toyadmos_datasets.archives.remote.remote_opening import open_origin
from toyadmos_datasets.archives.tree_source import tree_of
from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import OptionError, OutputConflictError
from toyadmos_datasets.escaping import escaped, shell_word, without_secrets
from toyadmos_datasets.files.cache_folder import Lease
from toyadmos_datasets.files.reading import expanded_path, raise_shortage
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.simulation import MODEL_VERSION, SIZES, planned_tree, simulate
from toyadmos_datasets.units import Bytes, format_bytes
from toyadmos_datasets.values.source import Source

_LOG = logging.getLogger(__name__)

SIMULATE = "simulate"
DEFAULT_SIZE = "small"


def resolve_source(
    source: str,
    toy: str,
    cache: Path,
    *,
    workers: int = 1,
    progress: Progress,
    fetch: FetchChoices | None = None,
    ignore: Sequence[str] = (),
) -> Source:
    """Open the source that a text names; a simulated corpus is made first if it is not cached.

    Only its tree is made: packing the volumes takes twice as long as synthesising, and nothing here needs them.

    Args:
        source: A path, ``record``, an address, or ``simulate``, ``simulate:tiny`` and so on.
        toy: ``ToyTrain``.
        cache: Folder for simulated corpora and for copies of volumes.
        workers: Processes that synthesise.
        progress: Told about the simulation.
        fetch: How a source on the web is fetched.
        ignore: Glob patterns of files and folders that are left out.

    Raises:
        OptionError: There is no such size, or a pattern is empty.
        SourceError: There is nothing usable at the path or the address.
    """
    size = simulated_size(source)
    if size is None:
        on_web = open_origin(source, toy, cache, fetch or FetchChoices(), progress, ignore=ignore)
        return _opened(on_web or open_source(source, toy, ignore=ignore))
    folder = simulated_folder(cache, toy, size)
    is_new = not folder.exists()
    with progress.stage(f"Simulating {toy} ({size})", 100, "%") as on_progress:
        corpus = simulate(
            toy,
            folder,
            size=size,
            workers=workers,
            volumes=False,
            report=lambda done, total: on_progress(100 * done // max(total, 1)),
        )
    if is_new:
        progress.say(
            f"Simulated {toy} ({size}): {corpus.n_recordings} recordings, {format_bytes(corpus.n_bytes)}, kept in "
            f"{folder} until: toyadmos cache --toy {toy_named(toy).short} --kind simulated --clean"
        )
    return _opened(open_source(folder / "tree", toy, ignore=ignore))


def _opened(source: Source) -> Source:
    _LOG.info("Opened the source of %s: %s", source.toy, escaped(without_secrets(source.location)))
    return source


def foreseen_source(
    source: str,
    toy: str,
    cache: Path,
    *,
    progress: Progress,
    fetch: FetchChoices | None = None,
    ignore: Sequence[str] = (),
) -> tuple[Source, Bytes]:
    """Return the source as `resolve_source` would open or make it, and how much is to be synthesised for it."""
    size = simulated_size(source)
    if size is None:
        return resolve_source(source, toy, cache, progress=progress, fetch=fetch, ignore=ignore), 0
    tree = (simulated_folder(cache, toy, size) / "tree").absolute()
    if tree.exists():
        return open_source(tree, toy, ignore=ignore), 0
    planned = planned_tree(toy, size)
    planned_source = tree_of(tree / toy, toy, planned.recordings, marker=planned.marker)
    return planned_source, sum(planned_source.sizes)


@contextlib.contextmanager
def holding_cache(source: str, toy: str, cache: Path) -> Iterator[None]:
    """Keep others from cleaning what a cache has of a toy while the block runs, before its source is resolved.

    A simulated corpus is made in the cache, so that the lease is made too; for other sources the writer makes it.
    """
    with Lease(cache, toy_named(toy).name) as lease:
        if simulated_size(source) is not None:
            lease.take(is_made=True)
        yield


def require_outside(source: Source, *paths: Path) -> None:
    """Raise if anything would be written into the toy's folder that was found.

    Folders are compared as the system knows them, so links, ``..`` and capitals make no difference. Beside the toy's
    folder anything may be written.

    Args:
        source: Where the recordings are.
        paths: What is to be written, whether it is there or not.

    Raises:
        OutputConflictError: One of them is the toy's folder, or inside of it.
    """
    folders = [(_identity(folder), folder) for folder in source.folders]
    by_identity = {identity: folder for identity, folder in folders if identity is not None}
    for path in paths:
        resolved = expanded_path(path).resolve()
        folder = next(
            (by_identity[one] for one in map(_identity, (resolved, *resolved.parents)) if one in by_identity), None
        )
        if folder is not None:
            beside = folder.parent / f"{folder.name}-out"
            raise OutputConflictError(
                f"This would write into the folder with the recordings of {source.toy}.",
                where=path,
                expected=f"a place outside of {folder}",
                actual=str(resolved),
                remedy=f"Choose another folder, for instance: {shell_word(beside)}",
            )


def written_in(cache: Path) -> tuple[Path, ...]:
    """Return the paths in a cache that are written to; each may be a link of its own."""
    return cache, *(cache / name for name in ("recordings", "archives", "simulated"))


def _identity(folder: Path) -> tuple[int, int] | None:
    """Return what the system knows a folder by; None where it is not there."""
    try:
        facts = folder.stat()
    except OSError as error:
        raise_shortage(error, folder)
        return None
    return facts.st_dev, facts.st_ino


def simulated_size(source: str) -> str | None:
    """Return the size that ``simulate[:size]`` asks for, or None for any other source.

    Raises:
        OptionError: There is no such size.
    """
    name, _, size = source.partition(":")
    if name != SIMULATE:
        return None
    if size and size not in SIZES:
        raise OptionError(
            "There is no simulated corpus of this size.",
            where="--source",
            expected=", ".join(f"{SIMULATE}:{one}" for one in SIZES),
            actual=source,
            remedy=f"Type: --source {SIMULATE}",
        )
    return size or DEFAULT_SIZE


def simulated_folder(cache: Path, toy: str, size: str) -> Path:
    """Return where a simulated corpus is kept; one that another version of this package made is kept elsewhere."""
    return cache / "simulated" / f"{toy}-{size}-model{MODEL_VERSION}"
