"""Prepare, check and load a dataset in Python, as the command line would.

    python docs/examples/prepare_in_python.py data/example

The recordings are simulated here; leave `source` out for the official record.
"""

from __future__ import annotations

import sys

import toyadmos_datasets as toyadmos


def main(out: str) -> None:
    planned = toyadmos.plan("train", source="simulate:tiny", protocol="basic", snr=[6, 0], out=out)
    print(f"about {planned.expected_s:.0f} s for {planned.n_dataset_bytes} bytes")
    report = toyadmos.prepare("train", source="simulate:tiny", protocol="basic", snr=[6, 0], out=out)
    is_good: bool = toyadmos.verify(out).is_good
    has_leak: bool = toyadmos.audit(out).has_leak
    print(report, is_good, has_leak)
    clips = toyadmos.load_dataset(out, "snr_6db", split="train")
    print(clips[0]["audio"]["array"].shape)
    try:
        toyadmos.plan("train", snrs=6)  # type: ignore[call-arg]  # type checkers know the options
    except toyadmos.ToyAdmosError as error:
        print(error)


if __name__ == "__main__":
    main(sys.argv[1])
