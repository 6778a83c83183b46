"""What a user can ask of a plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from toyadmos_datasets.corpus.toys import CHANNELS, toy_named
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.signal.weighting import WEIGHTINGS
from toyadmos_datasets.units import Decibels

Protocol: TypeAlias = Literal["waspaa2019", "basic"]
SnrReference: TypeAlias = Literal["corpus", "clip", "active"]

PROTOCOLS: tuple[str, ...] = ("waspaa2019", "basic")
CHANNEL_CHOICES: tuple[str, ...] = (*map(str, CHANNELS), "mix", "all")
SNR_REFERENCES: tuple[str, ...] = ("corpus", "clip", "active")
SNR_LIMIT_DB: Decibels = 100.0
SNR_DECIMALS = 2
"""An SNR is met to 0.01 dB, and names its config: finer ones would be neither true nor told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Which examples a dataset shall have.

    Attributes:
        toy: ``ToyTrain``.
        protocols: Of `PROTOCOLS`; each brings its own configs.
        cases: Cases; None for what the protocol uses (waspaa2019: the paper's; basic: all in the source).
        channels: One of ``1`` to ``4``, ``mix`` (mean of the four), ``all`` (each channel a row), or None
            for what the protocol uses (waspaa2019: the paper's; basic: ``1``).
        snrs_db: A config for each, besides ``clean``; for the protocol basic.
        snr_reference: Level that an SNR is relative to: the mean of the normal clips of the same case and
            channel (``corpus``), the clip's own (``clip``), or that of its active part (``active``).
        weighting: ``A`` for A-weighted levels of target and noise; None to take all frequencies alike.
        is_as_printed: Use the gains as the paper prints them, reversed; for waspaa2019.
        is_noise_shared: Let train and test draw from the same noise recordings.
        max_events: At most so many events a split, case and label; None for all.
        seed: Seed that every draw is derived from.
    """

    toy: str
    protocols: tuple[str, ...] = ("waspaa2019",)
    cases: tuple[int, ...] | None = None
    channels: str | None = None
    snrs_db: tuple[Decibels, ...] = ()
    snr_reference: str = "corpus"
    weighting: str | None = None
    is_as_printed: bool = False
    is_noise_shared: bool = False
    max_events: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        toy = toy_named(self.toy)
        if not self.protocols:
            raise _bad("--protocol", ", ".join(PROTOCOLS), "none")
        for protocol in self.protocols:
            _check_choice("--protocol", protocol, PROTOCOLS)
        _check_choice("--channels", self.channels, (None, *CHANNEL_CHOICES))
        _check_choice("--snr-reference", self.snr_reference, SNR_REFERENCES)
        _check_choice("--weighting", self.weighting, (None, *WEIGHTINGS))
        _check_distinct("--protocol", self.protocols)
        _check_distinct("--snr", self.snrs_db)
        for snr_db in self.snrs_db:
            if not (abs(snr_db) <= SNR_LIMIT_DB and round(snr_db, SNR_DECIMALS) == snr_db):
                limits = f"decibels between -{SNR_LIMIT_DB:.0f} and {SNR_LIMIT_DB:.0f}"
                raise _bad("--snr", f"{limits} with at most {SNR_DECIMALS} decimals", snr_db)
        self._check_protocol_specific()
        if self.cases is not None:
            _check_distinct("--cases", self.cases)
            for case in self.cases:
                _check_choice("--cases", case, toy.cases)
            if not self.cases:
                raise _bad("--cases", "at least one case", "none")
        if self.max_events is not None and self.max_events < 1:
            raise _bad("--max-events", "1 or more", self.max_events)

    def _check_protocol_specific(self) -> None:
        if self.snrs_db and "basic" not in self.protocols:
            raise OptionError(
                "An SNR was asked for, but the protocol mixes with fixed gains.",
                where="--snr",
                expected="--protocol basic",
                actual=f"--protocol {' --protocol '.join(self.protocols)}",
                remedy="Add: --protocol basic",
            )
        if self.is_as_printed and "waspaa2019" not in self.protocols:
            raise _bad("--as-printed", "--protocol waspaa2019", ", ".join(self.protocols))

    def as_parameters(self) -> dict[str, Any]:
        """Return the options as JSON values."""
        return asdict(self)


def _check_choice(option: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise _bad(option, ", ".join(str(choice) for choice in choices if choice is not None), value)


def _check_distinct(option: str, values: tuple[object, ...]) -> None:
    if len(set(values)) != len(values):
        raise _bad(option, "each value once", ", ".join(map(str, values)))


def _bad(option: str, expected: str, actual: object) -> OptionError:
    return OptionError(
        "An option has a value that cannot be used.",
        where=option,
        expected=expected,
        actual=actual,
        remedy="toyadmos prepare --help",
    )
