"""The table of `tracker plugins list`: every installed source with its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from tracker.hosting.entry_points import DISABLE
from tracker.hosting.registry import Found, Registry
from tracker.text.render import line

COLUMNS = ("name", "kind", "distribution", "version", "contract", "state")
WIDTH, INDENT = 80, 11
DECLARATION = "source_info"  # what every plugin has, so that the table need not say it
UNKNOWN = "-"


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
        "cure": cure(found) if found.error else None,
        "notes": list(found.notes),
    }


def cure(found: Found) -> str:
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
