"""What a user can ask of a plan."""

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
    """Which examples a dataset shall have; docs/cli.md says what each option does."""

    toy: str = field(
        metadata=option(
            help="`car`, `conveyor` or `train`; several, such as `car,train`, or `all` for one dataset of all of them.",
            page="Or `ToyCar` .. See [protocols.md](protocols.md#several-toys).",
            metavar="TOY",
            example="car",
        )
    )
    protocols: tuple[str, ...] = field(
        default=("waspaa2019",),
        metadata=option(
            flag="--protocol",
            help="`waspaa2019` (default), `basic` ..: see `toyadmos protocols`; can be repeated.",
            page="All are in [protocols.md](protocols.md).",
            metavar="NAME",
            example="waspaa2019 --protocol basic",
            choices=PROTOCOL_NAMES,
        ),
    )
    cases: tuple[int, ...] | None = field(
        default=None,
        metadata=option(
            help="Which cases; by default the paper's for `waspaa2019`, all for the others.",
            metavar="LIST",
            example="1,2",
        ),
    )
    channels: str | None = field(
        default=None,
        metadata=option(
            help="Microphones: `1` to `4`; several in one clip, in your order, such as `1,3`; `stack` for `1,2,3,4`; "
            "`mix` (mean of the four) or `all` (a row each). By default the paper's for `waspaa2019`, `1,3` for "
            "`noise-aware`, `1` for the others.",
            metavar="CHOICE",
            example="1,3",
            rule=Rule(expected=CHANNELS_EXPECTED, holds=is_choice_of_channels),
        ),
    )
    snrs_db: tuple[Decibels, ...] = field(
        default=(),
        metadata=option(
            flag="--snr",
            help="A config for each SNR in dB, besides the protocol's own.",
            page="`waspaa2019`, `noise-shift` and `noise-aware` take none. The configs are `snr_6db`, `snr_0db`, "
            "`snr_minus_6db`.",
            metavar="DB",
            example="6,0,-6",
            rule=_SNR,
            protocols=("basic", "leave-one-case-out", "few-shot", "cnt-to-ind", "dcase2020"),
        ),
    )
    snr_reference: str = field(
        default="corpus",
        metadata=option(
            help="Level that an SNR is relative to: `corpus`, `clip` or `active`.",
            page="`corpus` is the mean level of the normal clips of the same case and channel; `clip`, the clip's own "
            "level; `active`, that of its active part, where the noise is measured too.",
            metavar="LEVEL",
            example="clip",
            choices=SNR_REFERENCES,
        ),
    )
    weighting: str | None = field(
        default=None,
        metadata=option(
            help="`A`: levels of target and noise, and the SNRs made of them, are A-weighted.",
            metavar="NAME",
            example="A",
            choices=WEIGHTINGS,
        ),
    )
    n_draws: int = field(
        default=1,
        metadata=option(
            flag="--draws",
            help="Different noise draws of each event, where there is noise.",
            metavar="N",
            example="3",
            rule=at_least(1),
        ),
    )
    as_printed: bool = field(
        default=False,
        metadata=option(
            help="For `waspaa2019`: the gains as the paper prints them, reversed.",
            page="The authors corrected them in 2020.",
            key="is_as_printed",
            protocols=("waspaa2019",),
        ),
    )
    faithful: bool = field(
        default=False,
        metadata=option(
            help="For `waspaa2019`: also the published scripts' quirks.",
            page="The card names them.",
            key="is_faithful",
            protocols=("waspaa2019",),
        ),
    )
    validation_share: float = field(
        default=0.0,
        metadata=option(
            flag="--validation",
            help="Share of the normal training events held out as the split `validation`, case by case.",
            metavar="SHARE",
            example="0.1",
            rule=_SHARE,
        ),
    )
    calibration_share: float = field(
        default=0.0,
        metadata=option(
            flag="--calibration",
            help="Share of them held out as the split `calibration`, for thresholds.",
            page="`toyadmos evaluate` takes its threshold from it.",
            metavar="SHARE",
            example="0.1",
            rule=_SHARE,
            is_kept_at_default=False,
        ),
    )
    balanced_test: bool = field(
        default=False,
        metadata=option(
            help="As many normal as anomalous events of each case in the test; the others are left out.",
            key="is_test_balanced",
            is_kept_at_default=False,
        ),
    )
    adapt_events: int | None = field(
        default=None,
        metadata=option(
            help="For `leave-one-case-out`: normal events of the target case in the split `adapt`, 3 by default.",
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
            help="For `noise-shift` and `noise-aware`: SNRs of the training in dB, 6 by default.",
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
            help="For `noise-shift` and `noise-aware`: SNRs of the test in dB, 0 and -6 by default.",
            metavar="DB",
            example="0,-6",
            rule=_SNR,
            protocols=("noise-shift", "noise-aware"),
        ),
    )
    supplemental_events: int | None = field(
        default=None,
        metadata=option(
            help="For `noise-aware`: training events of each case in the split `supplemental`, a tenth by default.",
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
            help="For `few-shot`: anomalous events of each condition in the split `support`, 1 by default.",
            metavar="N",
            example="2",
            rule=at_least(1),
            protocols=("few-shot",),
        ),
    )
    unseen_parts: tuple[str, ...] = field(
        default=(),
        metadata=option(
            help="For `few-shot`: parts whose damage is in the test alone, such as `belt`.",
            metavar="PART",
            example="last_carriage",
            protocols=("few-shot",),
        ),
    )
    window_s: Seconds | None = field(
        default=None,
        metadata=option(
            help="For `cnt-to-ind`: length of the windows in seconds, by default that of the toy's IND clips.",
            metavar="S",
            example="5",
            rule=_WINDOW,
            protocols=("cnt-to-ind",),
        ),
    )
    hop_s: Seconds | None = field(
        default=None,
        metadata=option(
            help="For `cnt-to-ind`: from one window to the next in seconds, by default the windows' length.",
            metavar="S",
            example="2.5",
            rule=_WINDOW,
            protocols=("cnt-to-ind",),
        ),
    )
    shared_noise: bool = field(
        default=False,
        metadata=option(help="Let train and test hear the same noise recordings.", key="is_noise_shared"),
    )
    max_events: int | None = field(
        default=None,
        metadata=option(
            help="A quick look: at most N events a split, case and label.",
            metavar="N",
            example="20",
            rule=at_least(1),
        ),
    )
    seed: int = field(
        default=0, metadata=option(help="Seed of every draw.", metavar="N", example="1", rule=at_least(0))
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
            expected = f"a protocol other than {apart[0]}, whose point is noise unheard before"
            raise options["shared_noise"].refusal(expected, "on")
        if self.faithful and self.channels not in (None, "1", "mix"):
            raise options["channels"].refusal("the paper's, for --faithful", self.channels)

    def _settle_stack(self) -> None:
        """Require several microphones in one clip where a protocol is about these, and say which where nobody did.

        Whether clips are stacked holds for all of a recipe, so that several protocols need one choice.
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
    """Return the only protocol that chosen options can mean, and the option that says so.

    Args:
        chosen: Values by the names of their fields.

    Returns:
        Protocol and option, where no protocol is chosen and one option is of a single other one; else None.
    """
    if chosen.get("protocols"):
        return None
    defaults = defaults_of(PlanOptions)
    for name, one in options_of(PlanOptions).items():
        is_chosen = name in chosen and chosen[name] != defaults.get(name)
        if is_chosen and len(one.protocols) == 1 and one.protocols != defaults["protocols"]:
            return one.protocols[0], one.flag
    return None
