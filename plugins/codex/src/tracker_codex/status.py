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
BESIDE, REPEATED, UNKNOWN, HEADLESS = "side-by-side", "row-repeated", "heading-unknown", "head-missing"
STALE = "stale-data"
NOT_AUTHENTICATED, NO_LIMITS, NO_METER = "not-authenticated", "no-limits", "no-meter"
CAPACITY = "weekly"
TAGS = {
    INSUFFICIENT: "no meter has a value in the text; send Codex a message, then capture the whole /status pane",
    MISSING: "a meter's label is there without a readable percentage; capture again in a wider terminal",
    TRIMMED: "the text holds several panes and only the last one counts; nothing to do",
    CONTRADICTED: "the bar and the number disagree, so the pane is garbled; capture it again",
    AMBIGUOUS: "the answer has the limit twice with different values, so it is left empty",
    UNREAD: "tracker finds no time in these words, so the reset is left out",
    BESIDE: "the text holds two panes side by side, as a split terminal shows them; copy one of them alone",
    REPEATED: "the limit appears again under an unknown name; the first one counts",
    UNKNOWN: "the row is below an unknown heading, so it may be another model's and is left out",
    HEADLESS: "nothing above the limits was copied, so they may be another model's; copy the pane from its first line",
    STALE: "the figures may be old: Codex says so, or every reset in the pane has passed; run /status and capture that",
    NOT_AUTHENTICATED: "Codex is not logged in with the plan's account, and an API key has no limits; run codex login",
    NO_LIMITS: "Codex says that this account has no limits, so there is nothing to read; run codex login with another",
    NO_METER: "this plan has no such meter, so its windows cannot be measured; `tracker gate codex --meter M` can still"
    " say whether work may start, by a meter M that the pane shows, such as monthly",
    "usage-not-loaded": "Codex could not fetch the limits; try again later",
}
JSON_BEGIN = re.compile(r"\s*(?:[<>]\s*)?\{")


def _step(stage: int, command: str, capture: str | None = None) -> DemoStep:
    return DemoStep(stage=stage, arguments=tuple(command.split()), capture=capture)


def _capture(stage: int, command: str, window: str, at: str, name: str) -> DemoStep:
    words = f"{command} codex --stdin --window {window} --captured-at {at} --timezone UTC"
    return _step(stage, words, f"demo/status_{name}.txt")


def _complete(stage: int, window: str, features: int) -> DemoStep:
    return _step(stage, f"complete --window {window} --codex-features {features} --outcome pass --quality 1")


# All are the pane of Codex 0.169.0 as captured. `after` says 31% of the 5 h limit instead of 89%, 18% of the weekly
# one instead of 36%, and its bars follow.
DEMO = Demo(
    steps=(
        _capture(10, "alias start", "{window}", "2026-11-22T06:28:16Z", "before"),
        _capture(30, "alias end", "{window}", "2026-11-22T07:45:00Z", "after"),
        # three windows in the next week, and one from the history between two of them
        _capture(60, "start", "{window+1}", "2026-11-25T10:10:00Z", "25_1010"),
        _capture(62, "end", "{window+1}", "2026-11-25T13:00:00Z", "25_1300"),
        _complete(64, "{window+1}", 3),
        _capture(70, "start", "{window+2}", "2026-11-26T09:00:00Z", "26_0900"),
        _capture(72, "end", "{window+2}", "2026-11-26T11:30:00Z", "26_1130"),
        _complete(74, "{window+2}", 3),
        _capture(80, "start", "{window+3}", "2026-11-26T14:00:00Z", "26_1400"),
        _capture(82, "end", "{window+3}", "2026-11-26T15:30:00Z", "26_1530"),
        _complete(84, "{window+3}", 2),
        _step(90, "windows add {window+4} --from 2026-11-26T11:30:00Z --to 2026-11-26T14:00:00Z --provider codex"),
        _complete(92, "{window+4}", 2),
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
    found = limits.Limits(sheet, None if sheet.is_mixed else version(sheet))
    gauges = (
        Gauge(
            meter=key,
            used=row.used,
            resets=row.words,
            reset_at=row.when and resets.instant(row.when, captured_at, timezone),
        )
        for key, row in found.rows.items()
    )
    known = fields(sheet) | ({"credits": found.credits} if found.credits else {})
    errors = [f"{CONTRADICTED}:{key}" for key, row in found.rows.items() if row.contradicted]
    errors += [f"{REPEATED}:{key}" for key in dict.fromkeys(found.repeated)]
    errors += [f"{UNKNOWN}:{key}" for key in dict.fromkeys(found.nobodys)]
    keys = found.rows.keys()
    # credits follow the limits of the main bucket
    is_anyones = (
        sheet.is_headless and not found.credits and any(found.rows[key].used is not None for key in keys & KEYS)
    )
    whole = (HEADLESS, is_anyones), (STALE, "limitsmaybestale" in sheet.compact), (TRIMMED, trimmed)
    errors += [tag for tag, is_seen in whole if is_seen]
    # the head, the account and the end are there, and nothing stands between the rows that may have been another one
    if found.is_whole and sheet.ended and {"version", "plan"} <= known.keys() and CAPACITY not in keys <= KEYS:
        errors.append(f"{NO_METER}:{CAPACITY}")
    return reading(gauges, known, errors, causes=_causes(sheet, found))


def _causes(sheet: Sheet, found: Limits) -> Iterator[str]:
    """Why a pane has no value, if it says so."""
    if any(row.used is not None for row in found.rows.values()):
        return
    if "Account:APIkey" in sheet.compact:
        yield NOT_AUTHENTICATED
    elif "Limits:notavailableforthisaccount" in sheet.compact:
        yield NO_LIMITS
    yield from (f"{MISSING}:{key}" for key, row in found.rows.items() if not row.contradicted)
