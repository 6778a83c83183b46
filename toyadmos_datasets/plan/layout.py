"""What a protocol decides: which events are in which split, and how each config mixes them."""

from __future__ import annotations

from dataclasses import dataclass, field

from toyadmos_datasets.plan.events import Numbers
from toyadmos_datasets.units import Decibels


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
class Layout:
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

    layouts: tuple[Layout, ...]
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
