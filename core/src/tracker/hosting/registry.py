"""Find plugins, keep the sound ones, remember why the others were left out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import pluggy
from attrs import define, field

from tracker import __version__
from tracker.contract import features as feature_hooks
from tracker.contract import hooks as hookspecs
from tracker.contract.values import Source
from tracker.errors import PluginError
from tracker.hosting import admission, answers, deprecation, features
from tracker.hosting import default_delta as defaults
from tracker.hosting import snapshots as builtin
from tracker.hosting.admission import shell_names
from tracker.hosting.entry_points import GROUP, points
from tracker.hosting.guard import guarded

__all__ = ["GROUP", "Found", "Registry", "discover", "new_manager", "shell_names"]

STRICT = "TRACKER_STRICT"  # "1": raise instead of leaving a broken plugin out
TRACE = "TRACKER_TRACE"  # "1": print every hook call on stderr


@define(kw_only=True)
class Found:
    """An installed entry point, loaded or not.

    declared: what it says of its source, also where it was refused for it; error: why it was left out; hooks: those
    that it implements; deprecated: a sentence for each part of the contract that it uses and that will go.
    """

    name: str
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()
    declared: Source | None = None
    deprecated: tuple[str, ...] = ()
    error: PluginError | None = None

    @property
    def info(self) -> Source | None:
        """The declaration of a plugin that was let in."""
        return self.declared if self.error is None else None


@define
class Registry:
    """The sound sources by name, in the order of their names, and everything that was found."""

    sources: dict[str, Source] = field(factory=dict)
    found: list[Found] = field(factory=list)
    disabled: list[Found] = field(factory=list)  # left out on the user's wish, without being loaded
    features: dict[str, object] = field(factory=dict)
    manager: pluggy.PluginManager = field(factory=lambda: new_manager())
    _modules: dict[str, object] = field(factory=dict)
    _told: set[tuple[str, str]] = field(factory=set)  # the deprecations that were said

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
        found = Found(name=name, distribution=distribution, version=version)
        try:
            if name in self._modules:
                other = next(one.distribution for one in self.found if one.name == name) or "another plugin"
                raise PluginError(name, "be found once", f"the name is already taken by {other}")
            module, info = self._load(found, load)
        except PluginError as error:
            found.error = error
            if name not in self._modules and self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            if os.environ.get(STRICT) == "1":
                raise
        else:
            self._modules[name], self.sources[name] = module, info
            self._tell_of_old_parts(found, module, info)
        self.found.append(found)

    def add_feature(self, name: str, module: object) -> None:
        """Register a feature's hooks; what is wrong with it leaves it out."""
        try:
            with guarded(name, "match the hook specifications"):
                self.manager.register(module, name=f"feature {name}")
                list(admission.implementations(self.manager, module))
        except PluginError as error:
            self.manager.unregister(module)
            self.found.append(Found(name=name, error=error))
            if os.environ.get(STRICT) == "1":
                raise
        else:
            self.features[name] = module

    def ask(self, hook: str, **arguments: Any) -> list[Any]:
        """The answers of the features that implement a hook, in the order of their names."""
        found: list[Any] = getattr(self.manager.hook, hook)(**arguments)  # pluggy asks the last one first
        return found[::-1]

    def first(self, hook: str, **arguments: Any) -> Any:
        """The answer of the first feature that has one to a hook declared `firstresult`; else None."""
        return getattr(self.manager.hook, hook)(**arguments)

    def _load(self, found: Found, load: Callable[[], object]) -> tuple[object, Source]:
        name = found.name
        with guarded(name, "be imported"):
            module = load()
        with guarded(name, "declare its source"):  # first of all: a plugin for another contract may use other hooks
            declare = getattr(module, "source_info", None)
            if declare is None:
                raise LookupError("missing hook 'source_info', which declares the source")
            answer = declare()
            found.declared = answer if isinstance(answer, Source) else None
            info = admission.declaration(name, answer)
        with guarded(name, "match the hook specifications"):
            self.manager.register(module, name=name)
            found.hooks = tuple(sorted(hook for hook, _ in admission.implementations(self.manager, module)))
            if "source_info" not in found.hooks:
                raise LookupError("source_info is not marked with @hookimpl")
        with guarded(name, "declare its source"):
            admission.check_hooks(info, found.hooks)
            admission.check_names(info, self.sources.values())
        return module, info

    def _tell_of_old_parts(self, found: Found, module: object, info: Source) -> None:
        old = list(admission.deprecated(info, admission.implementations(self.manager, module)))
        found.deprecated = tuple(sentence for sentence, _ in old)
        for sentence, implementation in old:
            self._tell(found.name, sentence, implementation.function)

    def _tell(self, source: str, sentence: str, function: Callable[..., Any]) -> None:
        if (source, sentence) not in self._told:
            self._told.add((source, sentence))
            deprecation.warn(sentence, function)

    def _caller(self, source: str, hook: str) -> pluggy.HookCaller:
        keep = (self._modules[source], defaults)
        others = [plugin for plugin in self.manager.get_plugins() if plugin not in keep]
        return self.manager.subset_hook_caller(hook, others)

    def _own(self, source: str, hook: str) -> pluggy.HookImpl | None:
        found = self._caller(source, hook).get_hookimpls()
        return next((one for one in found if one.plugin is self._modules[source]), None)

    def has(self, source: str, hook: str) -> bool:
        """Whether the source itself implements the hook."""
        return any(found.name == source and found.info and hook in found.hooks for found in self.found)

    def call(self, source: str, hook: str, **arguments: Any) -> Any:
        """The answer of one source, with the core's defaults behind it; what is wrong with it is a `PluginError`."""
        if os.environ.get(TRACE) == "1":
            _trace(source, hook, arguments)
        given = answers.own(arguments)
        with guarded(source, hook):
            answer = self._caller(source, hook)(**given)
            answers.check_untouched(arguments, given)
            answers.check(self.sources[source], hook, answer)
        for sentence in deprecation.of_value(answer):
            own = self._own(source, hook)
            if own is not None:
                self._tell(source, sentence, own.function)
        return answer

    def module(self, source: str) -> object:
        """What the source's entry point names."""
        return self._modules[source]

    def module_name(self, source: str) -> str:
        """The import name of the source's module."""
        return str(getattr(self._modules[source], "__name__", ""))

    def package(self, source: str) -> str:
        """The import package of a source's plugin, where its bundled files lie; itself where it is a single module."""
        name = self.module_name(source)
        return name if hasattr(self._modules[source], "__path__") else name.rpartition(".")[0] or name

    def bind(self, source: str, hook: str) -> Callable[..., Any]:
        """The source's own function for a hook with all arguments positional, bound once: for streams."""
        own, spec = self._own(source, hook), self._caller(source, hook).spec
        assert own is not None
        assert spec is not None
        names, function = own.argnames, own.function
        if os.environ.get(TRACE) == "1":

            def traced(*values: Any) -> Any:
                _trace(source, hook, dict(zip(spec.argnames, values, strict=True)))
                return function(*(values[spec.argnames.index(name)] for name in names))

            return traced
        if tuple(names) == tuple(spec.argnames):
            return function
        places = [spec.argnames.index(name) for name in names]
        return lambda *arguments: function(*(arguments[place] for place in places))


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
    manager.add_hookspecs(feature_hooks)
    manager.register(defaults, name="tracker.hosting.default_delta")
    return manager


def discover(only: Collection[str] | None = None) -> Registry:
    """Load every installed plugin that is not disabled, and the core's own; with `only` those of these names."""
    registry = Registry()
    for name, module in builtin.SOURCES.items():
        registry.add(name, partial(_same, module), "tracker-core", __version__)
    for name, module in features.loaded().items():
        registry.add_feature(name, module)
    for point in sorted(points(), key=lambda point: (point.name, point.distribution)):
        if point.is_feature or (only is not None and point.name not in only):
            continue
        if features.wanted(point):
            registry.add(point.name, point.load, point.distribution, point.version)
        else:
            left = Found(name=point.name, distribution=point.distribution, version=point.version)
            registry.disabled.append(left)
    return registry


def _same(module: object) -> object:
    return module
