"""Options of training and evaluating the reference detectors."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.escaping import shell_word
from toyadmos_datasets.options.declaration import at_least, check_options, option
from toyadmos_datasets.options.presets import (
    PAPER,
    PRESETS,
    Preset,
    changed,
    chosen_preset,
    scoring_preset,
    with_settings,
)

DEVICES = ("auto", "cpu", "cuda", "mps")

_of_training = functools.partial(option, remedy="toyadmos train --help")
_of_evaluation = functools.partial(option, remedy="toyadmos evaluate --help")
_DEVICE = {
    "help": "Device of torch: `auto`, `cpu`, `cuda` or `mps`.",
    "metavar": "NAME",
    "example": "cpu",
    "choices": DEVICES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Options of `toyadmos train`; docs/cli.md describes each.

    Attributes:
        dataset: The prepared folder.
    """

    dataset: Path
    out: Path = field(metadata=_of_training(help="Folder of the new run.", metavar="RUN", example="runs/paper"))
    config: str | None = field(
        default=None,
        metadata=_of_training(help="Config to train on; by default the first.", metavar="NAME", example="snr_6db"),
    )
    preset: Preset = field(
        default=PAPER,
        metadata=_of_training(
            help=f"Settings of the model: {', '.join(f'`{name}`' for name in PRESETS)}, or a file `NAME.toml`.",
            page="See [baseline.md](baseline.md#training).",
            metavar="PRESET",
            example="dcase2020",
            parse=chosen_preset,
            typed={"show_default": PAPER.name},
        ),
    )
    settings: tuple[str, ...] = field(
        default=(),
        metadata=_of_training(
            flag="--set",
            help="Change a setting of the preset, such as `epochs=20`; can be repeated.",
            page="All settings are in [baseline.md](baseline.md#settings).",
            metavar="NAME=VALUE",
            example="epochs=20",
            is_set=False,
            parse=tuple,
        ),
    )
    seed: int = field(
        default=0,
        metadata=_of_training(
            help="Seed of the initial weights and of the order of the inputs.",
            metavar="N",
            example="1",
            rule=at_least(0),
        ),
    )
    seeds: int = field(
        default=1,
        metadata=_of_training(
            help="Train N runs that differ only in their seed, in `RUN/seed-0`, `RUN/seed-1` and so on.",
            page="`evaluate`, `compare` and `report` accept `RUN` for all of them.",
            metavar="N",
            example="3",
            rule=at_least(1),
        ),
    )
    every_kth_stack: int | None = field(
        default=None,
        metadata=_of_training(
            help="Train on every K-th stack of frames, in turn, so that an epoch takes 1/K of the time.",
            page="Neighbouring stacks of `paper` share 20 of 21 frames. The run is called `paper*: every_kth_stack=K`.",
            metavar="K",
            example="5",
            rule=at_least(1),
        ),
    )
    threads: int | None = field(
        default=None,
        metadata=_of_training(
            help="Number of threads for training on the CPU; by default a trial of a few steps chooses it.",
            page="The run records the number, because the last bits of the weights may depend on it.",
            metavar="N",
            example="2",
            rule=at_least(1),
        ),
    )
    device: str = field(default="auto", metadata=_of_training(**_DEVICE))

    def __post_init__(self) -> None:
        check_options(self)
        preset = with_settings(self.preset, self.settings)
        if self.every_kth_stack is not None:
            preset = changed(preset, {"every_kth_stack": self.every_kth_stack})
        object.__setattr__(self, "preset", preset)
        object.__setattr__(self, "settings", ())
        object.__setattr__(self, "every_kth_stack", None)

    def each_seed(self) -> list[TrainOptions]:
        """Return the options of each run: one into `out` itself, or one a seed into folders in it."""
        if self.seeds == 1:
            return [self]
        numbers = range(self.seed, self.seed + self.seeds)
        return [replace(self, seed=one, seeds=1, out=self.out / f"seed-{one}") for one in numbers]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """Options of `toyadmos evaluate`; docs/cli.md describes each.

    Attributes:
        run: Folder of the run. With `scores` it is created.
    """

    run: Path
    dataset: Path | None = field(
        default=None,
        metadata=_of_evaluation(
            help="Prepared dataset to score; by default the run's.", metavar="DIR", example="data/other"
        ),
    )
    config: str | None = field(
        default=None,
        metadata=_of_evaluation(
            help="Config to score; by default the run's, and with `--scores` the first.",
            metavar="NAME",
            example="clean",
        ),
    )
    clip_score: Preset | None = field(
        default=None,
        metadata=_of_evaluation(
            help="How frame scores become a clip score: `max`, `mean`, `selective-mahalanobis`, or a quantile such as "
            "`0.95`.",
            page="By default the preset decides; systems without a network score whole clips.",
            metavar="HOW",
            example="0.95",
            parse=scoring_preset,
        ),
    )
    scores: Path | None = field(
        default=None,
        metadata=_of_evaluation(
            help="Evaluate the scores of another method: CSV or Parquet with `event_id` or `file_name`, and `score`; "
            "or the output folder of a DCASE baseline.",
            page="See [baseline.md](baseline.md#scores-of-any-other-method).",
            metavar="FILE|DIR",
            example="mine.csv",
        ),
    )
    labels: Path | None = field(
        default=None,
        metadata=_of_evaluation(
            help="With `--scores`: the export (or its `labels.csv`) that contains the scored files.",
            metavar="FILE|DIR",
            example="exported/labels.csv --scores mine.csv",
        ),
    )
    enhanced: Path | None = field(
        default=None,
        metadata=_of_evaluation(
            help="Evaluate noise reduction: a folder or Parquet with the enhanced test clips of a config with stems.",
            page="See [enhancement.md](enhancement.md).",
            metavar="DIR",
            example="enhanced",
        ),
    )
    trained_on: str | None = field(
        default=None,
        metadata=_of_evaluation(
            help="With `--scores`: config whose `train` and `validation` splits the method was trained on.",
            page="By default it is the config to score.",
            metavar="NAME",
            example="clean",
        ),
    )
    allow_overlap: bool = field(
        default=False,
        metadata=_of_evaluation(
            help="Also test on clips that the run was trained on, and mark this in every table.",
            page="See [baseline.md](baseline.md#what-was-trained-on-is-not-tested).",
        ),
    )
    overwrite: bool = field(
        default=False,
        metadata=_of_evaluation(help="Replace an earlier evaluation of the same config in the run."),
    )
    device: str = field(default="auto", metadata=_of_evaluation(**_DEVICE))

    def __post_init__(self) -> None:
        check_options(self)
        if self.enhanced is not None and self.scores is not None:
            raise OptionError(
                "--enhanced and --scores exclude each other.",
                where="--enhanced",
                expected="--enhanced or --scores",
                actual="both",
                remedy="Leave one of them out.",
            )
        if self.scores is None:
            for flag, given in (("--trained-on", self.trained_on), ("--labels", self.labels)):
                if given is not None:
                    raise OptionError(
                        "A run with a model keeps what it was trained on, and scores the clips itself.",
                        where=flag,
                        expected="--scores",
                        actual="a run with a model",
                        remedy=f"Leave {flag} out.",
                    )
            return
        if self.dataset is None:
            command = f"toyadmos evaluate {shell_word(self.run)} --scores {shell_word(self.scores)}"
            raise OptionError(
                "Scores of another method need the dataset that they belong to.",
                where="--dataset",
                remedy=f"{command} --dataset DIR --config NAME",
            )
        if self.clip_score is not None:
            raise OptionError(
                "--clip-score does not apply to scores of another method.",
                where="--clip-score",
                expected="a run with a model, whose frames are scored",
                actual="--scores",
                remedy="Leave --clip-score out.",
            )
