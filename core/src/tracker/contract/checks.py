"""Checks of fields, each of which says what was expected."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from attrs import Attribute

from tracker.text.render import line

Validator: TypeAlias = Callable[[Any, "Attribute[Any]", Any], None]


def must_be(expected: str, test: str | type | Callable[[Any], object], *, is_optional: bool = False) -> Validator:
    """A validator that refuses a value of another type, or that fails a test or pattern, and says what was expected.

    A pattern is compiled at its first use: start-up does not pay for unused ones.
    """
    known = f"{expected}, or None" if is_optional else expected
    passes = (lambda value: isinstance(value, test)) if isinstance(test, type) else test

    def check(_owner: object, attribute: Attribute[Any], value: object) -> None:
        if value is None and is_optional:
            return
        if not (passes(value) if callable(passes) else isinstance(value, str) and re.fullmatch(passes, value)):
            raise ValueError(f"Invalid {attribute.name} {value!r:.200}. Expected {known}.")

    return check


maybe = partial(must_be, is_optional=True)


def one_of(*values: str) -> Validator:
    return must_be(f"one of {', '.join(values)}", lambda value: value in values)


def tuple_of(*kinds: type, distinct: str = "", outer: Any = tuple) -> Validator:
    """Instances in a tuple, or in a sequence except a text; no two have the same value in the field `distinct`."""
    expected = f"a {outer.__name__.lower()} of {' or '.join(kind.__name__ for kind in kinds)}"
    return must_be(
        f"{expected}, each {distinct} once" if distinct else expected,
        lambda value: (
            isinstance(value, outer)
            and not isinstance(value, str)
            and all(isinstance(one, kinds) for one in value)
            and (not distinct or len({getattr(one, distinct) for one in value}) == len(value))
        ),
    )


def number_from(least: float, end: float = math.inf) -> Callable[[Any], object]:
    """Whether a value is a number from there up, below `end`; infinity and NaN are not."""
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and least <= value < end


def is_line(value: object) -> bool:
    """Whether a text can be shown in a line of its own: nothing in it steers a terminal or begins another line."""
    return isinstance(value, str) and (value.isprintable() or line(value) == value)


def one_line(value: Any) -> Any:
    """A text with its control characters shown; anything else as it is."""
    return line(value) if isinstance(value, str) else value


def is_json(value: object) -> bool:
    """Whether a record holds a value as it is: finite numbers, whole ones of 64 bits, whole characters, text keys."""
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and is_json(name) and is_json(part) for name, part in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_json, value))
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    return value is None or (isinstance(value, float) and math.isfinite(value))


TEXT, MAYBE_TEXT = (one("a text", str) for one in (must_be, maybe))
LINE, MAYBE_LINE = (one("a text without control characters", is_line) for one in (must_be, maybe))
WHOLE, MAYBE_WHOLE = (one("a whole number", lambda value: type(value) is int) for one in (must_be, maybe))
TEXTS, SENTENCES, SWITCH = tuple_of(str), tuple_of(str, outer=Sequence), must_be("True or False", bool)
LINES = must_be(
    "a tuple of texts without control characters", lambda value: isinstance(value, tuple) and all(map(is_line, value))
)
POSITIVE = must_be("a whole number from 1 up", lambda value: type(value) is int and value > 0)
COUNT = must_be("a whole number from 0 up", lambda value: type(value) is int and value >= 0)
LIMIT = 10**15  # beyond any account's use; below it floats and JSON hold whole numbers exactly
FINITE = maybe("a finite number, below 10**15 either way", number_from(-LIMIT, LIMIT))
AMOUNT = maybe("a finite number from 0 up, below 10**15", number_from(0, LIMIT))
AWARE = maybe("a datetime with a zone", lambda value: isinstance(value, datetime) and value.utcoffset() is not None)
JSON_OBJECT = must_be(
    "a mapping from texts to JSON values, all numbers finite",
    lambda value: isinstance(value, Mapping) and is_json(value),
)
NAME_PATTERN = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
NAME = must_be("lower-case letters, digits and single dashes, such as my-tool", NAME_PATTERN)
SLUG_PATTERN = r"[a-z][a-z0-9_]{0,63}"  # some become the name of a file
SLUG = must_be("up to 64 lower-case letters, digits and '_', such as five_hours", SLUG_PATTERN)
