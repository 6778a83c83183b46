"""From an index and options to a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.corpus.paper import PaperExperiment, paper_experiment
from toyadmos_datasets.corpus.toys import ALL_CASES
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.plan.events import Event, channels_chosen, events_of, require_channels
from toyadmos_datasets.plan.noise import NoisePool, split_noise
from toyadmos_datasets.plan.options import PlanOptions
from toyadmos_datasets.plan.splits import Splits, split_events
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe

BASIC_CHANNELS = "1"
"""What the protocol basic uses when no channel is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How the examples of one config are mixed.

    Attributes:
        config: The config's name.
        target_gain_db: Gain of the target; None where an SNR is asked for.
        noise_gain_db: Gain of the noise; None where an SNR is asked for or there is no noise.
        snr_db: Ratio asked for; None for fixed gains and for clean.
        has_noise: Whether there is noise at all.
    """

    config: str
    target_gain_db: Decibels | None = None
    noise_gain_db: Decibels | None = None
    snr_db: Decibels | None = None
    has_noise: bool = True


def plan(index: pa.Table, options: PlanOptions) -> Recipe:
    """Decide which examples a dataset has, from the index alone.

    Args:
        index: Every recording of the source.
        options: What is asked for.

    Raises:
        PlanError: The source has not what the protocol needs.
    """
    experiment = paper_experiment(options.toy)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for protocol in options.protocols:
        some_rows, some_notes = _plan_protocol(index, options, protocol, experiment)
        rows += some_rows
        notes += some_notes
    examples = pa.Table.from_pylist(rows, schema=RECIPE_SCHEMA)
    return Recipe(examples=examples, parameters=options.as_parameters(), notes=tuple(dict.fromkeys(notes)))


def config_name(snr_db: Decibels) -> str:
    """Name the config of an SNR: ``snr_6db``, ``snr_minus_6db``, ``snr_2_5db``."""
    number = f"{abs(snr_db):g}".replace(".", "_")
    return f"snr_{'minus_' if snr_db < 0 else ''}{number}db"


def _plan_protocol(
    index: pa.Table, options: PlanOptions, protocol: str, experiment: PaperExperiment
) -> tuple[list[dict[str, Any]], list[str]]:
    cases = _cases(index, options, protocol)
    events = [event for event in events_of(index) if event.case in cases or event.case == ALL_CASES]
    targets = [event for event in events if event.recording_type == "IND" and event.sound != "noise"]
    _require_cases(cases, targets, options)
    channels = channels_chosen(_channel_choice(options, protocol, experiment), targets)
    incomplete = require_channels(targets, channels)
    targets = [event for event in targets if any(event.recordings_on(channel) for channel in channels)]
    splits = split_events(targets, experiment, protocol=protocol, seed=options.seed, max_events=options.max_events)
    noise = [event for event in events if event.sound == "noise"]
    mixtures = _mixtures(options, protocol, experiment)
    pools: dict[str, NoisePool] = {}
    if any(mixture.has_noise for mixture in mixtures):
        train, test = split_noise(noise, channels, seed=options.seed, is_shared=options.is_noise_shared)
        pools = {"train": train, "test": test}
    rows = [
        row
        for mixture in mixtures
        for split, members in (("train", splits.train), ("test", splits.test))
        for row in _rows(members, mixture, channels, split, pools, options=options, protocol=protocol)
    ]
    return rows, _notes(options, protocol, experiment, splits, incomplete)


def _cases(index: pa.Table, options: PlanOptions, protocol: str) -> tuple[int, ...]:
    if options.cases is not None:
        return tuple(sorted(options.cases))
    if protocol == "waspaa2019":
        return (paper_experiment(options.toy).case,)
    targets = index.filter(pc.not_equal(index["sound"], "noise"))
    return tuple(sorted(pc.unique(targets["case"]).to_pylist()))


def _require_cases(cases: Sequence[int], targets: Sequence[Event], options: PlanOptions) -> None:
    """Raise if a case that is asked for has no IND recordings, whatever the others have."""
    there = sorted({event.case for event in targets})
    absent = [case for case in cases if case not in there]
    if absent or not there:
        raise PlanError(
            "There are no IND recordings of the cases asked for.",
            where=f"case {', '.join(map(str, absent))}" if absent else options.toy,
            expected=f"recordings of {options.toy}",
            actual="none",
            remedy="Choose cases that the source has; list them with: toyadmos index SRC --toy TOY",
        )


def _channel_choice(options: PlanOptions, protocol: str, experiment: PaperExperiment) -> str:
    if options.channels is not None:
        return options.channels
    return experiment.channel if protocol == "waspaa2019" else BASIC_CHANNELS


def _mixtures(options: PlanOptions, protocol: str, experiment: PaperExperiment) -> list[Mixture]:
    if protocol == "waspaa2019":
        gains = experiment.gains_as_printed if options.is_as_printed else experiment.gains
        return [Mixture(config=protocol, target_gain_db=gains.target_db, noise_gain_db=gains.noise_db)]
    clean = Mixture(config="clean", target_gain_db=0.0, has_noise=False)
    return [clean, *(Mixture(config=config_name(snr_db), snr_db=snr_db) for snr_db in options.snrs_db)]


def _rows(
    events: Sequence[Event],
    mixture: Mixture,
    channels: Sequence[int],
    split: str,
    pools: dict[str, NoisePool],
    *,
    options: PlanOptions,
    protocol: str,
) -> Iterator[dict[str, Any]]:
    for event in events:
        draw = pools[split].draw(event, options.seed, protocol) if mixture.has_noise else None
        for channel in channels:
            recordings = event.recordings_on(channel)
            if recordings is None:
                continue
            yield {
                "config": mixture.config,
                "split": split,
                "label": event.sound,
                "toy": options.toy,
                "case": event.case,
                "channel": channel,
                "recording_type": event.recording_type,
                "condition": event.condition,
                "take": event.take,
                "event_id": event.event_id,
                "draw": 0,
                "recording_ids": recordings,
                "target_start": None,
                "target_length": None,
                "noise_recording_ids": draw.event.recordings_on(channel) if draw else [],
                "noise_position": draw.position if draw else None,
                "target_gain_db": mixture.target_gain_db,
                "noise_gain_db": mixture.noise_gain_db,
                "snr_db": mixture.snr_db,
            }


def _notes(
    options: PlanOptions, protocol: str, experiment: PaperExperiment, splits: Splits, incomplete: Sequence[Event]
) -> list[str]:
    """Say what a reader must know about this plan."""
    notes = []
    smaller = [case for case, n in splits.n_normal_by_case.items() if n < experiment.n_normal]
    if smaller:
        counts = ", ".join(
            f"{splits.n_train_by_case[case]} of {splits.n_normal_by_case[case]} in case {case}" for case in smaller
        )
        notes.append(
            f"The source has fewer normal IND events than the paper's {experiment.n_normal} a case, so the same "
            f"fraction ({experiment.n_train}/{experiment.n_normal}) is for training: {counts}."
        )
    if protocol == "waspaa2019":
        if options.is_as_printed:
            notes.append("waspaa2019 uses the gains as the paper prints them, which the authors corrected in 2020.")
        if options.cases not in (None, (experiment.case,)) or options.channels not in (None, experiment.channel):
            notes.append(
                f"waspaa2019 was asked for with other cases or channels than the paper's (case {experiment.case}, "
                f"channel {experiment.channel})."
            )
        if not options.is_noise_shared:
            notes.append(
                "Train and test hear different noise recordings; the paper drew both from one pool (--shared-noise)."
            )
    if options.is_noise_shared:
        notes.append("Train and test share one pool of noise recordings.")
    if options.max_events is not None:
        notes.append(f"A quick look: at most {options.max_events} events a split, case and label.")
    if incomplete:
        notes.append(
            f"{len(incomplete)} events lack a microphone that was asked for (such as {incomplete[0].event_id})."
        )
    return notes
