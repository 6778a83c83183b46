"""What every test file stands on."""

from __future__ import annotations

from hypothesis import settings

# A wall-clock limit an example would fail tests that sync files on a busy disk. Examples derive from the test's
# own name, so that a run in CI can be had again; `--hypothesis-profile=search` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("repeatable")
