"""Compares requested and achieved SNR, from the stems if a dataset keeps them, else from its columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from toyadmos_datasets.auditing.audit_clips import floats, located
from toyadmos_datasets.auditing.findings import Findings, SnrCheck
from toyadmos_datasets.auditing.health_check import TOLERANCE_DB, rounding_db

Array = npt.NDArray[np.float64]

_WRONG = f"The achieved SNR is not what was asked for: off by over {TOLERANCE_DB} dB."


def check_snrs(
    clips: pa.Table,
    findings: Findings,
    *,
    reference: str,
    weighting: str | None = None,
    excluded: pa.Table | None = None,
) -> tuple[SnrCheck, ...]:
    """Compare the SNR of every clip, or of every group of clips, with what was asked for.

    With R the reference level, N the level of the noise as mixed and s the SNR asked for, all in dB, R - N = s. For
    the reference ``clip`` R is the level T of the clip's target, for ``active`` T and N are those of the frames where
    the target is active, and for ``corpus`` R is the mean power of the normal targets of a config, case and channel.
    Stems give T and N. Without them the column of the achieved SNR gives a = T - N: then a = s for ``clip`` and
    ``active``, and for ``corpus``, as T - R = a - s, the mean of 10^((a - s) / 10) over these normal clips is 1. In
    that mean several SNRs are together; but T - R is that of the target, so a - s is the same for all clips of one
    target, whatever their SNR and their noise: each is compared with another of them.

    Normal targets that were left out of a dataset are a part of that mean too, and nobody hears them: there R is what
    the dataset says.

    Args:
        clips: Table with `CLIPS_SCHEMA`.
        findings: Where to put what is found.
        reference: Level that the SNR is relative to.
        weighting: How levels take frequencies, as the dataset's recipe says.
        excluded: What was left out after it had been planned, with a recipe's columns.
    """
    incomplete = _incomplete(excluded) if excluded is not None and reference == "corpus" else set()
    asked = clips.filter(pc.and_(clips["snr_db"].is_valid(), clips["fault"].is_null()))
    checks: list[SnrCheck] = []
    for config in pc.unique(asked["config"]).to_pylist():
        means = _Means(
            reference=reference,
            weighting=weighting,
            incomplete=frozenset((case, channel) for name, case, channel in incomplete if name == config),
        )
        checks += _of_config(asked.filter(pc.equal(asked["config"], config)), findings, config, means)
    for row in clips.filter(pc.greater(pc.fill_null(clips["stem_error"], 0), 1)).to_pylist():
        said = located(row, f"up to {row['stem_error']} steps apart")
        findings.add("problem", "Target and noise do not add up to the clip.", said)
    return tuple(checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """What SNRs of one config are relative to.

    Attributes:
        reference: ``corpus``, ``clip`` or ``active``.
        weighting: How levels take frequencies.
        incomplete: Cases and channels some of whose normal clips were left out.
    """

    reference: str
    weighting: str | None
    incomplete: frozenset[tuple[int, int]]


def _incomplete(excluded: pa.Table) -> set[tuple[str, int, int]]:
    normal = excluded.filter(pc.equal(excluded["label"], "normal"))
    return set(zip(*(normal[name].to_pylist() for name in ("config", "case", "channel")), strict=True))


def _of_config(clips: pa.Table, findings: Findings, config: str, means: _Means) -> Iterator[SnrCheck]:
    asked, reference = floats(clips, "snr_db"), means.reference
    has_stems = clips["compared_noise_db"].null_count == 0
    errors, tolerance = _errors_of_stems(clips, means) if has_stems else _errors_of_columns(clips, means)
    achieved = floats(clips, "compared_target_db") - floats(clips, "compared_noise_db")
    if not has_stems:
        achieved = floats(clips, _achieved(reference))
    for number in np.flatnonzero(np.abs(errors) > tolerance).tolist():
        row = clips.slice(number, 1).to_pylist()[0]
        said = f"{asked[number]:g} dB asked for, {asked[number] + errors[number]:.3f} dB there"
        findings.add("problem", _WRONG, located(row, said))
    for snr_db in np.unique(asked).tolist():
        mine = asked == snr_db
        compared = np.isfinite(errors) & mine
        known = achieved[mine & np.isfinite(achieved)]
        if not len(known):
            continue
        yield SnrCheck(
            config=config,
            requested_db=snr_db,
            reference=reference,
            is_from_stems=has_stems,
            n_clips=int(np.count_nonzero(mine)),
            n_groups=int(np.count_nonzero(compared)),
            largest_error_db=float(np.abs(errors[compared]).max()) if compared.any() else None,
            clips_db=(float(known.min()), float(np.median(known)), float(known.max())),
        )


def _errors_of_stems(clips: pa.Table, means: _Means) -> tuple[Array, Array]:
    """Return how far each clip is off, and how far it may be: stems are rounded, which adds a little power."""
    target, noise = floats(clips, "compared_target_db"), floats(clips, "compared_noise_db")
    referred = target
    if means.reference == "corpus":
        referred = floats(clips, "reference_level_db") - floats(clips, "headroom_db")
        for group, chosen in _groups(clips, means):
            referred[group] = 10 * np.log10(np.mean(10 ** (target[chosen] / 10)))
    tolerance = TOLERANCE_DB + rounding_db(target) + rounding_db(noise)
    return referred - noise - floats(clips, "snr_db"), tolerance


def _errors_of_columns(clips: pa.Table, means: _Means) -> tuple[Array, Array]:
    """Return how far the clips are off; NaN for a clip that nothing can be said of.

    For the reference ``corpus`` that is how far the mean of a group is off, for its first clip, and how far a clip is
    off from another of the same target. A target of digital zeros has no SNR, and no power in that mean. Where the
    mean is not all there, T - R of the dataset's own levels stands against a - s.
    """
    off = floats(clips, _achieved(means.reference)) - floats(clips, "snr_db")
    tolerance = np.full(len(clips), TOLERANCE_DB)
    if means.reference != "corpus":
        return off, tolerance
    target = floats(clips, "target_level_db")
    with np.errstate(invalid="ignore"):  # zeros have neither level nor SNR
        errors = off - (target - floats(clips, "reference_level_db"))
    if means.weighting is not None:  # the level of the target is not
        errors[:] = np.nan
    errors[np.concatenate([np.empty(0, dtype=np.int64), *(group for group, _ in _groups(clips, means))])] = np.nan
    for rows in _of_one_target(clips):
        errors[rows] = _larger(errors[rows], off[rows] - np.roll(off[rows], 1))
    off[np.isneginf(target)] = -np.inf
    for group, chosen in _groups(clips, means):
        known = chosen[~np.isnan(off[chosen])]
        if np.isfinite(off[known]).any():
            mean = float(10 * np.log10(np.mean(10 ** (off[known] / 10))))
            errors[group[0]] = max(mean, float(np.nan_to_num(errors[group[0]])), key=abs)
    return errors, tolerance


def _larger(some: Array, others: Array) -> Array:
    """Return the errors of larger magnitude; those that are known, where one of two is."""
    is_other = np.isnan(some) | (np.abs(others) > np.abs(some))
    return np.where(is_other & ~np.isnan(others), others, some)


def _of_one_target(clips: pa.Table) -> Iterator[list[int]]:
    """Yield the clips of each target that several have, at other SNRs or with other noise."""
    names = ("recording_ids", "target_start", "n_samples")
    by_target: dict[str, list[int]] = defaultdict(list)
    for number, key in enumerate(zip(*(clips[name].to_pylist() for name in names), strict=True)):
        by_target[repr(key)].append(number)
    yield from (rows for rows in by_target.values() if len(rows) > 1)


def _achieved(reference: str) -> str:
    """Name the column that the reference's SNR is achieved in."""
    return "snr_active_db" if reference == "active" else "snr_achieved_db"


def _groups(clips: pa.Table, means: _Means) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield the clips of each case and channel, and those among them that the reference ``corpus`` is made of.

    Cases and channels that are not all there are passed over.
    """
    cases, channels = (floats(clips, name) for name in ("case", "channel"))
    is_normal = pc.equal(clips["label"], "normal").to_numpy()
    is_ind = pc.fill_null(pc.equal(clips["recording_type"], "IND"), fill_value=False).to_numpy()
    for case, channel in sorted(set(zip(cases.tolist(), channels.tolist(), strict=True))):
        if (case, channel) in means.incomplete:
            continue
        members = (cases == case) & (channels == channel)
        chosen = members & is_normal & is_ind
        if not chosen.any():
            chosen = members & is_normal
        yield np.flatnonzero(members), np.flatnonzero(chosen)
