"""`verify` and `audit` in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from toyadmos_datasets.api.keywords import StrPath
from toyadmos_datasets.api.progress_bars import ProgressChoice, chosen_progress
from toyadmos_datasets.api.python_words import in_python_words
from toyadmos_datasets.auditing import AuditReport, PairReport
from toyadmos_datasets.auditing import audit as audit_place
from toyadmos_datasets.engine import chosen_workers
from toyadmos_datasets.files.address import is_address
from toyadmos_datasets.files.reading import expanded_path
from toyadmos_datasets.verifying import DatasetVerdict, SourceVerdict, verify_place


@in_python_words()
def verify(
    location: StrPath,
    *,
    toy: str | None = None,
    ignore: str | Sequence[str] = (),
    strict: bool = False,
    workers: int | None = None,
    progress: ProgressChoice = None,
) -> DatasetVerdict | SourceVerdict:
    """Read a dataset or a source once and report all errors, as `toyadmos verify`.

    Args:
        location: A prepared folder, the address of a shared one, or a folder with volumes or a tree.
        toy: For a source: ``"car"``, ``"conveyor"`` or ``"train"``.
        ignore: For a source: glob patterns of files and folders that are left out.
        strict: For a source: whether it is a problem that something is not as published.
        workers: Number of processes; by default as many as there are processors.
        progress: As for `prepare`.

    Returns:
        A verdict with `is_good` and `problems`; errors in files are not raised.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> toyadmos.verify("data/train").is_good
        True
    """
    place = str(location)
    return verify_place(
        place if is_address(place) else str(expanded_path(location)),
        chosen_progress(progress),
        toy=toy,
        workers=chosen_workers(workers),
        ignore=(ignore,) if isinstance(ignore, str) else tuple(ignore),
        strict=strict,
    )


@overload
def audit(
    place: StrPath, other: None = None, *, workers: int | None = None, progress: ProgressChoice = None
) -> AuditReport: ...


@overload
def audit(
    place: StrPath, other: StrPath, *, workers: int | None = None, progress: ProgressChoice = None
) -> PairReport: ...


@in_python_words()
def audit(
    place: StrPath,
    other: StrPath | None = None,
    *,
    workers: int | None = None,
    progress: ProgressChoice = None,
) -> AuditReport | PairReport:
    """Prove from the data that nothing leaks, as `toyadmos audit`.

    Args:
        place: A prepared dataset, a recipe, or a folder of audio files.
        other: Another: does one learn from what the other tests?
        workers: Number of processes; by default as many as there are processors.
        progress: As for `prepare`.

    Returns:
        What was found; `has_leak` is the verdict.

    Examples:
        >>> import toyadmos_datasets as toyadmos
        >>> toyadmos.audit("data/train").has_leak
        False
    """
    n_workers, shown = chosen_workers(workers), chosen_progress(progress)
    if other is None:
        return audit_place(place, workers=n_workers, progress=shown)
    return audit_place(place, other, workers=n_workers, progress=shown)
