"""What a plugin must be to be admitted: known hooks, a sound declaration, names that no other source has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import attrs
import pluggy

from tracker.contract import hooks as hookspecs
from tracker.contract.values import Declaration, Source
from tracker.hosting.answers import own
from tracker.text.render import CONTROL

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
    found: Source = own(answer)
    major, minor = (int(part) for part in found.contract.split("."))
    if major != hookspecs.CONTRACT[0] or minor > hookspecs.CONTRACT[1]:
        ours = ".".join(map(str, hookspecs.CONTRACT))
        cure = "upgrade tracker-core" if (major, minor) > hookspecs.CONTRACT else "upgrade the plugin"
        raise ValueError(f"it was built for contract {found.contract}, this core has {ours}: {cure}")
    if found.name != name:
        raise ValueError(f"the entry point is named {name!r} but the source {found.name!r}")
    for place, text in texts(found):
        if CONTROL.search(text) or "\n" in text or "\t" in text:
            raise ValueError(f"its {place} {text!r} has a control character or a line break")
    return found


def texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a declaration that people are shown, with the field that it stands in."""
    if isinstance(value, str):
        yield place, value
    elif attrs.has(type(value)):
        for one in attrs.fields(type(value)):
            if one.name not in SENT:
                yield from texts(getattr(value, one.name), one.name)
    elif isinstance(value, tuple | Mapping):
        parts = value.values() if isinstance(value, Mapping) else value
        for part in parts:
            yield from texts(part, place)


def implementations(manager: pluggy.PluginManager, module: object) -> Iterator[tuple[str, pluggy.HookImpl]]:
    """A registered plugin's own functions, each with the hook's name; the first that fits no hook is an exception."""
    known = [hook for hook, caller in vars(manager.hook).items() if caller.has_spec()]
    for caller in manager.get_hookcallers(module) or ():
        for found in caller.get_hookimpls():
            if found.plugin is not module:
                continue
            if not caller.has_spec():
                close = get_close_matches(caller.name, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"the hooks are {', '.join(sorted(known))}"
                raise LookupError(f"unknown hook {caller.name!r}; {hint}")
            if found.kwargnames:  # pluggy < 1.7 silently never passes these, 1.7 does
                raise TypeError(f"{caller.name}: argument {found.kwargnames[0]!r} must not have a default")
            code = getattr(getattr(found.function, "__func__", found.function), "__code__", None)
            if code is not None and code.co_flags & 0x0C:  # inspect.CO_VARARGS, CO_VARKEYWORDS
                raise TypeError(f"{caller.name}: *arguments get nothing. Name the arguments that the hook needs.")
            yield caller.name, found


def check_hooks(info: Source, hooks: Sequence[str]) -> None:
    """Refuse a source without the hook that its kind needs."""
    if NEEDED[info.kind] not in hooks:
        raise LookupError(f"missing hook {NEEDED[info.kind]!r}, which a source of kind {info.kind!r} needs")


def check_names(info: Source, others: Iterable[tuple[Source, bool]]) -> None:
    """Refuse a source whose records would be mixed with others', or whose shell functions another source has.

    others: the admitted sources, each with whether it is of the same distribution.
    """
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


def shell_names(source: Source) -> dict[str, str]:
    """The operator's shell functions of a source, each with the words that follow `tracker`."""
    if source.prefix is None:
        return {}
    if source.kind != "status":
        return {source.prefix: f"ingest {source.name}"}
    prefix, name = source.prefix, source.name
    return {
        f"{prefix}s": f"alias start {name}",
        f"{prefix}e": f"alias end {name}",
        f"{prefix}x": f"alias cross {name}",
        f"{prefix}d": f"alias delete {name}",
        f"{prefix}d1": f"alias delete {name} --phase after --index 1",
        f"{prefix}d2": f"alias delete {name} --phase after --index 2",
    }
