"""What a plugin must be to be let in: hooks that exist, a declaration that is sound, names that nobody else has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

import pluggy

from tracker.contract import hooks as hookspecs
from tracker.contract.values import Source
from tracker.hosting import deprecation
from tracker.hosting.answers import validate

NEEDED = {
    "status": "parse_status",
    "report": "parse_status",
    "telemetry": "ingest_line",
    "view": "render_preview_block",
}
OWN_STREAMS = frozenset(("windows", "anomalies", "churn", "commands"))


def declaration(name: str, answer: object) -> Source:
    """What `source_info` gave, if this core can work with the contract that it was built for."""
    if not isinstance(answer, Source):
        raise TypeError(f"source_info must return a Source, got {type(answer).__name__}")
    validate(answer)
    major, minor = (int(part) for part in answer.contract.split("."))
    if major != hookspecs.CONTRACT[0] or minor > hookspecs.CONTRACT[1]:
        ours = ".".join(map(str, hookspecs.CONTRACT))
        cure = "upgrade tracker-core" if (major, minor) > hookspecs.CONTRACT else "upgrade the plugin"
        raise ValueError(f"it was built for contract {answer.contract}, this core has {ours}: {cure}")
    if answer.name != name:
        raise ValueError(f"the entry point is named {name!r} but the source {answer.name!r}")
    return answer


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
            yield caller.name, found


def check_hooks(info: Source, hooks: Sequence[str]) -> None:
    """Refuse a source without the hook that its kind needs."""
    if NEEDED[info.kind] not in hooks:
        raise LookupError(f"missing hook {NEEDED[info.kind]!r}, which a source of kind {info.kind!r} needs")


def check_names(info: Source, others: Iterable[Source]) -> None:
    """Refuse a source whose records would go among the core's own, or whose shell functions are another's."""
    if info.kind != "view" and info.stream in OWN_STREAMS:
        raise ValueError(f"its stream {info.stream!r} is the core's own")
    names = shell_names(info)
    for other in others:
        clash = names.keys() & shell_names(other).keys()
        if clash:
            raise ValueError(
                f"its prefix {info.prefix!r} makes the shell function {min(clash)!r}, which is {other.name}'s"
            )


def deprecated(info: Source, found: Iterable[tuple[str, pluggy.HookImpl]]) -> Iterator[tuple[str, pluggy.HookImpl]]:
    """A sentence for every part of the contract that a plugin uses and that will go, and the function that uses it."""
    for hook, implementation in found:
        for sentence in deprecation.of_arguments(hook, implementation.argnames):
            yield sentence, implementation
        if hook == "source_info":
            for sentence in deprecation.of_value(info):
                yield sentence, implementation


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
