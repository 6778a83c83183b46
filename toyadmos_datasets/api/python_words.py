"""Errors for Python users: they name keywords and functions instead of options and commands."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator, Sequence

from toyadmos_datasets.errors import ToyAdmosError
from toyadmos_datasets.options.declaration import options_of, type_of
from toyadmos_datasets.options.fetch_choices import DownloadOptions, FetchChoices
from toyadmos_datasets.options.place_options import PlaceOptions
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions
from toyadmos_datasets.options.training_options import EvaluateOptions, TrainOptions

_KINDS = (
    PlanOptions,
    PlaceOptions,
    Encoding,
    RenderOptions,
    LogMel,
    FetchChoices,
    DownloadOptions,
    TrainOptions,
    EvaluateOptions,
)
_WORD = r"(?:'[^']*'|\"[^\"]*\"|[^\s,;.'\"]|[,;.](?=\S))+"
_COMMAND = re.compile(rf"toyadmos ([a-z][a-z-]*(?: rebuild| show| export| diff)?)((?: {_WORD})*)")
_FLAG = re.compile(r"--(?P<name>[a-z][a-z0-9-]*)(?: (?P<value>(?!out\b)[^\s,.;:]+)(?=$|[.;]| or --| --))?")
_IS_FLAG = re.compile(r"--[a-z][a-z0-9-]*").fullmatch
_FACTS = ("what", "where", "expected", "actual", "remedy")
_PACKAGE = "toyadmos_datasets"


@contextlib.contextmanager
def in_python_words() -> Iterator[None]:
    """Let an error that leaves the block name keywords and functions; it stays the same error.

    Example:
        >>> with in_python_words():
        ...     raise ToyAdmosError("..", where="--snr-reference", remedy="toyadmos prepare --help")
        Traceback (most recent call last):
        toyadmos_datasets.errors.ToyAdmosError: ..
          where:    snr_reference=
          remedy:   help(toyadmos_datasets.prepare)
    """
    try:
        yield
    except ToyAdmosError as error:
        for name in _FACTS:
            text = getattr(error, name)
            if text is not None:
                setattr(error, name, f"{_as_keyword(text)}=" if _IS_FLAG(text) else python_text_of(text))
        raise


def python_text_of(text: str) -> str:
    """Return a sentence with keywords and calls in the place of options and commands.

    Example:
        >>> python_text_of("Add: --protocol few-shot")
        "Add: protocol='few-shot'"
        >>> python_text_of("toyadmos verify data/train --toy train --strict")
        "toyadmos_datasets.verify('data/train', toy='train', strict=True)"
    """
    return _FLAG.sub(_keyword, _COMMAND.sub(_call, text))


def _call(found: re.Match[str]) -> str:
    name = found[1].rpartition(" ")[2].replace("-", "_")
    try:
        words = shlex.split(found[2])
    except ValueError:  # a quote in prose that is no command
        return found[0]
    if "--help" in words:
        return f"help({_PACKAGE}.{name})"
    return f"{_PACKAGE}.{name}({', '.join(_arguments(words))})"


def _arguments(words: Sequence[str]) -> Iterator[str]:
    """Yield the arguments of a call from the words of a command."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            yield repr(word)
        elif _is_switch(word) or not rest or rest[0].startswith("--"):
            yield _switched(word)
        else:
            yield f"{_as_keyword(word)}={rest.pop(0)!r}"


def _keyword(found: re.Match[str]) -> str:
    flag, value = f"--{found['name']}", found["value"]
    if _is_switch(flag):
        return _switched(flag) + ("" if value is None else f" {value}")
    return f"{_as_keyword(flag)}=" if value is None else f"{_as_keyword(flag)}={value!r}"


def _switched(flag: str) -> str:
    is_off = flag.startswith("--no-")
    return f"{_as_keyword(flag.replace('--no-', '--') if is_off else flag)}={not is_off}"


def _as_keyword(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _is_switch(flag: str) -> bool:
    """Tell whether an option is on or off."""
    if flag.startswith("--no-"):
        return True
    return any(
        one.flag == flag and type_of(kind, name) is bool for kind in _KINDS for name, one in options_of(kind).items()
    )
