"""`verify` for any place: a prepared dataset, a shared one, or a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.files.address import is_address
from toyadmos_datasets.verifying.dataset_verification import DatasetVerdict, is_prepared, verify_dataset
from toyadmos_datasets.verifying.shared_verification import verify_shared
from toyadmos_datasets.verifying.source_verification import SourceVerdict, verify_source


def verify_place(
    location: str,
    progress: Progress | None = None,
    *,
    toy: str | None = None,
    workers: int = 1,
    ignore: Sequence[str] = (),
    strict: bool = False,
) -> DatasetVerdict | SourceVerdict:
    """Tell what is wrong with a dataset or a source.

    Args:
        location: A prepared folder, the address of a shared one, or a folder with volumes or a tree.
        progress: Told about the work.
        toy: Says that it is a source, and of which toy.
        workers: Number of processes.
        ignore: For a source: glob patterns of files and folders that are left out.
        strict: For a source: whether it is a problem that something is not as published.

    Raises:
        OptionError: It is a source, and the toy is not given.
        DatasetError: The manifest is damaged, or a newer version wrote it.
        SourceError: There is nothing to read.
    """
    if is_address(location):
        return verify_shared(location, progress, workers=workers)
    folder = Path(location)
    if toy is None and is_prepared(folder):
        return verify_dataset(folder, progress, workers=workers)
    name = required_toy(toy, folder)
    return verify_source(location, name, progress, workers=workers, ignore=ignore, strict=strict)


def required_toy(toy: str | None, location: Path | None) -> str:
    """Return the full name of the toy that a source is said to be of.

    Raises:
        OptionError: There is no such toy, or none is named.
    """
    if toy is not None:
        return toy_named(toy).name
    if location is not None and not location.exists():
        raise OptionError(
            "There is nothing to verify.",
            where=location,
            expected="a prepared dataset (with manifest.json), or a source and --toy",
            actual="no such folder",
            remedy="Say where it is: toyadmos verify DIR",
        )
    raise OptionError(
        "There is no prepared dataset here, and for a source it is not said of which toy.",
        where=location,
        expected="a folder with manifest.json, or --toy",
        actual="neither",
        remedy=" ".join(["toyadmos verify", *([] if location is None else [shell_word(location)]), "--toy train"]),
    )
