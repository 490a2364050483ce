"""The checks of features."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import click
import orjson
import pytest

from tracker.api import Meter, Period, StatusSource, TelemetrySource
from tracker.feature import Feature
from tracker.kernel import PluginError, Registry, Session, Settings, TrackerError
from tracker_kit import panels
from tracker_kit.conformance import Conformance
from tracker_kit.rules import installed, refused, rule

HEAVY = {"attrs", "attr", "cattrs", "click", "pluggy", "orjson", "numpy", "scipy", "duckdb", "importlib.metadata"}
IMPORT = "import sys, tracker.feature; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
WINDOWS = ("W0-01", "W0-02", "W0-03")  # of `recorded.json`: two finalized ones, and one that is open
# what the hooks are asked, with nothing recorded and with that file
ASKED: dict[str, dict[str, Any]] = {
    "window_facts": {"windows": WINDOWS},
    "window_accounts": {"windows": WINDOWS},
    "window_checks": {"window": WINDOWS[0]},
    "handoff_section": {"windows": WINDOWS},
    "panels": {"period": Period(windows=WINDOWS)},
    "data_findings": {},
    "export_formats": {},
    "meter_readings": {"provider": None, "since": None, "hourly": False},
    "usage_events": {"since": None, "folder": None},
    "screen_text": {"text": "12 %\x1b[1A left"},
    "stream_facts": {"windows": WINDOWS, "spans": {}},
    "meter_outlooks": {},
    "meter_sampler": {"every": timedelta(minutes=5)},
    "session_files": {},
    "tally": {},
    "undo_rows": {"command_id": "0" * 24, "records": ()},
    "command_finished": {"given": {}},
}
# of whom hooks are asked, beside those that are installed
SOURCES = (
    StatusSource(
        contract="1.0", name="kit", title="Kit", meters=(Meter(key="m", title="M"),), capacity="m"
    ).as_source(),
    TelemetrySource(contract="1.0", name="kit-stream", title="Kit", stream="kit_stream").as_source(),
)
# a value of each kind of setting
PROBES = {"text": "?", "list of texts": ["?"], "true or false": True, "number": 1.0, "table": {"?": 0}}


class FeatureConformance(Conformance):
    """What holds for every feature; subclass it and set `feature`, the name of its entry point."""

    feature: ClassVar[str]

    @pytest.fixture
    @classmethod
    def found(cls) -> Any:
        named = [one for one in installed().features if one.name == cls.feature]
        # of several that claim the name the one that has it
        found = min(named, key=lambda one: one.error is not None, default=None)
        text = f"{cls.feature!r} is not an installed feature; after adding an entry point, install again"
        assert found is not None, rule(text, "Packaging")
        assert found.error is None, refused(found.error)
        return found

    @pytest.fixture
    @classmethod
    def declared(cls, found: Any) -> Feature:
        declared: Feature = found.info
        return declared

    def test_is_discovered_and_nothing_of_it_is_left_out(self, found: Any) -> None:
        """No command or setting is left out as invalid or taken; and its import changes nothing."""
        assert Settings.known()  # which looks at all settings
        assert not found.notes, rule("; ".join(found.notes), "Features")

    def test_marks_its_hooks(self, found: Any) -> None:
        """A function that is named like a hook and not marked as one is never called."""
        registry = installed()
        hooks = sorted(vars(registry.manager.hook).keys() - registry.of_sources - {*found.hooks, "feature_info"})
        own = {name: getattr(found.module, name, None) for name in hooks}
        place = getattr(found.module, "__name__", type(found.module).__module__)
        # one that is imported there is a helper
        unmarked = [name for name, one in own.items() if callable(one) and getattr(one, "__module__", "") == place]
        assert not unmarked, rule(f"{', '.join(unmarked)} is not marked with @hookimpl", "When something is wrong")

    def test_its_settings_fit(self, declared: Feature) -> None:
        """`fits` answers for any value of the setting's type."""
        own = [one for key, one in Settings.known().items() if key.rpartition(".")[0] in declared.settings]
        for one in own:
            for fits in dict.fromkeys((one.fits, one.fits_new)):
                try:
                    one._replace(fits=fits).check(PROBES[one.kind.title])
                except PluginError as error:
                    said = f"{error}; it says whether a value is right, or raises a ValueError"
                    raise AssertionError(rule(said, "Settings and records")) from error
                except (ValueError, TrackerError):
                    pass  # it may refuse the value

    def test_its_commands_exist(self, declared: Feature, tracker_cli: Any) -> None:
        for name, command in declared.commands.items():
            module, _, attribute = command.place.partition(":")
            try:
                found = getattr(import_module(module), attribute, None)
            except Exception as error:  # noqa: BLE001  whatever it is, the plugin is wrong and not the check
                text = f"{command.place} cannot be imported: {type(error).__name__}: {error}"
                raise AssertionError(rule(text, "Features")) from None
            text = f"{command.place} is not a click command"
            assert isinstance(found, click.Command), rule(text, "Features")
            assert found.help, rule(f"the command {name!r} has no help", "Features")
            above, _, own = name.rpartition(" ")
            is_reached = not above or is_page_of(tracker_cli(*name.split(), "--help").stdout, name, found.help)
            text = f"`tracker {name}` is not reached: {above!r} is not a group, or has a command {own!r} already"
            assert is_reached, rule(text, "Features")

    @pytest.mark.parametrize("data", ["empty", "recorded"])
    def test_its_hooks_answer(self, found: Any, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With what the specifications of the hooks say, whether or not something is recorded."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        root, registry, said = tmp_path / data, installed(), list[str]()
        root.mkdir()
        streams = orjson.loads(files("tracker_kit").joinpath("recorded.json").read_bytes())
        for stream, records in streams.items() if data == "recorded" else ():
            (root / f"{stream}.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in records))
        session = Session()
        session.data_dir, session.registry = root, registry
        monkeypatch.setattr(registry, "report", said.append)
        for hook, given in (pair for pair in ASKED.items() if pair[0] in found.hooks):
            known = getattr(registry.manager.hook, hook).spec.argnames
            whole = given | ({"session": session} if "session" in known else {})
            for one in _sources(registry, hook) if "source" in known else [{}]:
                for name, answer in registry.each(hook, **whole, **one):
                    if name == found.name:
                        said += [f"plugin {name!r} {fault}" for fault in _faults(session, hook, answer)]
        wrong = [text for text in said if text.startswith(f"plugin {found.name!r} ")]
        # what is said once more as a warning, or of each source
        once = {text.removesuffix("; the rest works").rstrip("."): text for text in reversed(wrong)}
        assert not wrong, rule("; ".join(reversed(once.values())), "Features")

    def test_imports_lightly(self, found: Any) -> None:
        module = getattr(found.module, "__name__", "")
        code = [sys.executable, "-c", IMPORT.format(module=module)]
        heavy = HEAVY & set(subprocess.check_output(code, text=True).split())
        text = f"importing {module} imports {', '.join(sorted(heavy))}; import it inside the hooks"
        assert not heavy, rule(text, "Features")


def _sources(registry: Registry, hook: str) -> Iterator[dict[str, Any]]:
    """The sources that a hook is asked about: streams, or providers."""
    for one in (*SOURCES, *registry.sources.values()):
        if one.is_stream if hook in ("stream_facts", "session_files") else one.is_provider:
            yield {"source": one}


def is_page_of(page: str, name: str, text: str) -> bool:
    """Whether a help page is that of a command with this help; a page breaks lines at dashes, too."""
    return f" {name} " in " ".join(page.split()) and "".join(text.split()[:9]) in "".join(page.split())


def _faults(session: Session, hook: str, answer: Any) -> Iterator[str]:
    """What is wrong with an answer that the core takes, and a view or an export would stop at."""
    if isinstance(answer, PluginError):
        yield str(answer).partition("' ")[2]
    elif hook == "export_formats":
        for name, write in answer.items():
            for stream in session.journal.streams():
                try:
                    write(session, stream, session.root)
                except Exception as error:  # noqa: BLE001  whatever it is, the plugin is wrong and not the check
                    yield f"cannot export {stream} as {name}: {type(error).__name__}: {error}"
    elif hook == "panels":
        for panel in answer:
            yield from panels.faults(panel)
