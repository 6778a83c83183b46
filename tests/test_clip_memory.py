"""Memory that clips share one after the other: what comes out is what was put in, and little of it is made anew."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toyadmos_datasets.rendering.clip_memory import ClipColumn, Scratch
from toyadmos_datasets.values.columns import CLIP_TYPE

CLIPS = st.lists(st.none() | st.lists(st.binary(max_size=60), max_size=3), max_size=8)


def bytes_of(parts):
    return [np.frombuffer(part, np.uint8) for part in parts]


@given(st.lists(CLIPS, max_size=4))
def test_every_group_has_its_own_clips_in_the_same_memory(groups):
    column = ClipColumn()
    for clips in groups:
        column.clear()
        for number, parts in enumerate(clips):
            column.add_none() if parts is None else column.add(bytes_of(parts), f"{number}.wav")

        array = column.array()

        array.validate(full=True)
        assert array.type == CLIP_TYPE
        assert array.to_pylist() == [
            None if parts is None else {"bytes": b"".join(parts), "path": f"{number}.wav"}
            for number, parts in enumerate(clips)
        ]


def test_an_array_is_made_anew_only_for_a_longer_clip():
    scratch = Scratch()
    first = scratch.floats(0, 1000)

    assert scratch.floats(0, 900) is first
    assert scratch.floats(1, 900) is not first
    assert len(scratch.floats(0, 5000)) >= 5000
