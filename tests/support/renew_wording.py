"""Renew tests/golden/error_wording.txt: what errors say in the tests, word for word.

python tests/support/renew_wording.py                     # every test; entries that no test has any more are dropped
python tests/support/renew_wording.py tests/test_wav.py   # only these, with any arguments of pytest
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wording import GOLDEN, RENEWING, read_golden, write_golden

ROOT = Path(__file__).parents[2]


def renewed(golden: dict[str, list[str]], folder: Path, *, whole: bool) -> dict[str, list[str]]:
    """Return the golden file's content with what tests noted in `folder`.

    A test that was skipped or failed keeps its entries, and so does one that was not chosen, unless `whole` says that
    all were.
    """
    collected = set(_noted(folder, "collected"))
    kept = {name: texts for name, texts in golden.items() if name in collected or not whole}
    return kept | dict(_noted(folder, "seen"))


def _noted(folder: Path, kind: str) -> Iterator[Any]:
    for path in folder.glob(f"*.{kind}"):
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def main(arguments: list[str]) -> int:
    """Run the tests and write what their errors said."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", *(arguments or ["-n", "auto", "--dist", "loadfile"])]
        status = subprocess.run(command, cwd=ROOT, env={**os.environ, RENEWING: folder}, check=False).returncode
        write_golden(renewed(read_golden(), Path(folder), whole=not arguments))
    sys.stdout.write(f"{GOLDEN.relative_to(ROOT)} is renewed: look at its changes with git diff\n")
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
