"""What a plugin must be to be admitted: known hooks, a sound declaration, names that no other source has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pluggy

from tracker.contract import checks
from tracker.contract import hooks as hookspecs
from tracker.contract.sources import REPORT, STATUS, STREAM, VIEW, Declaration, Source
from tracker.hosting import discovery
from tracker.text.render import near

NEEDED = {STATUS: "parse_status", REPORT: "parse_status", STREAM: "ingest_line", VIEW: "render_preview_block"}
# the program's own columns of windows
OWN_COLUMNS = {"window", "lane", "lanes", "from", "to", "state", "outcome", "provider", "providers", "unit"}
OWN_COLUMNS |= {"features", "capacity", "efficiency"}
SHARED_STREAM = "snapshots"  # holds the readings of every provider


def declaration(name: str, answer: object) -> Source:
    """The core's copy of what `source_info` gave, if this core has the contract that the plugin was built for."""
    if not isinstance(answer, Declaration):
        raise TypeError(f"source_info returned {type(answer).__name__}. Expected a Source.")
    found = answer.as_source()
    built, ours = tuple(map(int, found.contract.split("."))), hookspecs.CONTRACT
    if built[0] != ours[0] or built > ours:
        cure = "upgrade tracker-core" if built > ours else "upgrade the plugin"
        raise ValueError(f"it was built for contract {found.contract}, this core has {ours[0]}.{ours[1]}: {cure}")
    if found.name != name:
        raise ValueError(f"Invalid name {found.name!r}. Expected that of the entry point, {name!r}.")
    return found


def hooks(manager: pluggy.PluginManager, module: object, kind: str | None) -> tuple[str, ...]:
    """The names of the hooks that a registered plugin implements; what fits none or is missing is an exception."""
    known = [hook for hook, caller in vars(manager.hook).items() if caller.has_spec()]
    found = []
    for caller in manager.get_hookcallers(module) or ():
        [own] = [one for one in caller.get_hookimpls() if one.plugin is module]
        if not caller.has_spec():
            raise LookupError(f"Unknown hook {caller.name!r}. {near(caller.name, known)}")
        if own.kwargnames:  # pluggy < 1.7 silently never passes these, 1.7 does
            raise TypeError(f"The argument {own.kwargnames[0]!r} of {caller.name} has a default. Expected none.")
        found.append(caller.name)
    for needed in ("source_info", NEEDED[kind]) if kind else ():
        if needed not in found and hasattr(module, needed):
            raise LookupError(f"{needed} is not marked. Expected @hookimpl before it.")
        if needed not in found:
            raise LookupError(f"Missing hook {needed!r}. A source of kind {kind!r} needs it.")
    return tuple(sorted(found))


def check(info: Source, others: Iterable[tuple[Source, bool]]) -> None:
    """Refuse a source that shares records or shell functions with another.

    others: the admitted sources, each with whether it is of the same distribution.
    """
    taken = {"windows", "anomalies"} | {stream for feature in discovery.declared() for stream in feature.streams}
    if info.kind != VIEW and info.stream in taken:
        raise ValueError(f"Invalid stream {info.stream!r}. Expected one that neither the kernel nor a feature writes.")
    if info.stream == SHARED_STREAM and info.kind not in (STATUS, VIEW):
        raise ValueError(f"Invalid stream {info.stream!r}. Expected one without the readings of status sources.")
    for other, is_sibling in others:
        if clash := info.shell_functions.keys() & other.shell_functions.keys():
            rival = f"It makes the shell function {min(clash)!r}, and so does {other.name}'s"
            raise ValueError(f"Invalid prefix {info.prefix!r}. {rival}. Expected other letters.")
        is_shared = info.stream == other.stream and VIEW not in (info.kind, other.kind)
        is_providers = info.kind == other.kind == STATUS and info.stream == SHARED_STREAM
        if is_shared and not is_sibling and not is_providers:
            raise ValueError(f"Invalid stream {info.stream!r}. Expected another than that of {other.name}.")


def facts(answer: Mapping[Any, Any], feature: str, owners: dict[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The columns of windows that `window_facts` gave, all of which every view can show; owners: who gives each."""
    for key, columns in answer.items():
        is_pair = isinstance(key, tuple) and len(key) == 2 and all(isinstance(one, str) for one in key)
        if not is_pair or not isinstance(columns, Mapping):
            raise TypeError(f"Invalid facts of {key!r:.80}. Expected (window, provider): {{column: value}}.")
        for name, value in columns.items():
            if not isinstance(name, str) or not name or not checks.is_line(name):
                raise ValueError(f"Invalid column {name!r:.80}. Expected a text without control characters.")
            if (owner := owners.get(name, feature)) != feature:
                raise ValueError(f"Invalid column {name!r:.80}. Expected another name than those of {owner}.")
            if not checks.is_cell(value):
                # Python refuses to write out a whole number of more than 4,300 digits
                shown = "number, too large to show," if isinstance(value, int) else f"{value!r:.80}"
                raise ValueError(f"Invalid {name} {shown} of {key}. Expected a text, switch, None, number below 1e15.")
    owners.update((name, feature) for columns in answer.values() for name in columns)
    return {key: dict(columns) for key, columns in answer.items()}
