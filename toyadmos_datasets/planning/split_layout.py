"""The decisions of a protocol: train/test splits over events, and the mixing of each config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from toyadmos_datasets.corpus.facts import PaperExperiment, paper_experiment
from toyadmos_datasets.corpus.toys import CHANNELS
from toyadmos_datasets.planning.events import Events, Numbers

if TYPE_CHECKING:
    from toyadmos_datasets.options.plan_options import PlanOptions
from collections.abc import Sequence
from dataclasses import field

from toyadmos_datasets.errors import PlanError
from toyadmos_datasets.units import Decibels


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Which rows an event gives.

    Attributes:
        numbers: Channel of each of its rows; 0 stands for several microphones together.
        together: The microphones that channel 0 stands for.
    """

    numbers: tuple[int, ...]
    together: tuple[int, ...] = CHANNELS

    @property
    def needed(self) -> tuple[int, ...]:
        """Microphones that are heard in any row."""
        return self.together if 0 in self.numbers else self.numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scope:
    """What one protocol plans with.

    Attributes:
        protocol: Its name, which every draw derives from.
        options: What was asked for.
        events: All events of the source.
        cases: Cases that were asked for, or that the protocol uses.
        channels: Which rows an event gives.
        targets: Events of a running toy that are of these cases and can be heard on these channels, ascending.
        incomplete: Events that lack one of the channels, in `targets` or left out.
        is_noise_shared: Whether all splits hear the same noise recordings.
        activity: Where machines run in continuous recordings, `values.index.ACTIVITY_SCHEMA`; None if unknown.
    """

    protocol: str
    options: PlanOptions
    events: Events
    cases: tuple[int, ...]
    channels: Channels
    targets: Numbers
    incomplete: Numbers
    is_noise_shared: bool = False
    activity: pa.Table | None = None

    @property
    def experiment(self) -> PaperExperiment:
        """The paper's experiment with this toy."""
        return paper_experiment(self.options.toy)

    def of(self, case: int, sound: str, recording_type: str = "IND") -> Numbers:
        """Return the targets of a case and a sound, in the protocol's random order."""
        wanted = self.targets[self.events.case[self.targets] == case]
        wanted = wanted[np.isin(wanted, self.events.where(sound=sound, recording_type=recording_type), kind="table")]
        return self.events.shuffled(wanted, self.options.seed, self.protocol, "split")

    def noise(self, case: int) -> Numbers:
        """Return the noise that serves a case and that all microphones have heard, ascending."""
        return self.events.serving(case, self.channels.needed)

    def taken(self, order: Numbers) -> Numbers:
        """Return the first of an order, as many as a quick look has of a split, case and label."""
        return order[: self.options.max_events]


def gathered(*orders: Numbers) -> Numbers:
    """Return the events of some orders, ascending."""
    return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *orders]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseEvents:
    """The IND events of one case, each part in random order, so that its first k are a fair choice.

    Attributes:
        case: Case.
        train: Normal events for training.
        held_out: Normal events that could be trained on and are not, by split: ``validation``, ``calibration``.
        test: The other normal events.
        anomalous: Anomalous events.
    """

    case: int
    train: Numbers
    held_out: dict[str, Numbers]
    test: Numbers
    anomalous: Numbers

    @property
    def n_for_training(self) -> int:
        """How many normal events are trained on or held out of the training."""
        return len(self.train) + sum(map(len, self.held_out.values()))

    @property
    def n_normal(self) -> int:
        """How many normal events the case has."""
        return self.n_for_training + len(self.test)


def train_count(n_normal: int, experiment: PaperExperiment) -> int:
    """Return how many of a case's normal events are for training: the paper's 1000, or the same fraction.

    Source:
        Koizumi et al. 2019, section 4: 1000 IND normal clips for training, the rest for the test.
    """
    if n_normal >= experiment.n_normal:
        return experiment.n_train
    return n_normal * experiment.n_train // experiment.n_normal


def split_as_paper(scope: Scope) -> list[CaseEvents]:
    """Divide the IND events of each case as the paper did; anomalies are for the test alone.

    What is held out is held out of the training.

    Raises:
        PlanError: A case would leave train or test without normal events, or there are no anomalies.
    """
    divided = []
    for case in scope.cases:
        normal, anomalous = scope.of(case, "normal"), scope.of(case, "anomalous")
        n_train = train_count(len(normal), scope.experiment)
        require(n_train > 0, case, "normal events for training", len(normal))
        require(len(normal) > n_train, case, "normal events for the test", len(normal))
        require(len(anomalous) > 0, case, "anomalous events for the test", 0)
        train, held_out = without_held_out(scope, case, normal[:n_train])
        divided.append(
            CaseEvents(case=case, train=train, held_out=held_out, test=normal[n_train:], anomalous=anomalous)
        )
    return divided


def without_held_out(scope: Scope, case: int, order: Numbers) -> tuple[Numbers, dict[str, Numbers]]:
    """Divide what a case has for training into what is trained on and what is held out.

    Args:
        scope: What is planned.
        case: The case.
        order: Its normal events for training, in random order.

    Returns:
        The events that are trained on, and by split those that are not: by share, and at least one of each that is
        asked for.

    Raises:
        PlanError: Nothing would be left for the training.
    """
    options, begin = scope.options, 0
    held_out = {}
    for name, share in (("validation", options.validation_share), ("calibration", options.calibration_share)):
        if share:
            end = begin + max(round(len(order) * share), 1)
            held_out[name], begin = order[begin:end], end
    if held_out:
        names = " and ".join(["training", *held_out])
        require(len(order) > begin, case, f"normal events for {names} each", len(order))
    return order[begin:], held_out


def training_splits(divided: Sequence[CaseEvents]) -> tuple[Split, ...]:
    """Return the split that is trained on, and those that are held out of it."""
    train = Split(name="train", targets=gathered(*(one.train for one in divided)))
    names = dict.fromkeys(name for one in divided for name in one.held_out)
    return (
        train,
        *(Split(name=name, targets=gathered(*(one.held_out[name] for one in divided))) for name in names),
    )


def held_out_notes(scope: Scope) -> list[str]:
    """Say what is held out of the training."""
    options = scope.options
    whats = {
        "validation": (options.validation_share, "to choose a model by"),
        "calibration": (options.calibration_share, "to set a threshold by"),
    }
    return [
        f"Of the normal events for training, {share:g} are held out as {name}, case by case, {what}."
        for name, (share, what) in whats.items()
        if share
    ]


def fraction_note(divided: Sequence[CaseEvents], experiment: PaperExperiment) -> list[str]:
    """Say of which cases a part is for training, where the source is smaller than the paper's."""
    smaller = [one for one in divided if one.n_normal < experiment.n_normal]
    if not smaller:
        return []
    counts = ", ".join(f"{one.n_for_training} of {one.n_normal} in case {one.case}" for one in smaller)
    return [
        (
            f"The source has fewer normal IND events than the paper's {experiment.n_normal} a case, so the same "
            f"fraction ({experiment.n_train}/{experiment.n_normal}) is for training: {counts}."
        )
    ]


def require(is_met: bool, case: int, what: str, actual: int) -> None:  # noqa: FBT001  # reads as a sentence
    """Raise unless a case has what a split needs.

    Raises:
        PlanError: It has not.
    """
    if not is_met:
        raise PlanError(
            f"Case {case} has too few recordings: there would be no {what}.",
            where=f"case{case}",
            expected=f"enough recordings to leave {what}",
            actual=f"{actual} events",
            remedy="Complete the source, or choose other cases with --cases.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How an example is mixed.

    Attributes:
        target_gain_db: Gain of the target; None where an SNR is asked for.
        noise_gain_db: Gain of the noise; None where an SNR is asked for or there is no noise.
        snr_db: Ratio asked for; None for fixed gains and for clean.
    """

    target_gain_db: Decibels | None = None
    noise_gain_db: Decibels | None = None
    snr_db: Decibels | None = None

    @property
    def has_noise(self) -> bool:
        """Whether there is noise at all."""
        return self.snr_db is not None or self.noise_gain_db is not None


CLEAN = Mixture(target_gain_db=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """The targets of one split.

    Attributes:
        name: ``train`` ..
        targets: Events, ascending; one that gives several windows stands there once for each.
        starts: Where in its recording each window begins, samples at 48 kHz; None for whole recordings.
        length: Length of the windows, samples at 48 kHz; None for whole recordings.
    """

    name: str
    targets: Numbers
    starts: Numbers | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One config of the dataset.

    Attributes:
        name: As `load_dataset` takes it.
        mixtures: How each target is mixed: once for each of them.
        by_split: The same for splits that differ from the others.
    """

    name: str
    mixtures: tuple[Mixture, ...]
    by_split: dict[str, tuple[Mixture, ...]] = field(default_factory=dict)

    def mixtures_of(self, split: str) -> tuple[Mixture, ...]:
        """Return how the targets of a split are mixed."""
        return self.by_split.get(split, self.mixtures)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitLayout:
    """Splits, and the configs that mix these same splits with the same noise.

    Attributes:
        splits: In the order of the dataset.
        configs: In the order of the dataset.
    """

    splits: tuple[Split, ...]
    configs: tuple[Config, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a protocol makes of a source.

    Attributes:
        layouts: In the order of the dataset.
        notes: Sentences that a reader of the dataset must know.
    """

    layouts: tuple[SplitLayout, ...]
    notes: tuple[str, ...] = ()


def config_name(snr_db: Decibels) -> str:
    """Name the config of an SNR: ``snr_6db``, ``snr_minus_6db``, ``snr_2_5db``."""
    number = f"{abs(snr_db):g}".replace(".", "_")
    return f"snr_{'minus_' if snr_db < 0 else ''}{number}db"


def clean_and_snrs(snrs_db: tuple[Decibels, ...], prefix: str = "") -> tuple[Config, ...]:
    """Return the config ``clean`` and one for each SNR, their names behind a prefix."""
    clean = Config(name=f"{prefix}clean", mixtures=(CLEAN,))
    return (clean, *at_snrs(snrs_db, prefix))


def at_snrs(snrs_db: tuple[Decibels, ...], prefix: str = "") -> tuple[Config, ...]:
    """Return a config for each SNR."""
    return tuple(
        Config(name=f"{prefix}{config_name(snr_db)}", mixtures=(Mixture(snr_db=snr_db),)) for snr_db in snrs_db
    )
