"""Environmental noise as of a factory: ventilation, blows, a drill, a pump, compressed air."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.simulation.microphones import REFERENCE_M, SOUND_SPEED, Point, distance_m, record
from toyadmos_datasets.simulation.sound_elements import (
    Resonance,
    Samples,
    add_at,
    coloured_noise,
    period_of,
    strike,
    tone,
)
from toyadmos_datasets.units import Seconds

Hall: TypeAlias = tuple["Station", ...]

_VENTILATION = 0.02
"""RMS of the steady background at the microphones."""

_ECHO_GAINS = (0.35, 0.22, 0.14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A place in the hall at which one kind of noise arises.

    Attributes:
        sounds: Makes one sound of its kind; peak at most about 1.
        at: Where it stands.
        every_s: Mean time between two sounds.
        loudness: Peak of its sounds at the microphones' middle.
        echoes: Delay of each echo from the walls, s.
    """

    sounds: Callable[[np.random.Generator], Samples]
    at: Point
    every_s: Seconds
    loudness: float
    echoes: tuple[Seconds, ...]


def hall(draws: np.random.Generator) -> Hall:
    """Set up a hall: the same stations at drawn places, one hall for each set of noise recordings."""
    return tuple(
        Station(
            sounds=sounds,
            at=(draws.uniform(-4, 4), draws.choice([-1.0, 1.0]) * draws.uniform(1.5, 5), draws.uniform(0, 2)),
            every_s=every_s,
            loudness=loudness,
            echoes=tuple(draws.uniform(0.015, 0.09, len(_ECHO_GAINS))),
        )
        for sounds, every_s, loudness in (
            (_blow, 0.6, 0.08),
            (_clatter, 2.5, 0.06),
            (_drill, 6.0, 0.035),
            (_air, 2.5, 0.03),
            (_pump, 9.0, 0.06),
        )
    )


def factory_noise(
    stations: Hall,
    microphones: Sequence[Point],
    n_samples: int,
    *,
    gain: float = 1.0,
    draws: np.random.Generator,
    noise: Callable[[int], np.random.Generator],
) -> list[Samples]:
    """Return one noise recording as the microphones hear it, float32, each of shape (n_samples,).

    Args:
        stations: The hall.
        microphones: Positions, one a channel.
        n_samples: Length at 48 kHz.
        gain: Factor on all that sounds in the hall.
        draws: What happens when.
        noise: Channel to the generator of that microphone's own noise.
    """
    fan_at = (3.0, 4.0, 3.0)
    # The fan runs before the recording begins, by more than its sound is under way.
    fan = _ventilation(n_samples + CORPUS_RATE_HZ // 10, draws)
    fan *= np.float32(gain * distance_m(fan_at, (0, 0, 0)) / REFERENCE_M)
    recordings = [heard[-n_samples:] for heard in record([(fan, fan_at)], microphones, noise=noise)]
    for station in stations:
        n_sounds = 1 + draws.poisson(n_samples / CORPUS_RATE_HZ / station.every_s)
        for _ in range(n_sounds):
            sound = station.sounds(draws) * np.float32(gain * station.loudness * draws.uniform(0.4, 1.2))
            start = int(draws.integers(-len(sound) // 2, n_samples))
            _spread(recordings, sound, start, station=station, microphones=microphones)
    return recordings


def _spread(
    recordings: list[Samples], sound: Samples, start: int, *, station: Station, microphones: Sequence[Point]
) -> None:
    """Let a sound and its echoes reach every microphone."""
    middle = distance_m(station.at, (0, 0, 0))
    for heard, microphone in zip(recordings, microphones, strict=True):
        away = distance_m(station.at, microphone)
        direct = sound * np.float32(middle / away)
        arrives = start + round(away / SOUND_SPEED * CORPUS_RATE_HZ)
        add_at(heard, direct, arrives)
        for echo_s, gain in zip(station.echoes, _ECHO_GAINS, strict=True):
            add_at(heard, np.float32(gain) * direct, arrives + round(echo_s * CORPUS_RATE_HZ))


def _ventilation(n_samples: int, draws: np.random.Generator) -> Samples:
    """Air in ducts, and the hum of twice the mains' 50 Hz."""
    duct = Resonance(centre_hz=180, width_hz=90, gain=2)
    air = coloured_noise(n_samples, draws, (duct,), slope=0.9, from_hz=40)
    air += np.float32(0.3) * tone(period_of((1.0, 0.3, 0.4, 0.1, 0.15), draws), 100 * _times_s(n_samples))
    return np.float32(_VENTILATION) * air


def _times_s(n_samples: int) -> npt.NDArray[np.float64]:
    return np.arange(n_samples) / CORPUS_RATE_HZ


def _blow(draws: np.random.Generator) -> Samples:
    """A hammer on metal, or something that is put down."""
    return strike(draws.uniform(250, 2600), draws.uniform(0.01, 0.09), draws, n_modes=6)


def _clatter(draws: np.random.Generator) -> Samples:
    """A handful of quick light blows."""
    piece = strike(draws.uniform(1500, 4000), 0.012, draws)
    sound = np.zeros(CORPUS_RATE_HZ, dtype=np.float32)
    for start_s in draws.uniform(0, 0.8, draws.integers(4, 12)):
        add_at(sound, piece * np.float32(draws.uniform(0.3, 1)), int(start_s * CORPUS_RATE_HZ))
    return sound


def _drill(draws: np.random.Generator) -> Samples:
    """A power drill: runs up, sinks under load, runs out."""
    duration_s = draws.uniform(1.2, 3.5)
    time_s = _times_s(int(duration_s * CORPUS_RATE_HZ))
    speed = np.clip(np.minimum(time_s / 0.25, (duration_s - time_s) / 0.4), 0, 1)
    load = 1 - 0.18 * np.clip(np.sin(np.pi * time_s / duration_s) * 1.6 - 0.4, 0, 1)
    turns = np.cumsum(speed * load) * (draws.uniform(280, 420) / CORPUS_RATE_HZ)
    whirr = coloured_noise(len(time_s), draws, (Resonance(centre_hz=2300, width_hz=500, gain=2),), from_hz=150)
    sound = 0.25 * tone(period_of(np.arange(1, 25) ** -0.5, draws), turns) + np.float32(0.05) * whirr
    return sound * speed.astype(np.float32)


def _air(draws: np.random.Generator) -> Samples:
    """Compressed air let out."""
    duration_s = draws.uniform(0.25, 1.4)
    time_s = _times_s(int(duration_s * CORPUS_RATE_HZ))
    swell = np.minimum(time_s / 0.015, 1) * np.minimum((duration_s - time_s) / (0.4 * duration_s), 1)
    band = Resonance(centre_hz=draws.uniform(3500, 7500), width_hz=2200, gain=8)
    hiss = coloured_noise(len(time_s), draws, (band,), slope=0.2, from_hz=1500)
    return hiss * (0.3 * swell).astype(np.float32)


def _pump(draws: np.random.Generator) -> Samples:
    """A piston pump that works for a while: a thud and a wheeze each stroke."""
    duration_s, stroke_hz = draws.uniform(4, 8), draws.uniform(1.1, 1.9)
    time_s = _times_s(int(duration_s * CORPUS_RATE_HZ))
    wheeze = coloured_noise(len(time_s), draws, (Resonance(centre_hz=700, width_hz=250, gain=5),), slope=0.8)
    wheeze *= (0.12 * np.maximum(np.sin(2 * np.pi * stroke_hz * time_s), 0)).astype(np.float32)
    thud = strike(draws.uniform(70, 130), 0.03, draws, n_modes=3)
    for start_s in np.arange(0, duration_s, 1 / stroke_hz):
        add_at(wheeze, 0.8 * thud, int(start_s * CORPUS_RATE_HZ))
    return wheeze
