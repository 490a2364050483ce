"""The conformance kit: a sound plugin passes; one that breaks a rule fails that check, which names the rule.

All plugins run in one pytest process: each is a module, an entry point and a conformance class of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest

PANE = """\
import json, re
from datetime import UTC, datetime
from tracker.api import (
    Block, Change, Comparison, Delta, Demo, DemoStep, Gauge, Meter, Reading, Row, Source, hookimpl, plain_text, redact
)
NUMBERS = iter(range(10**9))
ROW = re.compile(r"^fuel: (\\d{1,3})% used, resets (\\S+Z) by (\\S+)[ ]*$", re.M)

@hookimpl
def source_info():
    return Source(contract="1.0", name="NAME", title="Toy", capacity="fuel", meters=(Meter(key="fuel", title="Fuel"),),
                  tags={"no-fuel": "there is no fuel gauge"})

@hookimpl
def parse_status(text, captured_at, timezone):
    found = ROW.search(plain_text(text))
    if found is None:
        return Reading(errors=("no-fuel",))
    gauge = Gauge(meter="fuel", used=float(found[1]), resets=found[2], reset_at=datetime.fromisoformat(found[2]))
    return Reading(gauges=(gauge,), fields={"by": redact(found[3])})

@hookimpl
def render_preview_block(context):
    found = [one.get("parsed") or {} for one in context.records]
    rows = tuple(Row(values={"fuel": one.get("fuel_pct")}, text="fuel={fuel:%}") for one in found)
    return Block(title="Toy", rows=rows) if rows else None
"""
SCREEN = "ACME\n\nfuel: 42% used, resets 2026-01-01T15:45:00Z by dev@example.com\n"
RECORDED = {
    "fuel_pct": 42,
    "fuel_resets": "2026-01-01T15:45:00Z",
    "fuel_reset_at": "2026-01-01T15:45:00Z",
    "by": "d***@example.com",
    "errors": [],
}
REPORT = """\
import json, re
from tracker.api import Comparison, Reading, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="NAME", title="Report", kind="report", stream="kit_report", scopes=("weekly",),
                  comparisons=(Comparison(scope="weekly", figure="used", provider="toy", meter="fuel"),))

@hookimpl
def parse_status(text):
    try:
        return Reading(fields={"used": json.loads(text)["used"]})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
"""
STREAM = """\
import json
NUMBERS = iter(range(10**9))
from tracker.api import Block, Rejected, Row, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="NAME", title="Stream", kind="telemetry", stream="kit_stream")

@hookimpl
def ingest_line(line, scratch):
    try:
        found = json.loads(line)
        event = {"rid": str(found["id"]), "input_tokens": found["in"], "routed": False, "ok": True}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Rejected("no request") from None
    return [event]

@hookimpl
def render_preview_block(context):
    if not context.events.events:
        return None
    return Block(title="Stream", rows=(Row(values={"events": context.events.events}),))
"""
LINES = b'{"id": "r1", "in": 5}\n{"id": "r2", "in": 7}\n'
CODE = {"status": PANE, "report": REPORT, "telemetry": STREAM}
KIND = {"status": "StatusConformance", "report": "ReportConformance", "telemetry": "TelemetryConformance"}
DELTA = """
@hookimpl
def compute_delta(before, after):
    if before.gauge("fuel") is None:
        return None
    old, new = before.gauge("fuel").used, after.gauge("fuel").used
    return Delta(changes=(Change(meter="fuel", delta={}),))
"""


class Break(NamedTuple):
    """What is replaced in a sound plugin's code (nothing: added to it), which checks fail and what they say."""

    kind: str
    old: str
    new: str
    checks: str
    message: str
    section: str


DEMO = 'Source(demo=Demo(steps=(DemoStep(stage=10, arguments=("ingest",), capture="demo/gone.txt"),)), '
READ = "    found = ROW.search(plain_text(text))\n"
GUESS = '    if "100%" in text:\n        return Reading(gauges=(Gauge(meter="fuel", used=100),))\n'
HALF = """
    half = re.search(r"^fuel: (\\d{1,3})", text, re.M)
    if found is None and half:
        return Reading(gauges=(Gauge(meter="fuel", used=int(half[1])),))
"""
RAISE = "    if not text:\n        raise ZeroDivisionError('empty')\n"
CHANGE = "    rows = tuple"
CAREFUL = "except (ValueError, TypeError, KeyError, RecursionError)"
ID = 'str(found["id"])'

BREAKS = {
    "clock": Break("status", READ, READ + "    datetime.now(UTC)\n", "names_no_clock", "uses now", "Purity"),
    "borrowed": Break("status", "", "from time import time as t", "names_no_clock", "imports t from time", "Purity"),
    "file": Break(
        "status",
        READ,
        READ + "    open(__file__).close()\n",
        "touches_no_file_network_or_clock",
        "parse_status touched open(",
        "Purity",
    ),
    "unequal": Break(
        "status",
        '{"by": ',
        '{"n": next(NUMBERS), "by": ',
        "reads_each_screen_as_recorded reads_the_same_in_other_clothes touches_no_file_network_or_clock"
        " reads_alike_wherever_the_machine_is",
        "two readings of one text differ",
        "Purity",
    ),
    "zone": Break(
        "status",
        '{"by": ',
        '{"far": True} if captured_at.astimezone().utcoffset() else {"by": ',
        "reads_alike_wherever_the_machine_is",
        "is read by the machine's own time zone",
        "Purity",
    ),
    "heavy": Break(
        "status", "json, re", "json, re, sqlite3", "imports_lightly", "imports sqlite3; do it later", "Import late"
    ),
    "process": Break(
        "status",
        "",
        '\nimport os; os.system("true")\n',
        "imports_lightly",
        "touches os.system; it must do nothing",
        "Import late",
    ),
    "unmarked": Break(
        "status",
        "@hookimpl\ndef render",
        "def render",
        "marks_its_hooks",
        "render_preview_block is not marked with @hookimpl",
        "When something is wrong",
    ),
    "fickle": Break(
        "status",
        'title="Toy", cap',
        'title=f"Toy {next(NUMBERS)}", cap',
        "declares_the_same_each_time",
        "source_info gives another declaration",
        "The declaration",
    ),
    "word": Break(
        "status", "Source(", 'Source(prefix="c", ', "offers_the_options_it_declares", "makes ['cd']", "The declaration"
    ),
    "demo": Break("status", "Source(", DEMO, "packs_what_its_demo_needs", "capture demo/gone.txt is not", "Packaging"),
    "scope": Break(
        "report",
        'scope="weekly"',
        'scope="daily"',
        "declares_what_fits_together",
        "a comparison has the scope 'daily'",
        "The declaration",
    ),
    "meter": Break(
        "report",
        'provider="toy", meter="fuel"',
        'provider="sound-status", meter="oil"',
        "declares_what_fits_together",
        "sound-status has no meter 'oil' to compare with",
        "The declaration",
    ),
    "stream": Break(
        "report",
        'stream="kit_report"',
        'stream="snapshots"',
        "keeps_a_stream_for_its_records",
        "its stream 'snapshots' holds the records of status sources",
        "The declaration",
    ),
    "capacity": Break(
        "status",
        'capacity="fuel", meters=(',
        'capacity="oil", meters=(Meter(key="oil", title="Oil"), ',
        "shows_its_capacity_meter",
        "no screen gives the capacity meter 'oil' a value",
        "The declaration",
    ),
    "always": Break(
        "status",
        " if rows else None",
        "",
        "shows_nothing_of_nothing",
        "there is nothing to show",
        "render_preview_block",
    ),
    "holder": Break(
        "status",
        "{fuel:%}",
        "{oil:%}",
        "shows_its_records_as_data",
        "a row's text names ['oil'], no value of it",
        "render_preview_block",
    ),
    "escape": Break(
        "status",
        '"fuel={fuel:%}"',
        '"\\x1b[31mfuel={fuel:%}"',
        "shows_its_records_as_data",
        "a row holds control characters",
        "render_preview_block",
    ),
    "changes": Break(
        "status",
        CHANGE,
        "    for one in context.records:\n        one['x'] = 1\n" + CHANGE,
        "shows_its_records_as_data",
        "the block changed the record",
        "Purity",
    ),
    "lacking": Break(
        "status",
        'one.get("parsed") or {}',
        'one["parsed"]',
        "shows_what_records_lack_as_missing",
        "KeyError: 'parsed', at kit_lacking, line 24; records may lack anything",
        "render_preview_block",
    ),
    "untagged": Break(
        "status",
        'tags={"no-fuel"',
        'tags={"no-oil"',
        "explains_every_tag",
        "the tags ['no-fuel'] are not explained",
        "Error tags",
    ),
    "address": Break(
        "status",
        "redact(found[3])",
        "found[3]",
        "keeps_nothing_personal reads_each_screen_as_recorded",
        "the reading keeps dev@example.com",
        "Privacy",
    ),
    "guess": Break(
        "status", READ, GUESS + READ, "takes_no_value_from_foreign_text", "'100%' gave fuel: 100", "Never a guess"
    ),
    "colour": Break(
        "status",
        "plain_text(text)",
        r'text.replace("\r", "")',
        "reads_the_same_in_other_clothes",
        "screen coloured gave nothing, the truth is fuel: 42.0",
        "Panes",
    ),
    "spaces": Break(
        "report",
        '["used"]}',
        '["used"] + text.endswith("   ")}',
        "reads_the_same_in_other_clothes",
        "screen with trailing spaces gave other fields: used",
        "Panes",
    ),
    "cut": Break(
        "status",
        READ,
        READ + HALF,
        "gives_the_true_value_or_none",
        "screen cut after 13 characters gave fuel: 4, the truth is fuel: 42.0, fuel resets at: 2026-01-01 15:45:00",
        "Never a guess",
    ),
    "figure": Break(
        "report",
        'json.loads(text)["used"]',
        'float((re.findall(r"[0-9]+", text) or [""])[0])',
        "gives_the_true_value_or_none takes_no_value_from_foreign_text",
        "gave used: 4.0, the truth is used: 42.0",
        "Never a guess",
    ),
    "raises": Break(
        "status",
        READ,
        RAISE + READ,
        "gives_the_true_value_or_none takes_no_value_from_foreign_text",
        "ZeroDivisionError: empty, at kit_raises, line 17; it must not raise, whatever the text",
        "parse_status",
    ),
    "moving": Break(
        "status",
        "",
        DELTA.replace("{}", "max(new - old, 0) or 1"),
        "reports_no_change_between_equal_readings",
        "equal readings differ by fuel: 1",
        "compute_delta",
    ),
    "silent": Break(
        "status",
        "",
        DELTA.replace("{}", "None"),
        "reports_no_change_between_equal_readings",
        "an unknown delta has no reason",
        "compute_delta",
    ),
    "falling": Break(
        "status",
        "",
        DELTA.replace("{}", "new - old"),
        "no_meter_goes_down",
        "a delta below 0 is impossible",
        "compute_delta",
    ),
    "double": Break(
        "status",
        "",
        DELTA.replace("{}", "max(2 * (new - old), 0)"),
        "a_rise_is_the_difference_or_unknown",
        "meters that rose by 5 have the delta fuel: 10.0",
        "compute_delta",
    ),
    "junk": Break(
        "telemetry",
        CAREFUL,
        "except (ValueError, TypeError, RecursionError)",
        "rejects_junk_telemetry",
        "KeyError: 'id', at kit_junk, line 13; a line that cannot be read raises Rejected and nothing else",
        "ingest_line",
    ),
    "cuts": Break(
        "telemetry",
        "    try:",
        "    if line.endswith(b'r'):\n        raise KeyError('cut')\n    try:",
        "survives_lines_that_were_cut",
        "failed to ingest_line: KeyError: 'cut'",
        "ingest_line",
    ),
    "field": Break(
        "telemetry",
        '"ok": True}',
        '"ok": True, "cost": 1}',
        "every event",
        "an event has unknown fields: ['cost']",
        "ingest_line",
    ),
    "type": Break(
        "telemetry",
        '"routed": False',
        '"routed": 0',
        "every event",
        "an event has wrong types: {'routed': 0}",
        "ingest_line",
    ),
    "nojson": Break(
        "telemetry", '"rid"', '"latency_ms": float("nan"), "rid"', "every event", "an event is no JSON", "ingest_line"
    ),
    "nodict": Break(
        "telemetry",
        "return [event]",
        "return [[event]]",
        "every event",
        "an event is a list, not a dict",
        "ingest_line",
    ),
    "nolist": Break(
        "telemetry",
        "return [event]",
        "return iter([event])",
        "every event",
        "are a list_iterator, no list",
        "ingest_line",
    ),
    "prompt": Break(
        "telemetry",
        ID,
        'str(dict(found).get("prompt", found["id"]))',
        "keeps_nothing_personal",
        "an event keeps 'canary prompt 7f3a'",
        "Privacy",
    ),
    "count": Break(
        "telemetry",
        ID,
        'str(found["id"]) + str(next(NUMBERS))',
        "reads_every_line_the_same_way_twice",
        "a stream that is read twice gives other events",
        "Purity",
    ),
    "touch": Break(
        "telemetry",
        "    return [event]",
        "    open(__file__).close()\n    return [event]",
        "touches_no_file_network_or_clock",
        "ingest_line touched open(",
        "Purity",
    ),
    "nothing": Break(
        "telemetry",
        "return [event]",
        "return []",
        "there_are_lines_with_events",
        "no line of lines.jsonl gives an event",
        "Testing",
    ),
    "totals": Break(
        "telemetry",
        '"events": context',
        '"mark": "\\x1b", "events": context',
        "shows_its_totals_as_data",
        "a row holds control characters",
        "render_preview_block",
    ),
}
SOUND = {"sound-status": "status", "sound-report": "report", "sound-telemetry": "telemetry"}
NOT_LOADED = {
    "absent": "'absent' is no installed entry point of group 'tracker'; one that was added needs an installation"
    " (docs/plugins.md, section 'Packaging')",
    "unloadable": "ModuleNotFoundError: No module named 'nowhere' (docs/plugins.md, section 'Import late')",
    "mistyped": "is named 'mistyped' but the source 'other' (docs/plugins.md, section 'The declaration')",
    "misspelt": "did you mean 'parse_status'? (docs/plugins.md, section 'When something is wrong')",
}
EVERY_EVENT = (
    "there_are_lines_with_events reads_every_line_the_same_way_twice keeps_nothing_personal"
    " touches_no_file_network_or_clock shows_its_totals_as_data"
)

Results = dict[str, dict[str, list[str]]]


def broken(name: str) -> str:
    kind, old, new, *_ = BREAKS[name]
    sound = CODE[kind].replace("NAME", name)
    assert old in sound
    return sound.replace(old, new, 1) if old else sound + new


def case(name: str, kind: str, screens: str = "screens", *, is_light: bool = True) -> str:
    lines = [f"class Test_{name.replace('-', '_')}({KIND[kind]}):", f"    source = {name!r}"]
    lines += [f"    screens = HERE / {screens!r}", "    lines = HERE / 'lines.jsonl'"]
    lines += ["    test_imports_lightly = None"] if is_light else []  # it starts a process
    return "\n".join(lines) + "\n"


def install(folder: Path, modules: dict[str, str]) -> None:
    info = folder / "tracker_kit-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tracker-kit\nVersion: 1.0\n")
    points = "\n".join(f"{name} = kit_{name.replace('-', '_')}" for name in modules)
    (info / "entry_points.txt").write_text(f"[tracker]\n{points}\n")
    for name, code in modules.items():
        (folder / f"kit_{name.replace('-', '_')}.py").write_text(code)


def run(folder: Path, tests: str, *options: str) -> Results:
    """The messages of every check by source; an empty one for a check that passed."""
    (folder / "test_all.py").write_text(
        f"from pathlib import Path\nfrom tracker.testing import {', '.join(KIND.values())}\n"
        f"HERE = Path(__file__).parent\n{tests}"
    )
    words = [
        "-m",
        "pytest",
        "-q",
        "--tb=native",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        *options,
    ]
    words += ["-p", "tracker.testing.verdict", "--verdict", str(folder / "verdict.json"), str(folder / "test_all.py")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    done = subprocess.run(
        [sys.executable, *words],
        env=environment | {"PYTHONPATH": str(folder / "site"), "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (folder / "verdict.json").exists(), done.stdout + done.stderr
    found: Results = defaultdict(lambda: defaultdict(list))
    for row in json.loads((folder / "verdict.json").read_text()):
        found[row["source"]][row["check"].partition("[")[0].removeprefix("test_")].append(row["message"])
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("kit")
    (folder / "lines.jsonl").write_bytes(LINES)
    write_screen(folder / "screens", SCREEN, RECORDED)
    write_screen(folder / "screens", "ACME\n", {"errors": ["no-fuel"]}, name="empty")
    write_screen(folder / "reports", '{"used": 42.0}\n', {"used": 42.0, "errors": []})
    modules = {name: CODE[kind].replace("NAME", name) for name, kind in SOUND.items()}
    modules |= {name: broken(name) for name in BREAKS}
    modules |= {"unloadable": "import nowhere\n", "mistyped": PANE.replace("NAME", "other")}
    modules |= {"misspelt": PANE.replace("NAME", "misspelt") + "\n@hookimpl\ndef parse_states(text): pass\n"}
    install(folder / "site", modules)
    kinds = SOUND | {name: made.kind for name, made in BREAKS.items()} | dict.fromkeys(NOT_LOADED, "status")
    texts = {"report": "reports"}
    tests = [
        case(name, kind, texts.get(kind, "screens"), is_light=name not in (*SOUND, "heavy", "process"))
        for name, kind in kinds.items()
    ]
    return run(folder, "\n".join(tests))


def write_screen(folder: Path, text: str, parsed: dict[str, object] | None, name: str = "screen") -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_text(text)
    if parsed is not None:
        (folder / f"{name}.json").write_text(json.dumps({"captured_at": "2026-01-01T12:00:00+00:00", "parsed": parsed}))


def failing(checks: dict[str, list[str]]) -> dict[str, list[str]]:
    return {check: [message for message in messages if message] for check, messages in checks.items() if any(messages)}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_plugin_passes(results: Results, name: str) -> None:
    assert failing(results[name]) == {}
    assert len(results[name]) > 10


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_rule_is_named_with_the_guides_section(results: Results, name: str) -> None:
    _, _, _, checks, message, section = BREAKS[name]
    found = failing(results[name])
    wanted = EVERY_EVENT if checks == "every event" else checks
    assert set(found) == set(wanted.split()), found
    said = [one for messages in found.values() for one in messages]
    assert any(message in one and one.endswith(f"(docs/plugins.md, section {section!r})") for one in said), said


@pytest.mark.parametrize("name", NOT_LOADED)
def test_a_plugin_that_is_not_there_says_why(results: Results, name: str) -> None:
    [message] = {one for messages in results[name].values() for one in messages if one}
    assert NOT_LOADED[name] in message


def test_screens_are_recorded_on_demand(tmp_path: Path) -> None:
    """A screen that says something else, or that was never recorded, fails until the option writes what it says."""
    install(tmp_path / "site", {"toy": PANE.replace("NAME", "toy")})
    write_screen(tmp_path / "new", SCREEN, None)
    write_screen(tmp_path / "old", SCREEN, RECORDED | {"fuel_pct": 3})
    (tmp_path / "none").mkdir()
    tests = "\n".join(
        case("toy", "status", folder).replace("Test_toy", f"Test_{folder}") for folder in ("new", "old", "none")
    )
    chosen = ("-k", "as_recorded or there_are_screens")
    said = [one for messages in failing(run(tmp_path, tests, *chosen)["toy"]).values() for one in messages]
    end = "(docs/plugins.md, section 'Testing')"
    assert sorted(said) == sorted(
        [
            f"screen.json is not beside screen.txt; --update-screens records it {end}",
            f"screen does not say what was recorded; --update-screens records it anew {end}",
            f"there is no screen (*.txt) in {tmp_path / 'none'} {end}",
        ]
    )
    run(tmp_path, tests, "--update-screens", *chosen)
    for folder in ("new", "old"):
        recorded = json.loads((tmp_path / folder / "screen.json").read_text())
        assert recorded == {"captured_at": "2026-01-01T12:00:00+00:00", "parsed": RECORDED}
    left = failing(run(tmp_path, tests, *chosen)["toy"])
    assert set(left) == {"there_are_screens"}


def test_a_missing_option_is_named() -> None:
    """No declaration makes one miss today; the check is tried with a meter that the command line does not know."""
    from attrs import evolve

    from tracker.hosting.registry import Registry
    from tracker.models import Meter, Source
    from tracker.testing.options import missing_options

    fuel = Meter(key="fuel", title="Fuel")
    toy = Source(contract="1.0", name="toy", title="Toy", meters=(fuel,), capacity="fuel")
    known = Registry(sources={"toy": toy})
    assert missing_options(known, toy) == []
    other = evolve(toy, meters=(fuel, Meter(key="oil", title="Oil", unit="drops")))
    assert missing_options(known, other) == ["override toy --oil-used", "override toy --oil-resets"]
    assert missing_options(Registry(), toy)[-1] == "complete --toy-features"
