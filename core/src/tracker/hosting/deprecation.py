"""What a later minor version of the contract takes back: it goes on working, and a plugin's author is told where."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen


class ContractDeprecation(DeprecationWarning):
    """A plugin uses what the next major version of the contract will not have: its author's tests show it."""


@frozen
class Deprecated:
    """Since which contract something is deprecated, and what to use instead."""

    since: str
    instead: str

    def words(self, what: str) -> str:
        where = f"docs/plugins.md, section {SECTION!r}"
        return f"{what} is deprecated since contract {self.since}: {self.instead} ({where})"


SECTION = "Versions and deprecation"
# `hook.argument` that plugins ask for, and `Class.field` that they fill; nothing yet
DEPRECATED: dict[str, Deprecated] = {}


def of_arguments(hook: str, names: tuple[str, ...]) -> Iterator[str]:
    """The sentences for the arguments that a hook's function asks for."""
    return _known(f"{hook}.{name}" for name in names) if DEPRECATED else iter(())


def of_value(value: object) -> Iterator[str]:
    """The sentences for the fields that a plugin filled, in a value of the contract or in one inside it."""
    if not DEPRECATED:
        return
    for inner in attrs_inside(value):
        filled = (one for one in attrs.fields(type(inner)) if getattr(inner, one.name) != _default(one, inner))
        yield from _known(f"{type(inner).__name__}.{one.name}" for one in filled)


def attrs_inside(value: object) -> Iterator[Any]:
    """A value of the contract and every one inside it."""
    if isinstance(value, tuple):
        for one in value:
            yield from attrs_inside(one)
    elif attrs.has(type(value)):
        yield value
        for field in attrs.fields(type(value)):  # type: ignore[arg-type]
            yield from attrs_inside(getattr(value, field.name))


def warn(sentence: str, function: Any) -> None:
    """Say it at the plugin's line: that of the hook's function."""
    plain = getattr(function, "__func__", function)  # of a method
    scope: dict[str, Any] = plain.__globals__
    warnings.warn_explicit(
        sentence,
        ContractDeprecation,
        filename=plain.__code__.co_filename,
        lineno=plain.__code__.co_firstlineno,
        module=scope.get("__name__"),
        registry=scope.setdefault("__warningregistry__", {}),
    )


def _known(keys: Iterator[str]) -> Iterator[str]:
    return (DEPRECATED[key].words(f"`{key}`") for key in keys if key in DEPRECATED)


def _default(field: attrs.Attribute[Any], owner: object) -> Any:
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return default.factory(owner) if default.takes_self else default.factory()
    return default
