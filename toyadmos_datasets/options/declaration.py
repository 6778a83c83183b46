"""How an option is declared: the metadata of a dataclass field."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, cast

from toyadmos_datasets.errors import OptionError

_METADATA = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every value of an option has to fulfil.

    Attributes:
        expected: The rule in words, for errors.
        holds: Tells whether a value fulfils it.
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
    """All that is known about an option besides its name, type and default, which are those of its field.

    Attributes:
        help: What it does, for ``--help`` and docs/cli.md; names stand in backticks.
        flag: How it is typed; by default ``--`` and the field's name. ``{name}`` in it stands for that name.
        metavar: What stands for its value in ``--help``.
        page: What docs/cli.md says besides.
        example: A value for docs/cli.md, as it is typed; options that it needs may follow.
        key: Its name in a manifest or recipe; by default the field's name.
        is_requested: Whether bytes of the dataset follow from it, so that manifests keep it.
        choices: All values that it can have.
        is_set: Whether a tuple has each value once.
        rule: What its values fulfil.
        protocols: The protocols that take it; empty for all.
        remedy: What to do about a wrong value.
        parse: Makes its value of the typed text, where the type does not say how.
        typed: What else the command line needs to know: ``min``, ``max``, ``envvar``, ``show_default`` ..
    """

    help: str
    flag: str = ""
    metavar: str | None = None
    page: str = ""
    example: str = ""
    key: str = ""
    is_requested: bool = True
    choices: tuple[object, ...] = ()
    is_set: bool = True
    rule: Rule | None = None
    protocols: tuple[str, ...] = ()
    remedy: str = "toyadmos prepare --help"
    parse: Callable[[str], Any] | None = None
    typed: Mapping[str, Any] = field(default_factory=dict)

    def check(self, value: object) -> None:
        """Raise unless the option can have a value; each part of a tuple has to be fine.

        Raises:
            OptionError: It cannot.
        """
        values = value if isinstance(value, tuple) else (value,)
        for one in values:
            if self.choices and one not in self.choices:
                joint = " or " if len(self.choices) == 2 else ", "
                raise self.refusal(joint.join(map(str, self.choices)), one)
        if self.is_set and len(set(values)) != len(values):
            raise self.refusal("each value once", ", ".join(map(str, values)))
        for one in values:
            if self.rule is not None and not self.rule.holds(one):
                raise self.refusal(self.rule.expected, one)

    def refusal(self, expected: str, actual: object) -> OptionError:
        """Return the error about a wrong value."""
        return OptionError(
            "An option has a value that cannot be used.",
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
    """Raise unless each option has a value that it can have; None is one where it is the default.

    Raises:
        OptionError: One has not.
    """
    defaults = defaults_of(type(options))
    for name, one in options_of(type(options)).items():
        value = getattr(options, name)
        if value is not None or defaults.get(name, MISSING) is not None:
            one.check(value)


def request_of(options: Any) -> dict[str, Any]:  # noqa: ANN401  # any dataclass that declares options
    """Return the options as manifests and recipes keep them: JSON values by their keys."""
    return {one.key: getattr(options, name) for name, one in options_of(type(options)).items() if one.is_requested}


def of_request(kind: type[Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a class's options from what `request_of` made of them."""
    return {name: request[one.key] for name, one in options_of(kind).items() if one.is_requested}
