"""Environmental noise as of a factory: ventilation, blows, a drill, a pump, compressed air."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from toyadmos_datasets.simulation.microphones import REFERENCE_M, SOUND_SPEED, PlacedSound, Point, distance_m, record
from toyadmos_datasets.simulation.motion import RATE_HZ, Samples
from toyadmos_datasets.simulation.timbre import Resonance, add_at, shape, strike, tone, waveform, white
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
            (_clatter, 2.5, 0.04),
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
    background = _ventilation(n_samples, draws) * np.float32(gain * distance_m(fan_at, (0, 0, 0)) / REFERENCE_M)
    recordings = record([PlacedSound(sound=background, at=fan_at)], microphones, turns=None, noise=noise)
    for station in stations:
        n_sounds = 1 + draws.poisson(n_samples / RATE_HZ / station.every_s)
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
        arrives = start + round(away / SOUND_SPEED * RATE_HZ)
        add_at(heard, direct, arrives)
        for echo_s, gain in zip(station.echoes, _ECHO_GAINS, strict=True):
            add_at(heard, np.float32(gain) * direct, arrives + round(echo_s * RATE_HZ))


def _ventilation(n_samples: int, draws: np.random.Generator) -> Samples:
    """Air in ducts, and the hum of twice the mains' 50 Hz."""
    air = shape(white(n_samples, draws), (Resonance(centre_hz=180, width_hz=90, gain=2),), slope=0.9, from_hz=40)
    air *= np.float32(_VENTILATION / np.sqrt(np.mean(air**2)))
    hum = tone(waveform((1.0, 0.3, 0.4, 0.1, 0.15), draws), np.arange(n_samples, dtype=np.float64) * (100 / RATE_HZ))
    return air + np.float32(0.3 * _VENTILATION) * hum


def _blow(draws: np.random.Generator) -> Samples:
    """A hammer on metal, or something that is put down."""
    return strike(draws.uniform(250, 2600), draws.uniform(0.01, 0.09), draws, n_modes=6)


def _clatter(draws: np.random.Generator) -> Samples:
    """A handful of quick light blows."""
    piece = strike(draws.uniform(1500, 4000), 0.012, draws)
    sound = np.zeros(RATE_HZ, dtype=np.float32)
    for start in np.sort(draws.uniform(0, 0.8, draws.integers(4, 12))):
        add_at(sound, piece * np.float32(draws.uniform(0.3, 1)), int(start * RATE_HZ))
    return sound


def _drill(draws: np.random.Generator) -> Samples:
    """A power drill: runs up, sinks under load, runs out."""
    duration_s = draws.uniform(1.2, 3.5)
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    speed = np.clip(np.minimum(time_s / 0.25, (duration_s - time_s) / 0.4), 0, 1)
    load = 1 - 0.18 * np.clip(np.sin(np.pi * time_s / duration_s) * 1.6 - 0.4, 0, 1)
    turns = np.cumsum(speed * load) * (draws.uniform(280, 420) / RATE_HZ)
    period = waveform([k**-0.5 for k in range(1, 25)], draws)
    sound = 0.25 * tone(period, turns) + 0.08 * white(len(time_s), draws)
    sound *= speed.astype(np.float32)
    return shape(sound, (Resonance(centre_hz=2300, width_hz=500, gain=2),), slope=0.4, from_hz=150)


def _air(draws: np.random.Generator) -> Samples:
    """Compressed air let out."""
    duration_s = draws.uniform(0.25, 1.4)
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    swell = np.minimum(time_s / 0.015, 1) * np.minimum((duration_s - time_s) / (0.4 * duration_s), 1)
    band = Resonance(centre_hz=draws.uniform(3500, 7500), width_hz=2200, gain=8)
    hiss = shape(white(len(time_s), draws), (band,), slope=0.2, from_hz=1500)
    hiss *= np.float32(0.3 / np.sqrt(np.mean(hiss**2)))
    return hiss * swell.astype(np.float32)


def _pump(draws: np.random.Generator) -> Samples:
    """A piston pump that works for a while: a thud and a wheeze each stroke."""
    duration_s, stroke_hz = draws.uniform(4, 8), draws.uniform(1.1, 1.9)
    time_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    wheeze = shape(white(len(time_s), draws), (Resonance(centre_hz=700, width_hz=250, gain=5),), slope=0.8)
    wheeze *= np.float32(0.12 / np.sqrt(np.mean(wheeze**2)))
    wheeze *= np.maximum(np.sin(2 * np.pi * stroke_hz * time_s), 0).astype(np.float32)
    thud = strike(draws.uniform(70, 130), 0.03, draws, n_modes=3)
    for start in np.arange(0, duration_s, 1 / stroke_hz):
        add_at(wheeze, 0.8 * thud, int(start * RATE_HZ))
    return wheeze
