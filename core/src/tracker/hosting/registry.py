"""The installed plugins: loaded when they are first needed, admitted if sound, else left out with the reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import ModuleType
from typing import Any, TypeAlias

import attrs
import click
import pluggy

from tracker import api
from tracker.contract import Struct, checks, readings
from tracker.contract import hooks as hookspecs
from tracker.contract.sources import REPORT, STATUS, STREAM, VIEW, Declaration, Source
from tracker.errors import Hang, PluginError, TrackerError
from tracker.hosting import discovery
from tracker.hosting.discovery import Plugin
from tracker.hosting.guard import UNLIMITED, Timer, guarded
from tracker.text.render import near

SECONDS = 600.0  # of a hook of the project's own features: a long history may take minutes of CPU time; more is a loop
# these speak to the user themselves, and those with a limit of infinity may follow a stream for days
SPEAKING = {"ingest_stream": UNLIMITED, "show_table": UNLIMITED, "show_preview": UNLIMITED}
# what a feature raises on purpose, to end the command with one line
DELIBERATE = (TrackerError, click.ClickException, click.Abort)
NEEDED = {STATUS: "parse_status", REPORT: "parse_status", STREAM: "ingest_line", VIEW: "render_preview_block"}
OF_SOURCES = {"source_info", "compute_delta", "end_stream", *NEEDED.values()}
# the program's own columns of windows
OWN_COLUMNS = {"window", "lane", "lanes", "from", "to", "state", "outcome", "provider", "providers", "unit"}
OWN_COLUMNS |= {"features", "capacity", "efficiency"}
# what answers to hooks are of, beside the classes of the contract
NAMED: dict[str, Any] = {"Source": Declaration, "Mapping": Mapping, "Callable": Callable, "bool": bool, "str": str}
READING_LIMIT = 4 << 20  # characters; a record of 16 MB also holds the text
CLAIM = "claim its stream"
SHARED_STREAM = "snapshots"  # holds the readings of every provider
Facts: TypeAlias = dict[tuple[str, str], dict[str, Any]]


class Registry:
    """The installed sources and features. `report` is told what is wrong with a plugin as soon as it is known."""

    contract = ".".join(map(str, hookspecs.CONTRACT))
    installation = staticmethod(discovery.installation)
    is_strict = staticmethod(discovery.is_strict)
    guarded = staticmethod(guarded)  # runs a plugin's code by another way: what is wrong with it is a `PluginError`
    of_sources = frozenset(OF_SOURCES)  # the hooks of sources; all others are of features
    parsed = staticmethod(readings.to_parsed)  # what a record of a reading holds in its field `parsed`

    def __init__(self, report: Callable[[str], None] = lambda _text: None, plugins: Iterable[Plugin] = ()) -> None:
        self.report = report
        self.manager = pluggy.PluginManager(discovery.GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.manager.register(readings, name="the core's defaults")
        self.disabled = [one for one in plugins if one.is_disabled]
        # those that are not disabled, sound or not, none loaded; a name that belongs to another comes last
        self.plugins = sorted((one for one in plugins if not one.is_disabled), key=lambda one: bool(one.error))
        self._columns: dict[str, dict[Plugin, Facts]] = {}  # of windows, and who gave them last
        self._broken: set[tuple[str, str]] = set()  # features' hooks that raised
        self._hangs: dict[tuple[str, str], PluginError] = {}

    # --- sources

    def find(self, name: str) -> Plugin | None:
        """The installed source of that name, loaded, sound or not."""
        found = next((one for one in self.plugins if one.name == name), None)
        if found and found.pending and not found.error:
            found.load(self._admit, self.report)
        return found

    def source(self, name: str) -> Source | None:
        """The source of that name if it is installed and sound. Loads this plugin alone."""
        return found.info if (found := self.find(name)) else None

    @property
    def found(self) -> list[Plugin]:
        """Every installed source, loaded."""
        for one in self.plugins:
            self.find(one.name)
        return self.plugins

    @cached_property
    def sources(self) -> dict[str, Source]:
        """All sound sources, by name; loads every plugin."""
        return {found.name: found.info for found in self.found if found.info}

    @property
    def status_streams(self) -> list[str]:
        """The streams that hold captures."""
        return sorted({source.stream for source in self.sources.values() if source.kind == STATUS})

    @cached_property
    def providers(self) -> dict[str, Source]:
        """The sources with a quota, by name."""
        return {name: source for name, source in self.sources.items() if source.is_provider}

    def _admit(self, found: Plugin, timer: Timer) -> None:
        timer.restart("declare its source")  # first: a plugin for another contract may use other hooks
        if (declare := getattr(found.module, "source_info", None)) is None:
            raise LookupError("Missing hook 'source_info'. It declares the source.")
        found.declared = answer if type(answer := declare()) is Source else None
        found.declared = _declaration(found.name, answer)
        timer.restart(CLAIM)
        self._claim(found)
        timer.restart("match the hook specifications")
        self._register(found, found.name, found.declared.kind)

    def _claim(self, found: Plugin) -> None:
        """Refuse a source that writes into a stream of others; of all that claim `acme_log`, `tracker-acme` has it."""
        stream, kind = found.declared.stream, found.declared.kind
        if kind == VIEW or (kind == STATUS and stream == SHARED_STREAM):
            return

        def fit(one: Plugin) -> int:
            name = one.distribution.replace("-", "_")
            return len(name) if f"{discovery.GROUP}_{stream}_".startswith(f"{name}_") else 0

        rivals = [one for one in discovery.installed() if one.info and (one.is_own or fit(one) >= fit(found))]
        if stream in discovery.OWN_STREAMS.union(*(one.info.streams for one in rivals)):
            raise ValueError(f"Invalid stream {stream!r}. Expected one that neither the kernel nor a feature writes.")
        for other in (one for one in self.plugins if one.distribution != found.distribution):
            if fit(other) >= fit(found):  # who has it must not depend on what a command loads
                self.find(other.name)
            if (own := other.declared) and own.stream == stream and own.kind != VIEW:
                problem = f"Invalid stream {stream!r}. Expected another than that of {{0.name}} ({{0.distribution}})."
                if not other.error and fit(other) <= fit(found):
                    other.leave_out(PluginError(other.name, CLAIM, ValueError(problem.format(found))), self.report)
                if (not other.error or other.error.step == CLAIM) and fit(other) >= fit(found):
                    raise ValueError(problem.format(other))

    def _register(self, found: Plugin, name: str, kind: str | None = None) -> None:
        """Register the hooks of a plugin; if they do not fit, nothing of it stays."""
        # pluggy inspects every attribute of what it gets, half a millisecond a module: it gets only the hooks
        marked = ModuleType(name)
        try:
            for key in dir(found.module):
                if hasattr(part := getattr(found.module, key), "tracker_impl"):
                    setattr(marked, key, part)
            self.manager.register(marked, name)
            found.hooks = _hooks(self.manager, name, found.module, kind)
        except BaseException:
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            raise

    def has(self, source: str, hook: str) -> bool:
        """Whether the source itself implements the hook."""
        return (found := self.find(source)) is not None and found.info is not None and hook in found.hooks

    def call(self, source: str, hook: str, **arguments: Any) -> Any:
        """The answer of one source, with the core's default behind it; what is wrong with it is a `PluginError`."""
        if (found := next(one for one in self.plugins if one.name == source)).pending:
            self.find(source)
        others = self.manager.get_plugins() - {self.manager.get_plugin(source), readings}
        return self._ask(found, hook, self.manager.subset_hook_caller(hook, others), arguments)

    def bind(self, source: str, hook: str) -> Callable[..., Any]:
        """The source's own function for a hook with all arguments positional, bound once: for streams."""
        self.find(source)
        caller = getattr(self.manager.hook, hook)
        [own] = [one for one in caller.get_hookimpls() if one.plugin_name == source]
        function, given = own.function, caller.spec.argnames
        if tuple(own.argnames) == tuple(given):
            return function  # type: ignore[no-any-return]
        places = [given.index(name) for name in own.argnames]
        return lambda *arguments: function(*(arguments[place] for place in places))

    def package(self, source: str) -> str:
        """The import package of a source's plugin, which holds its bundled files; itself if it is a single module."""
        module: Any = getattr(self.find(source), "module", None)
        return getattr(module, "__package__", "") or getattr(module, "__name__", "")

    def lost_functions(self, name: str) -> dict[str, str]:
        """Those of a source's shell functions that it does not get, with the reason.

        If several make one, the source called `NAME` or `NAME-...` of a distribution `tracker-NAME` has it. If none or
        several fit, none has it: it would capture into the records of another.
        """
        found = [one for one in self.found if one.info]
        namesakes = [one for one in found if f"{discovery.GROUP}-{one.name}-".startswith(f"{one.distribution}-")]
        [own] = [one for one in found if one.name == name]
        lost = dict.fromkeys(own.info.hidden_words, "it would hide a word of the shell, or a program")
        for function in own.info.shell_functions:
            rivals = [one for one in found if one is not own and function in one.info.shell_functions]
            if rivals and (own not in namesakes or any(one in namesakes for one in rivals)):
                whose = " and ".join(f"{one.name} ({one.distribution})" for one in rivals)
                lost[function] = f"it is also made by {whose}"
        return lost

    # --- features

    @cached_property
    def features(self) -> list[Plugin]:
        """The installed features, sound or not, registered when they are first asked for."""
        found = list(discovery.installed())
        for one in found:
            self.add(one)
        return found

    def add(self, feature: Plugin) -> None:
        """Register the hooks of a feature; if they do not fit, it is left out."""
        try:
            if not feature.error:
                with guarded(feature.name, "match the hook specifications"):
                    self._register(feature, f"feature {feature.name}")
        except PluginError as error:
            feature.leave_out(error, self.report)

    def ask(self, hook: str, **arguments: Any) -> list[Any]:
        """The answers of the features that implement a hook, the project's own first; no answer is left out."""
        return list(self._answers(hook, arguments))

    def first(self, hook: str, **arguments: Any) -> Any:
        """The answer of the first feature that has one; else None."""
        return next(self._answers(hook, arguments), None)

    def _answers(self, hook: str, arguments: Mapping[str, Any]) -> Iterator[Any]:
        for name, answer in self.each(hook, **arguments):
            if not isinstance(answer, PluginError):
                yield from () if answer is None else (answer,)
            elif meant := self._meant(name, hook, answer) or (answer if hook == "ingest_stream" else None):
                raise meant  # nothing else can take in a stream
            elif (name, hook) not in self._broken:
                self._broken.add((name, hook))
                self.report(f"{str(answer).rstrip('.')}; the rest works")

    def each(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """The answer of each feature that implements a hook with its name, or the error that it failed with."""
        known = {f"feature {one.name}": one for one in self.features if not one.error}
        found = [(known[one.plugin_name], one) for one in getattr(self.manager.hook, hook).get_hookimpls()]
        found.sort(key=lambda pair: (not pair[0].is_own, pair[0].name))  # no name comes before the project's own
        for feature, one in found:
            given = {word: arguments[word] for word in one.argnames}
            seconds = SPEAKING.get(hook) or (SECONDS if feature.is_own else 0)
            hang = self._hangs.get((feature.name, hook))
            try:
                answer = hang or self._ask(feature, hook, one.function, given, seconds=seconds, speaks=hook in SPEAKING)
            except PluginError as error:
                if self.is_strict() and not self._meant(feature.name, hook, error):
                    raise
                answer = error
                if isinstance(error.__cause__, Hang) and error.plugin == feature.name:  # it would each time
                    self._hangs[feature.name, hook] = error
            yield feature.name, answer

    def _meant(self, feature: str, hook: str, error: PluginError) -> BaseException | None:
        """What a feature raised on purpose, or another plugin that it asked; of others less is taken for that."""
        found = error.__cause__ if error.plugin == feature else error
        is_own = any(one.is_own for one in self.features if one.name == feature)
        kinds = (*DELIBERATE, OSError) if is_own else () if hook == "command_finished" else DELIBERATE
        return found if isinstance(found, kinds) else None

    def _ask(self, plugin: Plugin, hook: str, function: Any, arguments: Mapping[str, Any], **limits: Any) -> Any:
        """Call a plugin's function for a hook. Whatever is wrong with it is a `PluginError`."""
        if os.environ.get(discovery.TRACE) == "1":
            shown = ", ".join(f"{name}={value!r:.60}" for name, value in arguments.items())
            print(f"trace: {plugin.name}.{hook}({shown})", file=sys.stderr)
        annotation = getattr(self.manager.hook, hook).spec.function.__annotations__["return"]
        with guarded(plugin.name, hook, **limits):
            answer = _checked(annotation, function(**arguments))
            if hook == "window_facts" and answer is not None:
                return self._own_columns(plugin, _facts(answer))
            if hook == "window_accounts" and answer is not None:
                _check_pairs(answer, str, "text")
            if isinstance(answer, readings.Reading):
                size = len(repr(readings.to_parsed(answer, plugin.declared)))  # refuses meters that are not declared
                if size > READING_LIMIT:
                    raise ValueError(f"A reading of {-(-size >> 20)} MB. Expected at most {READING_LIMIT >> 20} MB.")
            if isinstance(answer, list) and not plugin.is_own:
                whose = {"distribution": plugin.distribution}  # what is not the project's own says whose it is
                return [attrs.evolve(one, **whose) if hasattr(one, "distribution") else one for one in answer]
            return answer

    def _own_columns(self, feature: Plugin, facts: Facts) -> Facts:
        """The columns without those that another feature gives as well: the project's own has it, else none."""
        for name in dict.fromkeys(name for columns in facts.values() for name in columns):
            givers = self._columns.setdefault(name, {})
            givers[feature] = facts
            for loser in (one for one in givers if len(givers) > 1 and not one.is_own):
                for columns in givers[loser].values():  # which the caller may hold by now
                    columns.pop(name, None)
                rivals = " and ".join(f"{one.name} ({one.distribution})" for one in givers if one is not loser)
                loser.note(f"its column {name} is left out, because {rivals} also gives it", self.report)
        return facts


def _declaration(name: str, answer: object) -> Source:
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


def _hooks(manager: pluggy.PluginManager, name: str, module: object, kind: str | None) -> tuple[str, ...]:
    """The names of the hooks that a registered plugin implements; what fits none or is missing is an exception."""
    found = []
    known = OF_SOURCES if kind else {one for one, spec in vars(manager.hook).items() if spec.has_spec()} - OF_SOURCES
    for caller in manager.get_hookcallers(manager.get_plugin(name)) or ():
        [own] = [one for one in caller.get_hookimpls() if one.plugin_name == name]
        if caller.name not in known:
            raise LookupError(f"Unknown hook {caller.name!r}. {near(caller.name, sorted(known))}")
        if own.kwargnames:  # pluggy < 1.7 silently never passes these, 1.7 does
            raise TypeError(f"The argument {own.kwargnames[0]!r} of {caller.name} has a default. Expected none.")
        found.append(caller.name)
    for needed in ("source_info", NEEDED[kind]) if kind else ():
        if needed not in found:
            marked = f"{needed} is not marked. Expected @hookimpl before it." if hasattr(module, needed) else ""
            raise LookupError(marked or f"Missing hook {needed!r}. A source of kind {kind!r} needs it.")
    return tuple(sorted(found))


def _check_pairs(answer: Mapping[Any, Any], kind: type, expected: str) -> None:
    """Refuse what is not by window and provider."""
    for key, value in answer.items():
        is_pair = isinstance(key, tuple) and len(key) == 2 and all(isinstance(one, str) for one in key)
        if not is_pair or not isinstance(value, kind):
            raise TypeError(f"Invalid {value!r:.80} of {key!r:.80}. Expected (window, provider): {expected}.")


def _facts(answer: Mapping[Any, Any]) -> Facts:
    """The columns of windows that `window_facts` gave, all of which every view can show."""
    _check_pairs(answer, Mapping, "{column: value}")
    for key, columns in answer.items():
        for name, value in columns.items():
            if not name or not checks.is_line(name):
                raise ValueError(f"Invalid column {name!r:.80}. Expected a text without control characters.")
            if name in OWN_COLUMNS:
                raise ValueError(f"Invalid column {name!r:.80}. Expected another name than those of the kernel.")
            is_plain = isinstance(value, bool | None) or (isinstance(value, str) and checks.is_json(value))
            if not (is_plain or checks.number_from(-checks.LIMIT, checks.LIMIT)(value)):
                expected = "a text, switch, None, number below 1e15"
                raise ValueError(f"Invalid {name} {value!r:.80} of {key}. Expected {expected}.")
    return {key: {str(name): value for name, value in columns.items()} for key, columns in answer.items()}


def _checked(annotation: str, answer: Any) -> Any:
    """The answer to a hook whose specification returns `annotation`, built in full; a list if that is a sequence."""
    if answer is None:
        return None
    outer, _, inner = annotation.removesuffix(" | None").partition("[")
    name = inner.removesuffix("]") if outer == "Sequence" else outer
    kind: Any = NAMED.get(name) or getattr(api, name, object)
    found = list(answer) if outer == "Sequence" and isinstance(answer, Iterator | tuple) else answer
    parts = found if outer == "Sequence" else [found]
    if not (isinstance(parts, list) and all(isinstance(one, kind) for one in parts)):
        raise TypeError(f"returned {type(answer).__name__} {answer!r:.60}. Expected {annotation}.")
    waiting = [*parts]
    for one in waiting:
        if isinstance(one, Struct):
            attrs.validate(one)  # type: ignore[arg-type]  # reads every field, whatever built it
            for own in vars(one).values():
                waiting += own.values() if isinstance(own, Mapping) else own if isinstance(own, list | tuple) else [own]
    return found


def discover(report: Callable[[str], None] = lambda _text: None) -> Registry:
    """Every installed plugin that is not disabled; none is loaded yet."""
    return Registry(report, [one for one in discovery.scan() if not one.is_feature])
