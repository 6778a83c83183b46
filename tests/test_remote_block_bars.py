"""A bar for each block that is fetched: opened with its first bytes, told nothing once it is closed."""

from __future__ import annotations

import contextlib

import pytest

from toyadmos_datasets.archives.remote.block_ranges import BlockProgress, WantedBlock
from toyadmos_datasets.archives.sevenzip.archive_contents import PackedBlock
from toyadmos_datasets.archives.sevenzip.coders import Coder
from toyadmos_datasets.engine.progress import Quiet

BLOCK = PackedBlock(
    number=0, offset=32, n_packed_bytes=1000, coders=(Coder(method="21", properties=b"\x10"),), sizes=(2000,)
)
HALF = WantedBlock(block=BLOCK, n_bytes=1000, n_members=1)
"""Half of it is wanted: 500 packed bytes, if it is packed evenly."""


class Strict(Quiet):
    """Progress that, as a terminal's, has no bar any more once its stage is over."""

    def __init__(self):
        self.open = []
        self.told = []

    @contextlib.contextmanager
    def stage(self, what, total, unit):
        self.open.append(what)

        def show(done):
            if what not in self.open:
                raise KeyError(what)
            self.told.append(done)

        yield show
        self.open.remove(what)


@pytest.fixture
def progress():
    return Strict()


@pytest.fixture
def bars(progress):
    return BlockProgress({0: HALF}, progress)


def test_a_bar_is_there_from_the_first_byte_of_its_block_on(bars, progress):
    bars.note(0, 32)
    assert not progress.open

    bars.note(32, 100)

    assert progress.open == ["  block 1 of 1"]


def test_more_bytes_than_were_reckoned_are_told_to_nobody(bars, progress):
    for position in range(BLOCK.offset, BLOCK.stop, 100):
        bars.note(position, 100)

    assert progress.told == [100, 200, 300, 400, 500]
    assert not progress.open


def test_bytes_that_come_after_the_end_open_no_bar(bars, progress):
    bars.note(32, 100)
    bars.end()

    bars.note(132, 100)

    assert not progress.open
    assert progress.told == [100]
