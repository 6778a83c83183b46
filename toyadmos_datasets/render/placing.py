"""Where the parts of examples lie: which stretch of which recordings, in samples of the output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ
from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.render.rules import MixingRules
from toyadmos_datasets.render.stretches import Numbers, Stretches, recording_numbers, shortest, stretches_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of every example.

    Attributes:
        targets: The target of each example.
        noisy: Which examples have noise, shape (n_noisy,).
        noises: The noise of each of these.
    """

    targets: Stretches
    noisy: Numbers
    noises: Stretches

    def of_noisy(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Spread values of the noises over all examples, NaN where there is no noise."""
        spread = np.full(len(self.targets), np.nan)
        spread[self.noisy] = values
        return spread


def floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return a column of numbers as float64, NaN where it is null."""
    return column.cast(pa.float64()).to_numpy()  # type: ignore[no-any-return]  # pyarrow has no annotations


def place(examples: pa.Table, catalogue: pa.Table, rules: MixingRules) -> Parts:
    """Find where targets and noises lie, in samples of the output.

    Raises:
        DatasetError: A recording is not in the store.
        PlanError: A window or a clip does not fit its recordings.
    """
    lengths = catalogue["n_samples"].to_numpy()
    of_targets = recording_numbers(examples["recording_ids"], catalogue)
    whole = shortest(of_targets, lengths)
    windows = [floats(examples[name]) for name in ("target_start", "target_length")]
    is_window = ~np.isnan(windows[0])
    start, length = (np.nan_to_num(one).astype(np.int64) * rules.rate_hz // CORPUS_RATE_HZ for one in windows)
    targets = stretches_of(of_targets, start, np.where(is_window, length, whole))
    _require_windows_inside(targets, whole, examples)
    of_noises = recording_numbers(examples["noise_recording_ids"], catalogue)
    noisy = np.flatnonzero((of_noises >= 0).any(axis=1))
    n_samples, n_noise = targets.n_samples[noisy], shortest(of_noises[noisy], lengths)
    _require_long_noise(noisy, n_samples, n_noise, examples)
    position = floats(examples["noise_position"])[noisy]
    noise_start = np.floor(position * (n_noise - n_samples + 1)).astype(np.int64)
    noises = stretches_of(of_noises[noisy], noise_start, n_samples)
    if rules.snr_reference == "active":
        noises = noises.while_running(targets[noisy])
    return Parts(targets=targets, noisy=noisy, noises=noises)


def _require_windows_inside(targets: Stretches, whole: Numbers, examples: pa.Table) -> None:
    outside = np.flatnonzero(targets.start + targets.n_samples > whole)
    if len(outside):
        row = outside[0]
        raise PlanError(
            "A window reaches past the end of its recording.",
            where=_first(examples["recording_ids"], row),
            expected=f"at most {whole[row]} samples",
            actual=f"{targets.n_samples[row]} samples from {targets.start[row]} on",
            remedy="Make the recipe from the source that it is rendered from.",
        )


def _require_long_noise(noisy: Numbers, n_samples: Numbers, n_noise: Numbers, examples: pa.Table) -> None:
    short = np.flatnonzero(n_noise < n_samples)
    if len(short):
        one = short[0]
        row = noisy[one]
        raise PlanError(
            "A noise recording is shorter than the clip it is mixed with.",
            where=_first(examples["noise_recording_ids"], row),
            expected=f"at least {n_samples[one]} samples, as long as {_first(examples['recording_ids'], row)}",
            actual=f"{n_noise[one]} samples",
            remedy="Use longer noise recordings, or prepare without noise: --protocol basic",
        )


def _first(lists: pa.ChunkedArray, row: int) -> str:
    return str(lists[int(row)][0].as_py())
