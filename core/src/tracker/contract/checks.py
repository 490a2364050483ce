"""Checks that the values of the plugin boundary make of themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from attrs import Attribute
from attrs.validators import deep_iterable, instance_of, matches_re, optional

Validator: TypeAlias = Callable[[Any, "Attribute[Any]", Any], None]


def finite(_owner: object, attribute: Attribute[Any], value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{attribute.name} must be a finite number or None, got {value!r}")


def aware(_owner: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None):
        raise ValueError(f"{attribute.name} must be a datetime with a zone or None, got {value!r}")


def mapping(_owner: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{attribute.name} must be a mapping with text keys, got {value!r:.200}")


def distinct(key: str) -> Validator:
    """No two of a tuple's values have the same key."""

    def check(_owner: object, attribute: Attribute[Any], value: tuple[Any, ...]) -> None:
        keys = [str(getattr(one, key)) for one in value]
        if len(set(keys)) < len(keys):
            raise ValueError(f"{attribute.name} have one {key} twice: {', '.join(keys)}")

    return check


def tuple_of(kind: type | tuple[type, ...]) -> Any:
    return deep_iterable(instance_of(kind), instance_of(tuple))


TEXT, TEXTS, MAYBE_TEXT = instance_of(str), tuple_of(str), optional(instance_of(str))
# what is shown in a line of its own must not end it, and begin a forged one
LINES = deep_iterable(matches_re(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*"), instance_of(tuple))
WHOLE, SWITCH = instance_of(int), instance_of(bool)
SLUG = matches_re(r"[a-z][a-z0-9_]*")
NAME = matches_re(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
