"""When a limit of Codex's `/status` pane is reset: words, zones, and what was cut off."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from tracker_kit.cases import together

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode imports no siblings
from panes_by_hand import boxed, pane, read


def reset(words: str, captured_at: str, zone: str) -> tuple[str | None, str | None]:
    text = pane(f"  5h limit:  [███░] 89% left (resets {words})")
    [gauge] = read(text, datetime.fromisoformat(captured_at).astimezone(UTC), zone).gauges
    assert gauge.used == 11
    return gauge.resets, gauge.reset_at.isoformat() if gauge.reset_at else None


@together(
    ("words", "captured_at", "zone", "expected"),
    [
        ("08:27", "2026-11-22T06:33:40Z", "UTC", "2026-11-22T08:27:00+00:00"),
        ("06:00", "2026-11-22T06:33:40Z", "UTC", "2026-11-22T06:00:00+00:00"),  # past, and never tomorrow
        ("00:10", "2026-11-22T23:58:00Z", "UTC", "2026-11-22T00:10:00+00:00"),
        ("08:27", "2026-11-22T23:30:00Z", "Asia/Tokyo", "2026-11-22T23:27:00+00:00"),  # the 23rd there
        ("06:27 on 25 Nov", "2026-11-22T06:33:40Z", "UTC", "2026-11-25T06:27:00+00:00"),
        ("06:27 on 22 Nov", "2026-11-22T23:33:40Z", "UTC", "2026-11-22T06:27:00+00:00"),  # the capture's own day
        ("06:27 on 21 Nov", "2026-11-22T06:33:40Z", "UTC", "2027-11-21T06:27:00+00:00"),
        ("06:27 on 2 Jan", "2026-12-31T22:00:00Z", "America/New_York", "2027-01-02T11:27:00+00:00"),
        ("06:27 on 31 Dec", "2027-01-01T02:00:00Z", "America/New_York", "2026-12-31T11:27:00+00:00"),
        ("06:27 on 29 Feb", "2026-11-22T06:33:40Z", "UTC", "2028-02-29T06:27:00+00:00"),
        ("06:27 on 3 Jan 2029", "2026-11-22T06:33:40Z", "UTC", "2029-01-03T06:27:00+00:00"),
        ("09:00 on 29 Mar", "2026-03-27T12:00:00Z", "Europe/Berlin", "2026-03-29T07:00:00+00:00"),  # summer time
        ("02:30 on 29 Mar", "2026-03-27T12:00:00Z", "Europe/Berlin", "2026-03-29T01:30:00+00:00"),  # is skipped
        ("02:30", "2026-10-25T00:10:00Z", "Europe/Berlin", "2026-10-25T00:30:00+00:00"),  # comes twice
        ("02:30", "2026-10-25T00:40:00Z", "Europe/Berlin", "2026-10-25T01:30:00+00:00"),
        ("soon", "2026-11-22T06:33:40Z", "UTC", None),
        ("later", "2026-11-22T06:33:40Z", "UTC", None),
        ("06:27 on 25 November", "2026-11-22T06:33:40Z", "UTC", None),
        ("25:61", "2026-11-22T06:33:40Z", "UTC", None),
        ("06:27 on 31 Jun", "2026-11-22T06:33:40Z", "UTC", None),
        ("06:27 on 25 Nov", "9999-12-30T06:33:40Z", "UTC", None),
    ],
)
def test_reset(words: str, captured_at: str, zone: str, expected: str | None) -> None:
    assert reset(words, captured_at, zone) == (words, expected)


@together(
    "text",
    [
        "89% left (resets in 3d)",
        "89% left (resets 8:27 PM)",
        "89% left (resets 08:27 UTC)",
        "89% left (resets 06:27 on 25 November)",
        "89% left (resets 25:61)",
        "89% left (GPT-6) (resets 08:27)",
    ],
)
def test_words_that_name_no_known_time_are_kept_and_tagged(text: str) -> None:
    reading = read(pane(f"  5h limit:  [███░] {text}", "  Weekly limit:  [███░] 36% left (resets soon)"))
    words = text.rpartition("(resets ")[2].rstrip(")")
    fiveh, weekly = reading.gauges
    assert (fiveh.used, fiveh.resets, fiveh.reset_at) == (11, words, None)
    assert (weekly.used, weekly.resets, weekly.reset_at) == (64, "soon", None)
    assert reading.errors == ("reset-unread:fiveh",)


@together(
    "rows",
    [
        ["36% left", "                 (resets 06:27 on Nov 25)"],
        ["36% left (resets", "                 06:27 on Nov 25)"],
        ["36% left", "  (resets", "  06:27", "  on", "  Nov 25)"],
        ["36% left resets 06:27 on Nov 25"],
        ["36% left [resets 06:27 on Nov 25]"],
        ["36% left · resets 06:27 on Nov 25"],
    ],
)
def test_such_words_may_be_wrapped_or_without_parentheses(rows: list[str]) -> None:
    first, *others = rows
    reading = read(pane(f"  Weekly limit:  {first}", *others, "  5h limit:  89% left (resets 08:27)"))
    weekly, fiveh = reading.gauges
    assert (weekly.used, weekly.resets, weekly.reset_at) == (64, "06:27 on Nov 25", None)
    assert (fiveh.used, fiveh.resets, reading.errors) == (11, "08:27", ("reset-unread:weekly",))


@together("tail", ["", " (resets", " (resets 08:2", " (resets 06:27", " (resets 06:27 on 2", " (resets 06:27 on 25 No"])
def test_a_reset_that_was_cut_off_is_none(tail: str) -> None:
    text = boxed(f"  5h limit:      [███░] 89% left{tail}", "  Weekly limit:  [███░] 36% left", width=34 + len(tail))
    fiveh, weekly = read(text).gauges
    assert (fiveh.used, fiveh.resets, fiveh.reset_at, weekly.used) == (11, None, None, 64)


def test_a_reset_that_lost_only_its_parenthesis() -> None:
    row = "  5h limit:      [███░] 89% left (resets 06:27 on 25 Nov)"
    [gauge] = read(boxed(row, width=len(row) - 1)).gauges
    assert gauge.resets == "06:27 on 25 Nov"
