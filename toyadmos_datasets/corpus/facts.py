"""Facts of the corpus: tables, statements of the paper, counts and observations of users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.units import Decibels


def read_rows(name: str) -> tuple[list[str], list[list[str]]]:
    """Read a table of the folder ``data``: its header and its rows."""
    import csv  # noqa: PLC0415  # the command line loads this module at its start
    from importlib.resources import files  # noqa: PLC0415

    text = files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    return header, rows


NEAR_SILENT = "near_silent (RMS < 0.001)"
"""How the table calls recordings in which next to nothing is heard; full scale is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One figure that was counted or measured in the true corpus.

    Attributes:
        toy: ``ToyCar``.
        case: Number of the case; None for all of them.
        sound: ``normal_IND``, ``anomalous_IND``, ``normal_CNT``, ``IND`` or ``noise``.
        channel: Number of the microphone; None for all of them.
        what: What was counted or measured, with its unit.
        value: How much of it.
        source: Who published it, as ``data/SOURCES.md`` explains.
    """

    toy: str
    case: int | None
    sound: str
    channel: int | None
    what: str
    value: float
    source: str


@cache
def observations(toy: str) -> tuple[Observation, ...]:
    """Return what was observed of a toy, in the table's order.

    Source:
        Published listings, inventories and file counts; see ``data/SOURCES.md``.
    """
    _, rows = read_rows("observations.csv")
    return tuple(
        Observation(
            toy=name,
            case=int(case) if case else None,
            sound=sound,
            channel=int(channel) if channel else None,
            what=what,
            value=float(value),
            source=source,
        )
        for name, case, sound, channel, what, value, source in rows
        if name == toy_named(toy).name
    )


def what_is_odd(toy: str) -> tuple[str, ...]:
    """Return what a user of a toy's recordings should know of the corpus, a paragraph each."""
    return (*PAPER_LIMITS, *_noise_conflict(toy), *_near_silence(toy))


def what_is_odd_of(toys: Sequence[str]) -> tuple[str, ...]:
    """Return the same of several toys, each paragraph once; one that holds for some of them begins with their names."""
    by_text: dict[str, list[str]] = {}
    for toy in toys:
        for one in what_is_odd(toy):
            by_text.setdefault(one, []).append(toy)
    return tuple(
        one if len(of_these) == len(toys) else f"{', '.join(of_these)}: {one}" for one, of_these in by_text.items()
    )


def _noise_conflict(toy: str) -> tuple[str, ...]:
    """Compare the hours of noise on disk with those in the paper: a file has ten minutes."""
    found = {one.what: one.value for one in observations(toy) if one.sound == "noise"}
    hours_in_paper = found.get("hours in the paper's Table 1")
    if hours_in_paper is None:
        return ()
    n_files = found["files on disk (all channels)"]
    text = (
        f"The archive has {n_files:.0f} noise files of 10 minutes ({n_files / 6:.0f} h), the paper's Table 1 counts "
        f"{hours_in_paper:.0f} h in two sets, for the HO and the N scale. So cases 1 and 2, and 3 and 4, probably "
        "carry the same noise recordings under two names. This is an inference that nobody has confirmed."
    )
    return (text,)


def _near_silence(toy: str) -> tuple[str, ...]:
    """Say how many recordings of each case are near-silent, where somebody counted."""
    kinds = ("normal_IND", "anomalous_IND", "normal_CNT")
    totals = {(one.case, one.sound): one.value for one in observations(toy) if one.what == "recordings"}
    silent = {(one.case, one.sound): one.value for one in observations(toy) if one.what == NEAR_SILENT}
    if not silent:
        return ("Nobody has published how many recordings of this toy are near-silent; those of ToyCar were counted.",)
    cases = sorted({case for case, _ in silent if case is not None})
    said = [
        f"case {case}: "
        + ", ".join(
            f"{silent[case, kind]:.0f} of {totals[case, kind]:.0f} {kind.replace('_', ' ')}"
            for kind in kinds
            if (case, kind) in silent
        )
        for case in cases
    ]
    text = (
        "Some recordings are near-silent (RMS below 0.001 of full scale; counted on channel 1): "
        f"{'; '.join(said)}. In CNT recordings the motor rested for 10 minutes after every 10 minutes."
    )
    return (text,)


RECORD_ID = 3351307
RECORD_URL = f"https://zenodo.org/records/{RECORD_ID}"
PAPER_URL = "https://arxiv.org/abs/1908.03299"

LICENSE_NAME = "NTT software license agreement for evaluation"
LICENSE_URL = f"{RECORD_URL}/files/LICENSE.pdf"
LICENSE_LIMITS = (
    "internal evaluation only",
    "the audio must not be passed on to third parties",
    "no sublicence",
)
"""What the licence comes down to; the PDF is what binds.

Source:
    LICENSE.pdf of Zenodo record 3351307.
"""

PAPER_LIMITS = ("The machines are toys: the spectra of their sounds differ from those of real machines.",)
"""What the authors say that the corpus is not good for.

Source:
    Koizumi et al. 2019.
"""

CITATION = """\
@inproceedings{koizumi2019toyadmos,
  author    = {Koizumi, Yuma and Saito, Shoichiro and Uematsu, Hisashi and Harada, Noboru and Imoto, Keisuke},
  title     = {{ToyADMOS}: A Dataset of Miniature-Machine Operating Sounds for Anomalous Sound Detection},
  booktitle = {Proceedings of the IEEE Workshop on Applications of Signal Processing to Audio and Acoustics (WASPAA)},
  year      = {2019},
  note      = {arXiv:1908.03299}
}
"""

RECORD_CITATION = f"""\
@misc{{koizumi2019toyadmosrecord,
  author    = {{Koizumi, Yuma and Saito, Shoichiro and Uematsu, Hisashi and Harada, Noboru and Imoto, Keisuke}},
  title     = {{{{ToyADMOS}}: A Dataset of Miniature-Machine Operating Sounds for Anomalous Sound Detection}},
  publisher = {{Zenodo}},
  year      = {{2019}},
  doi       = {{10.5281/zenodo.{RECORD_ID}}}
}}
"""

ChannelChoice: TypeAlias = Literal["1", "mix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """Fixed gains of a mixture.

    Attributes:
        target_db: Gain of the toy's sound, dB.
        noise_db: Gain of the environmental noise, dB.
    """

    target_db: Decibels
    noise_db: Decibels


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperExperiment:
    """The experiment of the paper for one toy.

    Attributes:
        toy: ``ToyTrain``.
        case: The one case that was used.
        channel: ``1``, or ``mix`` for the four channels mixed.
        n_train: Normal IND clips for training, drawn at random; the rest is for the test.
        n_normal: Normal IND clips that there are.
        gains: Gains as the experiment was run.
        gains_as_printed: Gains as the paper prints them: target and noise reversed.
        auc: Published AUC of the autoencoder.
    """

    toy: str
    case: int
    channel: ChannelChoice
    n_train: int
    n_normal: int
    gains: Gains
    gains_as_printed: Gains
    auc: float


_NOISE_LOUDER = Gains(target_db=0.0, noise_db=10.0)
_TARGET_LOUDER = Gains(target_db=10.0, noise_db=0.0)

PAPER_EXPERIMENTS = (
    PaperExperiment(
        toy="ToyCar",
        case=1,
        channel="1",
        n_train=1000,
        n_normal=1350,
        gains=_NOISE_LOUDER,
        gains_as_printed=_TARGET_LOUDER,
        auc=0.874,
    ),
    PaperExperiment(
        toy="ToyConveyor",
        case=1,
        channel="1",
        n_train=1000,
        n_normal=1800,
        gains=_NOISE_LOUDER,
        gains_as_printed=_TARGET_LOUDER,
        auc=0.981,
    ),
    PaperExperiment(
        toy="ToyTrain",
        case=1,
        channel="mix",
        n_train=1000,
        n_normal=1350,
        gains=_TARGET_LOUDER,
        gains_as_printed=_NOISE_LOUDER,
        auc=0.843,
    ),
)
"""The experiment for each toy.

Source:
    Koizumi et al. 2019, section 4; the authors' correction of 20 Feb 2020 for the gains as run.
"""


def paper_experiment(toy: str) -> PaperExperiment:
    """Find the paper's experiment for a toy."""
    name = toy_named(toy).name
    return next(experiment for experiment in PAPER_EXPERIMENTS if experiment.toy == name)
