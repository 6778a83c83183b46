"""How many clips a second does one process load, beside what users write by hand, audiofolder and lhotse?

Method: a config of at least 2000 clips is prepared from the corpus (as many noise draws as it takes), once as WAV and
once as FLAC, and the WAV clips are written as files besides. Each job goes over all clips of both splits in a process
of its own, on one core and one thread, in turn, several rounds; where a job has an order, it is a random one. What is
timed is the going over, not the opening; every job has been opened once before, so that caches are as they stay.

    python benchmarks/loading.py --source DIR --toy train --lhotse ENV/bin/python

`--lhotse` is a Python that has lhotse; without it that row is left out. Linux only where it says memory.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
N_CLIPS = 2000
CONFIG = "snr_6db"
ROUNDS = 3


def main() -> None:
    from corpora import bench_from_arguments, print_corpus  # noqa: PLC0415  (a job in lhotse's Python has them not)
    from machine import print_heading  # noqa: PLC0415

    from toyadmos_datasets.archives import open_source  # noqa: PLC0415

    python_of_lhotse = _taken("--lhotse")
    with bench_from_arguments(__doc__ or "", n_rounds=ROUNDS) as bench, bench.fresh() as place:
        print_heading("Clips a second, one process")
        tree = bench.corpus("tree")
        print_corpus(open_source(tree, bench.toy))
        print(f"# {_decoder()}")
        n_clips = prepare_all(tree, bench.toy, place, at_least=0 if bench.is_smoke else N_CLIPS)
        jobs = [name for name in JOBS if name != "lhotse" or python_of_lhotse]
        one = measure if bench.is_smoke else _in_a_process(python_of_lhotse)
        first = {name: [one(name, place)] for name in jobs}  # which makes what is kept
        print_sizes(place, n_clips)
        rounds = [] if bench.is_smoke else [{name: one(name, place) for name in jobs} for _ in range(bench.n_rounds)]
        print_table({name: [some[name] for some in rounds] for name in jobs} if rounds else first, n_clips)


def prepare_all(tree: Path, toy: str, place: Path, *, at_least: int) -> int:
    """Make the folders and the WAV files; return how many clips each has."""
    from toyadmos_datasets.jobs.prepare import prepare  # noqa: PLC0415
    from toyadmos_datasets.jobs.prepare_options import PrepareOptions  # noqa: PLC0415
    from toyadmos_datasets.planning import PlanOptions  # noqa: PLC0415
    from toyadmos_datasets.rendering import Encoding, RenderOptions  # noqa: PLC0415

    def made(container: str, n_draws: int) -> int:
        options = PrepareOptions(
            plan=PlanOptions(toy=toy, protocols=("basic",), snrs_db=(6.0,), channels="all", n_draws=n_draws),
            render=RenderOptions(encoding=Encoding(container=container), workers=os.cpu_count() or 1),
            source=str(tree),
            out=place / container,
            cache=place / "store",
            overwrite=True,
        )
        return sum(shard.n_rows for shard in prepare(options).manifest.shards if shard.config == CONFIG)

    n_draws = max(1, -(-at_least // made("wav", 1)))
    n_clips = made("wav", n_draws)
    made("flac", n_draws)
    write_files(place)
    return n_clips


def write_files(place: Path) -> None:
    """Write every clip as a file, as audiofolder wants them: split, label, name."""
    from toyadmos_datasets import load_dataset  # noqa: PLC0415

    for split, rows in load_dataset(place / "wav", CONFIG, decode=False, cache_dir=place / "writing").items():
        for number, row in enumerate(rows):
            path = place / "files" / split / str(row["label"]) / f"{number:05d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row["audio"]["bytes"])


def mapped(place: Path, container: str) -> Iterator[int]:
    from toyadmos_datasets import load_dataset  # noqa: PLC0415

    splits = load_dataset(place / container, CONFIG, cache_dir=place / "cache-ours")
    yield 0
    for rows in splits.values():
        for row in _shuffled(len(rows)):
            yield rows[row]["audio"]["array"].size


def streamed(place: Path, container: str) -> Iterator[int]:
    from toyadmos_datasets import load_dataset  # noqa: PLC0415

    splits = load_dataset(place / container, CONFIG, streaming=True)
    yield 0
    for rows in splits.values():
        for row in rows:
            yield row["audio"]["array"].size


def loader(place: Path, container: str) -> Iterator[int]:
    from toyadmos_datasets import torch_loader  # noqa: PLC0415

    splits = [
        torch_loader(place / container, CONFIG, split, batch_size=32, cache_dir=place / "cache-ours")
        for split in ("train", "test")
    ]
    yield 0
    for batches in splits:
        for batch in batches:
            yield batch["waveform"].numel()


def by_hand(place: Path) -> Iterator[int]:
    import soundfile  # noqa: PLC0415
    import torch  # noqa: PLC0415

    class Clips(torch.utils.data.Dataset):
        """What users write."""

        def __init__(self, folder: Path) -> None:
            self.paths = sorted(folder.rglob("*.wav"))

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
            waveform, _ = soundfile.read(self.paths[row], dtype="float32")
            return torch.from_numpy(waveform), int(self.paths[row].parent.name)

    splits = [
        torch.utils.data.DataLoader(Clips(place / "files" / split), batch_size=32, shuffle=True)
        for split in ("train", "test")
    ]
    yield 0
    for batches in splits:
        for waveform, _ in batches:
            yield waveform.numel()


def audiofolder(place: Path) -> Iterator[int]:
    import datasets  # noqa: PLC0415
    import soundfile  # noqa: PLC0415

    has_decoder = _decoder().startswith("torchcodec")
    if has_decoder:
        splits = datasets.load_dataset(
            "audiofolder", data_dir=str(place / "files"), cache_dir=str(place / "cache-audiofolder")
        )
    else:  # audiofolder needs it even to list files; these are the rows that it would make
        splits = {split: _rows_of_files(place / "files" / split) for split in ("train", "test")}
    yield 0
    for rows in splits.values():
        for row in _shuffled(len(rows)):
            audio = rows[row]["audio"]
            yield audio["array"].size if has_decoder else soundfile.read(audio["path"], dtype="float32")[0].size


def _rows_of_files(folder: Path) -> Any:  # noqa: ANN401  # a Dataset
    import datasets  # noqa: PLC0415

    paths = sorted(folder.rglob("*.wav"))
    columns = {"audio": [str(path) for path in paths], "label": [int(path.parent.name) for path in paths]}
    return datasets.Dataset.from_dict(columns).cast_column("audio", datasets.Audio(decode=False))


def plain(place: Path) -> Iterator[int]:
    """Plain `datasets` over the same prepared folder, with soundfile, for the size of its cache."""
    import io  # noqa: PLC0415

    import datasets  # noqa: PLC0415
    import soundfile  # noqa: PLC0415

    splits = datasets.load_dataset(str(place / "wav"), CONFIG, cache_dir=str(place / "cache-plain"))
    splits = splits.cast_column("audio", datasets.Audio(decode=False))
    yield 0
    for rows in splits.values():
        for row in _shuffled(len(rows)):
            yield soundfile.read(io.BytesIO(rows[row]["audio"]["bytes"]), dtype="float32")[0].size


def lhotse(place: Path) -> Iterator[int]:
    from lhotse import CutSet, Recording  # noqa: PLC0415

    paths = sorted((place / "files").rglob("*.wav"))
    cuts = list(CutSet.from_cuts(Recording.from_file(path).to_cut() for path in paths))
    yield 0
    for row in _shuffled(len(cuts)):
        yield cuts[row].load_audio().size


JOBS: dict[str, Callable[[Path], Iterator[int]]] = {
    "hand-written": by_hand,
    "torch_loader, WAV": lambda place: loader(place, "wav"),
    "map-style, WAV": lambda place: mapped(place, "wav"),
    "streaming, WAV": lambda place: streamed(place, "wav"),
    "torch_loader, FLAC": lambda place: loader(place, "flac"),
    "map-style, FLAC": lambda place: mapped(place, "flac"),
    "streaming, FLAC": lambda place: streamed(place, "flac"),
    "plain datasets": plain,
    "audiofolder": audiofolder,
    "lhotse": lhotse,
}


def measure(name: str, place: Path) -> dict[str, float]:
    """Go over all clips and return what it took."""
    clips = JOBS[name](place)
    next(clips)
    cpu_s, wall_s = -time.process_time(), -time.perf_counter()
    n_samples = sum(clips)
    cpu_s, wall_s = cpu_s + time.process_time(), wall_s + time.perf_counter()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"cpu_s": cpu_s, "wall_s": wall_s, "n_samples": n_samples, "peak_mb": peak_mb, "own_mb": _own_mb()}


def print_sizes(place: Path, n_clips: int) -> None:
    """Print what is on the disk after everything was loaded once."""
    sizes = {
        "prepared folder, WAV, this config": place / "wav" / "data" / CONFIG,
        "prepared folder, FLAC, this config": place / "flac" / "data" / CONFIG,
        "cache of datasets after load_dataset, both": place / "cache-ours",
        "cache of datasets after plain datasets, WAV": place / "cache-plain",
        "WAV files": place / "files",
    }
    print(f"{n_clips} clips. On the disk, MB:")
    for name, folder in sizes.items():
        n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"  {name}: {n_bytes / 1e6:.1f}")


def print_table(found: dict[str, list[dict[str, float]]], n_clips: int) -> None:
    """Print clips a second and ratios within the rounds."""
    n_samples = {name: some[0]["n_samples"] for name, some in found.items()}
    if len(set(n_samples.values())) > 1:
        print(f"NOTE: the jobs did not load equally many samples: {n_samples}")
    titles = ["clips/s (CPU)", "clips/s (wall)", "over hand-written", "over audiofolder"]
    print(f"{'job':<20}" + "".join(f"{title:>24}" for title in titles) + "   peak, own MB")
    for name, some in found.items():
        columns = [
            _spread([n_clips / one["cpu_s"] for one in some]),
            _spread([n_clips / one["wall_s"] for one in some]),
            _spread([b["cpu_s"] / a["cpu_s"] for a, b in zip(some, found["hand-written"], strict=True)]),
            _spread([b["cpu_s"] / a["cpu_s"] for a, b in zip(some, found["audiofolder"], strict=True)]),
        ]
        memory = [max(one[kind] for one in some) for kind in ("peak_mb", "own_mb")]
        print(f"{name:<20}" + "".join(f"{one:>24}" for one in columns) + f"   {memory[0]:.0f}, {memory[1]:.0f}")


def _in_a_process(python_of_lhotse: str | None) -> Callable[[str, Path], dict[str, float]]:
    """Return `measure` in a process of its own, on one core and with one thread."""
    settings = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

    def measured(name: str, place: Path) -> dict[str, float]:
        python = python_of_lhotse if name == "lhotse" else sys.executable
        command = [str(python), str(HERE / "loading.py"), "--job", name, str(place)]
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                command, check=False, stdout=subprocess.PIPE, stderr=said, text=True, env=os.environ | settings
            )
            if done.returncode:
                said.seek(0)
                raise SystemExit(f"{name} ended with status {done.returncode}:\n{said.read()}")
        return json.loads(done.stdout.splitlines()[-1])

    return measured


def _shuffled(n_rows: int) -> list[int]:
    import numpy as np  # noqa: PLC0415

    return np.random.default_rng(0).permutation(n_rows).tolist()


def _decoder() -> str:
    """Say what audiofolder decodes with: its own torchcodec, where that loads."""
    try:
        import torchcodec.decoders  # noqa: F401, PLC0415
    except (ImportError, OSError, RuntimeError) as error:
        return f"soundfile decodes for audiofolder: torchcodec cannot be loaded ({type(error).__name__})"
    return "torchcodec decodes for audiofolder"


def _own_mb() -> float:
    """Return the memory that is this process's own, without mapped files."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon")), 0.0)


def _spread(values: list[float]) -> str:
    middle = statistics.median(values)
    return f"{middle:.3g}" if len(values) == 1 else f"{middle:.3g} ({min(values):.3g} to {max(values):.3g})"


def _taken(option: str) -> str | None:
    """Take an option that the shared ones do not have out of the command line."""
    if option not in sys.argv:
        return None
    at = sys.argv.index(option)
    value = sys.argv[at + 1]
    del sys.argv[at : at + 2]
    return value


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
    else:
        main()
