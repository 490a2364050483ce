"""The checks of features."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import click
import orjson
import pytest

from tracker.api import Period
from tracker.feature import Feature
from tracker.kernel import PluginError, Session, Settings
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
    "undo_rows": {"command_id": "0" * 24, "records": ()},
    "command_finished": {"given": {}},
}


class FeatureConformance(Conformance):
    """What holds for every feature; subclass it and set `feature`, the name of its entry point."""

    feature: ClassVar[str]

    @pytest.fixture
    @classmethod
    def found(cls) -> Any:
        found = next((one for one in installed().features if one.name == cls.feature), None)
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
        """No command and no settings, because they are none or others have them; and its import changes nothing."""
        assert Settings.known()  # which looks at all settings
        assert not found.notes, rule("; ".join(found.notes), "Features")

    def test_its_commands_exist(self, declared: Feature) -> None:
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

    @pytest.mark.parametrize("data", ["empty", "recorded"])
    def test_its_hooks_answer(
        self, declared: Feature, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
        for hook, given in ASKED.items():
            known = getattr(registry.manager.hook, hook).spec.argnames
            arguments = given | ({"session": session} if "session" in known else {})
            for name, answer in registry.each(hook, **arguments):
                if name == declared.name:
                    said += [f"plugin {name!r} {fault}" for fault in _faults(session, hook, answer)]
        wrong = [text for text in said if text.startswith(f"plugin {declared.name!r} ")]
        assert not wrong, rule("; ".join(wrong), "Features")

    def test_imports_lightly(self, found: Any) -> None:
        module = getattr(found.module, "__name__", "")
        code = [sys.executable, "-c", IMPORT.format(module=module)]
        heavy = HEAVY & set(subprocess.check_output(code, text=True).split())
        text = f"importing {module} imports {', '.join(sorted(heavy))}; import it inside the hooks"
        assert not heavy, rule(text, "Features")


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
    elif hook in ("meter_readings", "usage_events"):
        for one in answer or ():
            yield from _wrong_parts(one)
    elif hook == "panels":
        for panel in answer:
            if unknown := {one.y for one in panel.charts} - {column.key for column in panel.columns}:
                yield f"draws {min(unknown)!r}, but the panel {panel.name!r} has no such column"
            for value in (value for row in panel.rows for value in row.values()):
                is_number = isinstance(value, int | float) and -1e15 < value < 1e15
                if not is_number and not isinstance(value, str | datetime | None):
                    yield f"gives {value!r:.40} in the panel {panel.name!r}. Expected a text, instant, number or None."


def _wrong_parts(value: Any) -> Iterator[str]:
    """What in a tuple has a type that is not declared; the core does not look, because there are millions."""
    for name, hint in get_type_hints(type(value)).items():
        kinds = tuple(get_origin(one) or one for one in (get_args(hint) if isinstance(hint, UnionType) else (hint,)))
        if not isinstance(part := getattr(value, name), (*kinds, int) if float in kinds else kinds):
            wanted = getattr(hint, "__name__", hint)
            yield f"gives {part!r:.40} as {name} of a {type(value).__name__}. Expected {wanted}."
