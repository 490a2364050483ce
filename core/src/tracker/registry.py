"""Find plugins, keep the sound ones, remember why the others were left out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import attrs
import orjson
import pluggy
from attrs import define, field, frozen

from tracker import __version__, builtin, defaults, hookspecs
from tracker.errors import PluginError
from tracker.isolation import guarded
from tracker.models import Block, Delta, Reading, Source
from tracker.parsed import to_parsed

GROUP = "tracker"
DISABLE = "TRACKER_DISABLE_PLUGINS"  # names of sources or distributions to leave out, separated by commas
STRICT = "TRACKER_STRICT"  # "1": raise instead of leaving a broken plugin out
TRACE = "TRACKER_TRACE"  # "1": print every hook call on stderr

RESULTS: dict[str, type] = {
    "source_info": Source,
    "parse_status": Reading,
    "compute_delta": Delta,
    "render_preview_block": Block,
}
NEEDED = {
    "status": "parse_status",
    "report": "parse_status",
    "telemetry": "ingest_line",
    "view": "render_preview_block",
}


@frozen(kw_only=True)
class Found:
    """An installed entry point, loaded or not; `hooks` and `error` say what became of it."""

    name: str
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()
    info: Source | None = None
    error: PluginError | None = None


@define
class Registry:
    """The sound sources by name, in the order of their names, and everything that was found."""

    sources: dict[str, Source] = field(factory=dict)
    found: list[Found] = field(factory=list)
    manager: pluggy.PluginManager = field(factory=lambda: new_manager())
    _modules: dict[str, object] = field(factory=dict)

    @property
    def failures(self) -> list[PluginError]:
        return [found.error for found in self.found if found.error is not None]

    @property
    def builtin(self) -> Sequence[str]:
        """The names of the core's own sources, which no command takes as an argument."""
        return tuple(builtin.SOURCES)

    @property
    def providers(self) -> dict[str, Source]:
        return {name: source for name, source in self.sources.items() if source.is_provider}

    def add(self, name: str, load: Callable[[], object], distribution: str = "", version: str = "") -> None:
        """Load and check one plugin; on any failure leave no trace of it but the reason."""
        hooks: tuple[str, ...] = ()
        try:
            if name in self._modules:
                other = next(found for found in self.found if found.name == name)
                raise ValueError(f"the name is already taken by {other.distribution or 'another plugin'}")
            with guarded(name, "be imported"):
                module = load()
            with guarded(name, "match the hook specifications"):
                self.manager.register(module, name=name)
                hooks = self._check_hooks(name, module)
            with guarded(name, "declare its source"):
                info = self._declare(name, module, hooks)
        except (PluginError, ValueError) as error:
            if name not in self._modules and self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            failure = error if isinstance(error, PluginError) else PluginError(name, "be found once", error)
            if os.environ.get(STRICT) == "1":
                raise failure from error
            self.found.append(Found(name=name, distribution=distribution, version=version, hooks=hooks, error=failure))
        else:
            self._modules[name] = module
            self.sources[name] = info
            self.found.append(Found(name=name, distribution=distribution, version=version, hooks=hooks, info=info))

    def _check_hooks(self, name: str, module: object) -> tuple[str, ...]:
        known = [hook for hook, caller in vars(self.manager.hook).items() if caller.has_spec()]
        implemented = []
        for caller in self.manager.get_hookcallers(module) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is not module:
                    continue
                if not caller.has_spec():
                    close = get_close_matches(caller.name, known, n=1)
                    hint = f"did you mean {close[0]!r}?" if close else f"the hooks are {', '.join(sorted(known))}"
                    raise LookupError(f"unknown hook {caller.name!r}; {hint}")
                if implementation.kwargnames:  # pluggy < 1.7 silently never passes these, 1.7 does
                    raise TypeError(f"{caller.name}: argument {implementation.kwargnames[0]!r} must not have a default")
                implemented.append(caller.name)
        if "source_info" not in implemented:
            raise LookupError("missing hook 'source_info', which declares the source")
        return tuple(sorted(implemented))

    def _declare(self, name: str, module: object, hooks: Sequence[str]) -> Source:
        info = self._caller(name, "source_info", module)()
        if not isinstance(info, Source):
            raise TypeError(f"source_info must return a Source, got {type(info).__name__}")
        if info.name != name:
            raise ValueError(f"the entry point is named {name!r} but the source {info.name!r}")
        if NEEDED[info.kind] not in hooks:
            raise LookupError(f"missing hook {NEEDED[info.kind]!r}, which a source of kind {info.kind!r} needs")
        major, minor = (int(part) for part in info.contract.split("."))
        if major != hookspecs.CONTRACT[0] or minor > hookspecs.CONTRACT[1]:
            ours = ".".join(map(str, hookspecs.CONTRACT))
            cure = "upgrade tracker-core" if (major, minor) > hookspecs.CONTRACT else "upgrade the plugin"
            raise ValueError(f"it was built for contract {info.contract}, this core has {ours}: {cure}")
        names = shell_names(info)
        for other in self.sources.values():
            clash = names.keys() & shell_names(other).keys()
            if clash:
                raise ValueError(
                    f"its prefix {info.prefix!r} makes the shell function {min(clash)!r}, which is {other.name}'s"
                )
        return info

    def _caller(self, source: str, hook: str, module: object) -> pluggy.HookCaller:
        keep = (module, defaults)
        others = [plugin for plugin in self.manager.get_plugins() if plugin not in keep]
        return self.manager.subset_hook_caller(hook, others)

    def has(self, source: str, hook: str) -> bool:
        """Whether the source itself implements the hook."""
        return any(found.name == source and found.info and hook in found.hooks for found in self.found)

    def call(self, source: str, hook: str, **arguments: Any) -> Any:
        """The answer of one source, with the core's defaults behind it; what is wrong with it is a `PluginError`."""
        if os.environ.get(TRACE) == "1":
            _trace(source, hook, arguments)
        with guarded(source, hook):
            answer = self._caller(source, hook, self._modules[source])(**arguments)
            wanted = RESULTS[hook]
            if answer is not None and not isinstance(answer, wanted):
                cause = f"returned {type(answer).__name__}, expected {wanted.__name__} or None"
                raise PluginError(source, hook, cause)
            if answer is not None:
                self._check(source, hook, answer)
        return answer

    def _check(self, source: str, hook: str, answer: Any) -> None:
        """Refuse a value that was not built by its class, or that could not be stored."""
        attrs.validate(answer)
        if isinstance(answer, Reading):
            parsed = to_parsed(answer, self.sources[source])  # refuses meters that are not declared
            _refuse_if_not_json(source, hook, parsed)
        if isinstance(answer, Block):
            for row in answer.rows:
                attrs.validate(row)
                _refuse_if_not_json(source, hook, dict(row.values))

    def package(self, source: str) -> str:
        """The import package of a source's plugin, where its bundled files lie."""
        module: str = getattr(self._modules[source], "__name__", "")
        has_path = hasattr(self._modules[source], "__path__")
        return module if has_path else module.rpartition(".")[0]

    def bind(self, source: str, hook: str) -> Callable[..., Any]:
        """The source's own function for a hook with all arguments positional, bound once: for streams."""
        caller = self._caller(source, hook, self._modules[source])
        [implementation] = [found for found in caller.get_hookimpls() if found.plugin is self._modules[source]]
        names, function = implementation.argnames, implementation.function
        spec = caller.spec.argnames  # type: ignore[union-attr]
        if os.environ.get(TRACE) == "1":

            def traced(*values: Any) -> Any:
                _trace(source, hook, dict(zip(spec, values, strict=True)))
                return function(*(values[spec.index(name)] for name in names))

            return traced
        if tuple(names) == tuple(spec):
            return function
        places = [spec.index(name) for name in names]
        return lambda *arguments: function(*(arguments[place] for place in places))


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


def _refuse_if_not_json(source: str, hook: str, values: dict[str, Any]) -> None:
    for name, value in values.items():
        try:
            orjson.dumps(value)
        except (TypeError, ValueError) as error:
            raise PluginError(source, hook, f"gave a {name!r} that is no JSON value: {error}") from error


def _same(module: object) -> object:
    return module


def _trace(source: str, hook: str, arguments: Mapping[str, object]) -> None:
    shown = ", ".join(f"{key}={_brief(value)}" for key, value in arguments.items())
    print(f"trace: {source}.{hook}({shown})", file=sys.stderr)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def new_manager() -> pluggy.PluginManager:
    """A manager with the contract and the core's defaults."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(defaults, name="tracker.defaults")
    return manager


def discover() -> Registry:
    """Load every installed plugin that is not disabled, and the core's own."""
    from importlib.metadata import entry_points

    registry = Registry()
    for name, module in builtin.SOURCES.items():
        registry.add(name, partial(_same, module), "tracker-core", __version__)
    disabled = {name.strip() for name in os.environ.get(DISABLE, "").split(",")}
    points = [(point.name, point.dist.name if point.dist else "", point) for point in entry_points(group=GROUP)]
    for name, distribution, point in sorted(points, key=lambda found: found[:2]):
        if disabled.isdisjoint({name, distribution}):
            registry.add(name, point.load, distribution, point.dist.version if point.dist else "")
    return registry
