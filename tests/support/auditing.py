"""How tests of the audit look at what it found, and what they give it."""

from __future__ import annotations

import soundfile


def found_in(report, severity):
    """What was found of a severity: sentence -> places."""
    return {one.what: one.places for one in report.findings if one.severity == severity}


def first_changed(**values):
    """Give the first row other values; a callable makes them of the row."""

    def change(rows):
        new = {name: value(rows[0]) if callable(value) else value for name, value in values.items()}
        return [rows[0] | new, *rows[1:]]

    return change


def write_wav(path, samples, rate_hz=16_000, subtype="PCM_16"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype=subtype)
