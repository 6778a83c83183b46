"""The operations of every destination, and the errors if they fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypeVar

from toyadmos_datasets.errors import ShareError, ToyAdmosError
from toyadmos_datasets.sharing.parcel import Outgoing, Parcel
from toyadmos_datasets.sharing.row_files import is_rows_path
from toyadmos_datasets.units import Seconds
from toyadmos_datasets.values.manifest import CARD_NAME, MANIFEST_NAME, RECIPE_NAME
from toyadmos_datasets.values.shared_recipe import SHARED_NAME

Done = TypeVar("Done")
Sent: TypeAlias = Callable[[Outgoing], None]
Relation: TypeAlias = Literal["new", "same", "other", "foreign"]

LAST_NAMES = (MANIFEST_NAME, SHARED_NAME)
"""One of these makes a copy whole."""

WAITS_S: tuple[Seconds, ...] = (1, 2, 4)
"""Before each further try."""

HIDDEN = "(hidden)"

AGAIN = "Run the same command again: what has arrived is not sent again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a destination stands to a parcel.

    Attributes:
        relation: ``new``: nothing is there; ``same``: this parcel, or a part of it; ``other``: what was shared of
            another dataset; ``foreign``: what nobody shared.
        missing: What has not arrived, in the order in which it is sent.
        stale: Paths of what was shared and is not in the parcel.
        example: Something that is there, for the error.
    """

    relation: Relation
    missing: tuple[Outgoing, ...]
    stale: tuple[str, ...] = ()
    example: str = ""


class Destination(Protocol):
    """Where a dataset is shared to."""

    shown: str

    def admit(self, *, has_audio: bool) -> None:
        """Raise unless audio, or a recipe, may be sent there; asked first, and again when all is there."""

    def look(self, parcel: Parcel) -> Standing:
        """Tell what of a parcel is there."""

    def send(self, parcel: Parcel, standing: Standing, sent: Sent) -> None:
        """Send what is missing and remove what is stale, the last file last; tell about each that has arrived."""


def is_ours(path: str) -> bool:
    """Whether a path is one that sharing writes."""
    return path in {CARD_NAME, RECIPE_NAME, *LAST_NAMES} or is_rows_path(path) or is_audio(path)


def is_audio(path: str) -> bool:
    """Whether a path is a shard's."""
    return path.startswith("data/") and path.endswith(".parquet")


def ask(
    attempt: Callable[[], Done],
    *,
    shown: str,
    what: str,
    may_pass: Callable[[Exception], bool],
    secrets: Sequence[str] = (),
    remedy: str = AGAIN,
) -> Done:
    """Do something, again after a failure that may pass, and turn any failure of others into one that is ours.

    The original is not chained to it: its text, or that of what caused it, may hold what was sent.

    Args:
        attempt: What to do; everything that it decides by is read anew inside.
        shown: The destination, for the error.
        what: What failed, if it does.
        may_pass: Whether a failure may pass.
        secrets: What must not be shown.
        remedy: What to do then.

    Raises:
        ShareError: It failed to the end.
    """
    for wait_s in (*WAITS_S, None):
        try:
            return attempt()
        except ToyAdmosError:
            raise
        except Exception as error:  # noqa: BLE001  # what a file system or a client raises is not known
            text, passes = _text_of(error), may_pass(error)
        if wait_s is None or not passes:
            break
        time.sleep(wait_s)
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    raise ShareError(what, where=shown, actual=text, remedy=remedy)


def _text_of(error: BaseException) -> str:
    """Say what went wrong, and what it came of: clients wrap what a server said into something general."""
    text = f"{type(error).__name__}: {error}".strip()
    return text if error.__cause__ is None else f"{text} ({_text_of(error.__cause__)})"


def describe(parcel: Parcel, missing: Sequence[Outgoing]) -> str:
    """Say in a line what a parcel puts at a destination, for a commit's message."""
    what = "dataset" if parcel.has_audio else "recipe"
    return f"Share the {what} {parcel.recipe_sha256[:16]} ({len(missing)} files)"
