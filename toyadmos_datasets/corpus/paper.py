"""The paper that introduced the corpus: its record, licence, citation and experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from toyadmos_datasets.corpus.toys import toy_named
from toyadmos_datasets.units import Decibels

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
