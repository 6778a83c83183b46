"""The errors: one tree, both ways of catching, facts that survive a trip between processes."""

from __future__ import annotations

import builtins
import pickle
import re

import cloudpickle
import pytest
from joblib.externals.loky import get_reusable_executor

from toyadmos_datasets import errors
from toyadmos_datasets.errors import DiskFullError, MissingExtraError, SourceNotFoundError, ToyAdmosError

FACTS = {"where": "ToyTrain.7z.002", "expected": "9 volumes", "actual": "8", "remedy": "Run: toyadmos download"}
ALL = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ToyAdmosError)),
    key=lambda kind: kind.__name__,
)


def drawn_tree() -> dict[str, tuple[str | None, str | None]]:
    """Read the drawing in the module's docstring: name -> (parent, built-in in brackets)."""
    found: dict[str, tuple[str | None, str | None]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^ {4}((?:[│ ]   )*(?:[├└]── )?)([A-Z]\w+)(?: \((\w+)\))?(?: {2,}\S.*)?$", line)
        if match:
            depth = len(match[1]) // 4
            del above[depth:]
            found[match[2]] = (above[-1] if above else None, match[3])
            above.append(match[2])
    return found


def real_tree() -> dict[str, tuple[str | None, str | None]]:
    found = {}
    for kind in ALL:
        ours = [base.__name__ for base in kind.__bases__ if issubclass(base, ToyAdmosError)]
        foreign = [base.__name__ for base in kind.__bases__ if not issubclass(base, ToyAdmosError)]
        found[kind.__name__] = (ours[0] if ours else None, foreign[0] if ours and foreign else None)
    return found


def raise_in_worker(kind: type[ToyAdmosError]) -> None:
    raise kind("It failed.", **FACTS)


def test_the_tree_in_the_docstring_is_the_real_tree():
    drawn = drawn_tree()

    assert drawn == real_tree()
    assert drawn["ToyAdmosError"] == (None, None)
    assert drawn["CorruptMemberError"] == ("ArchiveError", None)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_shows_every_fact_that_it_has(kind):
    shown = str(kind("It failed.", **FACTS))

    assert shown.splitlines()[0] == "It failed."
    assert [line.split(None, 1) for line in shown.splitlines()[1:]] == [[f"{k}:", v] for k, v in FACTS.items()]


@pytest.mark.parametrize("kind", ALL)
def test_an_error_leaves_out_the_facts_that_it_does_not_have(kind):
    assert str(kind("It failed.")) == "It failed."
    assert str(kind("It failed.", actual=0)) == "It failed.\n  actual:   0"


@pytest.mark.parametrize("kind", ALL)
def test_an_error_carries_its_facts_as_attributes(kind):
    error = kind("It failed.", **FACTS)

    assert error.what == "It failed."
    assert {name: getattr(error, name) for name in FACTS} == FACTS


@pytest.mark.parametrize("kind", ALL)
def test_an_error_is_also_the_built_in_that_is_drawn_beside_it(kind):
    name = drawn_tree()[kind.__name__][1]

    assert name is None or issubclass(kind, getattr(builtins, name))
    assert issubclass(kind, ToyAdmosError)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_an_error_survives_pickling_with_its_facts(kind, pickler):
    error = kind("It failed.", **FACTS)
    error.add_note("while rendering shard 3")
    again = pickle.loads(pickler.dumps(error))

    assert type(again) is kind
    assert (again.what, again.facts, str(again)) == (error.what, FACTS, str(error))
    assert again.__notes__ == ["while rendering shard 3"]


def test_an_error_survives_the_way_from_a_worker_process():
    with get_reusable_executor(max_workers=1) as pool:
        caught = [pool.submit(raise_in_worker, kind).exception() for kind in ALL]

    assert [(type(error), str(error)) for error in caught] == [(kind, str(kind("It failed.", **FACTS))) for kind in ALL]


def test_the_built_ins_with_a_construction_of_their_own_take_ours():
    # OSError reads (errno, text) out of two positional arguments and ImportError takes keywords of its own.
    missing, full = SourceNotFoundError("No volumes.", where="a"), DiskFullError("Full.", expected="2 MB free")
    extra = MissingExtraError("torch is missing.", remedy="pip install 'toyadmos-datasets[baseline]'")

    assert missing.args == ("No volumes.",)
    assert str(missing) == "No volumes.\n  where:    a"
    assert str(full) == "Full.\n  expected: 2 MB free"
    assert str(extra).endswith("remedy:   pip install 'toyadmos-datasets[baseline]'")


def test_every_error_is_described():
    assert [kind.__name__ for kind in ALL if not (kind.__doc__ or "").strip()] == []


CODES = {
    "toyadmos": "ToyAdmosError",
    "option": "OptionError",
    "name_grammar": "NameGrammarError",
    "source": "SourceError",
    "source_not_found": "SourceNotFoundError",
    "volume": "VolumeError",
    "archive": "ArchiveError",
    "unsupported_method": "UnsupportedMethodError",
    "unsafe_member": "UnsafeMemberError",
    "corrupt_member": "CorruptMemberError",
    "index_conflict": "IndexConflictError",
    "odd_source": "OddSourceError",
    "fetch": "FetchError",
    "license": "LicenseError",
    "wav": "WavError",
    "truncated_wav": "TruncatedWavError",
    "unsupported_wav": "UnsupportedWavError",
    "silent_signal": "SilentSignalError",
    "clipping": "ClippingError",
    "plan": "PlanError",
    "output": "OutputError",
    "output_conflict": "OutputConflictError",
    "busy": "BusyError",
    "disk_full": "DiskFullError",
    "share": "ShareError",
    "dataset": "DatasetError",
    "store": "StoreError",
    "resource": "ResourceError",
    "missing_extra": "MissingExtraError",
    "engine": "EngineError",
    "leakage": "LeakageError",
    "worker": "WorkerError",
}
"""What programs may rely on: a code is never given to another class, and a class never gets another."""


def test_every_class_has_the_code_that_it_always_had():
    assert {kind.code: kind.__name__ for kind in ALL} == CODES
    assert len(CODES) == len(ALL)
