"""Sets of byte ranges, against sets of single bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.archives.remote.block_ranges import ByteRanges, merged

RANGES = st.tuples(st.integers(0, 40), st.integers(0, 40))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), RANGES), max_size=25)


def built(steps):
    spans, single = ByteRanges(), set()
    for verb, (start, stop) in steps:
        getattr(spans, verb)(start, stop)
        single = single | set(range(start, stop)) if verb == "add" else single - set(range(start, stop))
    return spans, single


@given(STEPS)
def test_they_hold_the_bytes_that_were_put_in_and_not_taken_out(steps):
    spans, single = built(steps)

    assert {byte for start, stop in spans for byte in range(start, stop)} == single
    assert spans.n_bytes == len(single)


@given(STEPS)
def test_they_are_sorted_and_never_touch(steps):
    bounds = [bound for span in built(steps)[0] for bound in span]

    assert bounds == sorted(set(bounds))


@given(STEPS, RANGES)
def test_gaps_are_what_is_missing_of_a_range(steps, asked):
    spans, single = built(steps)

    missing = {byte for start, stop in spans.gaps(*asked) for byte in range(start, stop)}

    assert missing == set(range(*asked)) - single
    assert spans.covers(*asked) == (not missing)


@given(STEPS, st.integers(0, 45))
def test_the_reach_ends_at_the_first_missing_byte(steps, start):
    spans, single = built(steps)

    reach = spans.reach(start)

    assert set(range(start, reach)) <= single
    assert reach not in single


@given(st.lists(RANGES, max_size=8), st.integers(0, 10))
def test_merging_adds_nothing_but_small_gaps(ranges, max_gap):
    joined = merged(ranges, gap_share=0.5, max_gap=max_gap)

    plain = ByteRanges(ranges)
    assert all(any(a <= start and stop <= b for a, b in joined) for start, stop in plain)
    for start, stop in joined:
        assert all(b - a <= max_gap for a, b in plain.gaps(start, stop))
