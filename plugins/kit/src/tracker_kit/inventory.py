"""The table of `tracker plugins list`: every installed source and feature with its state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

import click

from tracker.api import Column
from tracker.kernel import PluginError, Registry, Settings, line
from tracker_kit.declaration import aligned

COLUMNS = ("name", "kind", "distribution", "version", "contract", "state")
WIDTH, INDENT = 80, 11
DECLARATIONS = ("source_info", "feature_info")  # what every plugin has, so that the table need not say it
UNKNOWN = "-"
SLOW = 0.5  # seconds; every command that needs the plugin waits for its import
DISABLE = "TRACKER_DISABLE_PLUGINS"


def list_plugins(registry: Registry) -> list[dict[str, Any]]:
    """A row per installed source and feature, as data."""
    rows = [_row(one, getattr(one.declared, "kind", None)) for one in registry.found]
    for row in rows:
        row["notes"] += functions_left_out(registry, row["name"]) if row["state"] == "ok" else ()
    rows += [_row(one, "feature") for one in registry.features]
    for row in rows:
        row["notes"] += _arguments(registry, row["cause"] or "")
    return rows


def load_parts(registry: Registry, root: click.Context) -> None:
    """Load what other people's features declare: a part that cannot be is missed only where it is used."""
    Settings.known()
    assert isinstance(root.command, click.Group)
    for one in registry.features:
        for name in one.info.commands if one.info and not one.is_own else ():
            try:
                root.command.get_command(root, name)
            except PluginError as error:
                one.note(f"failed to {error.step}: {error.cause.rstrip('.')}; the rest works", registry.report)


def _arguments(registry: Registry, cause: str) -> list[str]:
    """What a hook may ask for, if a plugin is left out because its own asks for something else."""
    found = re.search(r"for hook '(\w+)' .*Argument\(s\) ", cause)
    spec = getattr(registry.manager.hook, found[1]).spec if found else None
    return [f"{spec.name} may ask for {', '.join(spec.argnames)}"] if spec else []


def functions_left_out(registry: Registry, name: str) -> list[str]:
    """A sentence for each reason why a source does not get some of its shell functions."""
    found = dict[str, list[str]]()
    for function, why in sorted(registry.lost_functions(name).items()):
        found.setdefault(why, []).append(function)
    return [
        f"its shell functions {', '.join(lost)} are left out, each because {why}"
        if len(lost) > 1
        else f"its shell function {lost[0]} is left out, because {why}"
        for why, lost in found.items()
    ]


def _row(found: Any, kind: str | None) -> dict[str, Any]:
    error = found.error
    notes = [*found.notes, *([f"its import takes {found.seconds:.1f} s"] if found.seconds > SLOW else [])]
    return {
        "name": found.name,
        "kind": kind,
        "distribution": found.distribution,
        "version": found.version,
        "state": "left out" if error else "ok",
        "error": str(error) if error else None,
        "step": error.step if error else None,
        "cause": error.cause if error else None,
        "cure": cure(found.name, found.distribution, error) if error else None,
        "contract": getattr(found.declared, "contract", None),
        "hooks": list(found.hooks),
        "notes": notes,
    }


def cure(name: str, distribution: str, error: PluginError) -> str:
    """What to do about a plugin that was left out; a cause that already says so comes first."""
    owner, cause, step = distribution or "its distribution", error.cause, error.step
    leave_out = f"{DISABLE}={name} leaves it out"
    # no index has tracker, and a plugin may come from anywhere: a stranger's may have its name there
    upgrade, report = "update tracker from its checkout", f"report it to the author of {owner}"
    if cause.endswith("upgrade tracker-core") or "tracker.api" in cause:
        return f"{upgrade}: {owner} was built for a newer one; {leave_out}"
    if "unexpected keyword argument" in cause:
        return f"{report}: this core has no such field; if a newer one does, {upgrade}; {leave_out}"
    if cause.endswith("upgrade the plugin"):
        return f"install a newer {owner} from where you got it; {leave_out}"
    if step == "be imported" and f"No module named '{owner.replace('-', '_')}." in cause:
        return f"{report}: its entry point names a module that it does not have; {leave_out}"
    if step == "be imported" and "ModuleNotFoundError" in cause:
        return f"install what it needs: {Registry.installation(owner)}; {leave_out}"
    if step == "claim its name":
        return f"uninstall one of the distributions that claim {name!r}, or disable one with {DISABLE}"
    return f"{report}; {leave_out}"


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rows as an aligned table; below each its hooks, and below one that was left out, why and what to do."""
    cells = [[name.upper() for name in COLUMNS], *([line(row[name] or UNKNOWN) for name in COLUMNS] for row in rows)]
    for text, row in zip(aligned(cells), [None, *rows], strict=True):
        yield text
        for label, text in _below(row) if row else ():
            head = f"    {label}:".ljust(INDENT)
            yield from wrap(head + line(text), WIDTH, subsequent_indent=" " * INDENT, break_on_hyphens=False)


TABLE = (
    Column(key="name", title="Name", rank=0),
    Column(key="kind", title="Kind", rank=1),
    Column(key="state", title="State", rank=0),
    Column(key="distribution", title="Distribution", rank=2),
    Column(key="version", title="Version", rank=2),
    Column(key="contract", title="Contract", rank=3),
    Column(key="hooks", title="Hooks", rank=4),
)


def cells(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows for a terminal."""
    return [{**row, "hooks": ", ".join(one for one in row["hooks"] if one not in DECLARATIONS)} for row in rows]


def below(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Why plugins were left out and what to do, a line each."""
    for row in rows:
        yield from (f"{row['name']}: {label}: {line(text)}" for label, text in _below(row) if label != "hooks")


def _below(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    hooks = [hook for hook in row["hooks"] if hook not in DECLARATIONS]
    if hooks:
        yield "hooks", ", ".join(hooks)
    if row["step"]:
        yield "why", f"failed to {row['step']}: {row['cause']}"
    if row["cure"]:
        yield "cure", row["cure"]
    yield from (("note", sentence) for sentence in row["notes"])


def disabled(registry: Registry) -> str | None:
    """A note on the plugins that the user disabled."""
    if not registry.disabled:
        return None
    named = ", ".join(f"{line(found.name)} ({line(found.distribution)})" for found in registry.disabled)
    return f"note: {DISABLE} leaves out {named}"
