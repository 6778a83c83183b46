"""Domain shift of the surroundings: other noise, at other levels, than in training."""

from __future__ import annotations

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.planning.event_scope import Scope, gathered
from toyadmos_datasets.planning.split_layout import (
    Config,
    Mixture,
    Planned,
    Split,
    SplitLayout,
    fraction_note,
    split_as_paper,
)
from toyadmos_datasets.units import Decibels

TRAIN_SNRS_DB: tuple[Decibels, ...] = (6.0,)
"""Where none is asked for: the mildest of the levels that MIMII made usual (6, 0, -6 dB)."""

TEST_SNRS_DB: tuple[Decibels, ...] = (0.0, -6.0)
"""Where none is asked for: the other two."""


def plan_noise_shift(scope: Scope) -> Planned:
    """Train with some noise recordings at some SNRs, test with others at others.

    Every event has a row for each SNR of its split, all with the same stretch of noise, so that only the level
    differs between them.

    Raises:
        OptionError: An SNR is in both.

    Source:
        Koizumi et al. 2019, section 1, names the task; the split is this package's own.
    """
    train_db = scope.options.train_snrs_db or TRAIN_SNRS_DB
    test_db = scope.options.test_snrs_db or TEST_SNRS_DB
    both = sorted(set(train_db) & set(test_db))
    if both:
        raise OptionError(
            "An SNR is for training and for the test, so that its level would be no shift.",
            where="--test-snr",
            expected=f"others than those of --train-snr ({_spelled(train_db)})",
            actual=_spelled(test_db),
            remedy="Choose other levels, for instance: --train-snr 6 --test-snr 0,-6",
        )
    divided = split_as_paper(scope)
    splits = (
        Split(name="train", targets=gathered(*(one.train for one in divided))),
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous)))),
    )
    train, test = (tuple(Mixture(snr_db=snr_db) for snr_db in some) for some in (train_db, test_db))
    config = Config(name="noise_shift", mixtures=train, by_split={"test": test})
    note = (
        f"noise-shift: train hears noise at {_spelled(train_db)} dB SNR, the test other noise recordings at "
        f"{_spelled(test_db)} dB; every event has a row for each level."
    )
    notes = (*fraction_note(divided, scope.experiment), note)
    return Planned(layouts=(SplitLayout(splits=splits, configs=(config,)),), notes=notes)


def _spelled(snrs_db: tuple[Decibels, ...]) -> str:
    return ", ".join(f"{snr_db:g}" for snr_db in snrs_db)
