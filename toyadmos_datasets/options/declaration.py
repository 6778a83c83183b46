"""How an option is declared: the metadata of a dataclass field."""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, cast, get_args, get_origin, get_type_hints

from toyadmos_datasets.errors import OptionError
from toyadmos_datasets.files.reading import expanded_path

_METADATA = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that every value of an option must satisfy.

    Attributes:
        expected: The rule in words, for errors.
        holds: Tells whether a value satisfies it.
    """

    expected: str
    holds: Callable[[Any], bool]


def at_least(least: int) -> Rule:
    """Return the rule that a number is not smaller than another."""
    return Rule(expected=f"{least} or more", holds=lambda value: value >= least)


def within(low: float, high: float, unit: str) -> Rule:
    """Return the rule that a number lies between two others or is one of them."""
    return Rule(expected=f"{low:g} to {high:g} {unit}", holds=lambda value: low <= value <= high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """The facts about an option; its name, type and default are those of its field.

    Attributes:
        help: Description for ``--help`` and docs/cli.md; names stand in backticks.
        flag: Flag on the command line; by default ``--`` and the field's name. ``{name}`` stands for that name.
            Python's keyword is the same without the dashes before it: ``snr_reference`` for ``--snr-reference``.
        metavar: Placeholder of its value in ``--help``.
        page: Further sentences for docs/cli.md.
        example: A value for docs/cli.md, as typed; options that it needs may follow.
        key: Its name in a manifest or recipe; by default the field's name.
        is_requested: Whether the bytes of the dataset depend on it, so that manifests keep it.
        is_kept_at_default: Whether manifests also keep it at its default. They do not for an option that was added
            later, so that earlier requests stay equal and their recipes keep their hashes.
        choices: All valid values, if they can be listed.
        is_set: Whether a tuple may hold each value only once.
        is_split: Whether commas and blanks separate several values on the command line.
        rule: Rule that its values satisfy.
        protocols: Protocols that accept it; empty for all.
        remedy: What to do about an invalid value.
        parse: Converts the typed text to its value, if the type alone does not say how.
        typed: Further arguments for typer: ``min``, ``max``, ``envvar``, ``show_default`` ..
    """

    help: str
    flag: str = ""
    metavar: str | None = None
    page: str = ""
    example: str = ""
    key: str = ""
    is_requested: bool = True
    is_kept_at_default: bool = True
    choices: tuple[object, ...] = ()
    is_set: bool = True
    is_split: bool = True
    rule: Rule | None = None
    protocols: tuple[str, ...] = ()
    remedy: str = "toyadmos prepare --help"
    parse: Callable[[str], Any] | None = None
    typed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def keyword(self) -> str:
        """Its name in Python."""
        return self.flag.removeprefix("--").replace("-", "_")

    def check(self, value: object) -> None:
        """Raise unless a value is valid; every part of a tuple must be.

        Raises:
            OptionError: The value is invalid.
        """
        values = value if isinstance(value, tuple) else (value,)
        for one in values:
            if self.choices and one not in self.choices:
                joint = " or " if len(self.choices) == 2 else ", "
                near = difflib.get_close_matches(str(one), map(str, self.choices), n=1)
                meant = replace(self, remedy=f"Did you mean {near[0]}?") if near else self
                raise meant.refusal(joint.join(map(str, self.choices)), one)
        if self.is_set and len(set(values)) != len(values):
            raise self.refusal("each value once", ", ".join(map(str, values)))
        for one in values:
            if self.rule is not None and not self.rule.holds(one):
                raise self.refusal(self.rule.expected, one)

    def refusal(self, expected: str, actual: object) -> OptionError:
        """Return the error for an invalid value."""
        return OptionError(
            "The value of an option is invalid.",
            where=self.flag,
            expected=expected,
            actual=actual,
            remedy=self.remedy,
        )


def option(**facts: Any) -> dict[str, Option]:  # noqa: ANN401  # the attributes of Option
    """Return the metadata of a field that declares an option, from the attributes of `Option`."""
    return {_METADATA: Option(**facts)}


def options_of(kind: type[Any]) -> Mapping[str, Option]:
    """Return the options that a dataclass declares, by the names of its fields."""
    return _options_of(cast("Hashable", kind))


@functools.cache
def _options_of(kind: Hashable) -> Mapping[str, Option]:
    """Read the fields once for each class: the command line asks for every option of every command."""
    declared = {
        one.name: one.metadata[_METADATA] for one in fields(cast("type[Any]", kind)) if _METADATA in one.metadata
    }
    return MappingProxyType(
        {
            name: replace(one, flag=one.flag.format(name=name) or f"--{name.replace('_', '-')}", key=one.key or name)
            for name, one in declared.items()
        }
    )


def defaults_of(kind: type[Any]) -> Mapping[str, Any]:
    """Return the defaults of a dataclass's fields, by name; those with none, or with a factory, are left out."""
    return {one.name: one.default for one in fields(kind) if one.default is not MISSING}


def check_options(options: Any) -> None:  # noqa: ANN401  # any dataclass that declares options
    """Convert each option to its declared type, and raise if a value is invalid.

    None is valid where it is the default. Equal requests become equal values: 6, 6.0 and [6] all give ``(6.0,)``.

    Raises:
        OptionError: A value is invalid.
    """
    kind = type(options)
    defaults = defaults_of(kind)
    for name, one in options_of(kind).items():
        value = getattr(options, name)
        if value is None and defaults.get(name, MISSING) is None:
            continue
        settled = settled_value(value, type_of(kind, name), one)
        object.__setattr__(options, name, settled)
        one.check(settled)


def type_of(kind: type[Any], name: str) -> Any:  # noqa: ANN401  # a type, or a generic one
    """Return the type of a field's values besides None."""
    hint = _hints_of(cast("Hashable", kind))[name]
    return next(part for part in get_args(hint) if part is not NoneType) if NoneType in get_args(hint) else hint


@functools.cache
def _hints_of(kind: Hashable) -> dict[str, Any]:
    """Return the types of a class's fields; evaluating them takes a while."""
    return get_type_hints(cast("type[Any]", kind))


def settled_value(value: Any, hint: Any, one: Option) -> Any:  # noqa: ANN401  # any type of option
    """Return a value as an option's declared type; one value stands for a list of one.

    Raises:
        OptionError: The value has another type.
    """
    if get_origin(hint) is not tuple:
        return _settled_single(value, hint, one)
    if isinstance(value, Mapping):
        value = [f"{name}={setting}" for name, setting in value.items()]
    parts = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
    return tuple(_settled_single(part, get_args(hint)[0], one) for part in parts)


_KINDS: Mapping[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
}


def _settled_single(value: Any, kind: Any, one: Option) -> Any:  # noqa: ANN401  # any type of option
    if one.parse is not None and kind is not str and not isinstance(value, kind):
        return one.parse(str(value))
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if kind is int and is_number and (isinstance(value, Integral) or float(value).is_integer()):
        return int(value)
    if kind is float and is_number:
        return float(value) + 0.0  # -0.0 becomes 0.0
    if kind is str and is_number:
        return f"{value:g}" if isinstance(value, float) else str(value)
    if kind is Path and isinstance(value, (str, os.PathLike)):
        return expanded_path(value)
    if kind in _KINDS and (kind in {int, float} or not isinstance(value, kind)):
        raise one.refusal(_KINDS[kind], repr(value))
    return value


def request_of(options: Any) -> dict[str, Any]:  # noqa: ANN401  # any dataclass that declares options
    """Return the options as manifests and recipes keep them: JSON values by their keys."""
    defaults = defaults_of(type(options))
    return {
        one.key: getattr(options, name)
        for name, one in options_of(type(options)).items()
        if one.is_requested and (one.is_kept_at_default or getattr(options, name) != defaults[name])
    }


def of_request(kind: type[Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a class's options from what `request_of` made of them."""
    return {name: request[one.key] for name, one in options_of(kind).items() if one.is_requested}
