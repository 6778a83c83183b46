"""The small autoencoder that the tests of the baseline train: seconds on the tiny simulated corpus."""

from __future__ import annotations

from toyadmos_datasets.options.presets import PAPER, changed

SETTINGS = {"n_units": 64, "n_hidden": 1, "n_code": 8, "learning_rate": 1e-3, "epochs": 60, "batch_inputs": 64}
SYSTEM = changed(PAPER, SETTINGS)

EVALUATION = "evaluations/clean"
"""Where in a run the evaluation of the config `clean` of its own dataset is."""

NO_TORCH = "TORCH IS MISSING: the baseline is NOT tested; pip install -c constraints.txt -e '.[test,dev,report,train]'"
