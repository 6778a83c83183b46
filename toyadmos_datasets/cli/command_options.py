"""The options of commands, made from the declarations in `toyadmos_datasets.options` and this module."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args, get_origin, get_type_hints

import typer

from toyadmos_datasets.cli.terminal import number_of, print_lines, words_of
from toyadmos_datasets.options.declaration import Option, defaults_of, options_of, type_of
from toyadmos_datasets.options.fetch_choices import FetchChoices
from toyadmos_datasets.options.place_options import PlaceOptions
from toyadmos_datasets.options.plan_options import PlanOptions
from toyadmos_datasets.options.render_options import Encoding, LogMel, RenderOptions

if TYPE_CHECKING:
    from toyadmos_datasets.jobs.prepare_options import PrepareOptions

Command: TypeAlias = Callable[..., Any]


def typed(kind: type[Any], name: str, **facts: Any) -> Any:  # noqa: ANN401  # as typer.Option
    """Return a declared option as an option of typer; `facts` are further arguments."""
    one = options_of(kind)[name]
    flags = f"{one.flag}/--no-{one.flag[2:]}" if defaults_of(kind).get(name) is True else one.flag
    return typer.Option(flags, help=one.help.replace("`", ""), metavar=one.metavar, **facts, **one.typed)


def parameters_of(kind: type[Any], *names: str, is_left_open: bool = False) -> list[inspect.Parameter]:
    """Return declared options as parameters of a command.

    Args:
        kind: The dataclass that declares them.
        names: Its fields; all by default.
        is_left_open: Whether what is not typed is None, and not the default of the field.
    """
    return [_parameter(kind, name, is_left_open=is_left_open) for name in names or options_of(kind)]


def _parameter(kind: type[Any], name: str, *, is_left_open: bool) -> inspect.Parameter:
    one, default = options_of(kind)[name], defaults_of(kind).get(name, inspect.Parameter.empty)
    is_left_open = is_left_open and default is not inspect.Parameter.empty  # else it is required
    is_told = is_left_open and default not in (None, ()) and "show_default" not in one.typed
    facts = {"show_default": f"{default}"} if is_told else {}
    if is_left_open or isinstance(default, tuple):
        default = None
    taken = _typed_as(type_of(kind, name), one)
    shown = taken | None if default is None else taken
    annotation = Annotated[shown, typed(kind, name, **facts)]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _typed_as(hint: Any, one: Option) -> Any:  # noqa: ANN401  # types
    """Return the type for typer; this module parses lists of words itself, so that errors say what is expected."""
    if get_origin(hint) is tuple:
        return list[str]
    return hint if hint in {bool, int, float, Path} and one.parse is None else str


def values_of(kind: type[Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the typed values of a class's options, without those that were not given.

    Raises:
        OptionError: A word is no number.
    """
    names = [name for name in options_of(kind) if given.get(name) not in (None, [])]
    return {name: _value_of(kind, name, given[name]) for name in names}


def _value_of(kind: type[Any], name: str, value: Any) -> Any:  # noqa: ANN401  # any type of option
    one, hint = options_of(kind)[name], type_of(kind, name)
    if one.parse is not None:
        return one.parse(value)
    if get_origin(hint) is not tuple:
        return value
    if not one.is_split:
        return tuple(value)
    of, words = get_args(hint)[0], words_of(value)
    values = tuple(words if of is str else (number_of(word, of, one.flag) for word in words))
    return values or defaults_of(kind)[name] or values  # an empty text stands for the default where that is a list


def with_options(name: str, options: list[inspect.Parameter], gather: Command) -> Callable[[Command], Command]:
    """Put options in the place of one of a command's parameters, and call the command with what they make.

    Args:
        name: The parameter.
        options: What stands in its place, as typer sees it.
        gather: Makes its value of what was typed.
    """

    def replacing(command: Command) -> Command:
        """Return the command with the options."""
        known = dict.fromkeys(("PrepareOptions", "FetchChoices"), object)
        hints = get_type_hints(command, localns=known, include_extras=True)
        own = [one.replace(annotation=hints[one.name]) for one in inspect.signature(command).parameters.values()]
        at = [one.name for one in own].index(name)
        shown = [*own[:at], *options, *own[at + 1 :]]

        @functools.wraps(command)
        def run(**given: Any) -> Any:  # noqa: ANN401  # typer passes each option by its own type
            """Gather the options, and run the command."""
            made = gather(**{one.name: given.pop(one.name) for one in options})
            return command(**{name: made}, **given)

        del run.__wrapped__  # typer would look through to the command
        run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in shown}
        return run

    return replacing


def taking(kind: type[Any]) -> Callable[[Command], Command]:
    """Give a command all options of a class in the place of `chosen`, the keywords that they make for it."""
    return with_options("chosen", parameters_of(kind, is_left_open=True), lambda **given: values_of(kind, given))


def fetch_choices(**given: Any) -> FetchChoices:  # noqa: ANN401  # each option by its own type
    """Return the typed options of fetching.

    Raises:
        OptionError: The rate is none.
    """
    ask = _ask if sys.stdin.isatty() and sys.stderr.isatty() else None
    return FetchChoices(**values_of(FetchChoices, given), ask=ask)


def taking_fetch(*names: str) -> Callable[[Command], Command]:
    """Give a command options of `FetchChoices`, by default all, in the place of `fetch`, which they make."""
    return with_options("fetch", parameters_of(FetchChoices, *names), fetch_choices)


def _ask(text: str) -> bool:
    print_lines(text.splitlines(), err=True, is_question=True)
    return typer.confirm("Do you accept it?", default=False, err=True)


def chosen_workers(given: int | None) -> int:
    """Return the requested number of processes, by default the number of processors."""
    from toyadmos_datasets.engine import chosen_workers as chosen

    return chosen(given)


def _request(**given: Any) -> PrepareOptions:  # noqa: ANN401  # each option by its own type
    kinds = (PlanOptions, PlaceOptions, Encoding, RenderOptions, LogMel)
    chosen = {name: value for kind in kinds for name, value in values_of(kind, given).items()}
    fetch = fetch_choices(**given)
    from toyadmos_datasets.engine.arrow_memory import keep_pandas_out
    from toyadmos_datasets.jobs.requests import prepare_options

    keep_pandas_out()
    return prepare_options(chosen, fetch, say=lambda text: print_lines([text], err=True))


REQUEST = [
    *parameters_of(PlanOptions),
    *parameters_of(PlaceOptions),
    *parameters_of(Encoding),
    *parameters_of(RenderOptions, "headroom_db", "on_clip", "stems", "log_mel"),
    *parameters_of(LogMel, is_left_open=True),
    *parameters_of(RenderOptions, "workers", is_left_open=True),
    *parameters_of(RenderOptions, "engine"),
    *parameters_of(FetchChoices),
]
"""The options of `prepare` and `plan`, in the order in which they are shown."""

taking_request = with_options("request", REQUEST, _request)
"""Gives a command the shared options in the place of `request`, the `PrepareOptions` that they make."""

ToysOption = Annotated[str, typed(PlanOptions, "toy")]
ToyOption = Annotated[str, typer.Option("--toy", help="car, conveyor or train.", metavar="TOY")]
SourceOption = Annotated[str, typed(PlaceOptions, "source")]
IgnoreOption = Annotated[list[str] | None, typed(PlaceOptions, "ignore")]
StrictOption = Annotated[bool, typed(PlaceOptions, "strict")]
CacheOption = Annotated[Path | None, typed(PlaceOptions, "cache")]
OverwriteOption = Annotated[bool, typed(PlaceOptions, "overwrite")]
ManifestOption = Annotated[Path | None, typed(FetchChoices, "manifest")]
AcceptOption = Annotated[bool, typed(FetchChoices, "accept_license")]
WorkersOption = Annotated[int | None, typed(RenderOptions, "workers")]
EngineOption = Annotated[str, typed(RenderOptions, "engine")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON value.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        help="Token for the Hub; HF_TOKEN is safer, since other users of the machine do not see it.", metavar="TOKEN"
    ),
]
