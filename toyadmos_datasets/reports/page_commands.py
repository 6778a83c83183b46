"""The commands at the top of the pages, which make a dataset, a run or a page again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toyadmos_datasets.escaping import shell_line
from toyadmos_datasets.options.declaration import defaults_of, options_of
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.presets import PRESETS
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions
from toyadmos_datasets.runs.evaluations import Evaluated
from toyadmos_datasets.runs.run_folder import Run
from toyadmos_datasets.values.manifest import Manifest


def prepare_command(manifest: Manifest, folder: Path, config: str) -> str | None:
    """Return the command that prepares what a config is part of; None where it came of a recipe of the user's own.

    Where the source lies is not kept: ``SOURCE`` stands for it.
    """
    request = manifest.request_of(config)
    if "recipe" in request:
        return None
    settings = [*_set_options(PlanOptions, request), *_set_options(Encoding, request)]
    settings += _set_options(RenderOptions, request)
    features = request.get("features")
    if isinstance(features, dict):
        settings += ["--features", "logmel", *_set_options(LogMel, features)]
    return shell_line("toyadmos", "prepare", *settings, "--source", "SOURCE", "--out", folder)


def _set_options(kind: type[Any], request: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options of a request that are not at their defaults, as they are typed."""
    defaults = defaults_of(kind)
    for name, one in options_of(kind).items():
        value = request.get(one.key)
        default = defaults.get(name)
        as_kept = list(default) if isinstance(default, tuple) else default
        if value is None or value in (as_kept, []):
            continue
        yield one.flag
        if value is not True:
            yield ",".join(map(_typed, value)) if isinstance(value, list) else _typed(value)


def _typed(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def run_commands(folder: Path, run: Run, evaluated: Evaluated) -> list[str]:
    """Return the commands that train a run and score it; none of scores from elsewhere."""
    if run.preset is None:
        return []
    system = run.system
    base = system.base if system.base in PRESETS else system.name
    settings = [
        word for change in evaluated.changes for word in ("--set", change) if not change.startswith("clip_score=")
    ]
    seed = ["--seed", str(run.seed)] if run.seed else []
    chosen = ["--config", run.config, "--preset", base, *settings, *seed]
    train = shell_line("toyadmos", "train", Path(run.dataset), *chosen, "--out", folder)
    is_own = (evaluated.dataset, evaluated.config) == (run.dataset, run.config)
    other = [] if is_own else ["--dataset", evaluated.dataset, "--config", evaluated.config]
    return [train, shell_line("toyadmos", "evaluate", folder, *other)]
