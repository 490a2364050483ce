"""Sound plugins of each kind, as source code, and what they read."""

from __future__ import annotations

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
from tracker.api import Block, LogOrigin, Rejected, Row, Source, hookimpl

@hookimpl
def source_info():
    return Source(contract="1.0", name="NAME", title="Stream", kind="telemetry", stream="kit_stream")

@hookimpl
def ingest_line(line, scratch):
    try:
        found = json.loads(line)
        event = {"rid": str(found["id"]), "key": "a", "input_tokens": found["in"], "routed": False, "ok": True}
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
VIEW = """\
from tracker.api import Block, Row, View, hookimpl

@hookimpl
def source_info():
    return View(contract="1.2", name="NAME", title="Toy", stream="windows")

@hookimpl
def render_preview_block(context):
    rows = tuple(Row(values={"outcome": one.get("outcome")}, text="{outcome}") for one in context.records)
    return Block(title="Toy", rows=rows) if rows else None
"""
CODE = {"status": PANE, "report": REPORT, "telemetry": STREAM, "view": VIEW}
KIND = {"status": "StatusConformance", "report": "ReportConformance", "telemetry": "TelemetryConformance"}
KIND |= {"view": "SourceConformance"}
DELTA = """
@hookimpl
def compute_delta(before, after):
    if before.gauge("fuel") is None:
        return None
    old, new = before.gauge("fuel").used, after.gauge("fuel").used
    return Delta(changes=(Change(meter="fuel", delta={}),))
"""
