"""One rule each that a plugin breaks: what is changed in a sound one, which check fails, and what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode imports no siblings
from kit_plugins import DELTA


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
ROWS = "shows_its_records_as_data shows_what_records_lack_as_missing"
TOUCH = "touches_no_file_network_or_clock"
TWICE = "reads_every_line_the_same_way_twice"
ID = 'str(found["id"])'
LOG = '__import__("tracker.api").api.LogOrigin'
FILES = 'stream="kit_stream")\n\n@hookimpl\ndef ingest_line(line, scratch):\n'
OF_FILES = FILES.replace(")\n\n", ", origins=(LogOrigin(name='a', title='A', folder='~/.kit', pattern='*.a'),))\n\n")


def of_events(old: str, new: str, message: str) -> Break:
    """What every check of events finds."""
    return Break("telemetry", old, new, "every event", message, "ingest_line")


BREAKS = {
    "clock": Break("status", READ, READ + "    datetime.now(UTC)\n", "names_no_clock", "uses now", "Purity"),
    "borrowed": Break("status", "", "from time import time as t", "names_no_clock", "imports t from time", "Purity"),
    "file": Break("status", READ, READ + "    open(__file__).close()\n", TOUCH, "parse_status touched open(", "Purity"),
    "look": Break(
        "status",
        READ,
        READ + "    __import__('os').path.exists('/x')\n",
        TOUCH,
        "parse_status touched os.stat('/x')",
        "Purity",
    ),
    "kept": Break(
        "status",
        READ,
        READ + "    globals().setdefault('KEPT', []).append(text)\n",
        TOUCH,
        "parse_status changed kit_kept.KEPT; it must keep nothing",
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
        "status",
        "Source(",
        'Source(prefix="c", ',
        "hides_no_program",
        "shell function cd is left out",
        "The declaration",
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
    "blank": Break(
        "status", '"Toy", cap', '" ", cap', "declares_what_fits_together", "title is blank", "The declaration"
    ),
    "unit": Break(
        "status",
        'title="Fuel"',
        'title="Fuel", unit="%"',
        "declares_what_fits_together reads_each_screen_as_recorded",
        "fuel: a percentage of the quota has the unit 'pp'",
        "The declaration",
    ),
    "logs": Break(
        "status",
        'capacity="fuel", meters=(',
        f'origins=({LOG}(name="a", title="A", folder="~/.kit", pattern="*.a"),), capacity="fuel", meters=(',
        "declares_what_fits_together",
        "a LogOrigin is read line by line",
        "Origins",
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
    "format": Break(
        "status", "{fuel:%}", "{fuel:.2f}", ROWS, "{fuel:.2f} in a row's text prints", "render_preview_block"
    ),
    "view": Break(
        "view", '"{outcome}"', '"{outcom}"', "a_view_shows_records_as_data", "names ['outcom']", "render_preview_block"
    ),
    "holder": Break(
        "status",
        "{fuel:%}",
        "{oil:%}",
        ROWS,
        "a row's text names ['oil'], which its values lack",
        "render_preview_block",
    ),
    "escape": Break(
        "status",
        '"fuel={fuel:%}"',
        '"\\x1b[31mfuel={fuel:%}"',
        ROWS,
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
        "KeyError: 'parsed', at kit_lacking, line 24; records may lack any field",
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
    "tags": of_events('"ok": True}', '"ok": True, "tags": [5]}', "an event's tags are not all texts"),
    "field": of_events('"ok": True}', '"ok": True, "cost": 1}', "an event has the unknown key 'cost'"),
    "type": of_events('"routed": False', '"routed": 0', "an event's routed is of type int. Expected bool."),
    "nojson": of_events('"rid"', '"latency_ms": float("nan"), "rid"', "an event is not JSON"),
    "long": of_events('"rid"', '"reason": "x" * (1 << 20), "rid"', " characters. Expected at most 1048576"),
    "nodict": of_events("return [event]", "return [[event]]", "an event is of type list. Expected dict."),
    "nolist": of_events("return [event]", "return iter([event])", "returned list_iterator. Expected a list of events."),
    "prompt": Break(
        "telemetry",
        ID,
        'str(dict(found).get("prompt", found["id"]))',
        "keeps_nothing_personal",
        "an event keeps 'canary prompt 7f3a'",
        "Privacy",
    ),
    "scratch": Break(
        "telemetry",
        "\n@hookimpl\ndef render_preview_block",
        "\n@hookimpl\ndef end_stream(scratch):\n    return [{'rid': str(next(NUMBERS)), 'routed': False, 'ok': True}]\n"
        "\n@hookimpl\ndef render_preview_block",
        TWICE,
        "a stream that is read twice, each time with a fresh scratch, gives other events",
        "Purity",
    ),
    "unstored": Break(
        "telemetry",
        FILES,
        f"{OF_FILES}    scratch['seen'] = {{1}}\n",
        "goes_on_with_a_stored_scratch",
        "the scratch cannot be stored: Object of type set is not JSON serializable",
        "ingest_line",
    ),
    "other": Break(
        "telemetry",
        FILES,
        f"{OF_FILES}    if '1' in scratch:\n        return []\n    scratch[1] = True\n",
        "goes_on_with_a_stored_scratch",
        "with a scratch that was stored as JSON, a line gives other events",
        "ingest_line",
    ),
    "keyless": Break(
        "telemetry",
        FILES,
        f"{OF_FILES}    if b'\"in\"' in line and line[-1:] == b'}}':\n        return [{{'rid': '1'}}]\n",
        "every event goes_on_with_a_stored_scratch",
        "an event of a session file has no key",
        "ingest_line",
    ),
    "notes": Break(
        "telemetry",
        FILES,
        f"{OF_FILES}    scratch['extras'] = {{'web searches': {{'m': 'many'}}}}\n",
        "goes_on_with_a_stored_scratch",
        "scratch['extras'] is not a dict of names and counts",
        "ingest_line",
    ),
    "remembered": Break(
        "telemetry",
        "    return [event]",
        "    seen = globals().setdefault('SEEN', set())\n    return [] if line in seen or seen.add(line) else [event]",
        TWICE,
        "a stream that is read twice, each time with a fresh scratch, gives other events",
        "Purity",
    ),
    "touch": Break(
        "telemetry",
        "    return [event]",
        "    open(__file__).close()\n    return [event]",
        TOUCH,
        "touched open(",
        "Purity",
    ),
    "nothing": Break("telemetry", "[event]", "[]", f"there_are_lines_with_events {TWICE}", "no line of", "Testing"),
    "totals": Break(
        "telemetry",
        '"events": context',
        '"mark": "\\x1b", "events": context',
        "shows_its_totals_as_data",
        "a row holds control characters",
        "render_preview_block",
    ),
}
