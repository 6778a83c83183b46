"""Synthesises the four recordings of an event: one machine model for all toys, cases and damage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.names import NOISE, RecordingName
from toyadmos_datasets.corpus.toys import ALL_CASES, CORPUS_RATE_HZ
from toyadmos_datasets.signal.randomness import derived_generator
from toyadmos_datasets.simulation.factory_noise import KINDS, factory_noise
from toyadmos_datasets.simulation.simulated_events import Event
from toyadmos_datasets.simulation.sound_elements import (
    Position,
    Samples,
    add_at,
    coloured_noise,
    control_samples,
    on_every_sample,
    period_of,
    record,
    response,
    strike,
    tone,
)
from toyadmos_datasets.simulation.sound_tables import (
    CURVE_AT,
    LAST_CARRIAGE_BEHIND,
    MACHINES,
    Cycle,
    DamagedSound,
    Impact,
    Machine,
    NoiseBand,
    Place,
    Sideband,
    damaged_sound,
)
from toyadmos_datasets.units import Decibels, Hertz, Seconds

MODEL_VERSION = 3
"""Changes when the same seed would sound different."""

ONSET_S, TAIL_S, SWITCH_SPREAD_S = 0.82, 0.45, 0.07
"""When an IND clip's machine starts, how long before the end it stands, and the standard deviation of both.

Source:
    ToyCar, IND, channel 1, as inventoried by a user (tudorcoroian17/ssm-mcu-asd-ind): onset 0.82 s with a standard
    deviation of 0.07 s, silent tail 0.45 s. The spread of the tail is not published; it is that of the onset here.
"""

ROOMY_CLIP_S: Seconds = 5.0
"""A shorter clip has onset and tail in proportion, at most a fifth of it each."""

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

HIGHEST_HARMONIC_HZ: Hertz = 14_000
"""Harmonics of the motor end here, far enough from half the rate that a faster take does not fold back."""

_LARGEST = 0.9
"""A recording that would exceed this is turned down, all four channels alike, before anything could clip."""

_BATTERY_SPREAD, _LEVEL_SPREAD_DB = 0.01, 0.6
"""Standard deviation of speed and level from take to take: batteries and temperature differ."""

_START_SPREAD = 0.05
"""The train is set down at the same point of the track, but for this share of the lap."""

_STANDS_BELOW = 0.02
"""Friction ends the coasting: below this share of its speed the machine stands."""

_WANDER_POINTS_HZ = 3.0

_IMPACT_EXPONENT = 1.5
"""Blows grow faster than speed, slower than its square."""

Stretch: TypeAlias = tuple[Seconds, Seconds]
"""From when to when the motor has current, from the start of the recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRun:
    """One machine on its way through one recording.

    Attributes:
        machine: Which one.
        damage: What is wrong with it.
        speed: Share of the full speed, 0 to about 1, float32, shape (n_samples,).
        turns: Revolutions of the shaft since the recording began, float64, shape (n_samples,).
        starts: Where each cycle stood when the recording began, 0 to 1.
        draws: Where everything comes from that differs from take to take.
    """

    machine: Machine
    damage: DamagedSound
    speed: Samples
    turns: npt.NDArray[np.float64]
    starts: Mapping[Cycle, float]
    draws: np.random.Generator

    def ratio(self, cycle: Cycle) -> float:
        """Return turns of a cycle a turn of the shaft."""
        return self.machine.wheel_ratio if cycle == "wheel" else self.machine.round_ratio

    def angle(self, cycle: Cycle) -> npt.NDArray[np.float64]:
        """Return turns of a cycle, shape (n_samples,)."""
        return self.turns * self.ratio(cycle) + self.starts[cycle]


def synthesise(event: Event, *, seed: int) -> list[npt.NDArray[np.int16]]:
    """Return the recordings of an event, channels 1 to 4, int16, each of shape (n_samples,).

    Every number follows from the seed and the event's identity: neither what else is synthesised nor in
    which order can change it.
    """
    recordings = _noise(event, seed) if event.name.condition == NOISE else _machine(event, seed)
    peak = max(float(np.abs(one).max()) for one in recordings)
    scale = np.float32(32767 * min(1.0, _LARGEST / peak))
    return [np.rint(one * scale).astype(np.int16) for one in recordings]


def _machine(event: Event, seed: int) -> list[Samples]:
    name = event.name
    machine, damage = MACHINES[name.toy][name.case], damaged_sound(name.toy, name.condition)
    draws = derived_generator(seed, "simulate", name.event_id, "machine")
    level = 10 ** ((GAIN_DB[name.toy] + _LEVEL_SPREAD_DB * draws.standard_normal()) / 20)
    speed = _speed(event, machine, wander=machine.wander * damage.wander, draws=draws)
    turns = np.cumsum(speed)
    turns *= machine.shaft_hz * damage.speed * (1 + _BATTERY_SPREAD * draws.standard_normal()) / CORPUS_RATE_HZ
    spread = _START_SPREAD if name.recording_type == "IND" and machine.track_m is not None else 1.0
    run = MachineRun(
        machine=machine,
        damage=damage,
        speed=speed.astype(np.float32),
        turns=turns,
        starts={"wheel": draws.uniform(), "round": draws.uniform(0, spread)},
        draws=draws,
    )
    motor = motor_period(machine, derived_generator(seed, "simulate", name.toy, name.case, "motor"))
    sources = [(np.float32(level) * sound, position) for sound, position in _sources(run, motor)]
    return record(sources, machine.microphones, noise=_microphone_noise(name, seed))


def _noise(event: Event, seed: int) -> list[Samples]:
    case = event.name.case
    name = replace(event.name, case=SAME_NOISE.get(event.name.toy, {}).get(case, case))
    machine = MACHINES[name.toy][1 if name.case == ALL_CASES else name.case]
    return factory_noise(
        KINDS,
        machine.microphones,
        event.n_samples,
        gain=10 ** (GAIN_DB[name.toy] / 20),
        hall=derived_generator(seed, "simulate", name.toy, name.case, "hall"),
        draws=derived_generator(seed, "simulate", name.event_id, "noise"),
        noise=_microphone_noise(name, seed),
    )


def _microphone_noise(name: RecordingName, seed: int) -> Callable[[int], np.random.Generator]:
    return lambda channel: derived_generator(seed, "simulate", name.event_id, "microphone", channel)


def _speed(event: Event, machine: Machine, *, wander: float, draws: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the share of its full speed at which the shaft turns: up, a slow wander, down, shape (n_samples,)."""
    control_s = control_samples(event.n_samples) / CORPUS_RATE_HZ
    drive = np.zeros_like(control_s)
    for on_s, off_s in _stretches(event, machine.spin_up_s, draws):
        reached = 1 - np.exp(-np.clip(control_s - on_s, 0, off_s - on_s) / machine.spin_up_s)
        drive += reached * np.exp(-np.maximum(control_s - off_s, 0) / (machine.spin_up_s / 3))
    moving = np.maximum((drive - _STANDS_BELOW) / (1 - _STANDS_BELOW), 0.0)
    n_points = int(control_s[-1] * _WANDER_POINTS_HZ) + 6
    smooth = np.convolve(draws.standard_normal(n_points), (0.5, 0.7, 0.5), mode="same")
    moving *= 1 + wander * np.interp(control_s, np.arange(n_points) / _WANDER_POINTS_HZ, smooth)
    return on_every_sample(moving, event.n_samples)


def _stretches(event: Event, spin_up_s: Seconds, draws: np.random.Generator) -> tuple[Stretch, ...]:
    """Draw when the motor has current: for one start and one stop in an IND clip, throughout in a CNT recording.

    Source:
        ToyCar's motors rested ten minutes after every ten; its CNT recordings hold that silence, about a third here.
    """
    duration_s = event.duration_s
    if event.is_at_rest:
        return ()
    if event.name.recording_type == "IND":
        share = min(duration_s / ROOMY_CLIP_S, 1.0)
        onset_s, tail_s = (share * draws.normal(mean_s, SWITCH_SPREAD_S) for mean_s in (ONSET_S, TAIL_S))
        coasting_s = -math.log(_STANDS_BELOW) * spin_up_s / 3
        return ((onset_s, duration_s - tail_s - coasting_s),)
    if event.name.toy != "ToyCar":
        return ((-10.0, duration_s + 10.0),)
    rest_s = duration_s * draws.uniform(0.3, 0.4)
    from_s = draws.uniform(0.2 * duration_s, 0.8 * duration_s - rest_s)
    return ((-10.0, from_s), (from_s + rest_s, duration_s + 10.0))


def motor_period(machine: Machine, draws: np.random.Generator) -> Samples:
    """Return one turn of a motor: falling harmonics, more where brushes and gears strike and the body rings."""
    harmonics = np.arange(1, int(HIGHEST_HARMONIC_HZ / machine.shaft_hz) + 1)
    amplitudes: npt.NDArray[np.float64] = harmonics**-machine.fall * draws.uniform(0.5, 1.5, len(harmonics))
    amplitudes *= response(harmonics * machine.shaft_hz, machine.body, slope=0.5)
    # A three-pole motor with two brushes commutates six times a turn.
    for harmonic, gain in ((6, 2.0), (machine.teeth, 5.0), (2 * machine.teeth, 3.5), (3 * machine.teeth, 2.5)):
        amplitudes[harmonic - 1] *= gain
    return period_of(amplitudes, draws)


def _sources(run: MachineRun, motor: Samples) -> list[tuple[Samples, Position]]:
    """Return what the machine sounds like at its front and at its back, and where those are."""
    machine, damage = run.machine, run.damage
    front = tone(motor, run.turns)
    front *= np.float32(machine.tone * damage.tone) * _loudness(run, damage.sidebands)
    back = coloured_noise(len(run.turns), run.draws, machine.surface, slope=0.8)
    # Nothing turns perfectly round: wear is a little louder at one side of the wheel.
    sidebands = (Sideband(cycle="wheel", depth=0.1), *damage.sidebands)
    back *= np.float32(machine.wear * damage.wear) * _loudness(run, sidebands)
    sounds: dict[Place, Samples] = {"front": front, "back": back}
    for band in damage.bands:
        sounds[band.place] += _noise_band(run, band)
    front *= run.speed
    back *= run.speed
    for impact in (*machine.impacts, *damage.impacts):
        _add_impacts(run, sounds[impact.place], impact)
    return [(sound, _position(run, place)) for place, sound in sounds.items()]


def _position(run: MachineRun, place: Place) -> Position:
    machine = run.machine
    if machine.track_m is None:
        return machine.front_at if place == "front" else machine.back_at
    controls = np.minimum(control_samples(len(run.turns)), len(run.turns) - 1)
    laps = run.angle("round")[controls] - (LAST_CARRIAGE_BEHIND if place == "back" else 0.0)
    # The damaged curve is at the right, the damaged straight at the far side.
    angle = 2 * np.pi * (laps - CURVE_AT)
    half_length_m, half_width_m = machine.track_m
    return half_length_m * np.cos(angle), half_width_m * np.sin(angle), 0.0


def _loudness(run: MachineRun, sidebands: tuple[Sideband, ...]) -> Samples | np.float32:
    loudness: Samples | np.float32 = np.float32(1.0)
    for one in sidebands:
        angle = run.angle(one.cycle) * (2 * np.pi * one.per_cycle)
        loudness = loudness * (1 + one.depth * np.cos(angle)).astype(np.float32)
    return loudness


def _noise_band(run: MachineRun, band: NoiseBand) -> Samples:
    ringing = ((band.centre_hz, band.width_hz, 30.0),)
    noise = coloured_noise(len(run.turns), run.draws, ringing, from_hz=band.centre_hz / 2)
    away = np.abs(np.mod(run.angle(band.cycle) - band.phase + 0.5, 1.0) - 0.5)
    noise *= np.clip(1.5 - away / (band.share / 2), 0, 1).astype(np.float32)
    noise *= np.float32(band.rms)
    return noise


def _add_impacts(run: MachineRun, sound: Samples, impact: Impact) -> None:
    turns, speed = run.turns, run.speed
    ratio, start = run.ratio(impact.cycle), run.starts[impact.cycle]
    rounds = np.arange(np.floor(start) - 2, turns[-1] * ratio + start + 1)
    fixed = ((rounds[:, None] + np.array(impact.phases)).ravel() - start) / ratio
    n_random = run.draws.poisson(impact.random_per_s * turns[-1] / run.machine.shaft_hz)
    at_turns = np.concatenate([fixed, run.draws.uniform(0, turns[-1], n_random)])
    begins = np.searchsorted(turns, at_turns[(at_turns > turns[0]) & (at_turns < turns[-1])])
    force = impact.weight * speed[begins] ** _IMPACT_EXPONENT * run.draws.uniform(0.75, 1.25, len(begins))
    piece = strike(impact.tone_hz, impact.decay_s, run.draws)
    for begin, strength in zip(begins, force, strict=True):
        add_at(sound, np.float32(strength) * piece, int(begin))
