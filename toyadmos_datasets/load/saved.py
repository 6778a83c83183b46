"""What `save_to_disk` wrote of a dataset that was loaded here, and changed since."""

from __future__ import annotations

import posixpath
from typing import Any

from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.files.address import open_address
from toyadmos_datasets.files.looking import raise_shortage
from toyadmos_datasets.load.choices import check_decode, check_split
from toyadmos_datasets.load.expressions import part_of
from toyadmos_datasets.load.place import Place
from toyadmos_datasets.values.dataset import MANIFEST_NAME

_DICT = "dataset_dict.json"
_STATE = "state.json"

UNKNOWN_DEPTH = 16
"""What is saved does not say how many bits its clips have; each says so itself when it is decoded."""


def is_saved(place: Place) -> bool:
    """Whether `save_to_disk` wrote this; a prepared dataset is none."""
    if not place.is_far:
        is_prepared = (place.folder / MANIFEST_NAME).exists()
        return not is_prepared and any((place.folder / name).is_file() for name in (_DICT, _STATE))
    try:
        system, root = open_address(place.address, **place.storage_options)
        return any(system.isfile(posixpath.join(root, name)) for name in (_DICT, _STATE))
    except Exception:  # noqa: BLE001  # what a file system raises is not known, and who asks has a better error
        return False


def open_saved(place: Place, name: str | None, split: str | None, *, decode: bool | str, streaming: bool) -> Any:  # noqa: ANN401  # one of the four
    """Open what `save_to_disk` wrote.

    Args:
        place: Where it is.
        name: Must be None: there are no configs.
        split: One that was saved, or an expression; None for all that there is.
        decode: As in `load_dataset`; True keeps the sample type that was saved.
        streaming: Whether to read as it goes.

    Raises:
        DatasetError: It is damaged, or names a feature that nobody knows.
        OptionError: There is no such config, split or decoding.
        MissingExtraError: soundfile is not installed, and `decode` is on.
    """
    from toyadmos_datasets.load.redecoding import decoding  # noqa: PLC0415  (takes a second)

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


def _read(place: Place) -> Any:  # noqa: ANN401  # a Dataset or a DatasetDict
    import datasets  # noqa: PLC0415  (as above)
    import pyarrow as pa  # noqa: PLC0415  (as above)

    where = place.address if place.is_far else str(place.folder)
    try:
        return datasets.load_from_disk(where, storage_options=place.storage_options or None)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, pa.ArrowException) as error:
        raise_shortage(error, where)
        raise DatasetError(
            "What save_to_disk wrote cannot be opened.",
            where=place.shown if place.is_far else where,
            actual=type(error).__name__ if place.is_far else f"{type(error).__name__}: {error}",
            remedy="Save it again from the dataset that it was made of.",
        ) from (None if place.is_far else error)  # others' texts may repeat what is secret


def _as_it_goes(rows: Any, decode: bool | str) -> Any:  # noqa: ANN401, FBT001  # as above
    import datasets  # noqa: PLC0415  (as above)

    from toyadmos_datasets.load.redecoding import decoding  # noqa: PLC0415  (as above)

    if isinstance(rows, dict):
        return datasets.IterableDatasetDict({split: _as_it_goes(one, decode) for split, one in rows.items()})
    return decoding(rows.to_iterable_dataset(), decode)
