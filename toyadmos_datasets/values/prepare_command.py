"""The command that repeats what a folder was prepared with, from what its manifest keeps of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toyadmos_datasets.corpus.toys import TOYS
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.options.declaration import defaults_of, options_of
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions
from toyadmos_datasets.values.dataset_requests import OF_THE_TOY, OWN_HEADROOM
from toyadmos_datasets.values.manifest import NAMED_BY_TOY, RECIPE_NAME

OWN_PROTOCOL = "own"
"""How a request names the protocol of a table of the user's own."""

NAMES_FILE = "NAMES.txt"
PATTERN = "PATTERN"
"""Stand for what a request has only the hash of."""

_SHORT = {toy.name: toy.short for toy in TOYS}


def prepare_commands(requests: Sequence[Mapping[str, Any]], *, out: str = "data/repeated") -> tuple[str, ...]:
    """Return the commands that prepare a folder again, the first one and one for each addition.

    Args:
        requests: What was asked for, in order, as manifests and shared recipes keep it.
        out: Where to.
    """
    return tuple(
        " ".join(map(shell_word, (*_words(request), *(["--add"] if number else []), "--out", out)))
        for number, request in enumerate(_by_command(requests))
    )


def placeholders(requests: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return which words of the commands stand for something that the requests only have the hash of."""
    words = {word for request in _by_command(requests) for word in _words(request)}
    return tuple(one for one in (NAMES_FILE, PATTERN) if one in words)


def _by_command(requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the requests, those as one that one command made of several toys."""
    found: list[dict[str, Any]] = []
    for request in requests:
        last = found[-1] if found else {}
        toys = str(last.get("toy", "")).split(",")
        if request.get(NAMED_BY_TOY) and request["toy"] not in toys and _but_toy(request) == _but_toy(last):
            found[-1] = dict(request) | last | {"toy": ",".join([*toys, request["toy"]])}
        else:
            found.append(dict(request))
    return found


def _but_toy(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in OF_THE_TOY}


def _words(request: Mapping[str, Any]) -> Iterator[str]:
    yield from ("toyadmos", "prepare")
    is_own = request.get("protocols") in ([OWN_PROTOCOL], (OWN_PROTOCOL,))
    yield from _options(PlanOptions, request, without=("protocols", "toy") if is_own else ())
    if is_own:
        yield from ("--toy", _spelled(request.get("toy")), "--recipe", RECIPE_NAME)
    for kind in (Encoding, RenderOptions):
        yield from _options(kind, request)
    if "features" in request:
        yield from ("--features", "logmel", *_options(LogMel, request["features"], without=("rate_hz",)))
    yield from ["--skip-bad"] if request.get("skip_bad") else []
    excluded = request.get("exclude") or {}
    yield from ("--exclude", ",".join(excluded["flags"])) if excluded.get("flags") else ()
    yield from ("--exclude", NAMES_FILE) if "ids_sha256" in excluded else ()
    yield from ("--ignore", PATTERN) if request.get("ignored") else ()
    yield from ("--headroom", OWN_HEADROOM) if request.get("headroom") == OWN_HEADROOM else ()


def _options(kind: type[Any], request: Mapping[str, Any], without: Sequence[str] = ()) -> Iterator[str]:
    """Spell the options of a class whose value is not the default."""
    defaults = defaults_of(kind)
    for name, one in options_of(kind).items():
        value = request.get(one.key)
        plain: Any = tuple(value) if isinstance(value, list) else value
        is_left_open = plain is None or (plain == defaults.get(name) and name != "protocols")
        if name in without or not one.is_requested or is_left_open:
            continue
        if isinstance(plain, bool):
            yield one.flag if plain else f"--no-{one.flag[2:]}"
        elif name == "protocols":
            yield from (word for protocol in plain for word in (one.flag, _spelled(protocol)))
        else:
            yield from (one.flag, _spelled(plain))


def _spelled(value: Any) -> str:  # noqa: ANN401  # any value of an option
    if isinstance(value, tuple):
        return ",".join(map(_spelled, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return ",".join(_SHORT.get(one, one) for one in value.split(",")) if isinstance(value, str) else str(value)
