"""Amounts as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.units import format_bytes, format_duration


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (197_082_716_968, "197.1 GB"),
        (2_500_000_000_000, "2.5 TB"),
        (-1500, "-1.5 kB"),
    ],
)
def test_bytes_are_written_with_decimal_prefixes(n_bytes, text):
    assert format_bytes(n_bytes) == text


@given(st.integers(min_value=0, max_value=10**15))
def test_written_bytes_are_within_half_of_the_last_digit(n_bytes):
    number, unit = format_bytes(n_bytes).split()
    scale = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}[unit]

    assert abs(float(number) * scale - n_bytes) <= 0.0501 * scale
    assert float(number) < 1000 or unit == "TB"


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (12.3, "12 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_written_as_people_say_them(duration_s, text):
    assert format_duration(duration_s) == text


@given(st.floats(min_value=0, max_value=10**6))
def test_a_written_duration_never_has_sixty_of_anything(duration_s):
    parts = re.findall(r"([\d.]+) (s|min|h)", format_duration(duration_s))

    assert all(float(number) < 60 for number, unit in parts if unit != "h")
