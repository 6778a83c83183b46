"""Whatever one damaged file holds, all that reads it gives the right answer or an error of ours, and lives.

`make drills` runs ten thousand; here it is some of each kind. What reads runs in processes of its own, so that one
that ends is a failure of this test, with what it read kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from baselines import NO_TORCH
from drilling import KINDS, add_runs, make_place

N_DRILLS = int(os.environ.get("TOYADMOS_DRILLS", "0"))
SEED = int(os.environ.get("TOYADMOS_DRILLS_SEED", "0"))
SHORT = {"folder": 15, "shared": 30, "table": 30, "forged": 30, "store": 6, "saved": 30}
"""How many of each kind in CI; run folders, for which torch is imported and trains, are left to the long form."""

ROUND = 100
"""Drills of one process; the next has another seed."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("drills"))


@pytest.mark.parametrize("kind", KINDS if N_DRILLS else SHORT)
def test_readers_of_a_damaged_file_give_the_right_answer_or_an_error_of_ours(place, baseline_cache, tmp_path, kind):
    if kind == "run":
        pytest.importorskip("torch", reason=NO_TORCH)
        add_runs(place)
    n_drills = N_DRILLS // len(KINDS) if N_DRILLS else SHORT[kind]

    for first in range(0, n_drills, ROUND):
        _drill(place, tmp_path, kind, SEED + first // ROUND, min(ROUND, n_drills - first))


def _drill(place: Path, kept: Path, kind: str, seed: int, n_drills: int) -> None:
    command = [
        sys.executable,
        str(Path(__file__).parent / "support" / "drilling.py"),
        str(place),
        kind,
        str(seed),
        str(n_drills),
    ]
    surroundings = {"HF_HOME": str(kept / "hub"), "TOYADMOS_CACHE": str(kept / "cache"), "TMPDIR": str(kept)}
    quiet = {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

    done = subprocess.run(
        command, env=os.environ | surroundings | quiet, capture_output=True, text=True, check=False, timeout=600
    )

    told = (
        f"{kind}, seed {seed}: {(place / 'notes' / 'path').read_text()} held what is in {place / 'notes' / 'damaged'}"
    )
    assert done.returncode == 0, f"{told}\n{done.stderr[-6000:]}"
