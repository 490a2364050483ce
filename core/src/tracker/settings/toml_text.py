"""Where values stand in the text of a TOML file, and how one is changed there without touching the rest."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import frozen

Key: TypeAlias = tuple[str, ...]
BARE = re.compile(r"[A-Za-z0-9_-]+")


@frozen
class Statement:
    """The lines `start` up to `stop` of a file: a header, one `key = value`, or a comment or an empty line.

    table: the table that it stands in; of a header the one that it begins. values: by whole key.
    """

    start: int
    stop: int
    table: Key
    is_header: bool
    values: Mapping[Key, Any]


def statements(text: str) -> list[Statement]:
    """The statements of a sound file: each ends at the first line at which it is TOML by itself."""
    lines = text.replace("\r\n", "\n").split("\n")
    found: list[Statement] = []
    table: Key = ()
    start = 0
    while start < len(lines):
        stop, values = _first_whole(lines, start)
        is_header = lines[start].lstrip().startswith("[")
        if is_header:
            table = _header(values)
        own = {} if is_header else {table + key: value for key, value in _flat(values).items()}
        found.append(Statement(start, stop, table, is_header, own))
        start = stop
    return found


def _first_whole(lines: Sequence[str], start: int) -> tuple[int, dict[str, Any]]:
    for stop in range(start + 1, len(lines) + 1):
        try:
            return stop, tomllib.loads("\n".join(lines[start:stop]))
        except tomllib.TOMLDecodeError:
            continue
    return len(lines), {}


def _header(values: Any) -> Key:
    """The table that `[a.b]` or `[[a.b]]` begins: the only way down."""
    path = []
    while isinstance(values, dict | list) and values:
        if isinstance(values, dict):
            [(name, values)] = values.items()
            path.append(name)
        else:
            [values] = values
    return tuple(path)


def _flat(values: Mapping[str, Any]) -> dict[Key, Any]:
    found: dict[Key, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found |= {(name, *key): own for key, own in _flat(value).items()}
        else:
            found[(name,)] = value
    return found


def line_of(text: str, key: Key) -> int | None:
    """The line, from 1, on which a value or the first of a table begins."""
    for statement in statements(text):
        places = [statement.table] if statement.is_header else list(statement.values)
        if any(place[: len(key)] == key for place in places):
            return statement.start + 1
    return None


def put(text: str, key: Key, value: Any) -> str | None:
    """The text with one value set: in its place where it has one, where its table ends otherwise.

    Comments, order and everything else stay. Each way is tried until the text says exactly what is wanted; None where
    none does.
    """
    wanted = tomllib.loads(text)
    inner = wanted
    for name in key[:-1]:
        inner = inner.setdefault(name, {})
        if not isinstance(inner, dict):
            return None
    inner[key[-1]] = value
    end = "\r\n" if "\r\n" in text else "\n"
    for lines in _ways(text.replace("\r\n", "\n"), key, value):
        changed = "\n".join(lines).replace("\n", end)
        try:
            if tomllib.loads(changed) == wanted:
                return changed
        except tomllib.TOMLDecodeError:
            continue
    return None


def _ways(text: str, key: Key, value: Any) -> Iterator[list[str]]:
    lines, found = text.split("\n"), statements(text)
    *table, name = key
    new = f"{spell(name)} = {literal(value)}"
    for one in found:
        if any(place[: len(key)] == key for place in one.values):  # an inline table holds several
            yield [*lines[: one.start], *_rewritten(lines, one, key, value), *lines[one.stop :]]
    for one in found:
        if one.table == tuple(table) and not one.values and _sets(lines[one.start].lstrip("# \t"), name):
            yield [*lines[: one.start], new, *lines[one.stop :]]
    place = _end_of(lines, found, tuple(table))
    if place is not None:
        yield [*lines[:place], new, *lines[place:]]
    if table:
        dotted = f"{'.'.join(map(spell, key))} = {literal(value)}"
        last = len(lines) - 1 if lines[-1] == "" else len(lines)  # what stands behind the last line's end
        gap = [""] if last and lines[last - 1].strip() else []
        yield [*lines[:last], *gap, f"[{'.'.join(map(spell, table))}]", new, ""]
        top = _end_of(lines, found, ()) or 0
        yield [*lines[:top], dotted, *lines[top:]]


def _rewritten(lines: Sequence[str], one: Statement, key: Key, value: Any) -> list[str]:
    """A statement with another value behind its `=`; an inline table becomes a dotted key per value."""
    head = re.match(r"[^=]*=\s*", lines[one.start])
    assert head is not None  # a statement with a value has an `=`
    comment = _comment(lines[one.start : one.stop])
    if _sets(lines[one.start], *key[len(one.table) :]):
        return [f"{head[0].rstrip()} {literal(value)}{comment}"]
    values = {**one.values, key: value}
    rows = [f"{'.'.join(map(spell, each[len(one.table) :]))} = {literal(own)}" for each, own in values.items()]
    return [rows[0] + comment, *rows[1:]]


def _sets(line: str, *key: str) -> bool:
    """Whether a line begins to set exactly this key, whatever its value."""
    try:
        return list(_flat(tomllib.loads(f"{line.partition('=')[0]} = 0"))) == [key]
    except tomllib.TOMLDecodeError:
        return False


def _comment(lines: Sequence[str]) -> str:
    """The comment behind a statement with the space before it."""
    *before, last = lines
    for mark in re.finditer(r"\s*#", last):
        try:
            tomllib.loads("\n".join([*before, last[: mark.start()]]))
        except tomllib.TOMLDecodeError:
            continue
        return last[mark.start() :]
    return ""


def _end_of(lines: Sequence[str], found: Sequence[Statement], table: Key) -> int | None:
    """The line behind the last value of a table, or behind its header; of the file's own behind its first comment."""
    own = [one for one in found if one.table == table and (one.values or one.is_header)]
    if own:
        return own[-1].stop
    if table:
        return None
    title = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return title if title < len(lines) and not lines[title].strip() else 0


def literal(value: Any) -> str:
    """A value as TOML writes it, on one line."""
    import tomli_w

    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{spell(name)} = {literal(own)}' for name, own in value.items())}}}"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip("\n")


def spell(name: str) -> str:
    """A part of a key, in quotes where it needs them."""
    return name if BARE.fullmatch(name) else literal(name)
