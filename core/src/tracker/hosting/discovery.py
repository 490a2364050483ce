"""What is installed: entry points of the group `tracker`, read from the folders on the path, and what features declare.

Every command needs this, `tracker --help` too, so it imports neither attrs nor pluggy, nor `importlib.metadata`, which
takes 27 ms to import. What a zip file on the path installs is not seen.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, partial, reduce
from importlib import import_module
from operator import or_
from typing import Any

from tracker.errors import PluginError
from tracker.feature import Command, Feature
from tracker.hosting.guard import Timer, guarded
from tracker.hosting.imports import restored
from tracker.text.render import near, tell

GROUP = "tracker"
FEATURE = "feature"  # the last part of the module that a feature's entry point names
DISABLE = "TRACKER_DISABLE_PLUGINS"  # names of plugins or distributions to leave out, separated by commas
TRACE = "TRACKER_TRACE"  # "1": print every hook call on stderr, and the traceback of what a plugin raises
STRICT = "TRACKER_STRICT"  # "1": the first fault of a plugin is an error
TYPED = "(?:`|[:;] |, or |\n    )tracker "  # before a command in a message
PLACE = "tracker.cli.commands"
OWN_COMMANDS = {
    "start": Command("Daily", "Capture a provider's meters before the work.", f"{PLACE}.capture:start"),
    "end": Command("Daily", "Capture a provider's meters after the work.", f"{PLACE}.capture:end"),
    "cross": Command("Daily", "End a window and begin the next one with one capture.", f"{PLACE}.capture:cross"),
    "complete": Command("Daily", "Finalize a window: its features, quality and outcome.", f"{PLACE}.complete:command"),
    "preview": Command("Daily", "Show what the windows delivered per unit of quota.", f"{PLACE}.preview:command"),
    "alias": Command("Records", "Capture a provider's meters: start, end, cross.", f"{PLACE}.capture:command"),
    "ingest": Command("Records", "Store one text or stream from any source.", f"{PLACE}.capture:ingest"),
}
ALSO = {"window-finalize": "complete"}  # other names
OWN_STREAMS = frozenset(("snapshots", "windows", "anomalies"))


class Plugin:
    """An installed source or feature, and what became of it.

    place: what its entry point names. module: the same, once loaded. declared: its declaration, also if it was refused
    for it. error: why it was left out. hooks: those it implements. notes: what else is wrong with it. pending: how it
    is loaded. seconds: what that took.
    """

    def __init__(self, name: str, place: str = "", distribution: str = "", version: str = "", load: Any = None) -> None:
        self.name, self.place, self.distribution, self.version = name, place, distribution, version
        self.pending: Any = load or partial(attribute, place)
        self.is_disabled = False
        self.module: Any = None
        self.declared: Any = None
        self.error: PluginError | None = None
        self.hooks: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.seconds = 0.0

    @property
    def is_feature(self) -> bool:
        return self.place.partition(":")[0].rpartition(".")[2] == FEATURE

    @property
    def is_own(self) -> bool:
        """Whether it is a feature of the project's own. The file is not parsed: `json` costs each start 3 ms."""
        return self.is_feature and f'\n  "{self.distribution}": ' in _project()

    @property
    def info(self) -> Any:
        """The declaration of a plugin that was admitted."""
        return self.declared if self.error is None else None

    def load(self, admit: Callable[[Plugin, Timer], object], report: Callable[[str], object]) -> None:
        """Import and admit it, or leave it out."""
        load, self.pending, start = self.pending, None, time.perf_counter()
        try:
            with self.watched("be imported", report) as timer:
                self.module = load()
                admit(self, timer)
        except PluginError as error:
            self.leave_out(error, report)
        self.seconds = time.perf_counter() - start

    @contextmanager
    def watched(self, step: str, report: Callable[[str], object]) -> Iterator[Timer]:
        """Run an import of it. What this changes for the process is restored and named."""
        watch = restored(lambda changed: self.note(f"its import changed {changed}, which was put back", report))
        with guarded(self.name, step) as timer, nullcontext() if self.is_own else watch:
            yield timer

    def note(self, text: str, report: Callable[[str], object]) -> None:
        """Report a fault that costs only a part of it."""
        if text not in self.notes:
            self.notes += (text,)
            report(f"plugin {self.name!r} of {self.distribution}: {text}")

    def leave_out(self, error: PluginError, report: Callable[[str], object]) -> None:
        """Leave it out from now on; the report says why, and how to get rid of that line."""
        self.error = error
        if is_strict():
            raise error
        report(f"{str(error).rstrip('.')}; the rest works ({DISABLE}={self.distribution or self.name} leaves it out)")


def is_strict() -> bool:
    return os.environ.get(STRICT) == "1"


def attribute(place: str) -> Any:
    """What `module:attribute` names; without an attribute, the module."""
    module, _, rest = place.partition(":")
    return reduce(getattr, filter(None, rest.strip().split(".")), import_module(module.strip()))


def scan() -> list[Plugin]:
    """Every installed plugin, by name. If two distributions claim a name, only `tracker-NAME` may have it."""
    unwanted = {name.strip() for name in os.environ.get(DISABLE, "").split(",")}
    found = [Plugin(*point) for point in _points(tuple(entry or os.getcwd() for entry in sys.path))]
    for one in found:
        one.is_disabled = not unwanted.isdisjoint({one.name, one.distribution})
    for one in found:
        others = [other for other in found if other.name == one.name and other is not one and not other.is_disabled]
        if others and not one.is_disabled and one.distribution != f"{GROUP}-{one.name}":
            cure = f"Uninstall one of them, or set {DISABLE}={one.distribution}."
            named = ", ".join(other.distribution for other in others)
            one.error = PluginError(one.name, "claim its name", f"{named} also has an entry point of that name. {cure}")
    return found


@cache
def _points(path: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    """Name, place, distribution and version of every entry point of the group, by name.

    Of two installations of a distribution the first on the path counts.
    """
    seen: set[str] = set()
    found = []
    for folder in path:
        names = list[str]()
        with suppress(OSError):
            names = sorted(name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info")))
        for name in names:
            text = ""  # of most, which have no entry points
            with suppress(OSError), open(f"{folder}/{name}/entry_points.txt", "rb") as file:
                text = file.read().decode("utf-8", "replace")
            project, _, version = name.rpartition(".")[0].partition("-")
            project = project.lower().replace("_", "-").replace(".", "-")
            section = f"[{GROUP}]" in text and re.search(rf"^\[{GROUP}\][ \t\r]*\n(.*?)(?=^\[|\Z)", text, re.M | re.S)
            for line in section[1].splitlines() if section and project not in seen else ():
                point, is_entry, place = line.partition("=")
                if is_entry and point.strip() and not line.lstrip().startswith(("#", ";")):
                    found.append((point.strip(), place.partition("[")[0].strip(), project, version))
            seen.add(project)
    return sorted(found)


def installed() -> list[Plugin]:
    """The installed features that the user did not disable, the project's own before others."""
    return _installed(os.environ.get(DISABLE, ""))


@cache
def _installed(disabled: str) -> list[Plugin]:
    every = scan()
    names = sorted({name for one in every for name in (one.name, one.distribution)})
    for wrong in {name.strip() for name in disabled.split(",")}.difference(names, {""}):
        warn(f"{DISABLE} names {wrong!r}, which is not installed. {near(wrong, names)}")
    found = sorted((one for one in every if one.is_feature and not one.is_disabled), key=lambda one: not one.is_own)
    for one in found:
        if not one.error:
            one.load(_admit, warn)
    _share(found)
    return found


def _admit(found: Plugin, timer: Timer) -> None:
    timer.restart("declare its feature")
    found.declared = found.module.feature_info()
    check(found.declared, found.name)


def warn(text: str) -> None:
    tell(f"warning: {text}")


def _share(found: list[Plugin]) -> None:
    """If several features declare one name, the project's own has it, else none: the alphabet does not decide."""
    for part, noun in (("commands", "command {} is"), ("settings", "settings [{}] are"), ("streams", "stream {} is")):
        # each feature may have settings at the top level
        claims = [(one, name) for one in found for name in getattr(one.info, part, ()) if name]
        for loser, name in claims:
            rivals = [f"{one.name} ({one.distribution})" for one, own in claims if own == name and one is not loser]
            if rivals and not loser.is_own:
                given = getattr(loser.info, part)
                names = [key for key in given if key != name]
                kept = tuple(names) if part == "streams" else {key: given[key] for key in names}
                loser.declared = loser.info._replace(**{part: kept})
                why = f"because {' and '.join(rivals)} also declares that name"
                loser.note(f"its {noun.format(name)} left out, {why}", warn)


def check(feature: Feature, name: str) -> None:
    """Refuse a declaration that would break the command line when it is used."""

    def refuse(what: str, given: object, expected: str) -> None:
        raise ValueError(f"Invalid {what} {given!r:.80}. Expected {expected}.")

    if not isinstance(feature, Feature) or feature.name != name:
        refuse("answer of feature_info", feature, f"a Feature named {name!r}")
    for part, kind in (("commands", Mapping), ("settings", Mapping), ("streams", list | tuple | set | frozenset)):
        if not isinstance(given := getattr(feature, part), kind) or not all(isinstance(one, str) for one in given):
            refuse(part, given, "a tuple of texts" if part == "streams" else "a mapping from names")
    for named, command in feature.commands.items():
        if named in OWN_COMMANDS or named in ALSO or not re.fullmatch(r"[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)*", named):
            refuse("command", named, "words of lower-case letters, digits and '-' that are not a command of the kernel")
        if not isinstance(command, Command) or not all(isinstance(one, str) and one.isprintable() for one in command):
            refuse(f"command {named!r}:", command, "a Command of three texts of one line")
    for place in (*feature.settings.values(), *(command.place for command in feature.commands.values())):
        if not isinstance(place, str) or not re.fullmatch(r"[\w.]+:\w+", place):
            refuse("place", place, "a module and an attribute, as in package.module:Name")
    for stream in feature.streams:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", stream) or stream in OWN_STREAMS:
            refuse("stream", stream, "up to 64 lower-case letters, digits and '_', and not a stream of the kernel's")


def commands() -> dict[str, Command]:
    """Those of the kernel and of the features in use, by name."""
    return reduce(or_, (one.info.commands for one in installed() if one.info), OWN_COMMANDS)


@contextmanager
def spared(found: Plugin, step: str) -> Iterator[None]:
    """Run a part that a feature can do without: a fault in it is reported, and the rest works."""
    try:
        with found.watched(step, warn):
            yield
    except PluginError as error:
        if is_strict():
            raise
        found.note(f"failed to {error.step}: {error.cause.rstrip('.')}; the rest works", warn)


def culprit(error: BaseException, step: str = "run") -> PluginError | None:
    """An error as a fault of the plugin that raised it, the innermost in its traceback; None if that is our own."""
    from traceback import walk_tb

    found, packages = None, [(one.place.partition(":")[0].removesuffix(f".{FEATURE}"), one) for one in scan()]
    packages.sort(key=lambda pair: not pair[1].is_feature)  # of one package that whose commands run
    for frame, _ in walk_tb(error.__traceback__):
        # a function whose parameters do not fit has no frame of its own, but click's has it as the callback
        for module in (frame.f_globals.get("__name__"), getattr(frame.f_locals.get("callback"), "__module__", "")):
            found = next((one for package, one in packages if f"{module}.".startswith(f"{package}.")), found)
    return PluginError(found.name, step, error) if found and not found.is_own else None


@cache
def _project() -> str:
    """What the project's own features bring, by distribution, as JSON."""
    with open(os.path.join(os.path.dirname(__file__), "distributions.json"), encoding="utf-8") as file:
        return file.read()


def owner(what: str, name: str) -> str:
    """How to get one of the project's `commands`, `settings` or `hooks` that is not in use here; else nothing."""
    import json

    here = {one.distribution for one in installed() if one.info}
    brought = json.loads(_project()).items()
    if not (found := next((one for one, parts in brought if one not in here and name in parts[what]), "")):
        return ""
    if any(one.is_disabled and one.distribution == found for one in scan()):
        return f"{found} is disabled: unset {DISABLE}."
    return f"Install {found}: {_installation(found.removeprefix('tracker-'))}."


def may_have(key: str, *, is_table: bool) -> bool:
    """Whether a feature that is not in use, or that failed to give its settings, may have an unknown one."""
    table = key.partition(".")[0]
    others = (one.is_disabled and one.is_feature and not one.is_own for one in scan())
    is_failed = any(not one.info or one.notes for one in installed())
    return bool(owner("settings", key) or owner("settings", table)) or (is_table and (is_failed or any(others)))


def cured(text: str, session: Any = None) -> str:
    """A message with how to get each command of ours that it names and that is not in use, and the options given."""
    missing: dict[str, str] = {}
    with suppress(PluginError):  # if a plugin's fault is an error, the features cannot be asked when it is shown
        for first, second in re.findall(rf"{TYPED}([a-z-]+)( [a-z-]+)?", text):
            for name in (first, first + second):
                if name not in commands() and (how := owner("commands", name)):
                    missing[how] = name
        if session and session.agent is not None:  # it takes back what a lane did last, and other cures name theirs
            text = re.sub(rf"({TYPED}undo)(?! --list|[^`]* --agent)", rf"\1 --agent {session.agent or repr('')}", text)
        if session and session.data_dir:
            import shlex

            known = "|".join({name.partition(" ")[0] for name in commands()})
            place = f"--data-dir {shlex.quote(str(session.data_dir))} "
            text = re.sub(rf"{TYPED}(?=({known})\b)", lambda found: found[0] + place, text)
    more = (f"The command {name} is not available. {how}" for how, name in missing.items())
    return " ".join((f"{text.rstrip('.')}.", *more)) if missing else text


def _installation(name: str) -> str:
    """The command that adds a feature here. No index has it: it is in the checkout that the core comes from."""
    import json
    from importlib.metadata import distribution
    from pathlib import Path
    from urllib.parse import unquote, urlsplit

    url = urlsplit(json.loads(distribution("tracker-core").read_text("direct_url.json") or "{}").get("url", ""))
    folder = Path(unquote(url.path)).parent / "plugins" / name
    if url.scheme != "file" or not folder.is_dir():
        return f"`pip install ./plugins/{name}` in a checkout of tracker"
    return installation(str(folder))


def installation(*packages: str) -> str:
    """The command that adds packages to the environment that runs."""
    import shlex
    from importlib.util import find_spec
    from pathlib import Path

    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        words = ["pipx", "inject", prefix.name]
    elif find_spec("pip"):
        words = [sys.executable, "-m", "pip", "install"]
    else:
        words = ["uv", "pip", "install", "--python", str(prefix)]
    return f"`{shlex.join([*words, *packages])}`"
