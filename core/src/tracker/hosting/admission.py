"""What a plugin must be to be admitted: known hooks, a sound declaration, names that no other source has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import attrs
import pluggy

from tracker.contract import hooks as hookspecs
from tracker.contract.sources import Declaration, Source
from tracker.hosting.shell_functions import shell_names
from tracker.text.render import line

NEEDED = {
    "status": "parse_status",
    "report": "parse_status",
    "telemetry": "ingest_line",
    "view": "render_preview_block",
}
OWN_STREAMS = frozenset(("windows", "anomalies", "churn", "commands"))
SHARED_STREAM = "snapshots"  # holds the readings of every provider
SENT = frozenset(("argv", "stdin", "messages", "marker", "arguments"))  # for programs, and shown to nobody


def declaration(name: str, answer: object) -> Source:
    """The core's copy of what `source_info` gave, if this core has the contract that the plugin was built for."""
    if not isinstance(answer, Declaration):
        raise TypeError(f"source_info must return a Source, got {type(answer).__name__}")
    found = answer.as_source()
    major, minor = (int(part) for part in found.contract.split("."))
    if major != hookspecs.CONTRACT[0] or minor > hookspecs.CONTRACT[1]:
        ours = ".".join(map(str, hookspecs.CONTRACT))
        cure = "upgrade tracker-core" if (major, minor) > hookspecs.CONTRACT else "upgrade the plugin"
        raise ValueError(f"it was built for contract {found.contract}, this core has {ours}: {cure}")
    if found.name != name:
        raise ValueError(f"the entry point is named {name!r} but the source {found.name!r}")
    for place, text in _texts(attrs.asdict(found)):
        if line(text) != text:
            raise ValueError(f"its {place} {text!r} has a control character or a line break")
    return found


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a declaration that people are shown, with the field that it stands in."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name not in SENT:
                yield from _texts(part, str(name))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part, place)


def hooks(manager: pluggy.PluginManager, module: object) -> tuple[str, ...]:
    """The names of the hooks that a registered plugin implements; the first that fits none is an exception."""
    known = [hook for hook, caller in vars(manager.hook).items() if caller.has_spec()]
    found = []
    for caller in manager.get_hookcallers(module) or ():
        [own] = [one for one in caller.get_hookimpls() if one.plugin is module]
        if not caller.has_spec():
            close = get_close_matches(caller.name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"the hooks are {', '.join(sorted(known))}"
            raise LookupError(f"unknown hook {caller.name!r}; {hint}")
        if own.kwargnames:  # pluggy < 1.7 silently never passes these, 1.7 does
            raise TypeError(f"{caller.name}: argument {own.kwargnames[0]!r} must not have a default")
        found.append(caller.name)
    return tuple(sorted(found))


def check(info: Source, own_hooks: Iterable[str], others: Iterable[tuple[Source, bool]]) -> None:
    """Refuse a source without the hook of its kind, or that shares records or shell functions with another.

    others: the admitted sources, each with whether it is of the same distribution.
    """
    if NEEDED[info.kind] not in own_hooks:
        raise LookupError(f"missing hook {NEEDED[info.kind]!r}, which a source of kind {info.kind!r} needs")
    if info.kind != "view" and info.stream in OWN_STREAMS:
        raise ValueError(f"its stream {info.stream!r} is the core's own")
    if info.stream == SHARED_STREAM and info.kind not in ("status", "view"):
        raise ValueError(f"its stream {info.stream!r} holds the readings of status sources")
    names = shell_names(info)
    for other, is_sibling in others:
        clash = names.keys() & shell_names(other).keys()
        if clash:
            raise ValueError(
                f"its prefix {info.prefix!r} makes the shell function {min(clash)!r}, which is {other.name}'s"
            )
        is_shared = info.stream == other.stream and "view" not in (info.kind, other.kind)
        is_providers = info.kind == other.kind == "status" and info.stream == SHARED_STREAM
        if is_shared and not is_sibling and not is_providers:
            raise ValueError(f"its stream {info.stream!r} is that of {other.name}, of another distribution")
