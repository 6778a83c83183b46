"""Augmentation on the fly: what is drawn for each clip of a training split, and the clip that becomes of it.

NumPy alone. Draws follow from seed, epoch and event, never from the order in which clips are requested: any number of
workers and ranks, and a run that goes on in the middle of an epoch, get the same clips. Noise and partners of mix-ups
are taken from the rows that are augmented, which are those of the training split; nothing else can be reached.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.options.plan_options import SNR_LIMIT_DB
from toyadmos_datasets.signal.levels import db_to_gain, power_to_db
from toyadmos_datasets.signal.randomness import choices_of, derived_words, fractions_of
from toyadmos_datasets.units import Decibels
from toyadmos_datasets.values.index import event_identities

FloatArray: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Range: TypeAlias = tuple[Decibels, Decibels]

TRAIN = "train"
"""The split that is augmented, and the only one whose sounds are used for it."""

NO_ROW = -1
"""Stands for no noise, and for no partner."""

_PURPOSE = "augment"
_GAIN_LIMIT_DB: Decibels = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Changes of each clip of a training split, drawn again in every epoch.

    The order is: mix-up of targets, shift, noise, gain. What is left out does not happen.

    Attributes:
        snr_db: Lowest and highest SNR; each clip gets one, uniformly drawn, and another stretch of noise of its own
            case and microphone. It is relative to the level that the SNRs of the dataset are relative to, or to the
            clip's own level where the dataset knows none. None leaves the noise as it is.
        noise: Split that the noise comes from. Only ``train`` is valid.
        mix_up: Alpha of the Beta distribution of mix-up weights; 0 for no mix-up.
        gain_db: Lowest and highest gain of the whole clip; None for no gain.
        shift: Whether the target is shifted by any number of samples, its end coming in at its beginning.

    Raises:
        OptionError: A value is invalid.

    Source:
        Zhang et al. 2018, mixup: Beyond empirical risk minimization, equation 2.
    """

    snr_db: Range | None = None
    noise: Literal["train"] = "train"
    mix_up: float = 0.0
    gain_db: Range | None = None
    shift: bool = False

    def __post_init__(self) -> None:
        for name, limit in (("snr_db", SNR_LIMIT_DB), ("gain_db", _GAIN_LIMIT_DB)):
            asked = getattr(self, name)
            if asked is not None:
                if not _is_range(asked, limit):
                    raise _wrong(name, f"lowest and highest dB, within {-limit:g} and {limit:g}", asked)
                object.__setattr__(self, name, tuple(map(float, asked)))  # lists and integers are as good
        if self.noise != TRAIN:
            raise _wrong("noise", f"{TRAIN!r}: other splits are not to be heard in training", repr(self.noise))
        if not (isinstance(self.mix_up, int | float) and math.isfinite(self.mix_up) and self.mix_up >= 0):
            raise _wrong("mix_up", "0, or a positive number", self.mix_up)


def _is_range(asked: object, limit: Decibels) -> bool:
    if not isinstance(asked, tuple | list) or len(asked) != 2:
        return False
    return all(isinstance(one, int | float) and abs(one) <= limit for one in asked) and asked[0] <= asked[1]


def _wrong(name: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "An augmentation cannot be used.",
        where=name,
        expected=expected,
        actual=actual,
        remedy="See help(toyadmos_datasets.Augment).",
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipPart:
    """One part of a clip as it is stored; it is neither converted nor copied before it is mixed.

    Attributes:
        samples: Integers or float32, shape (n_samples,) or (n_channels, n_samples).
        scale: The factor that makes full scale +-1 of them.
        start: The sample that is heard first; those before it follow the last.
    """

    samples: npt.NDArray[np.generic]
    scale: float = 1.0
    start: int = 0


class TrainingSounds(Protocol):
    """Where the sounds of a training split are, by row."""

    def target(self, row: int) -> ClipPart:
        """Return the sound to augment: the target without noise if noise is drawn, else the whole clip."""

    def noise(self, row: int, n_samples: int, place: float) -> ClipPart:
        """Return a stretch of the noise of a row; a shorter one is repeated.

        Args:
            row: Whose noise.
            n_samples: How much is needed.
            place: Where it begins: a fraction in [0, 1) of the places where it can.
        """


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingRows:
    """What is known of the rows of a training split, an element of every array each.

    Attributes:
        identity: Hash of the event_id.
        draw: Number of the row among those of its event that differ in their noise.
        window: Where its window begins in the recording; 0 for whole recordings.
        channel: Rows of one channel may be mixed up with each other.
        surroundings: Rows of one number may hear each other's noise: those of one case and channel.
        has_noise: Whether the row has noise.
        label: Number of the class; -1 without a label.
        reference_db: Level that an SNR is relative to; NaN for that of the target that is augmented.
        noise_db: Level of the row's noise as `TrainingSounds` gives it, on the scale of `reference_db`; NaN to measure
            it.
    """

    identity: npt.NDArray[np.uint64]
    draw: Integers
    window: Integers
    channel: Integers
    surroundings: Integers
    has_noise: npt.NDArray[np.bool_]
    label: Integers
    reference_db: Floats
    noise_db: Floats


def training_rows(columns: pa.Table, *, is_noise_measured: bool = False) -> TrainingRows:
    """Return what the columns of a dataset say of its rows; only ``event_id`` has to be there.

    Args:
        columns: The rows, with the names of a prepared dataset.
        is_noise_measured: Whether the level of noise is not that of the rows, since other stretches of it are heard.
    """
    n_rows = len(columns)

    def numbers(name: str, missing: float) -> Floats:
        """Return a column as float64."""
        if name not in columns.column_names:
            return np.full(n_rows, missing)
        values: Floats = columns[name].cast(pa.float64()).to_numpy()
        return np.nan_to_num(values, nan=missing)

    def level(name: str, gain: str) -> Floats:
        """Return the level of a part as it is mixed."""
        return numbers(name, np.nan) + numbers(gain, 0.0)

    reference_db, snr_db = numbers("reference_level_db", np.nan), numbers("snr_db", np.nan)
    noise_db = np.where(np.isnan(snr_db), level("noise_level_db", "noise_gain_db"), reference_db - snr_db)
    own_db = level("target_level_db", "target_gain_db")
    channel = numbers("channel", 0).astype(np.int64)
    return TrainingRows(
        identity=event_identities(columns["event_id"]),
        draw=numbers("draw", 0).astype(np.int64),
        window=numbers("target_start", 0).astype(np.int64),
        channel=channel,
        surroundings=numbers("case", 0).astype(np.int64) * (1 << 8) + channel,
        has_noise=_has_noise(columns),
        label=numbers("label", -1).astype(np.int64),
        reference_db=np.where(np.isnan(reference_db), own_db, reference_db),
        noise_db=np.full(n_rows, np.nan) if is_noise_measured else noise_db,
    )


def _has_noise(columns: pa.Table) -> npt.NDArray[np.bool_]:
    name = "noise_recording_ids"
    if name not in columns.column_names:
        return np.ones(len(columns), dtype=np.bool_)
    lengths = pc.fill_null(pc.list_value_length(columns[name]), 0).to_numpy()
    return np.asarray(lengths > 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """What is drawn for some rows, an element of every array each.

    Attributes:
        noise_row: Whose noise is heard; `NO_ROW` for nobody's.
        noise_place: Where in it, a fraction in [0, 1).
        snr_db: At which SNR; NaN without noise.
        partner_row: Which row the target is mixed up with; `NO_ROW` for none.
        weight: Share of the row itself in the mix-up, 0 to 1; the partner's is the rest.
        gain_db: Gain of the whole clip.
        shift: How far the target is shifted, a fraction of its length in [0, 1).
    """

    noise_row: Integers
    noise_place: Floats
    snr_db: Floats
    partner_row: Integers
    weight: Floats
    gain_db: Floats
    shift: Floats

    def named(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays as a batch names them."""
        return {f"drawn_{one.name}": getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pools:
    """Rows in pools, one pool after the other.

    Attributes:
        rows: The rows of all pools.
        first: Where the pool of each row begins.
        size: How many the pool of each row has.
        place: Where in its pool each row is; meaningless for rows that are in none.
    """

    rows: Integers
    first: Integers
    size: Integers
    place: Integers


def _pools(numbers: Integers, is_member: npt.NDArray[np.bool_]) -> _Pools:
    """Put the members of each number into a pool."""
    members = np.flatnonzero(is_member)
    rows = members[np.argsort(numbers[members], kind="stable")]
    first = np.searchsorted(numbers[rows], numbers, side="left")
    place = np.zeros(len(numbers), dtype=np.int64)
    place[rows] = np.arange(len(rows)) - first[rows]
    return _Pools(
        rows=rows, first=first, size=np.searchsorted(numbers[rows], numbers, side="right") - first, place=place
    )


class Augmentation:
    """The augmentation of one training split.

    Args:
        augment: What is changed.
        rows: What is known of the split's rows.
        sounds: Where their sounds are.
        seed: Seed of all draws.
        headroom_db: Attenuation of every clip.

    Raises:
        DatasetError: Noise is requested, and there is none of a row's case and microphone.
    """

    def __init__(
        self,
        augment: Augment,
        rows: TrainingRows,
        sounds: TrainingSounds,
        *,
        seed: int = 0,
        headroom_db: Decibels = 0.0,
    ) -> None:
        self.augment, self.rows, self.sounds = augment, rows, sounds
        self.seed, self.headroom_db = seed, headroom_db
        self._noises = _pools(rows.surroundings, rows.has_noise)
        self._partners = _pools(rows.channel, np.ones(len(rows.channel), dtype=np.bool_))
        if augment.snr_db is not None and not self._noises.size.all():
            raise _no_noise(int(np.flatnonzero(self._noises.size == 0)[0]))

    def draws(self, rows: Integers, epoch: int) -> Draws:
        """Draw for some rows; each row gets the same values as if it were drawn alone.

        Args:
            rows: Numbers of the rows.
            epoch: Number of the epoch.
        """
        noise, mix_up, level = (self._words(purpose, rows, epoch) for purpose in ("noise", "mix-up", "level"))
        nobody, nothing = np.full(len(rows), NO_ROW), np.zeros(len(rows))
        asked = self.augment
        is_mixed = asked.mix_up > 0
        return Draws(
            noise_row=nobody if asked.snr_db is None else self._noise_rows(rows, noise[:, 0]),
            noise_place=noise[:, 1] / float(1 << 32),
            snr_db=nothing + np.nan if asked.snr_db is None else _between(asked.snr_db, noise[:, 2], noise[:, 3]),
            partner_row=self._partner_rows(rows, mix_up[:, 0]) if is_mixed else nobody,
            weight=_weights(asked.mix_up, fractions_of(mix_up[:, 1], mix_up[:, 2])) if is_mixed else nothing + 1,
            gain_db=nothing if asked.gain_db is None else _between(asked.gain_db, level[:, 0], level[:, 1]),
            shift=fractions_of(level[:, 2], level[:, 3]) if asked.shift else nothing,
        )

    def _words(self, purpose: str, rows: Integers, epoch: int) -> npt.NDArray[np.uint32]:
        known = self.rows
        return derived_words(
            self.seed,
            _PURPOSE,
            purpose,
            str(epoch),
            of=known.identity[rows],
            draw=known.draw[rows],
            place=known.window[rows],
        )

    def _noise_rows(self, rows: Integers, words: npt.NDArray[np.uint32]) -> Integers:
        pools = self._noises
        chosen: Integers = pools.rows[pools.first[rows] + choices_of(words, pools.size[rows])]
        return chosen

    def _partner_rows(self, rows: Integers, words: npt.NDArray[np.uint32]) -> Integers:
        """Choose among the others of the pool; a row that is alone in it is its own partner."""
        pools = self._partners
        first, size = pools.first[rows], pools.size[rows]
        step = 1 + choices_of(words, np.maximum(size - 1, 1))
        chosen: Integers = pools.rows[first + (pools.place[rows] + step) % size]
        return chosen

    def label_weights(self, rows: Integers, draws: Draws, n_classes: int) -> FloatArray:
        """Return how much of each class is in each clip, shape (n_rows, n_classes); a row sums to 1."""
        weights = np.zeros((len(rows), n_classes), dtype=np.float32)
        at, label = np.arange(len(rows)), self.rows.label
        partners = np.where(draws.partner_row == NO_ROW, rows, draws.partner_row)
        np.add.at(weights, (at, label[rows]), draws.weight)
        np.add.at(weights, (at, label[partners]), 1 - draws.weight)
        return weights

    def clips(self, rows: Integers, draws: Draws) -> tuple[FloatArray, Integers]:
        """Return augmented clips.

        Args:
            rows: Their rows.
            draws: What was drawn for them.

        Returns:
            Clips, shape (n_rows, n_samples) or (n_rows, n_channels, n_samples), filled up with zeros to the longest;
            and the samples that each has.
        """
        targets = [self.sounds.target(row) for row in rows.tolist()]
        lengths = np.array([one.samples.shape[-1] for one in targets], dtype=np.int64)
        longest = int(lengths.max(initial=0))
        clips = np.empty((len(rows), *targets[0].samples.shape[:-1], longest), dtype=np.float32)
        scratch = np.empty_like(clips[0])
        for number, (target, length) in enumerate(zip(targets, lengths.tolist(), strict=True)):
            clips[number, ..., length:] = 0
            clip, row = clips[number, ..., :length], int(rows[number])
            self._mix(clip, scratch[..., :length], target, row=row, draws=draws, number=number)
        return clips, lengths

    def _mix(
        self, clip: FloatArray, scratch: FloatArray, target: ClipPart, *, row: int, draws: Draws, number: int
    ) -> None:
        """Write one augmented clip.

        Everything is a sum of parts with factors, so each part is converted, moved and amplified in one go.
        """
        gain_db = float(draws.gain_db[number]) - self.headroom_db
        weight, gain = float(draws.weight[number]), db_to_gain(gain_db)
        start = -int(draws.shift[number] * clip.shape[-1])
        _write(clip, replace(target, start=start), weight * gain)
        if draws.partner_row[number] != NO_ROW:
            partner = self.sounds.target(int(draws.partner_row[number]))
            _write(scratch, replace(partner, start=start), (1 - weight) * gain)
            clip += scratch
        if draws.noise_row[number] == NO_ROW:
            return
        source = int(draws.noise_row[number])
        noise = self.sounds.noise(source, clip.shape[-1], float(draws.noise_place[number]))
        reference_db, noise_db = float(self.rows.reference_db[row]) + gain_db, float(self.rows.noise_db[source])
        if math.isnan(noise_db):
            _write(scratch, noise, 1.0)
            noise_db, noise = _level_db(scratch), ClipPart(samples=scratch)
        reference_db = _level_db(clip) if math.isnan(reference_db) else reference_db
        # With R the reference level, N the level of the noise and g its gain, all in dB, the SNR is R - (N + g).
        if math.isfinite(reference_db) and math.isfinite(noise_db):  # digital silence has no SNR
            _write(scratch, noise, db_to_gain(reference_db - noise_db - float(draws.snr_db[number])))
            clip += scratch


def _write(out: FloatArray, part: ClipPart, gain: float) -> None:
    """Write a part from its start on, then from its beginning, until `out` is full, with a gain."""
    n_samples, factor = part.samples.shape[-1], np.float32(gain * part.scale)
    at, begin = 0, part.start % n_samples
    while at < out.shape[-1]:
        n = min(n_samples - begin, out.shape[-1] - at)
        np.multiply(part.samples[..., begin : begin + n], factor, out=out[..., at : at + n])
        at, begin = at + n, 0


def _between(limits: Range, high: npt.NDArray[np.uint32], low: npt.NDArray[np.uint32]) -> Floats:
    return limits[0] + (limits[1] - limits[0]) * fractions_of(high, low)


def _weights(alpha: float, uniform: Floats) -> Floats:
    """Turn uniform numbers into numbers with the distribution Beta(alpha, alpha)."""
    from scipy.special import betaincinv  # noqa: PLC0415  (needed only for mix-up)

    return np.asarray(betaincinv(alpha, alpha, uniform))


def _level_db(sound: FloatArray) -> Decibels:
    flat = np.ascontiguousarray(sound).reshape(-1)
    return power_to_db(float(np.dot(flat, flat)) / max(flat.size, 1))


def _no_noise(row: int) -> DatasetError:
    return DatasetError(
        "There is no noise to draw from.",
        where=f"row {row}",
        expected="rows of the same case and channel with noise of their own",
        actual="none",
        remedy="Augment a config with noise that was prepared with --stems, such as snr_6db, or leave snr_db out.",
    )
