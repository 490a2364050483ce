"""What is installed: every source with its state, and what one of them declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from textwrap import wrap
from typing import Any

from tracker.contract.values import PERCENT, Meter, Source
from tracker.errors import TrackerError
from tracker.hosting.admission import shell_names
from tracker.hosting.entry_points import DISABLE
from tracker.hosting.registry import Found, Registry
from tracker.session import Session
from tracker.text.render import line, number

COLUMNS = ("name", "kind", "distribution", "version", "contract", "state")
WIDTH, INDENT = 80, 11
DECLARATION = "source_info"  # what every plugin has, so that the table need not say it
UNKNOWN = "-"


# --- all of them


def list_plugins(registry: Registry) -> list[dict[str, Any]]:
    """A row per installed source, as data."""
    return [_row(found) for found in registry.found]


def _row(found: Found) -> dict[str, Any]:
    return {
        "name": found.name,
        "kind": found.declared.kind if found.declared else None,
        "distribution": found.distribution,
        "version": found.version,
        "contract": found.declared.contract if found.declared else None,
        "hooks": list(found.hooks),
        "state": "ok" if found.error is None else "left out",
        "error": str(found.error) if found.error else None,
        "step": found.error.step if found.error else None,
        "cause": found.error.cause if found.error else None,
        "cure": _cure(found) if found.error else None,
        "notes": list(found.notes),
    }


def _cure(found: Found) -> str:
    """What to do about a plugin that was left out; a cause that says it itself comes first."""
    assert found.error is not None
    owner, cause, step = found.distribution or "its distribution", found.error.cause, found.error.step
    leave_out = f"{DISABLE}={found.name} leaves it out"
    if cause.endswith("upgrade tracker-core") or "tracker.api" in cause or "unexpected keyword argument" in cause:
        return f"pip install --upgrade tracker-core: {owner} was built for a newer one; {leave_out}"
    if cause.endswith("upgrade the plugin"):
        return f"pip install --upgrade {owner}"
    if step == "be imported" and "ModuleNotFoundError" in cause:
        return f"install what it needs with it: pip install --force-reinstall {owner}; {leave_out}"
    if step == "be found once":
        return f"uninstall one of the distributions that claim {found.name!r}, or disable one with {DISABLE}"
    return f"report it to the author of {owner}; {leave_out}"


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rows as an aligned table; below each its hooks, and below one that was left out, why and what to do."""
    cells = [[name.upper() for name in COLUMNS], *([line(row[name] or UNKNOWN) for name in COLUMNS] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(COLUMNS))]
    for cell, row in zip(cells, [None, *rows], strict=True):
        yield "  ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)).rstrip()
        for label, text in _below(row) if row else ():
            head = f"    {label}:".ljust(INDENT)
            yield from wrap(head + line(text), WIDTH, subsequent_indent=" " * INDENT, break_on_hyphens=False)


def _below(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    hooks = [hook for hook in row["hooks"] if hook != DECLARATION]
    if hooks:
        yield "hooks", ", ".join(hooks)
    if row["step"]:
        yield "why", f"failed to {row['step']}: {row['cause']}"
    if row["cure"]:
        yield "cure", row["cure"]
    yield from (("note", sentence) for sentence in row["notes"])


def disabled(registry: Registry) -> str | None:
    """A note on those that the user left out."""
    if not registry.disabled:
        return None
    named = ", ".join(f"{line(found.name)} ({line(found.distribution)})" for found in registry.disabled)
    return f"note: {DISABLE} leaves out {named}"


# --- one of them


def find(session: Session, name: str) -> Found:
    """The sound plugin of that name."""
    from tracker.text.wording import near

    registry = session.registry
    source = registry.source(name)
    found = (
        next((one for one in registry.found if one.name == name), None) if source or name in registry.names else None
    )
    if found is not None and found.error is None:
        return found
    if found is not None and found.error is not None:
        raise TrackerError(f"{name} was left out: it failed to {found.error.step}: {found.error.cause}; {_cure(found)}")
    if any(one.name == name for one in registry.disabled):
        raise TrackerError(f"{name} is disabled: unset {DISABLE}")
    raise TrackerError(f"no source {line(name)!r}; {near(name, registry.sources)}")


def document(session: Session, found: Found) -> dict[str, Any]:
    """A declaration as JSON, with where it comes from."""
    from cattrs import Converter

    plain = Converter()
    plain.register_unstructure_hook(timedelta, lambda length: length.total_seconds())
    about = {"distribution": found.distribution, "version": found.version, "hooks": _hooks(session, found)}
    return about | {"declaration": plain.unstructure(found.info)}


def describe(session: Session, found: Found) -> Iterator[str]:
    """A declaration as people read it."""
    source = found.info
    assert source is not None
    yield f"{source.name}: {line(source.title)}, a {source.kind} source"
    for label, lines in _parts(session, found, source):
        for place, text in enumerate(lines):
            yield f"  {'' if place else label:<13} {line(text)}"


def _parts(session: Session, found: Found, source: Source) -> Iterator[tuple[str, Sequence[str]]]:
    yield "distribution", [f"{found.distribution} {found.version}, built for contract {source.contract}"]
    yield "records", [f"{source.stream}.jsonl"]
    yield "hooks", [f"{hook}({', '.join(names)})" for hook, names in _hooks(session, found).items()]
    yield "meters", _aligned([_meter(source, meter) for meter in source.meters])
    if source.open_meters:
        yield "", ["and those that the vendor may add, in used percent"]
    yield "scopes", [", ".join(source.scopes)] if source.scopes else []
    yield "functions", _aligned([(name, f"tracker {words}") for name, words in shell_names(source).items()])
    yield "origins", _aligned([(origin.name, origin.title) for origin in source.origins])
    compared = [f"{held.figure} of {held.scope} with {held.provider}'s {held.meter}" for held in source.comparisons]
    yield "compared", compared
    yield "error tags", _aligned(list(source.tags.items()))


def _meter(source: Source, meter: Meter) -> tuple[str, ...]:
    unit = "used percent" if meter.unit == PERCENT else f"count of {meter.unit}"
    window = meter.window
    length = f"reset after {_length(window)}" if isinstance(window, timedelta) else "reset monthly" if window else ""
    capacity = "the capacity" if meter.key == source.capacity else ""
    return meter.key, meter.title, ", ".join(filter(None, (unit, length, capacity)))


def _length(time: timedelta) -> str:
    is_whole = time % timedelta(days=1) == timedelta()
    return f"{time.days} d" if is_whole else f"{number(time / timedelta(hours=1))} h"


def _hooks(session: Session, found: Found) -> dict[str, list[str]]:
    """The hooks that a plugin implements, each with the arguments that it asks for."""
    module = session.registry.module(found.name)
    given: dict[str, list[str]] = {}
    for hook in found.hooks:
        caller = getattr(session.registry.manager.hook, hook)
        [own] = [one for one in caller.get_hookimpls() if one.plugin is module]
        given[hook] = list(own.argnames)
    return given


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
