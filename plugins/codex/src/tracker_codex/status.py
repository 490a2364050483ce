"""The source `codex`: Codex's `/status` pane, its session files, and the answers of `codex app-server`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from tracker.api import Demo, DemoStep, Gauge, Reading, Source, hookimpl, plain_text
from tracker_codex.meters import AMBIGUOUS, CONTRADICTED, INSUFFICIENT, KEYS, METERS, MISSING, UNREAD, reading
from tracker_codex.origins import ORIGINS

if TYPE_CHECKING:
    from tracker_codex.limits import Limits
    from tracker_codex.panes import Sheet

TRIMMED = "multi-pane-trimmed"
BESIDE, REPEATED, UNKNOWN = "side-by-side", "row-repeated", "heading-unknown"
STALE = "stale-data"
NOT_AUTHENTICATED, NO_LIMITS, NO_METER = "not-authenticated", "no-limits", "no-meter"
CAPACITY = "weekly"
TAGS = {
    INSUFFICIENT: "no meter has a value in the text; send Codex a message, then capture the whole /status pane",
    MISSING: "a meter's label is there without a readable percentage; capture again in a wider terminal",
    TRIMMED: "the text holds several panes and only the last one counts; nothing to do",
    CONTRADICTED: "the bar shows another value than the number, so the pane was garbled; capture it again",
    AMBIGUOUS: "the answer holds the limit twice with different values, so it is left empty",
    UNREAD: "these words name no time that is known here, so the reset is left out",
    BESIDE: "the text holds two panes side by side, as a split terminal shows them; copy one of them alone",
    REPEATED: "the limit comes again under a name that is not known here; the first one counts",
    UNKNOWN: "the row is below a heading that is not known here, so it may be another model's and is left out",
    STALE: "the figures may be old: Codex says so, or every reset in the pane is over; run /status and capture that",
    NOT_AUTHENTICATED: "Codex is not logged in with the plan's account, and an API key has no limits; run codex login",
    NO_LIMITS: "Codex says that this account has no limits, so there is nothing to read; run codex login for another",
    NO_METER: "this plan has no such meter, so its windows cannot be measured; `tracker gate codex --meter M` still"
    " tells whether work may start, by a meter M that the pane has, such as monthly",
    "usage-not-loaded": "Codex could not fetch the limits; try again later",
}
JSON_BEGIN = re.compile(r"\s*(?:[<>]\s*)?\{")


def _step(stage: int, command: str, captured_at: str, capture: str, window: str = "{window}") -> DemoStep:
    words = (*command.split(), "codex", "--stdin", "--window", window, "--captured-at", captured_at)
    return DemoStep(stage=stage, arguments=(*words, "--timezone", "UTC"), capture=capture)


def _complete(stage: int, window: str, features: int) -> DemoStep:
    words = ("complete", "--window", window, "--codex-features", str(features), "--outcome", "pass", "--quality", "1")
    return DemoStep(stage=stage, arguments=words)


def _time(name: str) -> str:
    """`25_1010` as the instant of a pane."""
    return f"2026-11-{name[:2]}T{name[3:5]}:{name[5:]}:00Z"


def _later() -> Iterator[DemoStep]:
    """Three windows in the next week, and one from the history between two of them."""
    for place, start, end, features in LATER:
        window = f"{{window+{place}}}"
        yield _step(50 + 10 * place, "start", _time(start), f"demo/status_{start}.txt", window)
        yield _step(52 + 10 * place, "end", _time(end), f"demo/status_{end}.txt", window)
        yield _complete(54 + 10 * place, window, features)
    times = ("--from", _time(LATER[1][2]), "--to", _time(LATER[2][1]))
    yield DemoStep(stage=90, arguments=("windows", "add", "{window+4}", *times, "--provider", "codex"))
    yield _complete(92, "{window+4}", 2)


# window, start, end, features
LATER = (
    (1, "25_1010", "25_1300", 3),
    (2, "26_0900", "26_1130", 3),
    (3, "26_1400", "26_1530", 2),
)
# All are the pane of Codex 0.169.0 as captured. `after` says 31% of the 5 h limit instead of 89%, 18% of the weekly
# one instead of 36%, and its bars follow.
DEMO = Demo(
    steps=(
        _step(10, "alias start", "2026-11-22T06:28:16Z", "demo/status_before.txt"),
        _step(30, "alias end", "2026-11-22T07:45:00Z", "demo/status_after.txt"),
        *_later(),
    ),
    features=3,
)


@hookimpl
def source_info() -> Source:
    return Source(
        contract="1.1",
        name="codex",
        title="Codex",
        kind="status",
        stream="snapshots",
        meters=METERS,
        open_meters=True,
        capacity=CAPACITY,
        prefix="o",
        tags=TAGS,
        demo=DEMO,
        origins=ORIGINS,
    )


@hookimpl
def parse_status(text: str, captured_at: datetime, timezone: tzinfo) -> Reading:
    from tracker_codex import app_server, rollout  # late: a preview parses nothing

    # session files have many lines, and as they were written they need no repair
    if text.startswith("{") and "\x1b" not in text and (written := rollout.read(text)) is not None:
        return written
    plain = plain_text(text)
    found = None if JSON_BEGIN.match(plain) else _pane(plain, captured_at, timezone)
    return found or rollout.read(plain) or app_server.read(plain) or reading((), {})


def _pane(text: str, captured_at: datetime, timezone: tzinfo) -> Reading | None:
    from tracker_codex import limits, resets
    from tracker_codex.fields import fields, version
    from tracker_codex.panes import last_pane

    sheet, trimmed = last_pane(text)
    if sheet is None:
        return None
    if sheet.is_beside:
        return reading((), {}, causes=(BESIDE,))
    found = limits.read(sheet, version(sheet))
    gauges = (
        Gauge(
            meter=row.key,
            used=row.used,
            resets=row.words,
            reset_at=row.when and resets.instant(row.when, captured_at, timezone),
        )
        for row in found.rows
    )
    known = fields(sheet) | ({"credits": found.credits} if found.credits else {})
    errors = [f"{CONTRADICTED}:{row.key}" for row in found.rows if row.contradicted]
    errors += [f"{REPEATED}:{key}" for key in dict.fromkeys(found.repeated)]
    errors += [f"{UNKNOWN}:{key}" for key in dict.fromkeys(found.nobodys)]
    errors += [tag for tag, seen in ((STALE, "limitsmaybestale" in sheet.compact), (TRIMMED, trimmed)) if seen]
    keys = {row.key for row in found.rows}
    # the head, the account and the end are there, and nothing stands between the rows that may have been another one
    if found.is_whole and sheet.ended and {"version", "plan"} <= known.keys() and CAPACITY not in keys <= KEYS:
        errors.append(f"{NO_METER}:{CAPACITY}")
    return reading(gauges, known, errors, causes=_causes(sheet, found))


def _causes(sheet: Sheet, found: Limits) -> Iterator[str]:
    """Why a pane has no value, if it says so."""
    if any(row.used is not None for row in found.rows):
        return
    if "Account:APIkey" in sheet.compact:
        yield NOT_AUTHENTICATED
    elif "Limits:notavailableforthisaccount" in sheet.compact:
        yield NO_LIMITS
    yield from (f"{MISSING}:{row.key}" for row in found.rows if not row.contradicted)
