"""What a fetch tells while it goes on, and at its end."""

from __future__ import annotations

import contextlib

from remote import CHANNEL_1, Said, fetched

from toyadmos_datasets.engine.progress import Quiet


def test_progress_is_told_over_all_and_for_each_block(fetch_options):
    class Stages(Quiet):
        def __init__(self):
            self.told = {}

        @contextlib.contextmanager
        def stage(self, what, total, unit):
            self.told[what.strip()] = (total, [])
            yield self.told[what.strip()][1].append

    stages = Stages()

    fetched(fetch_options, CHANNEL_1, progress=stages)

    total, done = stages.told["Fetching ToyTrain"]
    assert total > 0
    assert sorted(done) == done
    assert done[-1] >= total * 0.9
    blocks = {what: told for what, told in stages.told.items() if what.startswith("block ")}
    assert blocks
    assert all(told[0] >= told[1][-1] > told[0] * 0.9 for told in blocks.values())


def test_the_last_line_says_what_was_fetched_reused_and_verified(fetch_options):
    said = Said()

    fetched(fetch_options, CHANNEL_1, progress=said)

    assert "Fetched" in said.lines[-1]
    assert "were there" in said.lines[-1]
    assert "CRC32" in said.lines[-1]
