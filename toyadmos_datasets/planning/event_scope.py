"""What a protocol plans with: the events that were asked for, on the channels that were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from toyadmos_datasets.corpus.paper import PaperExperiment, paper_experiment
from toyadmos_datasets.corpus.toys import CHANNELS
from toyadmos_datasets.planning.events import Events, Numbers

if TYPE_CHECKING:
    from toyadmos_datasets.options.plan_options import PlanOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Which rows an event gives.

    Attributes:
        numbers: Channel of each of its rows; 0 stands for several microphones together.
        together: The microphones that channel 0 stands for.
    """

    numbers: tuple[int, ...]
    together: tuple[int, ...] = CHANNELS

    @property
    def needed(self) -> tuple[int, ...]:
        """Microphones that are heard in any row."""
        return self.together if 0 in self.numbers else self.numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scope:
    """What one protocol plans with.

    Attributes:
        protocol: Its name, which every draw derives from.
        options: What was asked for.
        events: All events of the source.
        cases: Cases that were asked for, or that the protocol uses.
        channels: Which rows an event gives.
        targets: Events of a running toy that are of these cases and can be heard on these channels, ascending.
        incomplete: Events that lack one of the channels, in `targets` or left out.
        is_noise_shared: Whether all splits hear the same noise recordings.
        activity: Where machines run in continuous recordings, `values.index.ACTIVITY_SCHEMA`; None if unknown.
    """

    protocol: str
    options: PlanOptions
    events: Events
    cases: tuple[int, ...]
    channels: Channels
    targets: Numbers
    incomplete: Numbers
    is_noise_shared: bool = False
    activity: pa.Table | None = None

    @property
    def experiment(self) -> PaperExperiment:
        """The paper's experiment with this toy."""
        return paper_experiment(self.options.toy)

    def of(self, case: int, sound: str, recording_type: str = "IND") -> Numbers:
        """Return the targets of a case and a sound, in the protocol's random order."""
        wanted = self.targets[self.events.case[self.targets] == case]
        wanted = wanted[np.isin(wanted, self.events.where(sound=sound, recording_type=recording_type), kind="table")]
        return self.events.shuffled(wanted, self.options.seed, self.protocol, "split")

    def noise(self, case: int) -> Numbers:
        """Return the noise that serves a case and that all microphones have heard, ascending."""
        return self.events.serving(case, self.channels.needed)

    def taken(self, order: Numbers) -> Numbers:
        """Return the first of an order, as many as a quick look has of a split, case and label."""
        return order[: self.options.max_events]


def gathered(*orders: Numbers) -> Numbers:
    """Return the events of some orders, ascending."""
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *orders]))
