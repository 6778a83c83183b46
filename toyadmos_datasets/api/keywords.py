"""The keywords of functions that take many options, for type checkers and editors; tests hold them as declared.

A keyword is the command line's option without its dashes. One value stands for a list of one.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, TypeAlias, TypedDict

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.declaration import options_of

StrPath: TypeAlias = str | os.PathLike[str]
Number: TypeAlias = int | float


class FetchKeywords(TypedDict, total=False):
    """How a source on the web is fetched; docs/cli.md says what each does."""

    manifest: StrPath
    whole: bool
    parallel: int
    limit_rate: str | int
    requests_per_minute: int
    keep_archives: bool
    netrc: bool
    wait: bool
    accept_license: bool


class PrepareKeywords(FetchKeywords, total=False):
    """What `prepare` and `plan` take; docs/cli.md says what each does."""

    protocol: str | Sequence[str]
    cases: int | Sequence[int]
    channels: int | str | Sequence[int]
    snr: Number | Sequence[Number]
    snr_reference: str
    weighting: str
    draws: int
    as_printed: bool
    faithful: bool
    validation: float
    calibration: float
    balanced_test: bool
    adapt_events: int
    train_snr: Number | Sequence[Number]
    test_snr: Number | Sequence[Number]
    supplemental_events: int
    shots: int
    unseen_parts: str | Sequence[str]
    window_s: Number
    hop_s: Number
    shared_noise: bool
    max_events: int
    seed: int
    ignore: str | Sequence[str]
    strict: bool
    recipe: StrPath
    cache: StrPath
    skip_bad: bool
    exclude: str | Sequence[str]
    overwrite: bool
    add: bool
    headroom: str
    encoding: str
    bit_depth: int
    rate: int
    headroom_db: Number
    on_clip: str
    stems: bool
    features: str
    n_fft: int
    hop: int
    n_mels: int
    fmin: Number
    fmax: Number
    power: int
    logmel_scale: str
    workers: int
    engine: str
    executor: Executor


class TrainKeywords(TypedDict, total=False):
    """What `train` takes; docs/cli.md says what each does."""

    config: str
    preset: str
    set: str | Sequence[str] | Mapping[str, Any]
    seed: int
    seeds: int
    every_kth_stack: int
    threads: int
    device: str


class EvaluateKeywords(TypedDict, total=False):
    """What `evaluate` takes; docs/cli.md says what each does."""

    dataset: StrPath
    config: str
    clip_score: str | float
    scores: StrPath
    labels: StrPath
    enhanced: StrPath
    trained_on: str
    allow_overlap: bool
    overwrite: bool
    device: str


def fields_of(given: Mapping[str, Any], *kinds: type[Any]) -> dict[str, Any]:
    """Return keywords by the names of the fields that declare them; those that are None are left out.

    Args:
        given: What a function was called with.
        kinds: The dataclasses that declare its options.

    Raises:
        OptionError: No option has such a keyword.
    """
    names = {one.keyword: name for kind in kinds for name, one in options_of(kind).items()}
    for keyword in given:
        if keyword not in names:
            near = difflib.get_close_matches(keyword, names, n=1)
            raise OptionError(
                "There is no such option.",
                where=f"{keyword}=",
                expected=f"{near[0]}=" if near else ", ".join(f"{name}=" for name in names),
                remedy="docs/cli.md lists all options; a keyword is an option without its dashes.",
            )
    return {names[keyword]: value for keyword, value in given.items() if value is not None}
