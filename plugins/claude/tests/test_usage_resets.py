"""What reset words mean, at which capture time and in which zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tracker_claude import usage
from tracker_kit.cases import together

NOON = "2026-11-22T12:00:30Z"
NEW_YORK = "(America/New_York)"

CASES = [  # title, words, capture, zone of the machine, instant
    # a time without a date is the next such time
    ("session", "5:07pm (Asia/Irkutsk)", "2026-11-22T06:45:39Z", "UTC", "2026-11-22T09:07Z"),
    ("session", "2pm", NOON, "UTC", "2026-11-22T14:00Z"),
    ("session", "12am", "2026-11-22T23:00Z", "UTC", "2026-11-23T00:00Z"),
    ("session", "12:30pm", NOON, "UTC", "2026-11-22T12:30Z"),
    ("week", "11am", NOON, "UTC", "2026-11-23T11:00Z"),
    # panes drop the seconds: the capture's own minute is not past
    ("week", "12pm", NOON, "UTC", "2026-11-22T12:00Z"),
    # beyond the window: it has expired
    ("session", "5pm", NOON, "UTC", "2026-11-22T17:00Z"),
    ("session", "5:01pm", NOON, "UTC", "2026-11-21T17:01Z"),
    ("session", "11:59am", NOON, "UTC", "2026-11-22T11:59Z"),
    ("session", "12pm", NOON, "UTC", "2026-11-22T12:00Z"),
    ("session", "6pm (Asia/Irkutsk)", NOON, "UTC", "2026-11-22T10:00Z"),
    # dates; none is rolled forward
    ("week", "Nov 25, 5:43pm (Asia/Irkutsk)", NOON, "UTC", "2026-11-25T09:43Z"),
    ("week", "Nov 22, 8am", NOON, "UTC", "2026-11-22T08:00Z"),
    ("week", "Nov 20, 5:43pm", NOON, "UTC", "2026-11-20T17:43Z"),
    ("session", "Nov 23, 5pm", NOON, "UTC", "2026-11-23T17:00Z"),
    ("week", "Dec 2 at 12am", NOON, "Asia/Irkutsk", "2026-12-01T16:00Z"),
    ("week", "Dec 2 at 12am (UTC)", NOON, "Asia/Irkutsk", "2026-12-02T00:00Z"),
    ("week", "Jan 21, 2027, 2pm (Asia/Irkutsk)", NOON, "UTC", "2027-01-21T06:00Z"),
    ("week", "Jan 21, 2027 at 2pm (Asia/Irkutsk)", NOON, "UTC", "2027-01-21T06:00Z"),
    ("week", "Jan 21, 2025, 2pm", NOON, "UTC", "2025-01-21T14:00Z"),
    ("week", "Jan 2, 5pm", "2026-12-30T00:00Z", "UTC", "2027-01-02T17:00Z"),
    ("week", "Dec 31, 11pm", "2027-01-02T00:00Z", "UTC", "2026-12-31T23:00Z"),
    ("week", "Jan 1, 12am", "2026-12-31T20:00Z", "Asia/Irkutsk", "2026-12-31T16:00Z"),
    ("week", "Feb 29, 5pm", "2028-02-25T00:00Z", "UTC", "2028-02-29T17:00Z"),
    ("week", "Feb 29, 2027, 5pm", NOON, "UTC", None),
    ("week", "Nov 31, 5pm", NOON, "UTC", None),
    # daylight saving: New York left it at 2 am on 1 November 2026, and entered it at 2 am on 8 March 2026
    ("session", f"1:30am {NEW_YORK}", "2026-11-01T04:30Z", "UTC", "2026-11-01T05:30Z"),
    ("session", f"1:30am {NEW_YORK}", "2026-11-01T05:45Z", "UTC", "2026-11-01T06:30Z"),
    ("session", f"3am {NEW_YORK}", "2026-11-01T05:45Z", "UTC", "2026-11-01T08:00Z"),
    ("week", f"Nov 1, 1:30am {NEW_YORK}", "2026-10-28T12:00Z", "UTC", "2026-11-01T05:30Z"),
    ("week", f"Nov 2, 9am {NEW_YORK}", "2026-10-28T12:00Z", "UTC", "2026-11-02T14:00Z"),
    ("session", f"3:30am {NEW_YORK}", "2026-03-08T06:50Z", "UTC", "2026-03-08T07:30Z"),
    ("week", f"Mar 8, 2:30am {NEW_YORK}", "2026-03-06T12:00Z", "UTC", None),
    # no time, or a zone that nobody knows
    ("session", "5:07pm (Mars/Phobos)", NOON, "UTC", None),
    ("session", "5:07pm (../UTC)", NOON, "UTC", None),
    ("session", "5:07pm (America)", NOON, "UTC", None),
    ("session", "13pm (UTC)", NOON, "UTC", None),
    ("session", "5:60pm (UTC)", NOON, "UTC", None),
    ("session", "0:30am (UTC)", NOON, "UTC", None),
    ("session", "Foo 3, 5pm (UTC)", NOON, "UTC", None),
    ("session", "soon", NOON, "UTC", None),
    ("session", "in 3 hours", NOON, "UTC", None),
    ("session", "17:07 (UTC)", NOON, "UTC", None),
]
TITLES = {"session": "Current session", "week": "Current week (all models)"}


@together(("title", "words", "captured", "zone", "expected"), CASES)
def test_means_this_instant(title: str, words: str, captured: str, zone: str, expected: str | None) -> None:
    for text in (
        f" {TITLES[title]}\n ██   7% used\n Resets {words}\n\n",
        f" {TITLES[title]} · Resets {words}\n ██\n\n 7% used\n",
        f"{TITLES[title]}: 7% used · resets {words}\n",
    ):
        reading = usage.parse_status(text=text, captured_at=datetime.fromisoformat(captured), timezone=ZoneInfo(zone))
        [gauge] = reading.gauges
        assert (gauge.used, gauge.resets) == (7, words)
        assert gauge.reset_at == (expected and datetime.fromisoformat(expected))
        assert reading.errors == (() if expected else (f"reset-unread:{gauge.meter}",))


CUT = ["5:4", "5", "5:43", "5:43p", "Nov", "Nov 2", "Nov 25,", "Nov 25, 5:43", "5:43pm (", "5:43pm (Asia/Irk"]


@together("words", CUT)
def test_a_cut_reset_is_none(words: str) -> None:
    text = f"Current session\n 1% used\n Resets {words}"
    [gauge] = usage.parse_status(text=text, captured_at=datetime.now(UTC), timezone=UTC).gauges
    assert (gauge.used, gauge.resets, gauge.reset_at) == (1, None, None)
    # nothing tells yet that there is more than an abbreviation
    assert usage.parse_status(text=text, captured_at=datetime.now(UTC), timezone=UTC).errors == (
        "reset-unread:session",
    )


UNKNOWN = {  # as wide panes have it, as narrow ones wrap it: what is kept of it
    "Resets 17:07 (Asia/Irkutsk)": "17:07 (Asia/Irkutsk)",
    "Resets Nov 25, 17:43\n  (Asia/Irkutsk)": "Nov 25, 17:43 (Asia/Irkutsk)",
    "Resets\n  25 Nov, 5:43pm\n  (Asia/Irkutsk)": "25 Nov, 5:43pm (Asia/Irkutsk)",
    "Resets 5:07 p.m.": "5:07 p.m.",
    "Resets in 2h 21m": "in 2h 21m",
    "Starts when a message is sent": None,
    "Starts when a message is\n  sent": None,
}


@together(("reset", "words"), UNKNOWN.items(), ids=UNKNOWN)
def test_a_narrow_pane_keeps_its_percentage_below_words_that_are_not_known(reset: str, words: str | None) -> None:
    for bar in ("  ██\n\n", "  ██\n", ""):
        text = (
            f"❯ /usage\n  Current session · {reset}\n{bar}  7% used\n\n  Current week · Resets 2pm (UTC)\n  9% used\n"
        )
        reading = usage.parse_status(text=text, captured_at=datetime.fromisoformat(NOON), timezone=UTC)
        assert [(gauge.used, gauge.resets) for gauge in reading.gauges] == [(7, words), (9, "2pm (UTC)")]
        assert reading.errors == (("reset-unread:session",) if words else ())


def test_words_that_are_not_known_lend_no_percentage_of_another_section() -> None:
    for below in ("\n  Weekly pace · Resets Dec 1\n  ██\n\n  12% used\n", "  Pace · Resets soon\n  ██\n  12% used\n"):
        text = f"  Current session · Resets soon\n{below}"
        [gauge] = usage.parse_status(text=text, captured_at=datetime.fromisoformat(NOON), timezone=UTC).gauges
        assert gauge.used is None


BETWEEN = [
    "  (about 2 days left)",
    " · about 2 days left",
    "\n  About 2 days left at this pace",
    "\n  So far\n  so good",
]


@together("words", BETWEEN)
def test_a_reset_is_read_below_words_that_are_not(words: str) -> None:
    text = f"  Current week\n  ██  7% used{words}\n  Resets Nov 25, 2pm (UTC)\n\n  Esc to close\n"
    reading = usage.parse_status(text=text, captured_at=datetime.fromisoformat(NOON), timezone=UTC)
    assert (reading.gauges[0].reset_at, reading.errors) == (datetime(2026, 11, 25, 14, tzinfo=UTC), ())


def test_a_reset_that_is_not_read_is_tagged_and_that_of_another_section_is_not_taken() -> None:
    for words, errors in (
        ("\n  Pace  40% of time\n  Resets Nov 25, 2pm (UTC)\n", ("reset-unread:all_models",)),
        ("\n  a\n  b\n  c\n  Resets Nov 25, 2pm (UTC)\n", ("reset-unread:all_models",)),
        ("\n\n  Pace\n  Resets Nov 25, 2pm (UTC)\n", ()),
    ):
        text = f"  Current week\n  ██  7% used{words}"
        reading = usage.parse_status(text=text, captured_at=datetime.fromisoformat(NOON), timezone=UTC)
        assert [(gauge.used, gauge.reset_at) for gauge in reading.gauges] == [(7, None)]
        assert reading.errors == errors


ABOVE = {
    "another zone": "Current week\n 1% used\n Resets Nov 25, 5:43pm (Asia/Irkutsk)\n\n",
    "a command": "❯ /usage\n",
    "a card": "Settings  Status   Config   Usage   Stats\n",
}


@together("above", ABOVE.values(), ids=ABOVE)
def test_a_time_that_lost_its_zone_is_none(above: str) -> None:
    """Unless a blank line ends it, or nothing tells that the pane prints zones: some versions print none."""
    cut, whole = "Current session\n 1% used\n Resets 2pm", datetime(2026, 11, 22, 14, tzinfo=UTC)
    for text, expected in (
        (above + cut, None),
        (above + cut + "\n", None),
        (above + cut + "\n(venv) dev@host $ \n", None),
        (above + cut + "\ndev@host $ \n", None),
        (above + cut + "\n\n Esc to cancel\n", whole),
        (cut, whole),
        (cut + "\ndev@host $ \n", whole),
    ):
        gauge = usage.parse_status(text=text, captured_at=datetime.fromisoformat(NOON), timezone=UTC).gauge("session")
        assert gauge is not None
        assert (gauge.used, gauge.reset_at) == (1, expected)


def test_the_print_mode_without_zones() -> None:
    """Its last line ends the text; what is above it tells that the version prints none."""
    head = "You are currently using your subscription to power your Claude Code usage\n\n"
    first = "Current session: 1% used · resets 2pm\n"
    last = "Current week (all models): 90% used · resets Nov 25, 5:43pm"
    whole = datetime(2026, 11, 25, 17, 43, tzinfo=UTC)
    for text, expected in (
        (head + first + last, whole),
        (head + first + last + "\n$ ", whole),
        (head + first.replace("2pm", "2pm (UTC)") + last + "\n", None),
        (head + last + "\n", None),
        (head + last + "\n\n", whole),
    ):
        reading = usage.parse_status(text=text, captured_at=datetime.fromisoformat(NOON), timezone=UTC)
        assert reading.gauges[-1].reset_at == expected
        assert reading.errors == (() if expected else ("reset-unread:all_models",))


def test_a_pane_keeps_its_reset_above_a_title_of_another_that_was_cut() -> None:
    pane = "> /usage\n Current session · Resets 2:07pm\n (UTC)\n 1% used\n\n Esc to exit\n"
    text = pane + " Current session · Resets 2:07pm\n"
    reading = usage.parse_status(text=text, captured_at=datetime.fromisoformat(NOON), timezone=UTC)
    assert (reading.gauges[0].reset_at, reading.errors) == (datetime(2026, 11, 22, 14, 7, tzinfo=UTC), ())


ZONES = ["UTC", "Asia/Irkutsk", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC))


@settings(deadline=None)
@given(INSTANTS, st.sampled_from(ZONES), st.integers(0, 7 * 24 * 60 - 1), st.booleans())
def test_the_vendors_words_mean_the_vendors_instant(now: datetime, zone: str, minutes: int, year: bool) -> None:
    """As the vendor prints it: the date where the reset is over a day away, the year where it is another one."""
    reset = now.replace(second=0, microsecond=0) + timedelta(minutes=minutes)
    here, there = now.astimezone(ZoneInfo(zone)), reset.astimezone(ZoneInfo(zone))
    clock = (
        f"{there.hour % 12 or 12}" + f":{there.minute:02}" * bool(there.minute) + ("pm" if there.hour > 11 else "am")
    )
    if minutes > 23 * 60:
        clock = f"{there:%b} {there.day}" + f", {there.year}" * (year and there.year != here.year) + f", {clock}"
    text = f"Current week (all models)\n 7% used\n Resets {clock} ({zone})\n"
    [gauge] = usage.parse_status(text=text, captured_at=now, timezone=UTC).gauges
    repeated = there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset()
    assert gauge.reset_at == reset or repeated
