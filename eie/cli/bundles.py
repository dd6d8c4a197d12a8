"""Options that a command takes together: gathered to one value, their defaults from the library.

    @bundled(settings=SettingsOptions(EncoderSettings, steps=Steps, rate=Rate))
    def encoder(data: Data, settings: EncoderSettings) -> None: ...

has the options --steps and --rate in the place of `settings`, and gets the settings with what was
typed. An option is called like the field that it sets, wherever in nested settings that is, and its
help shows the field's default: neither is told again here.

    @bundled(options=ArgumentOptions(dict, seed=Seed), many=MANY)
    def render(file: ElementFile, options: dict[str, Any], many: Many) -> None: ...

gets what was typed as the arguments of a function of the library.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Annotated, Any, Protocol, TypeVar, get_args

import typer
from typer.models import OptionInfo

from eie.cli.options import typed
from eie.errors import UsageError

Settings = TypeVar("Settings")


class Bundle(Protocol):
    """Options that are one parameter of a command."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Name ⇒ annotated type, each optional: None where it was not typed."""

    def gather(self, options: Mapping[str, Any], context: typer.Context) -> Any:
        """What the command gets for the options that were typed."""


class SettingsOptions:
    """A settings dataclass by options.

    Args:
        start: gives the settings that nothing is typed for; called with those options that are
            parameters of it, for settings that begin elsewhere.
        options: field ⇒ annotated type; those that the settings have no field for are left out.
    """

    def __init__(self, start: Callable[..., Any], /, **options: Any) -> None:
        self._start = start
        self._startup = () if is_dataclass(start) else tuple(inspect.signature(start).parameters)
        default = start()
        self.options = {
            name: option if name in self._startup else _showing(option, value_of(default, name))
            for name, option in options.items()
            if name in self._startup or _holder(default, name) is not None
        }

    def gather(self, options: Mapping[str, Any], context: typer.Context) -> Any:  # noqa: ARG002
        begin = {name: options[name] for name in self._startup if name in options}
        rest = {name: value for name, value in options.items() if name not in begin}
        return changed(self._start(**begin), **rest)


class ArgumentOptions:
    """Arguments by options: only what was typed is given, the rest keeps the defaults it has.

    Args:
        make: what is called with them, as `dict`, or a dataclass.
        options: argument ⇒ annotated type.
    """

    def __init__(self, make: Callable[..., Any], /, **options: Any) -> None:
        self._make = make
        self.options = options

    def gather(self, options: Mapping[str, Any], context: typer.Context) -> Any:  # noqa: ARG002
        return self._make(**options)


def bundled(**bundles: Bundle) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of bundles instead of the parameters of these names.

    It may have a parameter `context`, too.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_options(context: typer.Context, **values: Any) -> None:
            for name, bundle in bundles.items():
                options = {option: values.pop(option) for option in bundle.options}
                values[name] = bundle.gather(typed(**options), context)
            if "context" in parameters:
                values["context"] = context
            command(**values)

        parameters = inspect.signature(command, eval_str=True).parameters
        context = inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
        expanded = [context, *_expanded(parameters, bundles)]
        with_options.__signature__ = inspect.Signature(expanded)  # type: ignore[attr-defined]
        with_options.__annotations__ = {p.name: p.annotation for p in expanded}
        return with_options

    return decorate


def value_of(settings: Any, name: str) -> Any:
    """The field of that name, of the settings or, else, of the settings in them.

    Raises:
        AttributeError: there is none.
    """
    holder = _holder(settings, name)
    if holder is None:
        raise AttributeError(f"{type(settings).__name__} has no setting '{name}'")
    return getattr(holder, name)


def changed(settings: Settings, **values: Any) -> Settings:
    """Settings with other values of fields, each wherever :func:`value_of` finds it."""
    for name, value in values.items():
        value_of(settings, name)  # there is one
        settings = _replaced(settings, _holder(settings, name), name, value)
    return settings


def names(text: str | None) -> tuple[str, ...] | None:
    """Names between commas; "none" is no name at all. For an option's callback."""
    if text is None:
        return None
    return () if text.strip() == "none" else tuple(part.strip() for part in text.split(","))


def counts(text: str | None) -> tuple[int, ...] | None:
    """Whole numbers between commas. For an option's callback.

    Raises:
        UsageError: something else is among them.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"'{text}' are not whole numbers", where="--counts", hint="as in 64,128")
    return tuple(int(part) for part in parts)


def _expanded(
    parameters: Mapping[str, inspect.Parameter], bundles: Mapping[str, Bundle]
) -> Iterator[inspect.Parameter]:
    """A command's parameters but its context, those of bundles in the place of each."""
    for parameter in parameters.values():
        if parameter.name == "context":
            continue
        if parameter.name not in bundles:
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        for name, annotation in bundles[parameter.name].options.items():
            yield inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
            )


def _showing(option: Any, default: Any) -> Any:
    """An option whose help shows a default, unless it says itself what that is."""
    kind, info = get_args(option)
    if not isinstance(info, OptionInfo) or isinstance(info.show_default, str) or default is None:
        return option
    info = copy(info)
    info.show_default = _shown(info, default)
    return Annotated[kind, info]


def _shown(option: OptionInfo, default: Any) -> str | bool:
    if isinstance(default, bool):
        words = (option.default, *(option.param_decls or ()))  # typer keeps the first one there
        switch = next((word for word in words if isinstance(word, str) and "/" in word), "")
        return switch.split("/")[not default] if switch else False
    if isinstance(default, tuple):
        return ",".join(map(str, default)) or "none"
    return str(default)


def _holder(settings: Any, name: str) -> Any:
    """The settings that have a field, those nearest to the top; None if none has."""
    waiting = deque([settings])
    while waiting:
        one = waiting.popleft()
        found = {field.name: getattr(one, field.name) for field in fields(one)}
        if name in found:
            return one
        waiting.extend(value for value in found.values() if is_dataclass(value))
    return None


def _replaced(settings: Any, holder: Any, name: str, value: Any) -> Any:
    """Settings with one field of one of the settings in them changed."""
    if settings is holder:
        return replace(settings, **{name: value})
    inner = {
        field.name: _replaced(part, holder, name, value)
        for field in fields(settings)
        if is_dataclass(part := getattr(settings, field.name))
    }
    return replace(settings, **inner)
