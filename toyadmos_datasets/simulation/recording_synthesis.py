"""From an event to what its four microphones recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.names import NOISE, RecordingName
from toyadmos_datasets.corpus.toys import ALL_CASES
from toyadmos_datasets.signal.randomness import derived_generator
from toyadmos_datasets.simulation.effects import effect_of
from toyadmos_datasets.simulation.factory_noise import factory_noise, hall
from toyadmos_datasets.simulation.machine_sound import MachineRun, motor_period, sound_sources
from toyadmos_datasets.simulation.machines import MACHINES
from toyadmos_datasets.simulation.microphones import record
from toyadmos_datasets.simulation.motion import Samples, Stretch, move, running_on, started_and_stopped, with_a_rest
from toyadmos_datasets.simulation.simulated_events import Event
from toyadmos_datasets.units import Decibels, Seconds

MODEL_VERSION = 2
"""Changes when the same seed would sound different."""

GAIN_DB: Final[Mapping[str, Decibels]] = MappingProxyType({"ToyCar": -6.0, "ToyConveyor": -5.5, "ToyTrain": 0.0})
"""Gain of each toy's machines and of its factory noise, so that machines run near -32 dBFS RMS on channel 1.

One gain for both keeps what the paper's fixed gains make of them.

Source:
    ToyCar, IND, channel 1, as inventoried by a user (tudorcoroian17/ssm-mcu-asd-ind): running near -32 dBFS. For the
    other toys nothing is known.
"""

SAME_NOISE: Final[Mapping[str, Mapping[int, int]]] = MappingProxyType({"ToyTrain": MappingProxyType({2: 1, 4: 3})})
"""Toy, then the cases whose noise is that of another case, byte for byte, under names of their own.

Source:
    An inference: the record has 1152 ToyTrain noise files, which are 192 hours; the paper's Table 1 has 96, two sets
    (HO and N). The car has one set for all cases. The conveyor's 864 files are the 144 hours of the paper, so its three
    sets differ, if only as three recordings of one playback do.
"""

_LARGEST = 0.9
"""A recording that would exceed this is turned down, all four channels alike, before anything could clip."""

_BATTERY_SPREAD = 0.01
"""Standard deviation of the speed from take to take: batteries and temperature differ."""

_LEVEL_SPREAD_DB = 0.6
"""Standard deviation of the motor's level from take to take."""

_START_SPREAD = 0.05
"""The train is set down at the same point of the track, but for this share of the lap."""


def synthesise(event: Event, *, seed: int) -> list[npt.NDArray[np.int16]]:
    """Return the recordings of an event, channels 1 to 4, int16, each of shape (n_samples,).

    Every number follows from the seed and the event's identity: neither what else is synthesised nor in
    which order can change it.
    """
    name = event.name
    recordings = _noise(event, seed) if name.condition == NOISE else _machine(event, seed)
    peak = max(float(np.abs(one).max()) for one in recordings)
    scale = np.float32(32767 * min(1.0, _LARGEST / peak))
    return [np.rint(one * scale).astype(np.int16) for one in recordings]


def _machine(event: Event, seed: int) -> list[Samples]:
    name = event.name
    machine, effect = MACHINES[name.toy][name.case], effect_of(name.toy, name.condition)
    draws = derived_generator(seed, "simulate", name.event_id, "machine")
    battery = 1 + _BATTERY_SPREAD * draws.standard_normal()
    level = 10 ** ((GAIN_DB[name.toy] + _LEVEL_SPREAD_DB * draws.standard_normal()) / 20)
    stretches = _stretches(event, spin_up_s=machine.spin_up_s, draws=draws)
    motion = move(
        stretches,
        event.n_samples,
        shaft_hz=machine.shaft_hz * effect.speed * battery,
        wander=machine.wander * effect.wander,
        spin_up_s=machine.spin_up_s,
        draws=draws,
    )
    spread = _START_SPREAD if name.recording_type == "IND" and machine.oval is not None else 1.0
    run = MachineRun(
        machine=machine,
        effect=effect,
        motion=motion,
        period=motor_period(machine, derived_generator(seed, "simulate", name.toy, name.case, "motor")),
        offsets=(draws.uniform(), draws.uniform(0, spread)),
        draws=draws,
    )
    sources = sound_sources(run)
    for source in sources:
        source.sound.__imul__(np.float32(level))
    return record(sources, machine.microphones, turns=motion.turns, noise=_microphone_noise(name, seed))


def _stretches(event: Event, *, spin_up_s: Seconds, draws: np.random.Generator) -> tuple[Stretch, ...]:
    name, duration_s = event.name, event.duration_s
    if event.is_at_rest:
        return ()
    if name.recording_type == "IND":
        return started_and_stopped(duration_s, spin_up_s=spin_up_s, draws=draws)
    return with_a_rest(duration_s, draws) if name.toy == "ToyCar" else running_on(duration_s)


def _noise(event: Event, seed: int) -> list[Samples]:
    case = event.name.case
    name = replace(event.name, case=SAME_NOISE.get(event.name.toy, {}).get(case, case))
    machines = MACHINES[name.toy]
    machine = machines[1 if name.case == ALL_CASES else name.case]
    return factory_noise(
        hall(derived_generator(seed, "simulate", name.toy, name.case, "hall")),
        machine.microphones,
        event.n_samples,
        gain=10 ** (GAIN_DB[name.toy] / 20),
        draws=derived_generator(seed, "simulate", name.event_id, "noise"),
        noise=_microphone_noise(name, seed),
    )


def _microphone_noise(name: RecordingName, seed: int) -> Callable[[int], np.random.Generator]:
    return lambda channel: derived_generator(seed, "simulate", name.event_id, "microphone", channel)
