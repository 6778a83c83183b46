"""Environmental noise as of a factory: ventilation, blows, a drill, a pump, compressed air."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.simulation.sound_elements import (
    REFERENCE_M,
    SOUND_SPEED,
    Point,
    Samples,
    add_at,
    coloured_noise,
    period_of,
    record,
    strike,
    tone,
)
from toyadmos_datasets.units import Seconds

SoundMaker: TypeAlias = Callable[[np.random.Generator], Samples]
"""Makes one sound of its kind; peak at most about 1."""

_VENTILATION = 0.02
"""RMS of the steady background at the microphones."""

_FAN_AT: Point = (3.0, 4.0, 3.0)
_MIDDLE: Point = (0.0, 0.0, 0.0)

_ECHO_GAINS = (0.35, 0.22, 0.14)


def factory_noise(
    kinds: Mapping[SoundMaker, tuple[Seconds, float]],
    microphones: Sequence[Point],
    n_samples: int,
    *,
    gain: float = 1.0,
    hall: np.random.Generator,
    draws: np.random.Generator,
    noise: Callable[[int], np.random.Generator],
) -> list[Samples]:
    """Return one noise recording as the microphones hear it, float32, each of shape (n_samples,).

    Args:
        kinds: What sounds in the hall, as `KINDS` says it.
        microphones: Positions, one a channel.
        n_samples: Length at 48 kHz.
        gain: Factor on all that sounds in the hall.
        hall: Where each kind of sound arises and how long its echoes are under way.
        draws: What happens when.
        noise: Channel to the generator of that microphone's own noise.
    """
    # The fan runs before the recording begins, by more than its sound is under way.
    fan = _ventilation(n_samples + CORPUS_RATE_HZ // 10, draws)
    fan *= np.float32(gain * math.dist(_FAN_AT, _MIDDLE) / REFERENCE_M)
    recordings = [heard[-n_samples:] for heard in record([(fan, _FAN_AT)], microphones, noise=noise)]
    for make_sound, (every_s, loudness) in kinds.items():
        at = (hall.uniform(-4, 4), hall.choice([-1.0, 1.0]) * hall.uniform(1.5, 5), hall.uniform(0, 2))
        echoes_s = hall.uniform(0.015, 0.09, len(_ECHO_GAINS))
        paths = [_arrivals(at, microphone, echoes_s) for microphone in microphones]
        for _ in range(1 + draws.poisson(n_samples / CORPUS_RATE_HZ / every_s)):
            sound = make_sound(draws) * np.float32(gain * loudness * draws.uniform(0.4, 1.2))
            start = int(draws.integers(-len(sound) // 2, n_samples))
            for recording, arrivals in zip(recordings, paths, strict=True):
                for delay, share in arrivals:
                    add_at(recording, np.float32(share) * sound, start + delay)
    return recordings


def _arrivals(at: Point, microphone: Point, echoes_s: npt.NDArray[np.float64]) -> list[tuple[int, float]]:
    """Return after how many samples, and how loud, a sound and its echoes from the walls reach a microphone."""
    away = math.dist(at, microphone)
    direct = math.dist(at, _MIDDLE) / away
    return [
        (round((away / SOUND_SPEED + echo_s) * CORPUS_RATE_HZ), direct * gain)
        for echo_s, gain in zip((0.0, *echoes_s), (1.0, *_ECHO_GAINS), strict=True)
    ]


def _ventilation(n_samples: int, draws: np.random.Generator) -> Samples:
    """Air in ducts, and the hum of twice the mains' 50 Hz."""
    air = coloured_noise(n_samples, draws, ((180, 90, 2),), slope=0.9, from_hz=40)
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
    whirr = coloured_noise(len(time_s), draws, ((2300, 500, 2),), from_hz=150)
    sound = 0.25 * tone(period_of(np.arange(1, 25) ** -0.5, draws), turns) + np.float32(0.05) * whirr
    return sound * speed.astype(np.float32)


def _air(draws: np.random.Generator) -> Samples:
    """Compressed air let out."""
    duration_s = draws.uniform(0.25, 1.4)
    time_s = _times_s(int(duration_s * CORPUS_RATE_HZ))
    swell = np.minimum(time_s / 0.015, 1) * np.minimum((duration_s - time_s) / (0.4 * duration_s), 1)
    band = (draws.uniform(3500, 7500), 2200, 8)
    hiss = coloured_noise(len(time_s), draws, (band,), slope=0.2, from_hz=1500)
    return hiss * (0.3 * swell).astype(np.float32)


def _pump(draws: np.random.Generator) -> Samples:
    """A piston pump that works for a while: a thud and a wheeze each stroke."""
    duration_s, stroke_hz = draws.uniform(4, 8), draws.uniform(1.1, 1.9)
    time_s = _times_s(int(duration_s * CORPUS_RATE_HZ))
    wheeze = coloured_noise(len(time_s), draws, ((700, 250, 5),), slope=0.8)
    wheeze *= (0.12 * np.maximum(np.sin(2 * np.pi * stroke_hz * time_s), 0)).astype(np.float32)
    thud = strike(draws.uniform(70, 130), 0.03, draws, n_modes=3)
    for start_s in np.arange(0, duration_s, 1 / stroke_hz):
        add_at(wheeze, 0.8 * thud, int(start_s * CORPUS_RATE_HZ))
    return wheeze


KINDS: Final[Mapping[SoundMaker, tuple[Seconds, float]]] = MappingProxyType(
    {
        _blow: (0.6, 0.08),
        _clatter: (2.5, 0.06),
        _drill: (6.0, 0.035),
        _air: (2.5, 0.03),
        _pump: (9.0, 0.06),
    }
)
"""Kind of sound to the mean time between two of it, and its peak at the microphones' middle."""
