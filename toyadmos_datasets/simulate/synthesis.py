"""From an event to what its four microphones recorded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.names import NOISE, RecordingName
from toyadmos_datasets.corpus.toys import ALL_CASES
from toyadmos_datasets.signal.randomness import derived_generator
from toyadmos_datasets.simulate.damage_effects import effect_of
from toyadmos_datasets.simulate.events import Event
from toyadmos_datasets.simulate.factory import factory_noise, hall
from toyadmos_datasets.simulate.machines import MACHINES
from toyadmos_datasets.simulate.microphones import record
from toyadmos_datasets.simulate.motion import (
    Samples,
    Stretch,
    move,
    running_on,
    started_and_stopped,
    with_a_rest,
)
from toyadmos_datasets.simulate.running import Run, motor_period, sound_sources
from toyadmos_datasets.units import Seconds

MODEL_VERSION = 1
"""Changes when the same seed would sound different."""

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
    level = 10 ** (_LEVEL_SPREAD_DB / 20 * draws.standard_normal())
    stretches = _stretches(name, event.duration_s, draws)
    motion = move(
        stretches,
        event.n_samples,
        shaft_hz=machine.shaft_hz * effect.speed * battery,
        wander=machine.wander * effect.wander,
        spin_up_s=machine.spin_up_s,
        draws=draws,
    )
    spread = _START_SPREAD if name.recording_type == "IND" and machine.oval is not None else 1.0
    run = Run(
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


def _stretches(name: RecordingName, duration_s: Seconds, draws: np.random.Generator) -> tuple[Stretch, ...]:
    if name.recording_type == "IND":
        return started_and_stopped(duration_s, draws)
    return with_a_rest(duration_s, draws) if name.toy == "ToyCar" else running_on(duration_s)


def _noise(event: Event, seed: int) -> list[Samples]:
    name = event.name
    machines = MACHINES[name.toy]
    machine = machines[1 if name.case == ALL_CASES else name.case]
    return factory_noise(
        hall(derived_generator(seed, "simulate", name.toy, name.case, "hall")),
        machine.microphones,
        event.n_samples,
        draws=derived_generator(seed, "simulate", name.event_id, "noise"),
        noise=_microphone_noise(name, seed),
    )


def _microphone_noise(name: RecordingName, seed: int) -> Callable[[int], np.random.Generator]:
    return lambda channel: derived_generator(seed, "simulate", name.event_id, "microphone", channel)
