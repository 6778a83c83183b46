"""Drills: one file is damaged as a disk, an editor or an attacker would, then everything that reads it is run.

    python tests/drilling.py PLACE KIND SEED N

runs N of them on what `make_place` made, in a process of its own: what ends a process is seen from outside. Each
drill is written to PLACE/notes before its readers run, so that the last one can be had again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from mutating import mutated_bytes, mutated_json_bytes
from preparing import hashes, options
from tiny import TinyCorpus, write_tree

from toyadmos_datasets import load_dataset
from toyadmos_datasets.auditing import audit
from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.exporting.export_job import ExportOptions, export_dataset
from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.rebuild import RebuildOptions, rebuild
from toyadmos_datasets.planning.custom_table import read_examples
from toyadmos_datasets.sharing import diff_recipes, export_recipe, open_recipe
from toyadmos_datasets.values.recipe import RECIPE_SCHEMA, Recipe, read_recipe, write_recipe
from toyadmos_datasets.values.shared_recipe import read_shared_recipe, write_shared_recipe
from toyadmos_datasets.verifying import verify_dataset

SIDES = [("clean", "train"), ("clean", "test"), ("snr_6db", "train"), ("snr_6db", "test")]
WRONG: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from(["", "../x", "all", "ToyCar", "anomalous", "\x00", "x" * 5_000]) | st.text(max_size=4),
    "int8": st.integers(-128, 127),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats() | st.sampled_from([0.0, 1.0, -1e-300, 1e300]),
    "list": st.lists(st.text(max_size=3) | st.none(), max_size=6),
}
"""Values of the right type that may be wrong all the same, by the type's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill at work.

    Attributes:
        place: What `make_place` made; left as it is.
        work: A folder to damage things in.
        data: Draws the damage.
    """

    place: Path
    work: Path
    data: st.DataObject

    def copy(self, name: str) -> Path:
        """Copy a folder or file of the place."""
        source, target = self.place / name, self.work / name
        return Path(shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target))

    def damage(self, files: list[Path]) -> bytes:
        """Damage one of these files; return what it held before."""
        path = self.data.draw(st.sampled_from(sorted(files)))
        before = path.read_bytes()
        kinds = mutated_bytes(before)
        if path.suffix == ".json":
            kinds = mutated_json_bytes(json.loads(before))
        after = self.data.draw(kinds)
        path.write_bytes(after)
        _note(self.place, path, after)
        return before

    def seldom(self) -> bool:
        """Whether a slow reader is to run, too."""
        return self.data.draw(st.integers(0, 7)) == 0


def make_place(place: Path) -> Path:
    """Make a prepared folder with its source, store and recipes, and what was saved of it."""
    tree = write_tree(TinyCorpus(n_normal=4, n_noise=4, channels=(1,)).files(), place / "source")
    asked = options(tree, place, protocols=("basic",), snrs_db=(6.0,), out=place / "dataset")
    prepare(asked)
    export_recipe(place / "dataset", place / "mine.toyrecipe")
    rows = read_recipe(place / "dataset" / "recipe.parquet").examples
    (place / "table.csv").write_text(_as_csv(rows))
    load_dataset(place / "dataset", "clean", split="train").save_to_disk(place / "saved")
    truth = {"/".join(side): _rows(place / "dataset", *side) for side in SIDES}
    (place / "truth.json").write_text(json.dumps(truth | {"hashes": hashes(place / "dataset")}))
    (place / "notes").mkdir()
    return place


def add_runs(place: Path) -> None:
    """Add an evaluated run, to a place that has none; it takes torch."""
    from baselines import SYSTEM

    from toyadmos_datasets.options.presets import changed
    from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions
    from toyadmos_datasets.runs.evaluation import evaluate
    from toyadmos_datasets.runs.trainer import train

    heard = options(Path("simulate:tiny"), place, protocols=("basic",), channels="1", out=place / "heard")
    prepare(heard)
    short = changed(SYSTEM, {"epochs": 2})
    train(TrainOptions(dataset=place / "heard", out=place / "run", preset=short, device="cpu"))
    evaluate(EvaluateOptions(run=place / "run", device="cpu"))


def in_folder(drill: Drill) -> None:
    """Damage a prepared folder: rows are the right ones, or an error."""
    folder, truth = drill.copy("dataset"), _truth(drill)
    drill.damage([path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")])
    for side in SIDES:
        for streaming in (False, True):
            found = _or_error(lambda side=side, streaming=streaming: _rows(folder, *side, streaming=streaming))
            _require(found in (None, truth["/".join(side)]), f"other rows in {side}, streaming {streaming}")
    verdict = _or_error(lambda: verify_dataset(folder))
    if verdict is not None and verdict.is_good:
        _require(_shards(hashes(folder)) == _shards(truth["hashes"]), "verify finds damaged shards good")
        _require(read_recipe(folder / "recipe.parquet").sha256 == _recipe(drill).sha256, "verify finds another recipe")
    _or_error(lambda: open_recipe(folder))
    _or_error(lambda: diff_recipes(folder, drill.place / "mine.toyrecipe"))
    if drill.seldom():
        _or_error(lambda: audit(folder))
        _or_error(lambda: export_recipe(folder, drill.work / "again.toyrecipe"))
        _or_error(lambda: export_dataset(ExportOptions(folder=folder, layout="dcase2020", out=drill.work / "export")))
        asked = options(drill.place / "source", drill.place, protocols=("basic",), snrs_db=(6.0,), out=folder)
        _or_error(lambda: prepare(asked))


def in_shared_recipe(drill: Drill) -> None:
    """Damage a shared recipe: it is read as it was written, or an error."""
    path = drill.copy("mine.toyrecipe")
    drill.damage([path])
    right = read_shared_recipe(drill.place / "mine.toyrecipe").sha256
    found = _or_error(lambda: read_shared_recipe(path).sha256)
    _require(found in (None, right), "another recipe")
    _or_error(lambda: open_recipe(path))
    _or_error(lambda: read_examples(path))
    if drill.seldom():
        _or_error(lambda: audit(path))
        asked = RebuildOptions(
            file=path, source=str(drill.place / "source"), out=drill.work / "out", cache=drill.place / "cache"
        )
        report = _or_error(lambda: rebuild(asked))
        _require(report is None or report.is_same, "a damaged recipe gives other bytes")


def in_table(drill: Drill) -> None:
    """Damage a user's table, or forge a recipe whose hash is right: rows are valid, or an error."""
    path = drill.copy("table.csv")
    if drill.data.draw(st.booleans()):
        drill.damage([path])
    else:
        path = path.with_suffix(".parquet")
        write_recipe(_forged(drill, _recipe(drill)), path)
        _note(drill.place, path, path.read_bytes())
    _or_error(lambda: read_examples(path))
    _or_error(lambda: open_recipe(path))
    _or_error(lambda: audit(path))
    if drill.seldom():
        asked = options(
            drill.place / "source", drill.place, out=drill.work / "out", recipe=path, cache=drill.place / "cache"
        )
        _or_error(lambda: prepare(asked))


def in_forged_recipe(drill: Drill) -> None:
    """Forge rows of a shared recipe so that its hash is right: it is refused or rendered, and never half."""
    path = drill.work / "forged.toyrecipe"
    shared = read_shared_recipe(drill.place / "mine.toyrecipe")
    write_shared_recipe(replace(shared, recipe=_forged(drill, shared.recipe)), path)
    _note(drill.place, path, path.read_bytes())
    if _or_error(lambda: read_shared_recipe(path)) is not None:
        asked = RebuildOptions(
            file=path, source=str(drill.place / "source"), out=drill.work / "out", cache=drill.place / "cache"
        )
        _or_error(lambda: rebuild(asked))


def _forged(drill: Drill, recipe: Recipe) -> Recipe:
    """Change up to three values of a recipe, its parameters among them."""
    rows, parameters = recipe.examples.to_pylist(), dict(recipe.parameters)
    for _ in range(drill.data.draw(st.integers(1, 3))):
        field = drill.data.draw(st.sampled_from(list(RECIPE_SCHEMA)))
        kind = "list" if pa.types.is_list(field.type) else str(field.type)
        wrong = WRONG[kind] | st.none() if field.nullable else WRONG[kind]
        rows[drill.data.draw(st.integers(0, len(rows) - 1))][field.name] = drill.data.draw(wrong)
    if drill.data.draw(st.integers(0, 3)) == 0:
        name = drill.data.draw(st.sampled_from(sorted(parameters)))
        parameters[name] = drill.data.draw(st.none() | st.integers(-1, 1 << 70) | st.text(max_size=3) | st.just([]))
    examples = pa.Table.from_pylist(rows, schema=RECIPE_SCHEMA)
    return Recipe(examples=examples, parameters=parameters, notes=recipe.notes)


def in_store(drill: Drill) -> None:
    """Damage a recording store: a dataset that is prepared from it is the right one, or an error."""
    cache = drill.copy("cache")
    drill.damage([path for path in cache.rglob("*") if path.is_file() and path.stat().st_size])
    asked = options(
        drill.place / "source", drill.work, protocols=("basic",), snrs_db=(6.0,), out=drill.work / "out", cache=cache
    )
    if _or_error(lambda: prepare(asked)) is not None:
        _require(_shards(hashes(drill.work / "out")) == _shards(_truth(drill)["hashes"]), "another dataset")


def in_run(drill: Drill) -> None:
    """Damage a run folder, of which scores and figures have no checksums: only how it fails is known."""
    from toyadmos_datasets.options.training_options import EvaluateOptions
    from toyadmos_datasets.reports.run_report import report_run
    from toyadmos_datasets.runs.comparison import compare
    from toyadmos_datasets.runs.evaluation import evaluate

    folder = drill.copy("run")
    drill.damage([path for path in folder.rglob("*") if path.is_file()])
    _or_error(lambda: compare(folder, drill.place / "run"))
    _or_error(lambda: report_run(folder, drill.work / "report.html", has_audio=False))
    if drill.seldom():
        _or_error(lambda: evaluate(EvaluateOptions(run=folder, device="cpu")))


def in_saved(drill: Drill) -> None:
    """Damage what `save_to_disk` wrote, which has no checksums: only how it fails is known."""
    folder = drill.copy("saved")
    drill.damage([path for path in folder.rglob("*") if path.is_file()])
    saved = _or_error(lambda: load_dataset(folder))
    for number in range(0 if saved is None else len(saved)):
        _or_error(lambda number=number: saved[number])


KINDS: dict[str, Callable[[Drill], None]] = {
    "folder": in_folder,
    "shared": in_shared_recipe,
    "table": in_table,
    "forged": in_forged_recipe,
    "store": in_store,
    "saved": in_saved,
    "run": in_run,
}


def run(place: Path, kind: str, number: int, n_drills: int) -> None:
    """Run drills of one kind, the same for the same number.

    Raises:
        Exception: What a reader raised that is no `ToyAdmosError`, or an AssertionError for a wrong answer.
    """

    @seed(number)
    @settings(
        max_examples=n_drills,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def drill(data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory(dir=place) as work:
            KINDS[kind](Drill(place=place, work=Path(work), data=data))

    drill()


def _or_error(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ToyAdmosError:
        return None


def _require(is_right: object, what: str) -> None:
    if not is_right:
        raise AssertionError(what)


def _rows(folder: Path, config: str, split: str, *, streaming: bool = False) -> str:
    """Hash the rows of a split, its audio decoded."""
    digest = hashlib.sha256()
    for row in load_dataset(folder, config, split=split, streaming=streaming):
        audio = row.pop("audio")
        digest.update(repr(sorted(row.items())).encode())
        digest.update(audio["array"].tobytes())
    return digest.hexdigest()


def _shards(found: dict[str, str]) -> dict[str, str]:
    return {name: sha256 for name, sha256 in found.items() if name.startswith("data/")}


def _recipe(drill: Drill) -> Recipe:
    return read_recipe(drill.place / "dataset" / "recipe.parquet")


def _truth(drill: Drill) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((drill.place / "truth.json").read_text())
    return truth


def _as_csv(rows: pa.Table) -> str:
    names = ("config", "split", "recording_ids", "noise_recording_ids", "noise_position", "snr_db", "channel")
    lines = [",".join(names)]
    for row in rows.select(names).to_pylist():
        cells = (" ".join(one) if isinstance(one, list) else "" if one is None else str(one) for one in row.values())
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def _note(place: Path, path: Path, content: bytes) -> None:
    (place / "notes" / "damaged").write_bytes(content)
    (place / "notes" / "path").write_text(str(path))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    try:
        run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    except BaseException:  # noqa: BLE001  # whoever started this wants to read what it was
        traceback.print_exc()
        sys.exit(1)
