"""The experiment of the paper."""

from __future__ import annotations

import math

from toyadmos_datasets.corpus.paper import Gains
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

FAITHFUL_CHANNELS = (1, 2, 3)
"""Microphones that the published script for the train adds up.

Source:
    YumaKoizumi/ToyADMOS-dataset, C01_create_small_INT_dataset/make_dataset_for_train.py: the sum is kept in the
    array of channel 4, which is set to zero first and, being the sum itself by then, added last: what comes
    out is 2 x (channel 1 + channel 2 + channel 3), of toys and of noise alike.
"""

FAITHFUL_GAIN_DB = 20 * math.log10(2 * len(FAITHFUL_CHANNELS))
"""2 x the sum of three microphones is 6 x their mean."""


def plan_waspaa2019(scope: Scope) -> Planned:
    """Split and mix as the paper did: 1000 normal events train, the others and all anomalies test, fixed gains.

    Source:
        Koizumi et al. 2019, section 4; the authors' correction of 20 Feb 2020 for the gains as run; their
        published scripts for what ``--faithful`` adds.
    """
    divided = split_as_paper(scope)
    splits = (
        Split(name="train", targets=gathered(*(one.train for one in divided))),
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous)))),
    )
    config = Config(name=scope.protocol, mixtures=(_mixture(scope),))
    notes = (*fraction_note(divided, scope.experiment), *_notes(scope))
    return Planned(layouts=(SplitLayout(splits=splits, configs=(config,)),), notes=notes)


def _mixture(scope: Scope) -> Mixture:
    experiment = scope.experiment
    gains: Gains = experiment.gains_as_printed if scope.options.as_printed else experiment.gains
    extra_db = FAITHFUL_GAIN_DB if _adds_three(scope) else 0.0
    return Mixture(target_gain_db=gains.target_db + extra_db, noise_gain_db=gains.noise_db + extra_db)


def _adds_three(scope: Scope) -> bool:
    return scope.options.faithful and 0 in scope.channels.numbers


def _notes(scope: Scope) -> list[str]:
    options, experiment = scope.options, scope.experiment
    notes = []
    if options.as_printed:
        notes.append("waspaa2019 uses the gains as the paper prints them, which the authors corrected in 2020.")
    if options.cases not in (None, (experiment.case,)) or options.channels not in (None, experiment.channel):
        notes.append(
            f"waspaa2019 was asked for with other cases or channels than the paper's (case {experiment.case}, "
            f"channel {experiment.channel})."
        )
    if _adds_three(scope):
        notes.append(
            "waspaa2019 --faithful: as the published script for the train does, a clip is 2 x (channel 1 + channel 2 "
            f"+ channel 3), which is their mean at {FAITHFUL_GAIN_DB:+.2f} dB; channel 4 is not heard."
        )
    if options.faithful:
        notes.append(
            "waspaa2019 --faithful: as in the published scripts, train and test draw noise from one pool. Their int16 "
            "overflow, which wraps around, is not reproduced: a headroom takes its place."
        )
    elif not options.shared_noise:
        notes.append(
            "Train and test hear different noise recordings; the paper drew both from one pool (--shared-noise)."
        )
    return notes
