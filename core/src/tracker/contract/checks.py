"""Checks that the values of the plugin boundary make of themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import Attribute
from attrs.validators import deep_iterable, instance_of


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


def tuple_of(kind: type | tuple[type, ...]) -> Any:
    return deep_iterable(instance_of(kind), instance_of(tuple))


TEXTS = tuple_of(str)
