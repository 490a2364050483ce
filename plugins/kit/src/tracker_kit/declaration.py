"""`tracker plugins info`: what a source declares, as people read it and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from textwrap import TextWrapper, wrap
from typing import Any

from tracker.api import Meter, Source
from tracker.kernel import Session, TrackerError, line, number

Note = Any  # the registry's note of an installed source
Cells = Sequence[Sequence[str]]
LEAST, BELOW = 20, " " * 4  # columns of a row's last cell; with fewer it stands below the others


def find(session: Session, name: str) -> Note:
    """The sound plugin of that name."""
    if any(one.name == name for one in session.registry.features):
        raise TrackerError(f"{name} is a feature. Expected a source. `tracker plugins list` shows what a feature adds.")
    session.source(name)
    return session.registry.find(name)


def document(session: Session, found: Note) -> dict[str, Any]:
    """A declaration as JSON, with where it comes from."""
    from cattrs import Converter

    plain = Converter()
    plain.register_unstructure_hook(timedelta, lambda length: length.total_seconds())
    about = {"distribution": found.distribution, "version": found.version, "hooks": _hooks(session, found)}
    return about | {"declaration": plain.unstructure(found.info)}


def describe(session: Session, found: Note, width: int) -> Iterator[str]:
    """A declaration as people read it, in lines of `width` columns."""
    source = found.info
    yield f"{source.name}: {line(source.title)}, a {source.kind} source"
    for label, rows in _parts(session, found, source):
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
        for place, (*before, last) in enumerate(rows):
            first = "" if place else f"  {label}"
            head = "  ".join([f"{first:<14}", *map(str.ljust, before, widths), ""])
            if last and width - len(head) < LEAST:
                yield from wrap(head, width, subsequent_indent=BELOW)
                head = BELOW
            indents = (head, " " * len(head))
            wrapper = TextWrapper(width, *indents, break_long_words=False, break_on_hyphens=False)
            yield from wrapper.wrap(line(last)) or [head]


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
    """The rows as lines with aligned cells."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
