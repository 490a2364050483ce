"""The installed plugins: loaded when they are first needed, admitted if sound, else left out with the reason."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any, ClassVar

import attrs
import click
import orjson
import pluggy
from attrs import define, field

from tracker import __version__
from tracker.contract import feature_hooks, readings
from tracker.contract import hooks as hookspecs
from tracker.contract.blocks import Block
from tracker.contract.events import Event, Rejected, check_event
from tracker.contract.readings import Delta, Reading
from tracker.contract.sources import Declaration, Source
from tracker.errors import PluginError, TrackerError
from tracker.feature import Feature
from tracker.hosting import admission, snapshots
from tracker.hosting import features as installed
from tracker.hosting.entry_points import scan
from tracker.hosting.guard import Timer, guarded
from tracker.hosting.process_state import ProcessState
from tracker.hosting.shell_functions import shadowed, shell_names

STRICT = "TRACKER_STRICT"  # "1": raise instead of leaving a broken plugin out
TRACE = "TRACKER_TRACE"  # "1": print every hook call on stderr
SLOW = 0.5  # seconds; every command that needs the plugin waits for its import
# what a feature raises on purpose, to end the command with one line
DELIBERATE = (TrackerError, click.ClickException, click.exceptions.Exit, click.Abort, OSError)
ANSWERS: dict[str, Any] = {
    "source_info": Declaration,
    "parse_status": Reading,
    "compute_delta": Delta,
    "render_preview_block": Block,
}


class Defaults:
    """The core's own answers, if a source has none."""

    compute_delta = staticmethod(readings.compute_delta)


@define(kw_only=True)
class Found:
    """An installed source.

    declared: its declaration, also if it was refused for it; error: why it was left out; hooks: those it implements;
    notes: what else is wrong with it.
    """

    name: str
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()
    declared: Source | None = None
    error: PluginError | None = None
    notes: tuple[str, ...] = ()
    module: object = None
    load: Callable[[], object] | None = None

    @property
    def info(self) -> Source | None:
        """The declaration of a plugin that was admitted."""
        return self.declared if self.error is None else None


@define
class Registry:
    """The installed sources and features. `report` is told what is wrong with a plugin as soon as it is known."""

    report: Callable[[str], None] = field(default=lambda _text: None)
    manager: pluggy.PluginManager = field(factory=lambda: new_manager())
    disabled: list[Found] = field(factory=list)
    refused: list[Found] = field(factory=list)  # their names belong to others
    _found: dict[str, Found] = field(factory=dict)
    _features: dict[str, object] | None = None
    _broken: set[tuple[str, str]] = field(factory=set)  # features' hooks that raised

    contract: ClassVar[str] = ".".join(map(str, hookspecs.CONTRACT))
    builtin: ClassVar[Sequence[str]] = tuple(snapshots.SOURCES)  # the core's own, which no command takes

    # --- sources

    def offer(self, name: str, load: Callable[[], object], distribution: str = "", version: str = "") -> None:
        """Take note of a source, which is loaded when it is first needed."""
        self._found[name] = Found(name=name, distribution=distribution, version=version, load=load)

    def refuse(self, name: str, reason: str, distribution: str = "", version: str = "") -> None:
        """Take note of an entry point whose name another one has."""
        error = PluginError(name, "be found once", reason)
        self.refused.append(Found(name=name, distribution=distribution, version=version, error=error))

    @property
    def names(self) -> list[str]:
        """Every installed source that is not disabled, sound or not; none is loaded for this."""
        return list(dict.fromkeys([*self._found, *(found.name for found in self.refused)]))

    def find(self, name: str) -> Found | None:
        """The installed source of that name, loaded, sound or not."""
        found = self._found.get(name)
        if found is not None and found.load is not None:
            self._load(found, found.load)
        return found

    def source(self, name: str) -> Source | None:
        """The source of that name if it is installed and sound. Loads this plugin alone."""
        found = self.find(name)
        return found.info if found else None

    @property
    def found(self) -> list[Found]:
        """Every installed source, loaded."""
        return [*filter(None, map(self.find, self._found)), *self.refused]

    @property
    def sources(self) -> dict[str, Source]:
        """All sound sources, by name; loads every plugin."""
        return {found.name: found.info for found in self.found if found.info}

    @property
    def status_streams(self) -> list[str]:
        """The streams that captures stand in."""
        return sorted({source.stream for source in self.sources.values() if source.kind == "status"})

    @property
    def providers(self) -> dict[str, Source]:
        return {name: source for name, source in self.sources.items() if source.is_provider}

    @property
    def failures(self) -> list[PluginError]:
        """Why plugins were left out, of those that were loaded until now."""
        return [found.error for found in (*self._found.values(), *self.refused) if found.error is not None]

    def _load(self, found: Found, load: Callable[[], object]) -> None:
        found.load = None
        try:
            self._import(found, load)
            self._admit(found)
        except PluginError as error:
            found.error = error
            if self.manager.has_plugin(found.name):
                self.manager.unregister(name=found.name)
            if self.is_strict:
                raise
            self.report(f"{error}; the rest works (tracker plugins list)")

    def _import(self, found: Found, load: Callable[[], object]) -> None:
        """Import the plugin's module. What its import changed for the process is put back and noted."""
        before, start = ProcessState(), time.perf_counter()
        try:
            with guarded(found.name, "be imported"):
                found.module = load()
        finally:
            seconds, changed = time.perf_counter() - start, ", ".join(before.restored())
            found.notes = (f"its import changed {changed}, which was put back",) if changed else ()
            found.notes += (f"its import takes {seconds:.1f} s",) if seconds > SLOW else ()
        for note in found.notes:
            self.report(f"plugin {found.name!r}: {note}")

    def _admit(self, found: Found) -> None:
        name = found.name
        with guarded(name, "declare its source"):  # first of all: a plugin for another contract may use other hooks
            declare = getattr(found.module, "source_info", None)
            if declare is None:
                raise LookupError("missing hook 'source_info', which declares the source")
            answer = declare()
            found.declared = answer if type(answer) is Source else None
            found.declared = info = admission.declaration(name, answer)
        with guarded(name, "match the hook specifications"):
            self.manager.register(found.module, name=name)
            found.hooks = admission.hooks(self.manager, found.module)
            if "source_info" not in found.hooks:
                raise LookupError("source_info is not marked with @hookimpl")
        with guarded(name, "declare its source"):
            known = [other for other in self._found.values() if other is not found and other.load is None]
            others = [(other.info, other.distribution == found.distribution) for other in known if other.info]
            admission.check(info, found.hooks, others)

    # --- asking a source

    def has(self, source: str, hook: str) -> bool:
        """Whether the source itself implements the hook."""
        found = self.find(source)
        return found is not None and found.info is not None and hook in found.hooks

    def call(self, source: str, hook: str, **arguments: Any) -> Any:
        """The answer of one source, with the core's default behind it; what is wrong with it is a `PluginError`."""
        found = self.find(source)
        assert found is not None
        if os.environ.get(TRACE) == "1":
            _trace(source, hook, arguments)
        others = self.manager.get_plugins() - {found.module, Defaults}
        with guarded(source, hook):
            return _checked(found, hook, self.manager.subset_hook_caller(hook, others)(**arguments))

    def bind(self, source: str, hook: str) -> Callable[..., Any]:
        """The source's own function for a hook with all arguments positional, bound once: for streams."""
        module, caller = self.module(source), getattr(self.manager.hook, hook)
        [own] = [one for one in caller.get_hookimpls() if one.plugin is module]
        function, given = own.function, caller.spec.argnames
        if tuple(own.argnames) == tuple(given):
            return function  # type: ignore[no-any-return]
        places = [given.index(name) for name in own.argnames]
        return lambda *arguments: function(*(arguments[place] for place in places))

    def ingest(self, source: str, line: bytes | None, scratch: dict[str, Any]) -> list[Event]:
        """The checked events of one line of a stream, or of its end (None); none of a line that is rejected."""
        hook, given = ("ingest_line", (line, scratch)) if line is not None else ("end_stream", (scratch,))
        if not self.has(source, hook):
            return []
        with guarded(source, hook), suppress(Rejected):
            found = self.bind(source, hook)(*given)
            if not isinstance(found, list | tuple):
                raise TypeError(f"returned {type(found).__name__}, expected a list of events")
            for event in found:
                check_event(event)
            return list(found)
        return []

    def parsed(self, source: str, reading: Reading) -> dict[str, Any]:
        """What a record of the source's reading holds in its field `parsed`."""
        return readings.to_parsed(reading, self.sources[source])

    def guarded(self, source: str, step: str) -> AbstractContextManager[Timer]:
        """Run a plugin's code by another way: what is wrong with it becomes a `PluginError`."""
        return guarded(source, step)

    @property
    def is_strict(self) -> bool:
        """Whether the user wants the first fault of a plugin to be an error."""
        return os.environ.get(STRICT) == "1"

    def module(self, source: str) -> object:
        """What the source's entry point names."""
        found = self.find(source)
        return found and found.module

    def package(self, source: str) -> str:
        """The import package of a source's plugin, which holds its bundled files; itself if it is a single module."""
        name = str(getattr(self.module(source), "__name__", ""))
        return name if hasattr(self.module(source), "__path__") else name.rpartition(".")[0] or name

    def shell_names(self, source: Source) -> dict[str, str]:
        """The operator's shell functions of a source, each with the words that follow `tracker`."""
        return shell_names(source)

    def shadowed(self, source: Source) -> list[str]:
        """The source's shell functions that would hide a builtin or a program."""
        return shadowed(source)

    # --- features

    @property
    def features(self) -> dict[str, object]:
        """The installed features' modules by name, registered when they are first asked for."""
        if self._features is None:
            self._features = {}
            for name, module in installed.loaded().items():
                self.add_feature(name, module)
        return self._features

    @property
    def installed_features(self) -> list[installed.Installed]:
        """The installed features that are not disabled, sound or not."""
        return installed.installed()

    @property
    def declared(self) -> list[Feature]:
        """What the installed features declare."""
        return installed.declared()

    def add_feature(self, name: str, module: object) -> None:
        """Register a feature's hooks; one that does not fit them is left out."""
        kept = self._features = {} if self._features is None else self._features
        try:
            with guarded(name, "match the hook specifications"):
                self.manager.register(module, name=f"feature {name}")
                admission.hooks(self.manager, module)
        except PluginError as error:
            if self.manager.is_registered(module):
                self.manager.unregister(module)
            if self.is_strict:
                raise
            self.report(f"{error}; the rest works (TRACKER_DISABLE_PLUGINS={name} leaves it out)")
        else:
            kept[name] = module

    def ask(self, hook: str, **arguments: Any) -> list[Any]:
        """The answers of the features that implement a hook, in the order of their names; no answer is left out."""
        return list(self._answers(hook, arguments))

    def first(self, hook: str, **arguments: Any) -> Any:
        """The answer of the first feature that has one; else None."""
        return next(self._answers(hook, arguments), None)

    def _answers(self, hook: str, arguments: Mapping[str, Any]) -> Iterator[Any]:
        for _, answer in self.each(hook, **arguments):
            if isinstance(answer, PluginError):
                if isinstance(answer.__cause__, DELIBERATE):
                    raise answer.__cause__
                self._report_feature(answer)
            elif answer is not None:
                yield answer

    def each(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """The answer of each feature that implements a hook with its name, or the error that it failed with."""
        from tracker.hosting import feature_answers

        names = {id(module): name for name, module in self.features.items()}
        found: list[pluggy.HookImpl] = getattr(self.manager.hook, hook).get_hookimpls()
        for one in sorted(found, key=lambda one: names.get(id(one.plugin), "")):
            name = names[id(one.plugin)]
            try:
                with feature_answers.guard(name, hook):
                    answer = feature_answers.checked(hook, one.function(*(arguments[word] for word in one.argnames)))
            except (Exception, SystemExit) as error:  # noqa: BLE001  a broken feature must not take the program down
                is_ours = isinstance(error, PluginError) and (error.plugin, error.step) == (name, hook)
                failure = error if is_ours and isinstance(error, PluginError) else PluginError(name, hook, error)
                failure.__cause__ = error.__cause__ if is_ours else error
                yield name, failure
            else:
                yield name, answer

    def _report_feature(self, failure: PluginError) -> None:
        if self.is_strict or failure.step == "ingest_stream":  # nothing else can do its work
            raise failure
        if (failure.plugin, failure.step) not in self._broken:
            self._broken.add((failure.plugin, failure.step))
            self.report(f"{failure}; the rest works")


def _checked(found: Found, hook: str, answer: Any) -> Any:
    """An answer of the right type that is built in full and that JSON can hold; anything else is an exception."""
    if answer is None:
        return None
    if not isinstance(answer, ANSWERS[hook]):
        expected = f"expected {ANSWERS[hook].__name__} or None"
        raise PluginError(found.name, hook, f"returned {type(answer).__name__}, {expected}")
    plain = attrs.asdict(answer)  # reads every field, whatever built it
    if isinstance(answer, Reading):
        assert found.declared is not None
        plain = readings.to_parsed(answer, found.declared)  # refuses meters that are not declared
    if hook != "source_info":
        try:
            orjson.dumps(plain)
        except TypeError as error:
            raise PluginError(found.name, hook, f"gave what JSON cannot hold: {error}") from error
    return answer


def _trace(source: str, hook: str, arguments: Mapping[str, object]) -> None:
    texts = {name: repr(value) for name, value in arguments.items()}
    shown = ", ".join(f"{name}={text if len(text) <= 60 else f'{text[:57]}...'}" for name, text in texts.items())
    print(f"trace: {source}.{hook}({shown})", file=sys.stderr)


def new_manager() -> pluggy.PluginManager:
    """A manager with the hooks of sources and of features."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.add_hookspecs(feature_hooks)
    manager.register(Defaults, name="the core's defaults")
    return manager


def _same(module: object) -> object:
    return module


def discover(report: Callable[[str], None] = lambda _text: None) -> Registry:
    """Every installed plugin that is not disabled, and the core's own; none is loaded yet."""
    registry, here = Registry(report), scan()
    for name, module in snapshots.SOURCES.items():
        registry.offer(name, partial(_same, module), "tracker-core", __version__)
    for point in here.points.values():
        if not point.is_feature:
            registry.offer(point.name, point.load, point.distribution, point.version)
    for point, reason in here.refused:
        if not point.is_feature:
            registry.refuse(point.name, reason, point.distribution, point.version)
    for point in here.disabled:
        if not point.is_feature:
            left_out = Found(name=point.name, distribution=point.distribution, version=point.version)
            registry.disabled.append(left_out)
    return registry
