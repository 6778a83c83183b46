"""The protocols: each a function that turns a scope into splits and configs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from toyadmos_datasets.corpus.damage import damage_of
from toyadmos_datasets.corpus.facts import Gains
from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ, toy_named
from toyadmos_datasets.errors import OptionError, PlanError
from toyadmos_datasets.planning.events import Numbers
from toyadmos_datasets.planning.split_layout import (
    CaseEvents,
    Config,
    Mixture,
    Planned,
    Scope,
    Split,
    SplitLayout,
    at_snrs,
    clean_and_snrs,
    fraction_note,
    gathered,
    require,
    split_as_paper,
    training_splits,
    without_held_out,
)
from toyadmos_datasets.planning.windows import Windows, windows_of
from toyadmos_datasets.units import Decibels

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
        *training_splits(divided),
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous)))),
    )
    config = Config(name=scope.protocol, mixtures=(_mixture(scope),))
    notes = (*fraction_note(divided, scope.experiment), *_waspaa2019_notes(scope))
    return Planned(layouts=(SplitLayout(splits=splits, configs=(config,)),), notes=notes)


def _mixture(scope: Scope) -> Mixture:
    experiment = scope.experiment
    gains: Gains = experiment.gains_as_printed if scope.options.as_printed else experiment.gains
    extra_db = FAITHFUL_GAIN_DB if _adds_three(scope) else 0.0
    return Mixture(target_gain_db=gains.target_db + extra_db, noise_gain_db=gains.noise_db + extra_db)


def _adds_three(scope: Scope) -> bool:
    return scope.options.faithful and 0 in scope.channels.numbers


def _waspaa2019_notes(scope: Scope) -> list[str]:
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


def plan_basic(scope: Scope) -> Planned:
    """Split every case as the paper split its own.

    Raises:
        PlanError: A case would leave a split without events.

    Source:
        Koizumi et al. 2019, section 4, for the share of the training; the rest is this package's own.
    """
    divided = split_as_paper(scope)
    splits = (
        *training_splits(divided),
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous)))),
    )
    layout = SplitLayout(splits=splits, configs=clean_and_snrs(scope.options.snrs_db))
    return Planned(layouts=(layout,), notes=tuple(fraction_note(divided, scope.experiment)))


ADAPT_EVENTS = 3
"""Normal events of the target case to adapt with, where no number is asked for.

Source:
    DCASE 2021 task 2, which gives three normal clips of each target domain.
"""


def plan_leave_one_case_out(scope: Scope) -> Planned:
    """Leave out each case in turn: the others' normal events train, a few of its own adapt, the rest test.

    The test has both domains: the case left out, and of the others what was not trained on, divided as the paper
    divided its own. Without the second nobody could say what the step to another machine costs.

    Raises:
        PlanError: There is one case only, or one with too few events.

    Source:
        Koizumi et al. 2019, section 1, names the task; that both domains are tested follows DCASE 2021 task 2; the
        split is this package's own.
    """
    if len(scope.cases) < 2:
        raise PlanError(
            "No case can be left out, because there is only one.",
            where=f"case{scope.cases[0]}",
            expected="recordings of at least two cases",
            actual="1 case",
            remedy="Complete the source, ask for more cases with --cases, or choose: --protocol basic",
        )
    divided = split_as_paper(scope)
    asked = scope.options.adapt_events
    n_adapt = ADAPT_EVENTS if asked is None else asked
    layouts = tuple(_layout_without(scope, one.case, divided, n_adapt) for one in divided)
    note = (
        f"leave-one-case-out: a config for each case; {n_adapt} of its normal events are for adapting. The test has "
        "the case left out (the target domain) and what was not trained on of the others (the source domain)."
    )
    return Planned(layouts=layouts, notes=(*fraction_note(divided, scope.experiment), note))


def _layout_without(scope: Scope, case: int, divided: Sequence[CaseEvents], n_adapt: int) -> SplitLayout:
    normal, anomalous = scope.of(case, "normal"), scope.of(case, "anomalous")
    others = [one for one in divided if one.case != case]
    require(len(normal) > n_adapt, case, f"normal events for the test beside {n_adapt} to adapt with", len(normal))
    splits = list(training_splits(others))
    if n_adapt:
        splits.append(Split(name="adapt", targets=gathered(normal[:n_adapt])))
    of_others = (part for one in others for part in (one.test, one.anomalous))
    splits.append(Split(name="test", targets=gathered(normal[n_adapt:], anomalous, *of_others)))
    return SplitLayout(splits=tuple(splits), configs=clean_and_snrs(scope.options.snrs_db, f"leave_out_case{case}_"))


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
    divided = split_as_paper(scope)
    splits = (
        *training_splits(divided),
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous)))),
    )
    config, note = _shifted_levels(scope, "noise_shift")
    notes = (*fraction_note(divided, scope.experiment), note)
    return Planned(layouts=(SplitLayout(splits=splits, configs=(config,)),), notes=notes)


def _shifted_levels(scope: Scope, name: str) -> tuple[Config, str]:
    """Return a config whose test hears noise at other levels than all else, and what to say of it.

    Raises:
        OptionError: An SNR is in both.
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
    train, test = (tuple(Mixture(snr_db=snr_db) for snr_db in some) for some in (train_db, test_db))
    config = Config(name=name, mixtures=train, by_split={"test": test})
    note = (
        f"{scope.protocol}: train hears noise at {_spelled(train_db)} dB SNR, the test other noise recordings at "
        f"{_spelled(test_db)} dB; every event has a row for each level."
    )
    return config, note


SUPPLEMENTAL_SHARE = 0.1
"""Part of a case's training events that are supplemental, where no number is asked for.

Source:
    DCASE 2025 task 2, which gives 100 supplemental clips beside 1000 for training: nttcslab/
    dcase2023_task2_baseline_ae, README_legacy.md.
"""


def plan_noise_aware(scope: Scope) -> Planned:
    """Hear every event near and far, at shifted levels, with clips whose noise is known by itself.

    Splits and levels are those of `noise-shift`, but that a part of the training is `supplemental`: its clips are
    mixed like those of `train`, with takes of noise of their own, and their stem `noise` is the noise alone.

    Raises:
        OptionError: An SNR is in both.
        PlanError: All events for training of a case would be supplemental.

    Source:
        Nishida et al. 2026, arXiv 2606.01578: clips of two channels, recorded at once near the machine and far from
        it. README of nttcslab/dcase2023_task2_baseline_ae: near is the left channel, far the right. The splits are
        this package's own.
    """
    divided = split_as_paper(scope)
    held = [_supplemental(scope, one) for one in divided]
    rest = [replace(one, train=one.train[len(some) :]) for one, some in zip(divided, held, strict=True)]
    splits = [*training_splits(rest)]
    if any(map(len, held)):
        splits.append(Split(name="supplemental", targets=gathered(*held)))
    splits.append(
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous))))
    )
    config, note = _shifted_levels(scope, "noise_aware")
    near, *far = scope.channels.together
    notes = (
        *fraction_note(divided, scope.experiment),
        note,
        (
            f"noise-aware: clips have a channel for each microphone, channel {near} as the near one and "
            f"{', '.join(map(str, far))} as far. Which microphone of the corpus stands nearest is not known here."
        ),
        (
            f"noise-aware: supplemental has {sum(map(len, held))} of the events for training; the stem noise of its "
            "clips is the noise alone."
        ),
    )
    return Planned(layouts=(SplitLayout(splits=tuple(splits), configs=(config,)),), notes=notes)


def _supplemental(scope: Scope, events: CaseEvents) -> Numbers:
    """Return the events for training whose noise is given by itself: as many as asked for, or a share."""
    asked = scope.options.supplemental_events
    n = int(len(events.train) * SUPPLEMENTAL_SHARE) if asked is None else asked
    what = f"normal events for training beside {n} supplemental ones"
    require(len(events.train) > n, events.case, what, len(events.train))
    return events.train[:n]


def _spelled(snrs_db: tuple[Decibels, ...]) -> str:
    return ", ".join(f"{snr_db:g}" for snr_db in snrs_db)


SHOTS = 1
"""Anomalous events of each condition in the support, where no number is asked for."""


def plan_few_shot(scope: Scope) -> Planned:
    """Split as `basic` does, and take k anomalous events of each condition and case from the test as support.

    Where a condition has no more than k events one of them stays in the test. Conditions that damage a part
    which shall be unseen have none in the support.

    Raises:
        PlanError: The support would be empty, or have all the anomalies.

    Source:
        Koizumi et al. 2019, section 1, names the task; the split is this package's own.
    """
    divided = split_as_paper(scope)
    shots = scope.options.shots or SHOTS
    support = [_support(scope, one, shots) for one in divided]
    if not any(map(len, support)):
        raise PlanError(
            "There would be no anomalous events in the support.",
            where=f"case {', '.join(map(str, scope.cases))}",
            expected="a condition with at least two anomalous events, so that support and test have one each",
            actual="none" + (" that leaves the parts to be unseen alone" if scope.options.unseen_parts else ""),
            remedy="Complete the source, or name fewer --unseen-parts.",
        )
    rest = [_without(one.anomalous, some) for one, some in zip(divided, support, strict=True)]
    splits = (
        *training_splits(divided),
        Split(name="support", targets=gathered(*support)),
        Split(name="test", targets=gathered(*(one.test for one in divided), *rest)),
    )
    layout = SplitLayout(splits=splits, configs=clean_and_snrs(scope.options.snrs_db, "few_shot_"))
    notes = (*fraction_note(divided, scope.experiment), *_few_shot_notes(scope, shots))
    return Planned(layouts=(layout,), notes=notes)


def _support(scope: Scope, events: CaseEvents, shots: int) -> Numbers:
    """Return the first k events of each condition, in the random order of the case's anomalies."""
    conditions = scope.events.condition.take(pa.array(events.anomalous)).dictionary_encode()
    kind, n_kinds = conditions.indices.to_numpy(), len(conditions.dictionary)
    by_kind = np.argsort(kind, kind="stable")
    sizes = np.bincount(kind, minlength=n_kinds)
    rank = np.empty(len(kind), dtype=np.int64)
    rank[by_kind] = np.arange(len(kind)) - np.repeat(sizes.cumsum() - sizes, sizes)
    unseen = set(scope.options.unseen_parts)
    damaged = (damage_of(scope.options.toy, one).damaged_parts for one in conditions.dictionary.to_pylist())
    n_support = np.array([0 if unseen & set(parts) else shots for parts in damaged], dtype=np.int64)
    chosen: Numbers = events.anomalous[rank < np.minimum(n_support, sizes - 1)[kind]]
    return chosen


def _without(numbers: Numbers, others: Numbers) -> Numbers:
    return numbers[~np.isin(numbers, others)]


def _few_shot_notes(scope: Scope, shots: int) -> list[str]:
    notes = [
        (
            f"few-shot: support has {shots} anomalous events of each condition and case, one less where the test would "
            "have none."
        )
    ]
    if scope.options.unseen_parts:
        parts = ", ".join(scope.options.unseen_parts)
        notes.append(f"few-shot: conditions that damage {parts} are in the test alone.")
    return notes


def plan_cnt_to_ind(scope: Scope) -> Planned:
    """Train on windows of continuous recordings, only where the machine runs; test on all IND events.

    Raises:
        PlanError: A case has no window, or nothing to test.

    Source:
        Koizumi et al. 2019, section 3, for the two kinds of recording; the split is this package's own.
    """
    window_s = scope.options.window_s or toy_named(scope.options.toy).clip_s
    window = round(window_s * CORPUS_RATE_HZ)
    hop = round((scope.options.hop_s or window_s) * CORPUS_RATE_HZ)
    cut = {name: windows_of(scope, some, window=window, hop=hop) for name, some in _continuous(scope).items()}
    for name, windows in cut.items():
        for case in scope.cases:
            n, what = int((scope.events.case[windows.targets] == case).sum()), "training" if name == "train" else name
            require(n > 0, case, f"windows of {window_s:g} s of continuous recordings for {what}", n)
    ind = [scope.of(case, sound) for case in scope.cases for sound in ("normal", "anomalous")]
    for case, normal, anomalous in zip(scope.cases, ind[::2], ind[1::2], strict=True):
        require(len(normal) > 0, case, "normal events for the test", 0)
        require(len(anomalous) > 0, case, "anomalous events for the test", 0)
    splits = (
        *(Split(name=name, targets=one.targets, starts=one.starts, length=window) for name, one in cut.items()),
        Split(name="test", targets=gathered(*ind)),
    )
    layout = SplitLayout(splits=splits, configs=clean_and_snrs(scope.options.snrs_db, "cnt_to_ind_"))
    return Planned(layouts=(layout,), notes=_cnt_to_ind_notes(cut["train"], window_s, hop / CORPUS_RATE_HZ))


def _continuous(scope: Scope) -> dict[str, Numbers]:
    """Return the continuous recordings of ``train`` and of what is held out of it, ascending, whole recordings each."""
    parts: dict[str, list[Numbers]] = {"train": []}
    for case in scope.cases:
        train, held_out = without_held_out(scope, case, scope.of(case, "normal", "CNT"))
        for name, some in {"train": train, **held_out}.items():
            parts.setdefault(name, []).append(scope.taken(some))
    return {name: gathered(*some) for name, some in parts.items()}


def _cnt_to_ind_notes(windows: Windows, window_s: float, hop_s: float) -> tuple[str, ...]:
    rule = f"cnt-to-ind: train has windows of {window_s:g} s every {hop_s:g} s of continuous recordings"
    if windows.is_upper_bound:
        return (
            (
                f"{rule}; this counts {len(windows.targets)}, as if the machines ran all the time. How many there are "
                "is known when the continuous recordings have been read, which prepare does first."
            ),
        )
    return (
        (
            f"{rule}, only where the machine runs on every microphone that is used: {len(windows.targets)} windows, "
            f"{windows.active_share:.0%} of the recordings' time."
        ),
    )


def plan_dcase2020(scope: Scope) -> Planned:
    """Split every case as the development set does: 1000 normal events train, the others and all anomalies test.

    The sizes agree with the published ones: car 4000 for training and 2459 for the test (1400 normal, 1059
    anomalous), conveyor 3000 and 3509 (2400 and 1109). Machine id_0N is case N, by those sizes. What cannot be
    the same is said in the notes.

    Source:
        Koizumi et al. 2020, Description and discussion on DCASE2020 challenge task 2, arXiv 2006.05822; Zenodo
        3678171 for the sizes. That the ids follow the cases is inferred.
    """
    divided = split_as_paper(scope)
    splits = (
        *training_splits(divided),
        Split(name="test", targets=gathered(*(part for one in divided for part in (one.test, one.anomalous)))),
    )
    gains = scope.experiment.gains
    mixed = Config(name="dcase2020", mixtures=(Mixture(target_gain_db=gains.target_db, noise_gain_db=gains.noise_db),))
    layout = SplitLayout(splits=splits, configs=(mixed, *at_snrs(scope.options.snrs_db, "dcase2020_")))
    return Planned(layouts=(layout,), notes=(*fraction_note(divided, scope.experiment), *DCASE2020_NOTES))


DCASE2020_NOTES = (
    (
        "dcase2020 has the machines (id_0N is case N), sizes and split of the development set of DCASE 2020 task 2. It "
        "cannot have the same files: which events were chosen for training is not published, and the noise there was "
        "recorded for the task. Here the noise is the corpus's own, at the gains of its paper (or the SNRs asked for)."
    ),
    (
        "dcase2020: the machines id_05 to id_07 (car) and id_04 to id_06 (conveyor) of the evaluation set are not in "
        "this corpus."
    ),
)


Planner: TypeAlias = Callable[[Scope], Planned]

PLANNERS: Mapping[str, Planner] = {
    "waspaa2019": plan_waspaa2019,
    "basic": plan_basic,
    "leave-one-case-out": plan_leave_one_case_out,
    "noise-shift": plan_noise_shift,
    "noise-aware": plan_noise_aware,
    "few-shot": plan_few_shot,
    "cnt-to-ind": plan_cnt_to_ind,
    "dcase2020": plan_dcase2020,
}
"""What plans each protocol of `options.catalogue.PROTOCOLS`."""
