"""Every protocol: its name, the task it is for and its splits."""

from __future__ import annotations

from dataclasses import dataclass

from toyadmos_datasets.corpus.facts import paper_experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A ready-made way to split and mix.

    Attributes:
        name: Name for ``--protocol``.
        task: Task that it defines.
        splits: Splits of its configs; optional ones in brackets.
        toys: Toys that it supports.
        recording_types: Types of machine recordings that it uses; noise does not count.
        is_papers: Whether case and channel are the paper's by default.
        is_always_mixed: Whether all of its clips contain noise, without ``--snr``.
        is_noise_apart: Whether it tests on unseen noise, so that no two splits may share any.
        default_channels: Default of ``--channels``, unless the paper's holds.
        has_stems: Whether it always keeps target and noise in columns of their own.
    """

    name: str
    task: str
    splits: tuple[str, ...]
    toys: tuple[str, ...] = ("ToyCar", "ToyConveyor", "ToyTrain")
    recording_types: tuple[str, ...] = ("IND",)
    is_papers: bool = False
    is_always_mixed: bool = False
    is_noise_apart: bool = False
    default_channels: str = "1"
    has_stems: bool = False

    def cases(self, toy: str) -> tuple[int, ...] | None:
        """Return the default cases; None for all of the source."""
        return (paper_experiment(toy).case,) if self.is_papers else None

    def channels(self, toy: str) -> str:
        """Return the default of ``--channels``."""
        return paper_experiment(toy).channel if self.is_papers else self.default_channels


HELD_OUT = ("(validation)", "(calibration)")
"""Splits that every protocol has where they are asked for."""

PROTOCOLS = (
    Protocol(
        name="waspaa2019",
        task="unsupervised detection, the paper's experiment",
        splits=("train", *HELD_OUT, "test"),
        is_papers=True,
        is_always_mixed=True,
    ),
    Protocol(
        name="basic",
        task="unsupervised detection, clean or at SNRs of your choice",
        splits=("train", *HELD_OUT, "test"),
    ),
    Protocol(
        name="leave-one-case-out",
        task="domain adaptation from machine to machine",
        splits=("train", *HELD_OUT, "(adapt)", "test"),
    ),
    Protocol(
        name="noise-shift",
        task="domain shift of noise and its level",
        splits=("train", *HELD_OUT, "test"),
        is_always_mixed=True,
        is_noise_apart=True,
    ),
    Protocol(
        name="noise-aware",
        task="detection with a near and a far microphone, as in DCASE 2026 task 2",
        splits=("train", *HELD_OUT, "(supplemental)", "test"),
        is_always_mixed=True,
        is_noise_apart=True,
        default_channels="1,3",
        has_stems=True,
    ),
    Protocol(
        name="few-shot",
        task="detection with a few anomalous examples",
        splits=("train", *HELD_OUT, "support", "test"),
    ),
    Protocol(
        name="cnt-to-ind",
        task="training on continuous operation, as in a factory",
        splits=("train", *HELD_OUT, "test"),
        recording_types=("IND", "CNT"),
    ),
    Protocol(
        name="dcase2020",
        task="the split of DCASE 2020 task 2 for these toys",
        splits=("train", *HELD_OUT, "test"),
        toys=("ToyCar", "ToyConveyor"),
        is_always_mixed=True,
    ),
)
"""All protocols, in the order of listings."""


def protocol_named(name: str) -> Protocol:
    """Find a protocol.

    Raises:
        KeyError: There is no such protocol. Callers check options first.
    """
    return {protocol.name: protocol for protocol in PROTOCOLS}[name]
