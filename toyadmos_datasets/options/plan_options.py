"""Options of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from toyadmos_datasets.corpus.toys import toys_named
from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.options.catalogue import PROTOCOLS, protocol_named
from toyadmos_datasets.options.channel_choices import (
    CHANNELS_EXPECTED,
    canonical_channels,
    is_choice_of_channels,
    stacked_channels,
)
from toyadmos_datasets.options.declaration import (
    Rule,
    at_least,
    check_options,
    defaults_of,
    option,
    options_of,
    request_of,
    within,
)
from toyadmos_datasets.units import Decibels, Seconds

SNR_REFERENCES: tuple[str, ...] = ("corpus", "clip", "active")
WEIGHTINGS: tuple[str, ...] = ("A",)
SNR_LIMIT_DB: Decibels = 100.0
SNR_DECIMALS = 2
"""An SNR is met to 0.01 dB, and names its config: finer ones would be neither true nor told apart."""

PROTOCOL_NAMES: tuple[str, ...] = tuple(protocol.name for protocol in PROTOCOLS)

_SNR = Rule(
    expected=f"decibels between -{SNR_LIMIT_DB:.0f} and {SNR_LIMIT_DB:.0f} with at most {SNR_DECIMALS} decimals",
    holds=lambda snr_db: abs(snr_db) <= SNR_LIMIT_DB and round(snr_db, SNR_DECIMALS) == snr_db,
)
_SHARE = Rule(expected="a share from 0 up to, not including, 1", holds=lambda share: 0 <= share < 1)
_WINDOW = within(0.01, 600, "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Which examples a dataset has; docs/cli.md describes each option."""

    toy: str = field(
        metadata=option(
            help="`car`, `conveyor` or `train`. For one dataset of several toys, such as `car,train`, or `all`.",
            page="Or `ToyCar`, `ToyConveyor`, `ToyTrain`. See [protocols.md](protocols.md#several-toys).",
            metavar="TOY",
            example="car",
        )
    )
    protocols: tuple[str, ...] = field(
        default=("waspaa2019",),
        metadata=option(
            flag="--protocol",
            help="`waspaa2019` (default), `basic`, ..; `toyadmos protocols` lists all. Can be repeated.",
            page="All are in [protocols.md](protocols.md).",
            metavar="NAME",
            example="waspaa2019 --protocol basic",
            choices=PROTOCOL_NAMES,
        ),
    )
    cases: tuple[int, ...] | None = field(
        default=None,
        metadata=option(
            help="Cases to use; by default the paper's for `waspaa2019`, all for the others.",
            metavar="LIST",
            example="1,2",
        ),
    )
    channels: str | None = field(
        default=None,
        metadata=option(
            help="Microphones: one (`1` to `4`); several as the channels of one clip, in your order, such as `1,3`; "
            "`stack` (the same as `1,2,3,4`); `mix` (the mean of all four); `all` (one row for each). By default the "
            "paper's for `waspaa2019`, `1,3` for `noise-aware`, `1` for the others.",
            metavar="CHOICE",
            example="1,3",
            rule=Rule(expected=CHANNELS_EXPECTED, holds=is_choice_of_channels),
        ),
    )
    snrs_db: tuple[Decibels, ...] = field(
        default=(),
        metadata=option(
            flag="--snr",
            help="SNRs in dB; each adds a config to the protocol's own.",
            page="The configs are called `snr_6db`, `snr_0db`, `snr_minus_6db`. Not for `waspaa2019`, `noise-shift` "
            "and `noise-aware`.",
            metavar="DB",
            example="6,0,-6",
            rule=_SNR,
            protocols=("basic", "leave-one-case-out", "few-shot", "cnt-to-ind", "dcase2020"),
        ),
    )
    snr_reference: str = field(
        default="corpus",
        metadata=option(
            help="Signal level that the SNR refers to: `corpus`, `clip` or `active`.",
            page="`corpus` is the mean level of the normal clips of the same case and channel. `clip` is the clip's "
            "own level. `active` is the level of the clip's active part; the noise is measured over the same part.",
            metavar="LEVEL",
            example="clip",
            choices=SNR_REFERENCES,
        ),
    )
    weighting: str | None = field(
        default=None,
        metadata=option(
            help="`A`: measure the levels of target and noise, and so the SNRs, with A-weighting.",
            metavar="NAME",
            example="A",
            choices=WEIGHTINGS,
        ),
    )
    n_draws: int = field(
        default=1,
        metadata=option(
            flag="--draws",
            help="Mixtures made of each event, each with another draw of the noise.",
            metavar="N",
            example="3",
            rule=at_least(1),
        ),
    )
    as_printed: bool = field(
        default=False,
        metadata=option(
            help="For `waspaa2019`: use the gains as the paper prints them, which is in reversed order.",
            page="The authors corrected the order in 2020.",
            key="is_as_printed",
            protocols=("waspaa2019",),
        ),
    )
    faithful: bool = field(
        default=False,
        metadata=option(
            help="For `waspaa2019`: also reproduce the quirks of the published scripts.",
            page="The dataset card lists them.",
            key="is_faithful",
            protocols=("waspaa2019",),
        ),
    )
    validation_share: float = field(
        default=0.0,
        metadata=option(
            flag="--validation",
            help="Share of the normal training events of each case to hold out as the split `validation`.",
            metavar="SHARE",
            example="0.1",
            rule=_SHARE,
        ),
    )
    calibration_share: float = field(
        default=0.0,
        metadata=option(
            flag="--calibration",
            help="Share of the normal training events of each case to hold out as the split `calibration`.",
            page="`toyadmos evaluate` sets its threshold on it.",
            metavar="SHARE",
            example="0.1",
            rule=_SHARE,
            is_kept_at_default=False,
        ),
    )
    balanced_test: bool = field(
        default=False,
        metadata=option(
            help="Test on as many normal as anomalous events of each case; leave the others out.",
            key="is_test_balanced",
            is_kept_at_default=False,
        ),
    )
    adapt_events: int | None = field(
        default=None,
        metadata=option(
            help="For `leave-one-case-out`: number of normal events of the target case in the split `adapt`, by "
            "default 3.",
            metavar="N",
            example="10",
            rule=at_least(0),
            protocols=("leave-one-case-out",),
        ),
    )
    train_snrs_db: tuple[Decibels, ...] = field(
        default=(),
        metadata=option(
            flag="--train-snr",
            help="For `noise-shift` and `noise-aware`: SNRs of the training split in dB, by default 6.",
            metavar="DB",
            example="6,12",
            rule=_SNR,
            protocols=("noise-shift", "noise-aware"),
        ),
    )
    test_snrs_db: tuple[Decibels, ...] = field(
        default=(),
        metadata=option(
            flag="--test-snr",
            help="For `noise-shift` and `noise-aware`: SNRs of the test split in dB, by default 0 and -6.",
            metavar="DB",
            example="0,-6",
            rule=_SNR,
            protocols=("noise-shift", "noise-aware"),
        ),
    )
    supplemental_events: int | None = field(
        default=None,
        metadata=option(
            help="For `noise-aware`: number of training events of each case in the split `supplemental`, by default a "
            "tenth.",
            metavar="N",
            example="100",
            rule=at_least(0),
            is_kept_at_default=False,
            protocols=("noise-aware",),
        ),
    )
    shots: int | None = field(
        default=None,
        metadata=option(
            help="For `few-shot`: number of anomalous events of each condition in the split `support`, by default 1.",
            metavar="N",
            example="2",
            rule=at_least(1),
            protocols=("few-shot",),
        ),
    )
    unseen_parts: tuple[str, ...] = field(
        default=(),
        metadata=option(
            help="For `few-shot`: parts whose damage occurs only in the test split, such as `belt`.",
            metavar="PART",
            example="last_carriage",
            protocols=("few-shot",),
        ),
    )
    window_s: Seconds | None = field(
        default=None,
        metadata=option(
            help="For `cnt-to-ind`: length of the windows in seconds, by default the length of the toy's IND clips.",
            metavar="S",
            example="5",
            rule=_WINDOW,
            protocols=("cnt-to-ind",),
        ),
    )
    hop_s: Seconds | None = field(
        default=None,
        metadata=option(
            help="For `cnt-to-ind`: distance between the beginnings of two windows in seconds, by default their "
            "length.",
            metavar="S",
            example="2.5",
            rule=_WINDOW,
            protocols=("cnt-to-ind",),
        ),
    )
    shared_noise: bool = field(
        default=False,
        metadata=option(help="Let train and test share noise recordings.", key="is_noise_shared"),
    )
    max_events: int | None = field(
        default=None,
        metadata=option(
            help="Keep at most N events for each split, case and label, for a quick look.",
            metavar="N",
            example="20",
            rule=at_least(1),
        ),
    )
    seed: int = field(
        default=0, metadata=option(help="Seed of all random draws.", metavar="N", example="1", rule=at_least(0))
    )

    def __post_init__(self) -> None:
        toys, options = toys_named(self.toy), options_of(PlanOptions)
        names = ",".join(toy.name for toy in toys)  # the one name that files, folders and hashes have
        object.__setattr__(self, "toy", names)
        if self.channels is not None:
            object.__setattr__(self, "channels", canonical_channels(self.channels))
        if not self.protocols:
            raise options["protocols"].refusal(", ".join(PROTOCOL_NAMES), "none")
        check_options(self)
        if self.cases == ():
            raise options["cases"].refusal("at least one case", "none")
        for toy in toys:
            for name, values, choices in (
                ("cases", self.cases or (), toy.cases),
                ("unseen_parts", self.unseen_parts, toy.parts),
            ):
                for value in values:
                    if value not in choices:
                        raise options[name].refusal(", ".join(map(str, choices)), value)
        self._check_protocol_specific()
        self._check_shares()
        self._check_noise()
        self._settle_stack()

    def _check_protocol_specific(self) -> None:
        for name, one in options_of(PlanOptions).items():
            is_taken = not one.protocols or set(one.protocols) & set(self.protocols)
            if not is_taken and getattr(self, name) != defaults_of(PlanOptions)[name]:
                raise OptionError(
                    f"The protocol {' and '.join(self.protocols)} takes no {one.flag}.",
                    where=one.flag,
                    expected=f"--protocol {' or '.join(one.protocols)}",
                    actual=f"--protocol {' '.join(self.protocols)}",
                    remedy=f"Add: --protocol {one.protocols[0]}",
                )

    def _check_shares(self) -> None:
        held_out = self.validation_share + self.calibration_share
        if held_out >= 1:
            expected = f"less than {1 - self.validation_share:g}, so that something is left for the training"
            raise options_of(PlanOptions)["calibration_share"].refusal(expected, f"{self.calibration_share:g}")

    def _check_noise(self) -> None:
        options = options_of(PlanOptions)
        is_noisy = bool(self.snrs_db) or any(protocol_named(one).is_always_mixed for one in self.protocols)
        if self.n_draws > 1 and not is_noisy:
            raise options["n_draws"].refusal("noise to draw: an --snr, or a protocol with noise", self.n_draws)
        apart = [one for one in self.protocols if protocol_named(one).is_noise_apart]
        if apart and self.shared_noise:
            expected = f"a protocol other than {apart[0]}, which tests on unseen noise"
            raise options["shared_noise"].refusal(expected, "on")
        if self.faithful and self.channels not in (None, "1", "mix"):
            raise options["channels"].refusal("the paper's, for --faithful", self.channels)

    def _settle_stack(self) -> None:
        """Set the default microphones of a protocol that needs several in one clip; refuse a choice of one.

        All clips of a recipe are stacked or none is, so several protocols together need one explicit choice.
        """
        stacked = [one for one in map(protocol_named, self.protocols) if stacked_channels(one.default_channels)]
        if not stacked:
            return
        if self.channels is None and len(self.protocols) == len(stacked):
            object.__setattr__(self, "channels", stacked[0].default_channels)
        elif not stacked_channels(self.channels):
            expected = f"the microphones of one clip for {stacked[0].name}, the nearest first, such as 1,3"
            raise options_of(PlanOptions)["channels"].refusal(expected, self.channels or "none, beside other protocols")

    @property
    def has_stems(self) -> bool:
        """Whether a protocol gives target and noise beside every clip."""
        return any(protocol_named(one).has_stems for one in self.protocols)

    def each_toy(self) -> tuple[PlanOptions, ...]:
        """Return the options of each toy, as if it were planned alone."""
        return tuple(replace(self, toy=toy.name) for toy in toys_named(self.toy))

    @property
    def is_cut_by_activity(self) -> bool:
        """Whether a protocol cuts windows from continuous recordings, only where the machine runs."""
        return any("CNT" in protocol_named(one).recording_types for one in self.protocols)

    def as_parameters(self) -> dict[str, Any]:
        """Return the options as JSON values, as recipes keep them."""
        return request_of(self)


def implied_protocol(chosen: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the one protocol that the given options apply to, and the option that tells.

    Args:
        chosen: Values by the names of their fields.

    Returns:
        Protocol and option if no protocol is given and one option applies to a single protocol, which is not the
        default; else None.
    """
    if chosen.get("protocols"):
        return None
    defaults = defaults_of(PlanOptions)
    for name, one in options_of(PlanOptions).items():
        is_chosen = name in chosen and chosen[name] != defaults.get(name)
        if is_chosen and len(one.protocols) == 1 and one.protocols != defaults["protocols"]:
            return one.protocols[0], one.flag
    return None
