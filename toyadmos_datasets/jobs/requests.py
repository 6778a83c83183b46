"""What a job is asked for, made from single options; the command line and Python's functions both come through here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from toyadmos_datasets.corpus.toys import toys_named
from toyadmos_datasets.engine import chosen_workers
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.cache_folder import default_cache
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.options.declaration import defaults_of, options_of
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.options.place_options import PlaceOptions
from toyadmos_datasets.options.plan_options import PlanOptions, implied_protocol
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions
from toyadmos_datasets.values.health import exclusion_of

LOG_MEL = "logmel"
"""The features there are, as they are typed."""


def prepare_options(
    chosen: Mapping[str, Any],
    fetch: FetchChoices | None = None,
    *,
    executor: Executor | None = None,
    say: Callable[[str], None] | None = None,
) -> PrepareOptions:
    """Return what `prepare` and `plan` are asked for.

    Where no protocol is chosen and an option can mean only one, it is that one.

    Args:
        chosen: Values by the names of their fields; what is left out, or None, has its default.
        fetch: How a source on the web is fetched.
        executor: Runs the tasks in the place of the machine's own processes.
        say: Told which protocol was taken, where options chose it.

    Raises:
        OptionError: A value is invalid, or contradicts another.
    """
    implied = implied_protocol(chosen)
    if implied is not None:
        protocol, flag = implied
        chosen = {**chosen, "protocols": (protocol,)}
        if say is not None:
            say(f"{flag} is an option of {protocol}, so the protocol is {protocol}.")
    plan = PlanOptions(**_chosen(PlanOptions, chosen))
    places = PlaceOptions(**_chosen(PlaceOptions, chosen))
    _require_source(places.source)
    kept = _chosen(PlaceOptions, chosen) | {
        "source": places.source,
        "ignore": places.ignore,
        "recipe": places.recipe,
        "exclude": exclusion_of(places.exclude),
        "cache": places.cache or default_cache(),
        "out": places.out or _default_out(plan),
    }
    return PrepareOptions(
        plan=plan, render=_render_options(chosen), fetch=fetch or FetchChoices(), executor=executor, **kept
    )


def _default_out(plan: PlanOptions) -> Path:
    """Return ``data/TOY``, or ``data/TOY-PROTOCOL`` for another protocol than the default."""
    others = [] if plan.protocols == defaults_of(PlanOptions)["protocols"] else plan.protocols
    return Path("data") / "-".join([*(toy.short for toy in toys_named(plan.toy)), *others])


def _chosen(kind: type[Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    return {name: chosen[name] for name in options_of(kind) if chosen.get(name) is not None}


def _require_source(source: str) -> None:
    if not source:
        raise OptionError(
            "It is not said where the recordings are.",
            where="--source",
            expected="record, an address, a folder with the volumes or the extracted tree, or simulate",
            actual="nothing",
            remedy="Leave --source out for the official record, or type: --source simulate",
        )


def _render_options(chosen: Mapping[str, Any]) -> RenderOptions:
    encoding = Encoding(**_chosen(Encoding, chosen))
    features, settings = chosen.get("log_mel"), _chosen(LogMel, chosen)
    if features not in {None, LOG_MEL} or (features is None and settings):
        raise OptionError(
            "There are no such features." if features else "Settings of features are given, and no features.",
            where="--features",
            expected=LOG_MEL,
            actual=features or "not given",
            remedy=f"--features {LOG_MEL}",
        )
    log_mel = None if features is None else LogMel(rate_hz=encoding.rate_hz, **settings)
    own = {"encoding": encoding, "log_mel": log_mel, "workers": chosen_workers(chosen.get("workers"))}
    return RenderOptions(**_chosen(RenderOptions, chosen) | own)
