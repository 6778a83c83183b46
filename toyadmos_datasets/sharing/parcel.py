"""The files to share: a prepared dataset, or only what is needed to make it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toyadmos_datasets.corpus.facts import CITATION, LICENSE_NAME, LICENSE_URL, RECORD_URL
from toyadmos_datasets.errors import DatasetError
from toyadmos_datasets.escaping import escaped, markdown_code, markdown_text, shell_word
from toyadmos_datasets.files.checked_json import front_matter
from toyadmos_datasets.files.reading import raise_system_fault, sha256_of
from toyadmos_datasets.units import Bytes
from toyadmos_datasets.values.manifest import (
    CARD_NAME,
    MANIFEST_NAME,
    RECIPE_NAME,
    check_shard_sizes,
    read_manifest,
)
from toyadmos_datasets.values.shared_recipe import SUFFIX, SharedRecipe, read_shared_recipe


def recipe_card(shared: SharedRecipe, file_name: str) -> str:
    """Write the page that says what the recipe is of and how the dataset is made of it; the same for the same one."""
    is_simulated = bool(shared.source["is_simulated"])
    configs = ", ".join(shared.recipe.configs)
    title = f"ToyADMOS {', '.join(shared.toys)}{' (simulated)' if is_simulated else ''}: recipe of {configs}"
    front: dict[str, Any] = {
        "pretty_name": title,
        "license": "other",
        "license_name": "toyadmos-evaluation",
        "license_link": LICENSE_URL,
        "tags": ["anomalous-sound-detection", "ToyADMOS", "recipe", *(["simulated"] if is_simulated else [])],
        "viewer": False,
    }
    sections = [front_matter(front), f"# {markdown_text(title)}\n", _what(shared, file_name, is_simulated=is_simulated)]
    return "\n".join([*sections, _rebuilding(shared, file_name), _counts(shared), _end(is_simulated=is_simulated)])


def _what(shared: SharedRecipe, file_name: str, *, is_simulated: bool) -> str:
    corpus = "a simulated corpus" if is_simulated else f"[ToyADMOS]({RECORD_URL})"
    return (
        f"This holds **no audio**. {markdown_code(file_name)} says which recordings of {corpus}, which stretches of "
        "noise and which levels make up a dataset, with the hash of every clip and of every shard that comes of it, so "
        f"that users with the recordings make the same bytes. Recipe `{shared.recipe.sha256}`.\n"
    )


def _rebuilding(shared: SharedRecipe, file_name: str) -> str:
    requests = "\nBeside that, or later:\n\n".join(map(_request_table, shared.requests))
    versions = ", ".join(markdown_text(f"{name} {version}") for name, version in sorted(shared.versions.items()))
    notes = "".join(f"- {markdown_text(note)}\n" for note in shared.recipe.notes)
    typed = escaped(shell_word(file_name))
    return (
        "## How to make the dataset\n\n"
        "    pip install toyadmos-datasets\n"
        f"    toyadmos fetch-recipe hf://datasets/USER/NAME -o {typed}\n"
        f"    toyadmos recipe show {typed}\n"
        f"    toyadmos recipe rebuild {typed} --out data/rebuilt\n\n"
        "The second line takes the recipe from wherever it is shared. The recordings come from the official record or, "
        "with `--source`, from a copy; the last line compares what it made with the hashes, and says which stage moved "
        f"if other versions gave other bytes. It was made with {versions}.\n\n"
        f"{notes}\nIt was prepared with:\n\n{requests}"
    )


def _request_table(request: Mapping[str, Any]) -> str:
    rows = "\n".join(f"| {markdown_code(name)} | {markdown_code(request[name])} |" for name in sorted(request))
    return f"| option | value |\n| --- | --- |\n{rows}\n"


def _counts(shared: SharedRecipe) -> str:
    kinds = dict.fromkeys((shard.config, shard.split) for shard in shared.shards)
    rows = []
    for config, split in kinds:
        mine = [shard for shard in shared.shards if (shard.config, shard.split) == (config, split)]
        n_bytes = sum(shard.n_bytes for shard in mine)
        rows.append(f"| `{config}` | {split} | {sum(shard.n_rows for shard in mine)} | {len(mine)} | {n_bytes} |")
    header = "| config | split | clips | shards | bytes |\n| --- | --- | --- | --- | --- |\n"
    return "## Counts\n\n" + header + "\n".join(rows) + "\n"


def _end(*, is_simulated: bool) -> str:
    what = (
        "The recordings were synthesised: do not report results on them as results on ToyADMOS."
        if is_simulated
        else f"The recordings are under the [{LICENSE_NAME}]({LICENSE_URL}), which forbids passing them on."
    )
    return f"## Licence\n\n{what}\n\n## Citation\n\n```bibtex\n{CITATION}```\n"


SHARED_NAME = f"dataset{SUFFIX}"
"""The recipe, where it is shared without audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A file that is sent.

    Attributes:
        path: Where it belongs at the destination, forward slashes.
        n_bytes: Its size.
        sha256: Hash of its bytes, hex.
        source: The file on the disk, or its bytes.
    """

    path: str
    n_bytes: Bytes
    sha256: str
    source: Path | bytes

    def check(self) -> None:
        """Raise if the file on the disk is no longer what its manifest says: damage is not passed on.

        Raises:
            DatasetError: It was changed.
        """
        if isinstance(self.source, bytes):
            return
        actual = sha256_of(self.source)
        if actual != self.sha256:
            raise DatasetError(
                "A shard was changed since it was written, and is not sent.",
                where=self.source,
                expected=f"sha256 {self.sha256}",
                actual=f"sha256 {actual}",
                remedy="Look for what else is damaged: toyadmos verify DIR. Then prepare it again with --overwrite.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Everything that is sent.

    Attributes:
        toy: ``ToyTrain``, or several.
        recipe_sha256: Hash of the recipe of the dataset that it is about.
        files: All files but the last one.
        last: What makes the copy whole: it is sent when everything else is there.
        has_audio: Whether recordings of the corpus are in it, which must not become public.
    """

    toy: str
    recipe_sha256: str
    files: tuple[Outgoing, ...]
    last: Outgoing
    has_audio: bool

    @property
    def all_files(self) -> tuple[Outgoing, ...]:
        """All files, in the order in which they are sent."""
        return (*self.files, self.last)


def dataset_parcel(folder: Path) -> Parcel:
    """Gather a prepared folder, audio and all.

    Raises:
        DatasetError: The folder holds no whole dataset.
    """
    manifest = read_manifest(folder)
    check_shard_sizes(folder, manifest.shards)
    shards = [
        Outgoing(path=shard.path, n_bytes=shard.n_bytes, sha256=shard.sha256, source=folder / shard.path)
        for shard in manifest.shards
    ]
    return Parcel(
        toy=manifest.toys_text,
        recipe_sha256=manifest.recipe_sha256,
        files=(*shards, _of_file(folder, RECIPE_NAME), _of_file(folder, CARD_NAME)),
        last=_of_file(folder, MANIFEST_NAME),
        has_audio=True,
    )


def recipe_parcel(shared: Path) -> Parcel:
    """Gather a shared recipe, and a card that says what to do with it.

    Raises:
        DatasetError: The file is no shared recipe.
    """
    recipe = read_shared_recipe(shared)
    return Parcel(
        toy=", ".join(recipe.toys),
        recipe_sha256=recipe.recipe.sha256,
        files=(_of_bytes(CARD_NAME, recipe_card(recipe, SHARED_NAME).encode()),),
        last=_of_bytes(SHARED_NAME, shared.read_bytes()),
        has_audio=False,
    )


def _of_file(folder: Path, name: str) -> Outgoing:
    """Take a small file as it is now: the manifest has no hash of it."""
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise_system_fault(error, path)
        raise DatasetError(
            "A file of the dataset is missing.",
            where=path,
            actual=error.strerror,
            remedy="Prepare the folder again with the same command and --overwrite.",
        ) from error
    return _of_bytes(name, content)


def _of_bytes(path: str, content: bytes) -> Outgoing:
    sha256 = hashlib.sha256(content).hexdigest()
    return Outgoing(path=path, n_bytes=len(content), sha256=sha256, source=content)
