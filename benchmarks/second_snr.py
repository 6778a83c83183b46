"""What does a further SNR cost, over the bare loop that mixes, encodes and writes it?

Method: a tree of WAV files is prepared once (protocol basic, 6 dB, all channels, a headroom for more). Then 0 dB is
added to copies of that folder, one worker, each time in a fresh process with a fresh output. The bare loop is a process
of its own that knows neither this package nor why: it is given places, lengths and gains, and reads stretches from the
store's files, mixes them in float64, rounds them, encodes them with soundfile and writes them with pyarrow, 32 rows a
group and 256 a file, audio alone. Both run in turn, several rounds, for WAV and for FLAC.

    python benchmarks/second_snr.py                          on a simulated corpus
    python benchmarks/second_snr.py --source DIR --toy train on a corpus of your own
"""

from __future__ import annotations

import functools
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from corpora import Bench, bench_from_arguments, opened, print_corpus, repeated
from machine import print_heading
from rounds import Cost, alternate, print_ratio, run

from toyadmos_datasets.jobs.prepare import prepare
from toyadmos_datasets.jobs.prepare_options import PrepareOptions
from toyadmos_datasets.planning import PlanOptions
from toyadmos_datasets.rendering import Encoding, RenderOptions
from toyadmos_datasets.values.manifest import read_manifest
from toyadmos_datasets.values.recording_store import read_catalogue
from toyadmos_datasets.values.shards import columns_of_shard

HEADROOM_DB = 20.0
FIRST_DB, SECOND_DB = 6.0, 0.0
ADDED, BARE = "added", "bare loop"
CONTAINERS = ("wav", "flac")
BARE_LOOP = Path(__file__).with_name("bare_loop.py")


def main() -> None:
    with bench_from_arguments(__doc__ or "", n_rounds=5, parts=CONTAINERS) as bench, bench.fresh() as folder:
        print_heading("Cost of a further SNR, over the bare loop that mixes, encodes and writes it")
        place = bench.corpus("tree")
        if bench.times > 1:
            place = repeated(place, folder / "larger", bench.toy, times=bench.times)
        print_corpus(opened(place, bench.toy))
        for container in bench.parts:
            measure(bench, place, folder, container)


def measure(bench: Bench, place: Path, folder: Path, container: str) -> None:
    """Compare the two for one encoding."""
    asked = [str(place), bench.toy, str(folder / "cache"), container]
    first, whole, given = folder / f"first-{container}", folder / f"whole-{container}", folder / f"{container}.json"
    prepare_snr(*asked, str(first))
    shutil.copytree(first, whole)
    prepare_snr(*asked, str(whole), add=True)
    given.write_text(json.dumps(places_of(whole, folder / "cache", bench.toy)))
    runs = {
        ADDED: functools.partial(added, bench, first, asked),
        BARE: functools.partial(bare, bench, given, container),
    }
    costs = alternate(bench.n_rounds, runs)
    print_ratio(costs, ADDED, BARE, aim=f"{container}; aim: at most 1.3")


def added(bench: Bench, first: Path, asked: list[str]) -> Cost:
    """Add an SNR to a copy of the folder, in a process of its own."""
    with bench.fresh() as place:
        shutil.copytree(first, place / "out")
        return run([sys.executable, __file__, ADDED, *asked, str(place / "out")])


def bare(bench: Bench, given: Path, container: str) -> Cost:
    """Run the bare loop in a process of its own."""
    with bench.fresh() as place:
        return run([sys.executable, str(BARE_LOOP), str(given), str(place), container])


def prepare_snr(place: str, toy: str, cache: str, container: str, out: str, *, add: bool = False) -> None:
    """Prepare the first SNR, or add the second."""
    headroom_db = None if add else HEADROOM_DB
    prepare(
        PrepareOptions(
            plan=PlanOptions(toy=toy, protocols=("basic",), snrs_db=(SECOND_DB if add else FIRST_DB,), channels="all"),
            render=RenderOptions(workers=1, headroom_db=headroom_db, encoding=Encoding(container=container)),
            source=place,
            out=Path(out),
            cache=Path(cache),
            add=add,
        )
    )


def places_of(folder: Path, cache: Path, toy: str) -> list[list[Any]]:
    """Return for each clip of the added config its length, and file, first byte and factor of target and of noise."""
    (store,) = (cache / "recordings").glob(f"{toy}*")
    rows = read_catalogue(store).select(["recording_id", "segment", "first_byte"]).to_pylist()
    stored = {one["recording_id"]: (one["segment"], one["first_byte"]) for one in rows}
    manifest = read_manifest(folder)
    found = []
    for shard in manifest.audio_shards:
        if shard.config not in manifest.additions[0].configs:
            continue
        for row in columns_of_shard(folder, shard, COLUMNS).to_pylist():
            parts = []
            for part, ids in (("target", "recording_ids"), ("noise", "noise_recording_ids")):
                segment, first_byte = stored[row[ids][0]]
                factor = 10 ** ((row[f"{part}_gain_db"] - row["headroom_db"]) / 20)
                parts += [segment, first_byte + 2 * row[f"{part}_start"], factor]
            found.append([row["n_samples"], *parts])
    return found


COLUMNS = (
    *("n_samples", "recording_ids", "target_start", "target_gain_db"),
    *("noise_recording_ids", "noise_start", "noise_gain_db", "headroom_db"),
)


if __name__ == "__main__":
    how, *arguments = sys.argv[1:] or [""]
    if how == ADDED:
        prepare_snr(*arguments, add=True)
    else:
        main()
