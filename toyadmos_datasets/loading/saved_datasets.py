"""What `save_to_disk` wrote of a dataset that was loaded here, and changed since."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.address import open_address
from toyadmos_datasets.files.checked_json import Value, checked, read_json
from toyadmos_datasets.files.reading import file_errors, is_there, raise_system_fault
from toyadmos_datasets.files.safe_paths import inside
from toyadmos_datasets.loading.choices import check_decode, check_split, part_of
from toyadmos_datasets.loading.location import DatasetLocation
from toyadmos_datasets.values.manifest import MANIFEST_NAME
from toyadmos_datasets.values.parquet_files import PARQUET_FAULTS

_DICT = "dataset_dict.json"
_STATE = "state.json"
_SAVE_AGAIN = "Save it again from the dataset that it was made of."

UNKNOWN_DEPTH = 16
"""What is saved does not say how many bits its clips have; each says so itself when it is decoded."""


def is_saved(place: DatasetLocation) -> bool:
    """Whether `save_to_disk` wrote this folder; False for a prepared dataset."""
    if not place.is_far:
        with file_errors(place.folder):
            is_prepared = is_there(place.folder / MANIFEST_NAME)
        return not is_prepared and any((place.folder / name).is_file() for name in (_DICT, _STATE))
    try:
        system, root = open_address(place.address, **place.storage_options)
        return any(system.isfile(posixpath.join(root, name)) for name in (_DICT, _STATE))
    except Exception:  # noqa: BLE001  # file systems raise unknown errors, and the caller has a better one
        return False


def open_saved(
    place: DatasetLocation, name: str | None, split: str | None, *, decode: bool | str, streaming: bool
) -> Any:  # noqa: ANN401  # one of the four
    """Open what `save_to_disk` wrote.

    Args:
        place: Where it is.
        name: Must be None: there are no configs.
        split: A saved split, or an expression; None for all.
        decode: As in `load_dataset`; True keeps the sample type that was saved.
        streaming: Whether to read as it goes.

    Raises:
        DatasetError: It is damaged, or names a feature that nobody knows.
        OptionError: There is no such config, split or decoding.
        MissingExtraError: soundfile is not installed, and `decode` is on.
    """
    from toyadmos_datasets.loading.derived_features import decoding  # noqa: PLC0415  (takes a second)

    if name is not None:
        raise OptionError(
            "What save_to_disk wrote has no configs.",
            where="name",
            expected="None",
            actual=name,
            remedy="Leave it out; split= chooses a split.",
        )
    check_decode(decode, UNKNOWN_DEPTH)
    opened = decoding(_read(place), decode)
    splits = opened if isinstance(opened, dict) else {str(opened.split or "train"): opened}
    asked = check_split(split, splits)
    chosen = opened if asked is None else part_of(splits, asked)
    return _as_it_goes(chosen, decode) if streaming else chosen


def _read(place: DatasetLocation) -> Any:  # noqa: ANN401  # a Dataset or a DatasetDict
    import datasets  # noqa: PLC0415  (as above)

    where = place.address if place.is_far else str(place.folder)
    try:
        if not place.is_far:
            _check_states(place.folder)
        opened = datasets.load_from_disk(where, storage_options=place.storage_options or None)
        for one in opened.values() if isinstance(opened, dict) else [opened]:
            one.data.table.validate(full=True)  # nothing was compared with a hash, and a wrong offset ends processes
    except DatasetError as error:
        actual = f"{error.what} {error.actual or ''}".rstrip()
        raise _closed(error.where or where, actual) from error
    except (*PARQUET_FAULTS, RecursionError, NotImplementedError) as error:
        raise_system_fault(error, where)
        actual = type(error).__name__ if place.is_far else f"{type(error).__name__}: {error}"
        # texts of other libraries may repeat secrets
        raise _closed(place.shown if place.is_far else where, actual) from (None if place.is_far else error)
    return opened


def _closed(where: object, actual: str) -> DatasetError:
    return DatasetError("What save_to_disk wrote cannot be opened.", where=where, actual=actual, remedy=_SAVE_AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _DataFile:
    """A file of a saved split, by its name in the split's folder."""

    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What of a split's state says which files are opened, and as what."""

    _data_files: list[_DataFile]
    _fingerprint: str | None = None
    _format_columns: list[str] | None = None
    _format_kwargs: dict[str, Any] | None = None
    _format_type: str | None = None
    _output_all_columns: bool = False
    _split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Splits:
    """What `dataset_dict.json` says."""

    splits: list[str]


def _check_states(folder: Path) -> None:
    """Check what says which files are opened, before they are.

    Raises:
        DatasetError: A file is damaged, has values of other types, or names that lead elsewhere.
    """
    folders = [folder]
    if (folder / _DICT).is_file():
        folders = [inside(folder, name) for name in _checked(folder / _DICT, _Splits).splits]
    for one in folders:
        state = _checked(one / _STATE, _State)
        for file in state._data_files:  # noqa: SLF001  (named as datasets names it)
            inside(one, file.filename, where=one / _STATE)


def _checked(path: Path, kind: type[Value]) -> Value:
    content = read_json(path, remedy=_SAVE_AGAIN)
    known = {name: content[name] for name in content if name in {one.name for one in fields(kind)}}  # type: ignore[arg-type]
    return checked(kind, known, what="What save_to_disk wrote is damaged.", where=path, remedy=_SAVE_AGAIN)


def _as_it_goes(rows: Any, decode: bool | str) -> Any:  # noqa: ANN401, FBT001  # as above
    import datasets  # noqa: PLC0415  (as above)

    from toyadmos_datasets.loading.derived_features import decoding  # noqa: PLC0415  (as above)

    if isinstance(rows, dict):
        return datasets.IterableDatasetDict({split: _as_it_goes(one, decode) for split, one in rows.items()})
    return decoding(rows.to_iterable_dataset(), decode)
