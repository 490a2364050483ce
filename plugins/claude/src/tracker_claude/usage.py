"""The source `claude`: Claude Code's `/usage` pane, its print mode, and the JSON forms of the same figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

from tracker.api import Demo, DemoStep, Reading, Source, hookimpl, plain_text
from tracker_claude import windows
from tracker_claude.origins import ORIGINS

TAGS = {
    "usage-not-loaded": "Claude Code showed no figures because its request failed or had not ended; open /usage again",
    "not-subscribed": "/usage works with a subscription only; log in to Claude Code with the plan's account",
    "insufficient-data": "no usage window was found in the text; capture the whole /usage pane",
    "bar-contradicts": "the bar shows another value than the number, so the pane was garbled; capture it again",
    "side-by-side": "the text holds two panes side by side, as a split terminal shows them; copy one of them alone",
    "stale-data": "the figures may be old: /usage was still loading, or every reset in the pane is over; capture again",
    "limit-ambiguous": "the answer holds the limit twice with different values, so it is left empty",
    "reset-unread": "its words name no time or an unknown time zone, or lost their end, so the reset is left out",
    "section-missing": "a window's label is there without a readable percentage; capture again in a wider terminal",
    "multi-pane-trimmed": "the text holds several panes and only the last one counts; nothing to do",
}


def _step(stage: int, command: str, captured_at: str, capture: str, window: str = "{window}") -> DemoStep:
    words = (*command.split(), "claude", "--stdin", "--window", window, "--captured-at", captured_at)
    return DemoStep(stage=stage, arguments=(*words, "--timezone", "UTC"), capture=capture)


def _complete(stage: int, window: str, features: int) -> DemoStep:
    words = ("complete", "--window", window, "--claude-features", str(features), "--outcome", "pass", "--quality", "1")
    return DemoStep(stage=stage, arguments=words)


def _time(name: str) -> str:
    """`25_1010` as the instant of a pane."""
    return f"2026-11-{name[:2]}T{name[3:5]}:{name[5:]}:00Z"


def _later() -> Iterator[DemoStep]:
    """Three windows in the next week, and one from the history between two of them."""
    for place, start, end, features in LATER:
        window = f"{{window+{place}}}"
        yield _step(50 + 10 * place, "start", _time(start), f"demo/usage_{start}.txt", window)
        yield _step(52 + 10 * place, "end", _time(end), f"demo/usage_{end}.txt", window)
        yield _complete(54 + 10 * place, window, features)
    times = ("--from", _time(LATER[1][2]), "--to", _time(LATER[2][1]))
    yield DemoStep(stage=90, arguments=("windows", "add", "{window+4}", *times, "--provider", "claude"))
    yield _complete(92, "{window+4}", 1)


# window, start, end, features
LATER = (
    (1, "25_1012", "25_1302", 2),
    (2, "26_0902", "26_1132", 2),
    (3, "26_1402", "26_1532", 1),
)
# All are the pane of Claude Code 2.1.330 as captured, with other numbers and bars: usage_before.txt says 78%
# where that said 90% of all models; usage_after.txt says 41% where it said 1% of the session, 34% of Sonnet for 33%.
DEMO = Demo(
    steps=(
        _step(10, "alias start", "2026-11-22T06:45:39Z", "demo/usage_before.txt"),
        _step(30, "alias end", "2026-11-22T08:20:00Z", "demo/usage_after.txt"),
        *_later(),
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
