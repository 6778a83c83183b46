"""Training on continuous operation, as factories would: no one starts and stops a machine for the recorder."""

from __future__ import annotations

import numpy as np

from toyadmos_datasets.corpus.toys import CORPUS_RATE_HZ, toy_named
from toyadmos_datasets.planning.event_scope import Scope, gathered
from toyadmos_datasets.planning.split_layout import Planned, Split, SplitLayout, clean_and_snrs, require
from toyadmos_datasets.planning.windows import Windows, windows_of


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
    continuous = [scope.taken(scope.of(case, "normal", "CNT")) for case in scope.cases]
    windows = windows_of(scope, np.sort(np.concatenate(continuous)), window=window, hop=hop)
    for case in scope.cases:
        n = int((scope.events.case[windows.targets] == case).sum())
        require(n > 0, case, f"windows of {window_s:g} s of continuous recordings for training", n)
    ind = [scope.of(case, sound) for case in scope.cases for sound in ("normal", "anomalous")]
    for case, normal, anomalous in zip(scope.cases, ind[::2], ind[1::2], strict=True):
        require(len(normal) > 0, case, "normal events for the test", 0)
        require(len(anomalous) > 0, case, "anomalous events for the test", 0)
    splits = (
        Split(name="train", targets=windows.targets, starts=windows.starts, length=window),
        Split(name="test", targets=gathered(*ind)),
    )
    layout = SplitLayout(splits=splits, configs=clean_and_snrs(scope.options.snrs_db, "cnt_to_ind_"))
    return Planned(layouts=(layout,), notes=_notes(windows, window_s, hop / CORPUS_RATE_HZ))


def _notes(windows: Windows, window_s: float, hop_s: float) -> tuple[str, ...]:
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
