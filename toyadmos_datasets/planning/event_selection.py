"""The events of a plan: those of the requested cases and channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from toyadmos_datasets.corpus.toys import CHANNELS, toy_named
from toyadmos_datasets.errors import OptionError, PlanError
from toyadmos_datasets.options.catalogue import Protocol
from toyadmos_datasets.options.channel_choices import ALL, MIX, stacked_channels
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.planning.events import ABSENT, Events, Numbers
from toyadmos_datasets.planning.protocols import FAITHFUL_CHANNELS
from toyadmos_datasets.planning.split_layout import Channels, Scope


def scope_of(events: Events, options: PlanOptions, protocol: Protocol, activity: pa.Table | None) -> Scope:
    """Gather what a protocol plans with.

    Raises:
        OptionError: The protocol is not for this toy.
        PlanError: A case has no recordings, or an event lacks a microphone that cannot be done without.
    """
    if options.toy not in protocol.toys:
        raise OptionError(
            "The protocol is not for this toy.",
            where=f"--protocol {protocol.name}",
            expected=" or ".join(f"--toy {toy_named(toy).short}" for toy in protocol.toys),
            actual=f"--toy {toy_named(options.toy).short}",
            remedy="Choose another protocol; toyadmos protocols lists them.",
        )
    running = np.sort(
        np.concatenate(
            [
                events.where(sound=sound, recording_type=kind)
                for sound in ("normal", "anomalous")
                for kind in protocol.recording_types
            ]
        )
    )
    cases = options.cases or protocol.cases(options.toy) or tuple(np.unique(events.case[running]).tolist())
    targets = running[np.isin(events.case[running], cases)]
    _require_cases(events, np.intersect1d(targets, events.where(recording_type="IND")), sorted(cases), options.toy)
    channels = _channels_of(events, targets, options, protocol)
    is_complete = events.have(targets, channels.needed)
    incomplete = targets[~is_complete]
    if 0 in channels.numbers and len(incomplete):
        raise _incomplete(events, incomplete, channels)
    is_heard = (events.recordings[targets][:, [one - 1 for one in channels.needed]] != ABSENT).any(axis=1)
    return Scope(
        protocol=protocol.name,
        options=options,
        events=events,
        cases=tuple(sorted(cases)),
        channels=channels,
        targets=targets[is_heard],
        incomplete=incomplete,
        is_noise_shared=options.shared_noise or (options.faithful and protocol.name == "waspaa2019"),
        activity=activity,
    )


def _channels_of(events: Events, targets: Numbers, options: PlanOptions, protocol: Protocol) -> Channels:
    """Return the channels that a choice stands for: those there are for ``all``."""
    choice = options.channels or protocol.channels(options.toy)
    stacked = stacked_channels(choice)
    if stacked:
        return Channels(numbers=(0,), together=stacked)
    if choice == MIX:
        is_faithful = options.faithful and protocol.name == "waspaa2019"
        return Channels(numbers=(0,), together=FAITHFUL_CHANNELS if is_faithful else CHANNELS)
    if choice == ALL:
        there = (events.recordings[targets] != ABSENT).any(axis=0)
        return Channels(numbers=tuple(channel for channel in CHANNELS if there[channel - 1]))
    return Channels(numbers=(int(choice),))


def _require_cases(events: Events, targets: Numbers, cases: Sequence[int], toy: str) -> None:
    """Raise if a case that is asked for has no IND recordings, whatever the others have."""
    there = set(events.case[targets].tolist())
    absent = [case for case in cases if case not in there]
    if absent or not there:
        raise PlanError(
            "There are no IND recordings of the cases asked for.",
            where=f"case {', '.join(map(str, absent))}" if absent else toy,
            expected=f"recordings of {toy}",
            actual="none",
            remedy="Choose cases that the source has; list them with: toyadmos index SRC --toy TOY",
        )


def _incomplete(events: Events, incomplete: Numbers, channels: Channels) -> PlanError:
    there = [channel for channel in CHANNELS if events.recordings[incomplete[0], channel - 1] != ABSENT]
    return PlanError(
        f"{len(incomplete)} events cannot be mixed, because a microphone is missing.",
        where=events.name(incomplete[0]),
        expected=f"channels {', '.join(map(str, channels.needed))}",
        actual=f"channels {', '.join(map(str, there))}",
        remedy="Complete the source, or choose one microphone, for instance: --channels 1",
    )
