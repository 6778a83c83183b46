"""A size of simulated corpora that takes a fraction of a second."""

from __future__ import annotations

from toyadmos_datasets.simulation import CorpusSize

MICRO = CorpusSize(
    name="micro",
    cases=1,
    normal_takes=2,
    patterns="a part",
    anomalous_takes=1,
    clip_s=0.5,
    continuous_takes=1,
    noise_takes=1,
    continuous_s=0.7,
    block_bytes=500_000,
    volume_bytes=1_000_000,
)
