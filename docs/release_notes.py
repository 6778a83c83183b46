"""Print what CHANGELOG.md says of a release.

python docs/release_notes.py 0.1.0
python docs/release_notes.py            what is not released yet
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def notes_of(changelog: str, release: str) -> str:
    """Return the text under a release's heading."""
    _, *parts = re.split(r"^## \[([^\]]+)\].*\n", changelog, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    if release not in sections:
        sys.exit(f"CHANGELOG.md has no section {release}; it has: {', '.join(sections)}")
    return sections[release].strip("\n") + "\n"


if __name__ == "__main__":
    print(notes_of(CHANGELOG.read_text(encoding="utf-8"), sys.argv[1] if len(sys.argv) > 1 else "Unreleased"), end="")
