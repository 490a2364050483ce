"""The source `claude`: Claude Code's `/usage` pane, its print mode, and the JSON forms of the same figures."""

from __future__ import annotations

from datetime import datetime, tzinfo

from tracker.api import Demo, DemoStep, Reading, Source, hookimpl, plain_text
from tracker_claude import windows
from tracker_claude.origins import ORIGINS

TAGS = {
    "usage-not-loaded": "Claude Code showed no figures because its request failed or had not ended; open /usage again",
    "not-subscribed": "/usage works with a subscription only; log in to Claude Code with the plan's account",
    "insufficient-data": "no usage window was found in the text; capture the whole /usage pane",
    "bar-contradicts": "the bar shows another value than the number, so the pane was garbled; capture it again",
    "stale-data": "Claude Code showed the last figures that it knew; capture again once /usage loads",
    "section-missing": "a window's label is there without a readable percentage; capture again in a wider terminal",
    "multi-pane-trimmed": "the text holds several panes and only the last one counts; nothing to do",
}


def _step(stage: int, alias: str, captured_at: str, capture: str) -> DemoStep:
    words = ("alias", alias, "claude", "--stdin", "--window", "{window}", "--captured-at", captured_at)
    return DemoStep(stage=stage, arguments=(*words, "--timezone", "UTC"), capture=capture)


# Both are the pane of Claude Code 2.1.330 as captured, with other numbers and bars: usage_before.txt says 78%
# where that said 90% of all models; usage_after.txt says 41% where it said 1% of the session, 34% of Sonnet for 33%.
DEMO = Demo(
    steps=(
        _step(10, "start", "2026-11-22T06:45:39Z", "demo/usage_before.txt"),
        _step(30, "end", "2026-11-22T08:20:00Z", "demo/usage_after.txt"),
    ),
    features=2,
)


@hookimpl
def source_info() -> Source:
    return Source(
        contract="1.1",
        name="claude",
        title="Claude",
        kind="status",
        stream="snapshots",
        meters=windows.METERS,
        open_meters=True,
        capacity=windows.ALL_MODELS,
        prefix="a",
        tags=TAGS,
        demo=DEMO,
        origins=ORIGINS,
    )


@hookimpl
def parse_status(text: str, captured_at: datetime, timezone: tzinfo) -> Reading:
    from tracker_claude import payloads, stream

    plain = plain_text(text)
    rows = stream.read(plain, captured_at, timezone)
    if rows is not None:
        return rows
    payload = None
    if plain.strip()[:1] == "{" and plain.strip()[-1:] == "}":
        # What a status line gets: it must not pay for the patterns of panes.
        payload = payloads.read(plain)
        if payload and any(gauge.used is not None for gauge in payload.gauges):
            return payload
    from tracker_claude import panes

    pane = panes.read(plain, captured_at, timezone)
    if pane.gauges:
        return pane
    payload = payload or payloads.read(plain)
    return payload if payload and (payload.gauges or "insufficient-data" in pane.errors) else pane
