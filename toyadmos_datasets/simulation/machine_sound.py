"""The sound of a running machine: motor, gears, wear and what damage adds, from where each comes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.simulation.effects import Cycle, Effect, Knock, Modulation, Place, Rattle, Rub, Squeal
from toyadmos_datasets.simulation.machines import Machine, Oval
from toyadmos_datasets.simulation.microphones import Path, PlacedSound, Point
from toyadmos_datasets.simulation.motion import Motion, Samples
from toyadmos_datasets.simulation.timbre import Resonance, add_at, shape, strike, tone, waveform, white
from toyadmos_datasets.units import Hertz

HIGHEST_HARMONIC_HZ: Hertz = 14_000
"""Harmonics of the motor end here, far enough from half the rate that a faster take does not fold back."""

_SHOCK_EXPONENT = 1.5
"""Blows grow faster than speed, slower than its square."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRun:
    """One machine on its way through one recording.

    Attributes:
        machine: Which one.
        effect: What is wrong with it.
        motion: How its shaft turns.
        period: One turn of the motor's tone, the same in all recordings of this machine.
        offsets: Where each cycle stood when the recording began, 0 to 1: wheel, then round.
        draws: Where everything comes from that differs from take to take.
    """

    machine: Machine
    effect: Effect
    motion: Motion
    period: Samples
    offsets: tuple[float, float]
    draws: np.random.Generator

    @property
    def n_samples(self) -> int:
        """Length at 48 kHz."""
        return len(self.motion.turns)

    def cycle(self, cycle: Cycle) -> tuple[float, float]:
        """Return turns of a cycle a turn of the shaft, and where it stood at first."""
        wheel_at, round_at = self.offsets
        table = {
            "shaft": (1.0, 0.0),
            "wheel": (self.machine.wheel_ratio, wheel_at),
            "round": (self.machine.round_ratio, round_at),
        }
        return table[cycle]

    def angle(self, cycle: Cycle) -> npt.NDArray[np.float64]:
        """Return turns of a cycle, shape (n_samples,)."""
        ratio, offset = self.cycle(cycle)
        return self.motion.turns * ratio + offset


def motor_period(machine: Machine, draws: np.random.Generator) -> Samples:
    """Return one turn of a motor: falling harmonics, more where the brushes and the gears strike."""
    n_harmonics = int(HIGHEST_HARMONIC_HZ / machine.shaft_hz)
    amplitudes = [k**-machine.brightness * draws.uniform(0.5, 1.5) for k in range(1, n_harmonics + 1)]
    # A three-pole motor with two brushes commutates six times a turn.
    for harmonic, gain in ((6, 2.0), (machine.teeth, 5.0), (2 * machine.teeth, 3.5), (3 * machine.teeth, 2.5)):
        amplitudes[harmonic - 1] *= gain
    return waveform(amplitudes, draws)


def sound_sources(run: MachineRun) -> list[PlacedSound]:
    """Return what the machine sounds like at its front and at its back, and where those are."""
    return [
        PlacedSound(sound=_front(run), at=_whereabouts(run, "front")),
        PlacedSound(sound=_back(run), at=_whereabouts(run, "back")),
    ]


def _whereabouts(run: MachineRun, place: Place) -> Point | Path:
    machine = run.machine
    if machine.oval is None:
        return machine.front_at if place == "front" else machine.back_at
    ratio, offset = run.cycle("round")
    behind = 0.0 if place == "front" else machine.oval.train_share
    return _path(machine.oval, ratio, offset - behind)


def _path(oval: Oval, ratio: float, offset: float) -> Path:
    return lambda turns: oval.at(turns * ratio + offset)


def _front(run: MachineRun) -> Samples:
    machine, effect, speed = run.machine, run.effect, run.motion.speed
    turns = run.motion.turns
    if effect.unevenness:
        # A speed that changes by a share u in every turn of the wheel leads and lags by u / (2 pi ratio) turns.
        swing = effect.unevenness / (2 * np.pi * machine.wheel_ratio)
        turns = turns + swing * np.sin(2 * np.pi * run.angle("wheel"))
    sound = tone(run.period, turns)
    sound *= np.float32(machine.loudness * effect.loudness)
    sound += np.float32(0.6 * machine.hiss * effect.hiss) * white(run.n_samples, run.draws)
    sound *= speed
    sound *= _loudness_over_cycles(run, effect.modulations)
    sound = shape(sound, machine.body, slope=0.5)
    _add_events(run, sound, "front")
    return sound


def _back(run: MachineRun) -> Samples:
    machine, effect = run.machine, run.effect
    sound = white(run.n_samples, run.draws)
    sound *= np.float32(machine.hiss * effect.hiss) * run.motion.speed
    # Nothing turns perfectly round: wear is a little louder at one side of the wheel.
    sound *= _loudness_over_cycles(run, (Modulation(cycle="wheel", depth=0.1), *effect.modulations))
    sound = shape(sound, machine.surface, slope=0.8)
    _add_events(run, sound, "back")
    return sound


def _loudness_over_cycles(run: MachineRun, modulations: tuple[Modulation, ...]) -> Samples | np.float32:
    loudness: Samples | np.float32 = np.float32(1.0)
    for one in modulations:
        angle = run.angle(one.cycle) * (2 * np.pi * one.per_cycle)
        loudness = loudness * (1 + one.depth * np.cos(angle)).astype(np.float32)
    return loudness


def _add_events(run: MachineRun, sound: Samples, place: Place) -> None:
    machine, effect = run.machine, run.effect
    for knock in (*machine.knocks, *effect.knocks):
        if knock.place == place:
            _add_knocks(run, sound, knock)
    for rattle in (*machine.rattles, *effect.rattles):
        if rattle.place == place:
            _add_rattle(run, sound, rattle)
    for rub in effect.rubs:
        if rub.place == place:
            sound += _rub(run, rub)
    for squeal in effect.squeals:
        if squeal.place == place:
            sound += _squeal(run, squeal)


def _add_knocks(run: MachineRun, sound: Samples, knock: Knock) -> None:
    ratio, offset = run.cycle(knock.cycle)
    at = run.draws.uniform() if knock.at is None else knock.at
    behind = 0.0
    if run.machine.oval is not None and knock.cycle == "round" and knock.place == "back":
        behind = run.machine.oval.train_share
    last = run.motion.turns[-1] * ratio + offset - behind
    rounds = np.arange(-1, np.floor(last) + 1)
    moments = (rounds[:, None] + at + knock.gap * np.arange(knock.repeats)).ravel()
    _add_blows(run, sound, (moments + behind - offset) / ratio, knock)


def _add_rattle(run: MachineRun, sound: Samples, rattle: Rattle) -> None:
    full_turns = run.motion.turns[-1]
    n_blows = run.draws.poisson(rattle.per_s * full_turns / run.machine.shaft_hz)
    _add_blows(run, sound, run.draws.uniform(0, full_turns, n_blows), rattle)


def _add_blows(run: MachineRun, sound: Samples, at_turns: npt.NDArray[np.float64], blow: Knock | Rattle) -> None:
    """Add a blow at each of these turns of the shaft, if the recording gets there."""
    piece = strike(blow.tone_hz, blow.decay_s, run.draws)
    turns = run.motion.turns
    reached = at_turns[(at_turns > turns[0]) & (at_turns < turns[-1])]
    starts = np.searchsorted(turns, reached)
    force = run.motion.speed[starts] ** _SHOCK_EXPONENT * run.draws.uniform(0.75, 1.25, len(starts))
    for start, strength in zip(starts, force, strict=True):
        add_at(sound, np.float32(blow.weight * strength) * piece, int(start))


def _rub(run: MachineRun, rub: Rub) -> Samples:
    at = run.draws.uniform() if rub.at is None else rub.at
    from_middle = np.abs(np.mod(run.angle(rub.cycle) - at + 0.5, 1.0) - 0.5)
    touch = np.clip(1.5 - from_middle / (rub.share / 2), 0, 1).astype(np.float32)
    noise = shape(
        white(run.n_samples, run.draws),
        (Resonance(centre_hz=rub.centre_hz, width_hz=rub.width_hz, gain=30.0),),
        slope=0.5,
        from_hz=rub.centre_hz / 2,
    )
    noise *= np.float32(rub.weight / np.sqrt(np.mean(noise**2)))
    return noise * touch * run.motion.speed


def _squeal(run: MachineRun, squeal: Squeal) -> Samples:
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * run.angle(squeal.cycle) + run.draws.uniform(0, 2 * np.pi))
    whistle = np.sin(2 * np.pi * squeal.harmonic * run.motion.turns)
    loud: Samples = (whistle * swell * (1.4 * squeal.weight)).astype(np.float32)
    return loud * run.motion.speed**2
