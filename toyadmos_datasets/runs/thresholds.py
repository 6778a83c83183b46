"""The threshold of a run: from clips that it was not tested on, as a factory must take it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from toyadmos_datasets.engine.progress import Progress
from toyadmos_datasets.errors import DatasetError, OptionError
from toyadmos_datasets.runs.run_folder import Run
from toyadmos_datasets.scores.decisions import HELD_BACK, Threshold, threshold_of_normal
from toyadmos_datasets.values.shards import SplitOfConfig

ScoredRows: TypeAlias = tuple[pa.Table, npt.NDArray[np.float64]]


def threshold_for(
    run: Run, score: Callable[[SplitOfConfig], ScoredRows | None], progress: Progress
) -> Threshold | None:
    """Return the threshold of the config that a run was trained on: of its calibration, validation or training clips.

    Args:
        run: The run.
        score: Gives the rows of a split, with a column `label`, and the score of each; None where there are none.
        progress: Told why there is no threshold.
    """
    try:
        train = run.split("train")
    except (DatasetError, OptionError) as error:
        progress.say(f"There is no threshold but that of the test's labels: {error.what}")
        return None
    if not {shard.sha256 for shard in train.shards} <= set(run.shards_sha256):
        progress.say("There is no threshold but that of the test's labels: the run was trained on other clips.")
        return None
    there = train.manifest.configs[train.config]
    for origin in HELD_BACK:
        found = score(replace(train, split=origin)) if origin in there else None
        if found is not None:
            rows, scores = found
            return threshold_of_normal(scores[rows["label"].to_numpy() == 0], origin)
    return None
