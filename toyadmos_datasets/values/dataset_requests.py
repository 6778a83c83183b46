"""The requests of a folder: whether it already holds a new request, or can be extended by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toyadmos_datasets.errors import OutputConflictError
from toyadmos_datasets.files.checked_json import canonical_json
from toyadmos_datasets.options.declaration import options_of
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.manifest import NAMED_BY_TOY

OWN_HEADROOM = "own"
"""The value of ``headroom`` in the request of an addition whose levels are not those of the folder."""

OF_THE_FOLDER: Mapping[str, str] = {
    "encoding": "--encoding",
    "bit_depth": "--bit-depth",
    "rate_hz": "--rate",
}
"""What all configs of a folder have in common, and how it is typed."""

OF_THE_TOY: Mapping[str, str] = {"toy": "--toy", "source": "--source", "ignored": "--ignore"}
"""What all configs of a toy have in common."""

_LISTS = ("protocols", "snrs_db", "features")


def holds(requests: Sequence[Mapping[str, Any]], request: Mapping[str, Any]) -> bool:
    """Tell whether a folder holds what is asked for: as one of its requests, or as several of them together.

    Args:
        requests: What the folder was prepared with and what was added, in order.
        request: What is asked for.
    """
    asked = frozenset(_units_of(request))
    together = frozenset[str]()
    for one in requests:
        if canonical_json(one) == canonical_json(request):
            return True
        units = frozenset(_units_of(one))
        if units <= asked:
            together |= units
    return asked == together


def request_of_toy(requests: Sequence[Mapping[str, Any]], toy: object) -> Mapping[str, Any] | None:
    """Return the first request for a toy; None where a folder of several toys has none of it.

    Args:
        requests: As of `holds`.
        toy: ``ToyTrain``.
    """
    first = next((one for one in requests if one.get("toy") == toy), None)
    return first if first is not None or requests[0].get(NAMED_BY_TOY) else requests[0]


def request_of_addition(
    request: Mapping[str, Any],
    requests: Sequence[Mapping[str, Any]],
    *,
    headroom_db: Decibels | None,
    where: object,
) -> dict[str, Any]:
    """Return the request as the manifest keeps it, if it can be added: its headroom is the folder's, or its own.

    Args:
        request: What is asked for.
        requests: What the folder was prepared with and what was added, in order.
        headroom_db: The headroom that the folder has for this toy; None where it has none of it.
        where: The folder, for errors.

    Raises:
        OutputConflictError: It differs in what all configs of a folder have in common, or in the headroom.
    """
    if request.get(NAMED_BY_TOY) != requests[0].get(NAMED_BY_TOY):
        raise OutputConflictError(
            "Several toys cannot be added to a folder of one toy, whose configs are not named by toy.",
            where=where,
            expected=f"{requests[0].get('toy')} alone",
            actual="several toys",
            remedy="Prepare all of them into a folder of their own: --toy car,train --out DIR",
        )
    same = request_of_toy(requests, request.get("toy"))
    pairs = [(requests[0], OF_THE_FOLDER), *([] if same is None else [(same, OF_THE_TOY)])]
    for first, name, flag in ((first, *one) for first, names in pairs for one in names.items()):
        if canonical_json(request.get(name)) != canonical_json(first.get(name)):
            raise OutputConflictError(
                "Configs of another kind cannot be added to a folder.",
                where=where,
                expected=f"{name}={canonical_json(first.get(name))}, as the configs that are there",
                actual=f"{name}={canonical_json(request.get(name))}",
                remedy=f"Give {flag} as when the folder was prepared, or choose another folder with --out.",
            )
    if same is None or headroom_db is None or request.get("headroom") == OWN_HEADROOM:
        return dict(request)
    if request.get("headroom_db") not in (None, headroom_db):
        raise OutputConflictError(
            "The folder has another headroom.",
            where=where,
            expected=f"{headroom_db:g} dB, as the configs that are there",
            actual=f"{request['headroom_db']:g} dB",
            remedy="Leave --headroom-db out, or let the new configs differ in level: --headroom own",
        )
    return {**request, "headroom_db": same.get("headroom_db")}


def _units_of(request: Mapping[str, Any]) -> Iterator[str]:
    """Take a request apart: a protocol at one SNR or at none, with the options that concern it, each.

    What is made of a protocol does not depend on the protocols beside it.
    """
    rest = {name: value for name, value in request.items() if name not in _LISTS}
    features = [None, request["features"]] if "features" in request else [None]
    for protocol in request.get("protocols") or [None]:
        mine = {name: value for name, value in rest.items() if _concerns(name, protocol)}
        snrs_db = request.get("snrs_db") or ()
        for snr_db in (None, *(snrs_db if _concerns("snrs_db", protocol) else ())):
            for one in features:
                yield canonical_json([protocol, snr_db, one, mine])


def _concerns(name: str, protocol: str | None) -> bool:
    """Tell whether a protocol takes an option, by its name in a request."""
    takers = next((one.protocols for one in options_of(PlanOptions).values() if one.key == name), ())
    return not takers or protocol in takers
