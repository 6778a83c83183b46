"""What a user can ask of a plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from toyadmos_datasets.corpus.toys import CHANNELS, toy_named
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.planning.catalogue import PROTOCOLS, protocol_named
from toyadmos_datasets.signal.levels import WEIGHTINGS
from toyadmos_datasets.units import Decibels, Seconds
from toyadmos_datasets.values.recipe import STACK

CHANNEL_CHOICES: tuple[str, ...] = (*map(str, CHANNELS), "mix", STACK, "all")
SNR_REFERENCES: tuple[str, ...] = ("corpus", "clip", "active")
SNR_LIMIT_DB: Decibels = 100.0
SNR_DECIMALS = 2
"""An SNR is met to 0.01 dB, and names its config: finer ones would be neither true nor told apart."""

PROTOCOL_NAMES: tuple[str, ...] = tuple(protocol.name for protocol in PROTOCOLS)

OPTIONS = {
    "snrs_db": "--snr",
    "is_as_printed": "--as-printed",
    "is_faithful": "--faithful",
    "validation_share": "--validation",
    "adapt_events": "--adapt-events",
    "train_snrs_db": "--train-snr",
    "test_snrs_db": "--test-snr",
    "shots": "--shots",
    "unseen_parts": "--unseen-parts",
    "window_s": "--window-s",
    "hop_s": "--hop-s",
}
"""How those options are typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Which examples a dataset shall have.

    Attributes:
        toy: ``ToyTrain``, which ``train`` becomes.
        protocols: Of `PROTOCOL_NAMES`; each brings its own configs.
        cases: Cases; None for what the protocol uses (waspaa2019: the paper's; the others: all in the source).
        channels: One of ``1`` to ``4``, ``mix`` (mean of the four), ``stack`` (the four in one clip), ``all``
            (each channel a row), or None for what the protocol uses (waspaa2019: the paper's; the others: ``1``).
        snrs_db: A config for each, besides the protocol's own.
        snr_reference: Level that an SNR is relative to: the mean of the normal clips of the same case and
            channel (``corpus``), the clip's own (``clip``), or that of its active part (``active``).
        weighting: ``A`` for A-weighted levels of target and noise; None to take all frequencies alike.
        n_draws: Noise draws of each event, where there is noise.
        is_as_printed: waspaa2019: use the gains as the paper prints them, reversed.
        is_faithful: waspaa2019: also do what the published scripts do besides.
        validation_share: basic: share of the events for training that make up the split ``validation``.
        adapt_events: leave-one-case-out: normal events of the target case in the split ``adapt``; None for 3.
        train_snrs_db: noise-shift: SNRs of the training; empty for 6.
        test_snrs_db: noise-shift: SNRs of the test; empty for 0 and -6.
        shots: few-shot: anomalous events of each condition in the split ``support``; None for 1.
        unseen_parts: few-shot: parts whose damage is kept out of ``support``.
        window_s: cnt-to-ind: length of the windows; None for that of the toy's IND clips.
        hop_s: cnt-to-ind: from one window to the next; None for the windows' length.
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
    n_draws: int = 1
    is_as_printed: bool = False
    is_faithful: bool = False
    validation_share: float = 0.0
    adapt_events: int | None = None
    train_snrs_db: tuple[Decibels, ...] = ()
    test_snrs_db: tuple[Decibels, ...] = ()
    shots: int | None = None
    unseen_parts: tuple[str, ...] = ()
    window_s: Seconds | None = None
    hop_s: Seconds | None = None
    is_noise_shared: bool = False
    max_events: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        toy = toy_named(self.toy)
        object.__setattr__(self, "toy", toy.name)  # the one name that files, folders and hashes have
        if not self.protocols:
            raise _bad("--protocol", ", ".join(PROTOCOL_NAMES), "none")
        for protocol in self.protocols:
            _check_choice("--protocol", protocol, PROTOCOL_NAMES)
        _check_choice("--channels", self.channels, (None, *CHANNEL_CHOICES))
        _check_choice("--snr-reference", self.snr_reference, SNR_REFERENCES)
        _check_choice("--weighting", self.weighting, (None, *WEIGHTINGS))
        _check_distinct("--protocol", self.protocols)
        for name in ("snrs_db", "train_snrs_db", "test_snrs_db"):
            _check_snrs(OPTIONS[name], getattr(self, name))
        if self.cases is not None:
            _check_distinct("--cases", self.cases)
            for case in self.cases:
                _check_choice("--cases", case, toy.cases)
            if not self.cases:
                raise _bad("--cases", "at least one case", "none")
        for part in self.unseen_parts:
            _check_choice("--unseen-parts", part, toy.parts)
        self._check_numbers()
        self._check_protocol_specific()
        self._check_noise()

    def _check_numbers(self) -> None:
        for option, value in (("--max-events", self.max_events), ("--shots", self.shots), ("--draws", self.n_draws)):
            if value is not None and value < 1:
                raise _bad(option, "1 or more", value)
        if self.adapt_events is not None and self.adapt_events < 0:
            raise _bad("--adapt-events", "0 or more", self.adapt_events)
        if not 0 <= self.validation_share < 1:
            raise _bad("--validation", "a share from 0 up to, not including, 1", self.validation_share)
        for name in ("window_s", "hop_s"):
            seconds = getattr(self, name)
            if seconds is not None and not 0.01 <= seconds <= 600:
                raise _bad(OPTIONS[name], "0.01 to 600 seconds", seconds)

    def _check_protocol_specific(self) -> None:
        defaults = {field.name: field.default for field in fields(self)}
        for name, option in OPTIONS.items():
            takers = [protocol.name for protocol in PROTOCOLS if name in protocol.takes]
            if getattr(self, name) != defaults[name] and not set(takers) & set(self.protocols):
                raise OptionError(
                    "An option was given that no protocol asked for takes.",
                    where=option,
                    expected=" or ".join(f"--protocol {one}" for one in takers),
                    actual=f"--protocol {' --protocol '.join(self.protocols)}",
                    remedy=f"Add: --protocol {takers[0]}",
                )

    def _check_noise(self) -> None:
        has_noise = bool(self.snrs_db) or any(protocol_named(one).is_always_mixed for one in self.protocols)
        if self.n_draws > 1 and not has_noise:
            raise _bad("--draws", "noise to draw: an --snr, or a protocol with noise", self.n_draws)
        if "noise-shift" in self.protocols and self.is_noise_shared:
            raise _bad("--shared-noise", "a protocol other than noise-shift, whose point is noise unheard before", "on")
        if self.is_faithful and self.channels not in (None, "1", "mix"):
            raise _bad("--channels", "the paper's, for --faithful", self.channels)

    @property
    def is_cut_by_activity(self) -> bool:
        """Whether a protocol cuts windows from continuous recordings, only where the machine runs."""
        return any("CNT" in protocol_named(one).recording_types for one in self.protocols)

    def as_parameters(self) -> dict[str, Any]:
        """Return the options as JSON values."""
        return asdict(self)


def _check_snrs(option: str, snrs_db: tuple[Decibels, ...]) -> None:
    _check_distinct(option, snrs_db)
    for snr_db in snrs_db:
        if not (abs(snr_db) <= SNR_LIMIT_DB and round(snr_db, SNR_DECIMALS) == snr_db):
            limits = f"decibels between -{SNR_LIMIT_DB:.0f} and {SNR_LIMIT_DB:.0f}"
            raise _bad(option, f"{limits} with at most {SNR_DECIMALS} decimals", snr_db)


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
