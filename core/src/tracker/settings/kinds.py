"""A setting and the kinds of settings: what a value may be, and how it is written on a command line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

from attrs import frozen

from tracker.errors import TrackerError
from tracker.text.render import CONTROL

LARGEST_PRICE = 1e12
SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@frozen(kw_only=True)
class Setting:
    """One setting; `key` is dotted where it stands in a table. Numbers are within `least` and `most`."""

    key: str
    kind: str
    default: Any
    about: str
    least: float = 0
    most: float = 0

    def check(self, value: Any) -> Any:
        """The value as the program uses it; a `ValueError` says what was expected."""
        kind = KINDS[self.kind]
        found = kind.take(self, value)
        if found is None:
            raise ValueError(f"{self.key} must be {kind.expected.format(self)}, not {_brief(value)}")
        return found


@frozen
class Kind:
    """A kind of setting.

    title: what people call it. expected: how an error says what was expected; `{0.least:g}` is the setting's limit.
    take: the value as the program uses it, None for one that does not fit (TOML has no null).
    """

    title: str
    expected: str
    take: Callable[[Setting, Any], Any]


def _text(_setting: Setting, value: Any) -> str | None:
    is_line = isinstance(value, str) and value.strip() and "\n" not in value and not CONTROL.search(value)
    return value if is_line else None


def _texts(setting: Setting, value: Any) -> tuple[str, ...] | None:
    texts = [_text(setting, one) for one in value] if isinstance(value, list) else [None]
    return None if None in texts else tuple(text for text in texts if text)


def _switch(_setting: Setting, value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(setting: Setting, value: Any) -> float | None:
    is_within = _is_amount(value) and setting.least <= value <= setting.most
    return float(value) if is_within else None


def _zone(setting: Setting, value: Any) -> str | None:
    from tracker.settings.zones import zone

    name = _text(setting, value)
    try:
        return name if name and zone(name) else None
    except TrackerError:
        return None


def _prices(_setting: Setting, value: Any) -> dict[str, Any] | None:
    is_sound = isinstance(value, dict) and all(_is_price(price) for price in value.values())
    return value if is_sound else None


def _is_price(price: Any) -> bool:
    """A text as `--price` takes it, or its parts by name."""
    parts = price.values() if isinstance(price, dict) else [price] if isinstance(price, str) else [None]
    return all(bool(part.strip()) if isinstance(part, str) else _is_amount(part) for part in parts)


def _is_amount(value: Any) -> bool:
    """Not negative, and neither NaN, which is in no range, nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LARGEST_PRICE


KINDS = {
    "text": Kind("text", "a text of one line", _text),
    "texts": Kind("list of texts", 'a list of texts such as ["a", "b"]', _texts),
    "switch": Kind("true or false", "true or false", _switch),
    "number": Kind("number", "a number from {0.least:g} to {0.most:g}", _number),
    "zone": Kind("time zone", "the name of a time zone such as Europe/Berlin or UTC", _zone),
    "prices": Kind("table", "a table with a text such as '200/mo:4.3bars' or a table per provider", _prices),
}


def _brief(value: Any) -> str:
    text = shown(value) if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def shown(value: Any) -> str:
    """A value as `tracker config` prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return ", ".join(map(shown, value)) if isinstance(value, list | tuple) else str(value)


def from_words(setting: Setting, words: str) -> Any:
    """The TOML value that a person means on a command line; words that mean none stay a text, which `check` refuses."""
    if setting.kind == "switch":
        return SWITCH.get(words.lower(), words)
    if setting.kind == "number":
        return _number_of(words)
    if setting.kind == "texts" and not words.lstrip().startswith("["):
        return [part.strip() for part in words.split(",") if part.strip()]
    return _literal(words) if setting.kind in ("texts", "prices") else words


def _number_of(words: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(words)
        except ValueError:
            continue
    return words


def _literal(words: str) -> Any:
    """A TOML value such as `["a"]` or `{month = 200}`; anything else is a text."""
    try:
        found = tomllib.loads(f"value = {words}")
    except ValueError:
        return words
    return found["value"] if list(found) == ["value"] else words
