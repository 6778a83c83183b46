"""What is odd about the clips of a dataset, in two lines on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toyadmos_datasets.values.health import Health, HealthCount

SHOWN_CONDITIONS = 4
"""How many conditions a flag is told of at most."""


def health_lines(health: Health, *, label: str = "Health: ") -> list[str]:
    """Say what there is, and what `--exclude` would take away.

    Args:
        health: What was counted.
        label: What the first line begins with.
    """
    if not health.counts:
        found = ["nothing is odd about any clip."]
    else:
        found = [
            "; ".join(_flag_text(health, flag) for flag in health.flags) + ".",
            _would_leave_out(health),
        ]
    if health.n_left_out_events:
        found.append(f"{_of(health.n_left_out_events, 'event')} ({_of(health.n_left_out_clips, 'clip')}) left out.")
    return [f"{label}{found[0]}", *(" " * len(label) + line for line in found[1:])]


def _would_leave_out(health: Health) -> str:
    clips = f"{health.n_clips} of {_of(health.n_clips_in_all, 'clip')}"
    # What is left out already stays so only if the option goes on naming it.
    adding = f"Adding {','.join(health.flags)} to --exclude" if health.n_left_out_events else health.option
    return f"{adding} would leave out {_of(health.n_events, 'event')}, {clips}, and change no other."


def _flag_text(health: Health, flag: str) -> str:
    """Return such as ``3 events near_silent (normal 2, ab01 1)``."""
    counts = [count for count in health.counts if count.flag == flag]
    heard = [count for count in counts if count.part == "target"]
    noises = sum(count.n_clips for count in counts if count.part == "noise")
    told = [f"{_of(sum(one.n_events for one in heard), 'event')} {flag} ({_conditions(heard)})"] if heard else []
    told += [f"{_of(noises, 'clip')} with noise of zeros"] if noises else []
    return ", ".join(told)


def _conditions(counts: list[HealthCount]) -> str:
    shown = [f"{count.condition} {count.n_events}" for count in counts[:SHOWN_CONDITIONS]]
    rest = sum(count.n_events for count in counts[SHOWN_CONDITIONS:])
    return ", ".join([*shown, *([f"other {rest}"] if rest else [])])


def _of(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
