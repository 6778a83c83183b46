"""The last step of a preparation: a folder shows the old dataset, the new one, or nothing, whatever cuts it.

Plain `datasets` opens whatever Parquet or JSON files it finds, unless a card says which. So no file of a dataset may
lie in the folder without the card that belongs to it. `put_in_place` goes through these states; in brackets is what
plain `datasets` then opens:

1. Card, recipe and manifest are written to `.partial/ready/`, beside the shards in `.partial/data/` [old].
2. The old manifest, recipe, shards and card are moved to `.partial/replaced/`, in this order [old, then nothing].
3. The new card, recipe, shards and manifest are moved into the folder, in this order [nothing, then new].
4. `.partial/` is removed [new].

Nothing is written after the first state, so a disk that fills up is noticed while the old dataset is whole. Until the
manifest, which comes last, is there, everything can be taken back: `take_back` does the same steps in reverse.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from toyadmos_datasets.files.atomic import sync_folder, write_text
from toyadmos_datasets.values.dataset import (
    CARD_NAME,
    DATA_NAME,
    MANIFEST_NAME,
    PARTIAL_NAME,
    READY_NAME,
    RECIPE_NAME,
    REPLACED_NAME,
    Manifest,
    is_committing,
    write_manifest,
)
from toyadmos_datasets.values.recipe import Recipe, write_recipe

_HIDDEN_IN_ORDER = (MANIFEST_NAME, RECIPE_NAME, DATA_NAME, CARD_NAME)
_SHOWN_IN_ORDER = (CARD_NAME, RECIPE_NAME, DATA_NAME, MANIFEST_NAME)


def put_in_place(folder: Path, manifest: Manifest, recipe: Recipe, card: str) -> None:
    """Replace what a folder shows by the shards in its `.partial/data/` and what describes them.

    Raises:
        OSError: A step failed; what was done can be taken back.
        DiskFullError: There is no room for what describes the shards; the folder shows what it showed.
        OutputError: It could not be written; the folder shows what it showed.
    """
    partial = folder / PARTIAL_NAME
    replaced = partial / REPLACED_NAME
    if replaced.exists():  # of a commit that was cut while it cleaned up
        shutil.rmtree(replaced)
    ready = partial / READY_NAME
    write_text(ready / CARD_NAME, card)
    write_recipe(recipe, ready / RECIPE_NAME)
    write_manifest(ready, manifest)
    replaced.mkdir()
    for name in _HIDDEN_IN_ORDER:
        if (folder / name).exists():
            _move(folder / name, replaced / name)
    for name in _SHOWN_IN_ORDER:
        _move(_made(folder, name), folder / name)
    shutil.rmtree(partial)


def take_back(folder: Path) -> None:
    """Undo a commit that was cut, if one was: the old dataset is whole again, the new one's shards are as finished.

    Raises:
        OSError: A step failed; the next call goes on from there.
    """
    if not is_committing(folder):
        return
    for name in reversed(_SHOWN_IN_ORDER):
        if (folder / name).exists() and not _made(folder, name).exists():
            _move(folder / name, _made(folder, name))
    for name in reversed(_HIDDEN_IN_ORDER):
        hidden = folder / PARTIAL_NAME / REPLACED_NAME / name
        if hidden.exists():
            _move(hidden, folder / name)


def _made(folder: Path, name: str) -> Path:
    """Return where a part of the new dataset lies until it is shown."""
    partial = folder / PARTIAL_NAME
    return partial / name if name == DATA_NAME else partial / READY_NAME / name


def _move(path: Path, to: Path) -> None:
    """Move a file or folder, so that a machine without power does not do later steps first."""
    path.replace(to)
    sync_folder(to.parent)
    sync_folder(path.parent)
