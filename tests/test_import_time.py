"""What start-up must not load, so that `toyadmos --help` answers at once (its time is measured in benchmarks/)."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

HEAVY = ["torch", "librosa", "datasets", "pyarrow", "scipy", "numba", "pandas", "soundfile", "soxr", "joblib", "py7zr"]
HEAVY += ["httpx2", "fsspec", "numpy", "sklearn", "jinja2"]


def heavy_modules_after(code: str) -> list[str]:
    """Run a script in a fresh interpreter; return which heavy modules it has loaded at its end."""
    script = f"{textwrap.dedent(code)}\nimport json, sys\nprint(json.dumps(sorted(set(sys.modules) & set({HEAVY}))))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_loads_nothing_heavy():
    assert heavy_modules_after("import toyadmos_datasets") == []


def test_importing_the_errors_loads_nothing_heavy():
    assert heavy_modules_after("import toyadmos_datasets.errors, toyadmos_datasets.units") == []


@pytest.mark.parametrize("arguments", [["--help"], ["prepare", "--help"], ["prepare", "--no-such-option"]])
def test_help_and_wrong_options_load_nothing_heavy(arguments):
    code = f"""
        import contextlib, sys
        from toyadmos_datasets.cli import main
        sys.argv = ["toyadmos", *{arguments}]
        with contextlib.suppress(SystemExit):
            main()
    """

    assert heavy_modules_after(code) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_preparing_from_the_disk_leaves_pandas_and_the_web_alone(workers, tmp_path):
    code = f"""
        import contextlib, sys
        from toyadmos_datasets.cli import main
        places = ["--out", {str(tmp_path / "out")!r}, "--cache", {str(tmp_path / "cache")!r}]
        sys.argv = ["toyadmos", "prepare", "--toy", "train", "--source", "simulate:tiny", "--workers", "{workers}"]
        sys.argv += places
        with contextlib.suppress(SystemExit):
            main()
    """

    loaded = heavy_modules_after(code)

    assert "pyarrow" in loaded
    assert not {"pandas", "httpx2", "fsspec", "librosa", "numba", "scipy", "sklearn", "jinja2"} & set(loaded)
    assert (tmp_path / "out" / "manifest.json").exists()


def test_features_are_made_with_librosa_and_nothing_else_loads_it():
    making = "import numpy; from toyadmos_datasets.signal import levels, logmel"
    made = f"{making}\nlogmel.log_mel(numpy.zeros(2048))"

    assert "librosa" not in heavy_modules_after(making)
    assert "librosa" in heavy_modules_after(made)


@pytest.mark.parametrize("module", ["prepare", "preview", "rebuild", "cache", "download"])
def test_what_speaks_with_the_web_is_loaded_only_for_a_source_that_is_there(module, tmp_path):
    loading = f"import toyadmos_datasets.jobs.{module}, toyadmos_datasets.archives.remote.remote_opening as opening\n"
    loading += "from toyadmos_datasets.options.fetch_choices import FetchChoices\n"
    opened = "opening.open_origin({source!r}, 'ToyTrain', None, FetchChoices())"

    assert "httpx2" not in heavy_modules_after(loading + opened.format(source="/some/path"))


def test_a_source_on_the_web_loads_what_speaks_with_it():
    code = """
        import contextlib
        import toyadmos_datasets.archives.remote.remote_opening as opening
        from toyadmos_datasets.errors import OptionError
        from toyadmos_datasets.options.fetch_choices import FetchChoices
        with contextlib.suppress(OptionError):
            opening.open_origin("ftp://example.org", "ToyTrain", None, FetchChoices())
    """

    assert "httpx2" in heavy_modules_after(code)


def test_a_heavy_import_would_be_noticed():
    assert heavy_modules_after("import soundfile") == ["numpy", "soundfile"]
