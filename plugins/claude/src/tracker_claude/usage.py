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
    "bar-contradicts": "the bar and the number disagree, so the pane is garbled; capture it again",
    "side-by-side": "the text holds two panes side by side, as a split terminal shows them; copy one of them alone",
    "stale-data": "the figures may be old: /usage was still loading, or all its resets have passed; capture again",
    "limit-ambiguous": "the answer has the limit twice with different values, so it is left empty",
    "reset-unread": "its words have no time, an unknown time zone or a cut-off end, so the reset is left out",
    "section-missing": "a window's label is there without a readable percentage; capture again in a wider terminal",
    "multi-pane-trimmed": "the text holds several panes and only the last one counts; nothing to do",
}


def _step(stage: int, command: str, capture: str | None = None) -> DemoStep:
    return DemoStep(stage=stage, arguments=tuple(command.split()), capture=capture)


def _capture(stage: int, command: str, window: str, at: str, name: str) -> DemoStep:
    words = f"{command} claude --stdin --window {window} --captured-at {at} --timezone UTC"
    return _step(stage, words, f"demo/usage_{name}.txt")


def _complete(stage: int, window: str, features: int) -> DemoStep:
    return _step(stage, f"complete --window {window} --claude-features {features} --outcome pass --quality 1")


# All are the pane of Claude Code 2.1.330 as captured, with other numbers and bars: usage_before.txt says 78%
# where that said 90% of all models; usage_after.txt says 41% where it said 1% of the session, 34% of Sonnet for 33%.
DEMO = Demo(
    steps=(
        _capture(10, "alias start", "{window}", "2026-11-22T06:45:39Z", "before"),
        _capture(30, "alias end", "{window}", "2026-11-22T08:20:00Z", "after"),
        # three windows in the next week, and one from the history between two of them
        _capture(60, "start", "{window+1}", "2026-11-25T10:12:00Z", "25_1012"),
        _capture(62, "end", "{window+1}", "2026-11-25T13:02:00Z", "25_1302"),
        _complete(64, "{window+1}", 2),
        _capture(70, "start", "{window+2}", "2026-11-26T09:02:00Z", "26_0902"),
        _capture(72, "end", "{window+2}", "2026-11-26T11:32:00Z", "26_1132"),
        _complete(74, "{window+2}", 2),
        _capture(80, "start", "{window+3}", "2026-11-26T14:02:00Z", "26_1402"),
        _capture(82, "end", "{window+3}", "2026-11-26T15:32:00Z", "26_1532"),
        _complete(84, "{window+3}", 1),
        _step(90, "windows add {window+4} --from 2026-11-26T11:32:00Z --to 2026-11-26T14:02:00Z --provider claude"),
        _complete(92, "{window+4}", 1),
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
    payload = payloads.read(plain)
    whole = plain.strip()
    is_object = whole.startswith("{") and whole.endswith("}")
    # What a status line gets: it must not pay for the patterns of panes.
    if payload and is_object and any(gauge.used is not None for gauge in payload.gauges):
        return payload
    from tracker_claude import panes

    pane = panes.read(plain, captured_at, timezone)
    if pane.gauges:
        return pane
    return payload if payload and (payload.gauges or "insufficient-data" in pane.errors) else pane
