"""What stands beside every figure: the machine, and the versions that matter for speed."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import soxr

from toyadmos_datasets.cli.main import liblzma_version


def print_heading(question: str) -> None:
    """Print what is asked, of which machine, and when."""
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "pyarrow", "joblib"))
    print(f"# {question}")
    print(f"# python {' '.join(sys.argv)}")
    print(f"# {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {_cpu()}, {n_cores()} cores, {_memory()}, load {_load()}")
    print(f"# {platform.system()} {platform.release()}, Python {platform.python_version()}, {packages}")
    liblzma, program = liblzma_version() or "of unknown version", _sevenzip_version() or "no 7z"
    print(f"# liblzma {liblzma}, libsoxr {soxr.__libsoxr_version__}, {program}")


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sevenzip() -> str | None:
    """Return the path of the 7z program, or None."""
    return shutil.which("7z") or shutil.which("7zz")


def _sevenzip_version() -> str:
    program = sevenzip()
    if program is None:
        return ""
    said = subprocess.run([program, "i"], check=False, capture_output=True, text=True).stdout
    return next((line.split(":")[0].strip() for line in said.splitlines() if "7-Zip" in line), "")


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return name or platform.processor() or platform.machine()


def _memory() -> str:
    return f"{psutil.virtual_memory().total / 2**30:.0f} GiB"


def _load() -> str:
    return f"{psutil.getloadavg()[0]:.1f}"
