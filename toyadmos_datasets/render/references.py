"""The level that an SNR is relative to."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.render.rules import MixingRules
from toyadmos_datasets.render.stretches import StretchLevels
from toyadmos_datasets.signal.levels import power_to_db

GROUP = ("config", "case", "channel")
"""What the examples of one mean level have in common."""


def reference_levels(examples: pa.Table, targets: StretchLevels, rules: MixingRules) -> npt.NDArray[np.float64]:
    """Return the level that each example's SNR is relative to, dB re full scale; NaN where none was asked for.

    For the reference ``corpus`` it is the mean power of the normal IND clips of the same config, case and
    channel, so that the noise does not tell a damaged clip that is louder from a normal one. Where a config has
    none of them, its normal clips of any recording type stand in.

    Raises:
        PlanError: A config has no normal clip of a case and channel at all.
    """
    has_snr = pc.is_valid(examples["snr_db"]).to_numpy()
    if rules.snr_reference == "corpus":
        return _mean_levels(examples, targets.level_db, has_snr)
    return np.where(has_snr, targets.compared_db(rules), np.nan)


def _mean_levels(
    examples: pa.Table, levels_db: npt.NDArray[np.float64], has_snr: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    groups = _group_numbers(examples)
    is_normal = pc.equal(examples["label"], "normal").to_numpy()
    is_ind = pc.equal(examples["recording_type"], "IND").to_numpy()
    means_db = np.full(len(examples), np.nan)
    for group in np.unique(groups[has_snr]):
        members = groups == group
        normal = members & is_normal
        chosen = normal & is_ind if (normal & is_ind).any() else normal
        if not chosen.any():
            raise _no_reference(examples.slice(int(np.flatnonzero(members)[0]), 1).to_pylist()[0])
        powers = 10 ** (levels_db[chosen] / 10)
        means_db[members & has_snr] = power_to_db(math.fsum(powers) / len(powers))
    return means_db


def _group_numbers(examples: pa.Table) -> npt.NDArray[np.int64]:
    numbers = np.zeros(len(examples), dtype=np.int64)
    for name in GROUP:
        encoded = pc.dictionary_encode(examples[name].combine_chunks())
        numbers = numbers * len(encoded.dictionary) + encoded.indices.to_numpy()
    return numbers


def _no_reference(example: dict[str, object]) -> PlanError:
    return PlanError(
        "The level that the SNR is relative to does not exist: there is no normal clip to take it from.",
        where=f"config {example['config']}, case {example['case']}, channel {example['channel']}",
        expected="normal clips of the same config, case and channel",
        actual="anomalous ones only",
        remedy="Take the level of the clips themselves: --snr-reference clip",
    )
