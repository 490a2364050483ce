"""`tracker plugins info`: what a source declares, as people read it and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from textwrap import wrap
from typing import Any

from tracker.api import Meter, Source
from tracker.kernel import Session, TrackerError, line, near, number

Note = Any  # the registry's note of an installed source
Cells = Sequence[Sequence[str]]
NARROW = 60  # columns below which labels stand above what they are of
LEAST = 20  # columns of the last cell of rows that stand in columns


def find(session: Session, name: str) -> Note:
    """The sound plugin of that name."""
    registry = session.registry
    found = registry.find(name)
    if found is not None and found.error is None:
        return found
    if found is not None:
        raise TrackerError(
            f"{name} is left out: {str(found.error).rstrip('.')}. `tracker plugins list` says what to do."
        )
    if any(one.name == name for one in registry.disabled):
        raise TrackerError(f"{name} is disabled. Unset TRACKER_DISABLE_PLUGINS.")
    if any(one.name == name for one in registry.features):
        raise TrackerError(f"{name} is a feature. Expected a source. `tracker plugins list` shows what a feature adds.")
    raise TrackerError(f"No source {name!r} is installed. {near(name, list(registry.sources))}")


def document(session: Session, found: Note) -> dict[str, Any]:
    """A declaration as JSON, with where it comes from."""
    from cattrs import Converter

    plain = Converter()
    plain.register_unstructure_hook(timedelta, lambda length: length.total_seconds())
    about = {"distribution": found.distribution, "version": found.version, "hooks": _hooks(session, found)}
    return about | {"declaration": plain.unstructure(found.info)}


def describe(session: Session, found: Note, width: int) -> Iterator[str]:
    """A declaration as people read it, in lines of so many columns."""
    source = found.info
    assert source is not None
    yield f"{source.name}: {line(source.title)}, a {source.kind} source"
    is_narrow = width < NARROW
    indent = 4 if is_narrow else 16
    for label, rows in _parts(session, found, source):
        if is_narrow and label and rows:
            yield f"  {label}"
        for place, text in enumerate(_lines(rows, width - indent)):
            head = "" if is_narrow or place else f"  {label}"
            yield f"{head:<{indent}}{line(text)}"


def _parts(session: Session, found: Note, source: Source) -> Iterator[tuple[str, Cells]]:
    yield "distribution", [(f"{found.distribution} {found.version}, built for contract {source.contract}",)]
    yield "records", [(f"{source.stream}.jsonl",)]
    yield "hooks", [(f"{hook}({', '.join(names)})",) for hook, names in _hooks(session, found).items()]
    yield "meters", [_meter(source, meter) for meter in source.meters]
    if source.open_meters:
        yield "", [("and those that the vendor may add, in used percent",)]
    yield "scopes", [(", ".join(source.scopes),)] if source.scopes else []
    yield "functions", [(name, f"tracker {words}") for name, words in source.shell_functions.items()]
    yield "origins", [(origin.name, origin.title) for origin in source.origins]
    compared = [f"{held.figure} of {held.scope} with {held.provider}'s {held.meter}" for held in source.comparisons]
    yield "compared", [(text,) for text in compared]
    yield "error tags", list(source.tags.items())


def _lines(rows: Cells, room: int) -> Iterator[str]:
    """The rows in columns, of which the last is wrapped; if that has no room, it is below the others."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    begin = sum(widths) + 2 * len(widths)
    # a command is never broken
    longest = max((len(row[-1]) for row in rows if row[-1].startswith("tracker ")), default=LEAST)
    if widths and room - begin < max(longest, LEAST):
        for *above, last in rows:
            yield "  ".join(above)
            yield from (f"  {text}" for text in _wrapped(last, room - 2))
        return
    for *before, last in rows:
        head = "".join(f"{cell:<{width}}  " for cell, width in zip(before, widths, strict=True))
        for text in _wrapped(last, room - begin):
            yield f"{head}{text}"
            head = " " * begin


def _wrapped(text: str, room: int) -> list[str]:
    if text.startswith("tracker "):
        return [text]
    return wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _meter(source: Source, meter: Meter) -> tuple[str, ...]:
    unit = "used percent" if meter.unit == "pp" else f"count of {meter.unit}"
    window = meter.window
    length = f"reset after {_length(window)}" if isinstance(window, timedelta) else "reset monthly" if window else ""
    capacity = "the capacity" if meter.key == source.capacity else ""
    return meter.key, meter.title, ", ".join(filter(None, (unit, length, capacity)))


def _length(time: timedelta) -> str:
    is_whole = time % timedelta(days=1) == timedelta()
    return f"{time.days} d" if is_whole else f"{number(time / timedelta(hours=1))} h"


def _hooks(session: Session, found: Note) -> dict[str, list[str]]:
    """The hooks that a plugin implements, each with the arguments that it asks for."""
    given: dict[str, list[str]] = {}
    for hook in found.hooks:
        caller = getattr(session.registry.manager.hook, hook)
        [own] = [one for one in caller.get_hookimpls() if one.plugin_name == found.name]
        given[hook] = list(own.argnames)
    return given


def aligned(rows: Cells) -> list[str]:
    """The rows as lines whose cells stand in columns."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
