"""The newest meters: a row for each, for the home screen, status, the board and the report."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from attrs import evolve

from tracker.api import Cell, Chart, Column, Panel
from tracker.kernel import Clock, line, number, plural, span, value
from tracker_desk.current_meters import CurrentMeter
from tracker_desk.status import Status

WIDTH = 20
SIGNS, PLAIN_SIGNS = ("█", "▌", "░"), ("#", "+", ".")  # the plain ones for an output whose encoding lacks the others
COLUMNS = (
    Column(key="title", title="Meter", rank=0),
    Column(key="account", title="Account", rank=1),
    Column(key="used", title="Used", kind="share", rank=0, low="low", high="high"),
    Column(key="age", title="Read", rank=2),
    Column(key="note", title="Note", rank=1),
    Column(key="expected", title="At reset", rank=4),
    Column(key="reset", title="Reset in", rank=1),
    Column(key="reset_at", title="Reset at", rank=5),
    Column(key="pace", title="Even pace", rank=3),
)


def columns(found: Sequence[Mapping[str, Cell]]) -> tuple[Column, ...]:
    """The columns of the rows. With several accounts every row names its own, however narrow the table is."""
    several = any(row["account"] for row in found)
    return tuple(evolve(one, rank=0) if several and one.key == "account" else one for one in COLUMNS)


def rows(status: Status, clock: Clock) -> list[Mapping[str, Cell]]:
    """The newest values of each provider; `used` is None if there is no share to show, and `note` says why."""
    bands = _bands(status)
    found: list[Mapping[str, Cell]] = [
        {**_row(one, clock), **bands.get((one.provider, one.meter.key, one.account if one.several else None), {})}
        for one in status.meters
    ]
    # no note means nothing to note, not that the note is not known
    return [{**row, "note": row["note"] or ""} for row in found] if any(row["note"] for row in found) else found


def _row(one: CurrentMeter, clock: Clock) -> dict[str, Cell]:
    meter, gauge, reset = one.meter, one.gauge, one.gauge.reset_at
    # even without a known reset, a meter was reset once its longest period has passed
    is_past = reset <= clock.now if reset else meter.longest is not None and clock.now - one.at >= meter.longest
    share, of_limit = gauge.used, ""
    if meter.unit != "pp":
        # a count is a share of its limit, if the vendor shows that
        share = round(100 * share / gauge.limit) if share is not None and gauge.limit else None
        of_limit = f"{value(gauge.used)} of {value(gauge.limit)} {meter.unit}"
    used = None if is_past else share
    # a pane that was old when it was read shows a reset that had passed by then
    past = "out of date" if reset and reset <= one.at else "reset since"
    shown = past if is_past else one.used
    ahead = None if used is None else _ahead(one, used)
    account = line(one.account or "not named") if one.several else None
    pace = None if ahead is None else f"{plural(round(abs(ahead)), 'point')} {'ahead' if ahead > 0 else 'behind'}"
    return {
        "provider": one.provider,
        "meter": line(one.label),
        "name": f"{one.provider} {line(one.meter.key)}{f' {account}' if account else ''}",
        "title": f"{one.provider} {line(one.meter.key)}",
        "account": account,
        "used": used,
        "note": shown if used is None else of_limit or None,
        "age": f"{span(clock.now - one.at)} ago",
        "reset": span(reset - clock.now) if reset and not is_past else None,
        "reset_at": clock.at(reset) if reset and not is_past else None,
        "pace": pace,
    }


def _ahead(one: CurrentMeter, used: float) -> float | None:
    """Points by which more is used than time has passed, at the instant of the reading."""
    window, reset = one.meter.window, one.gauge.reset_at
    if not isinstance(window, timedelta) or reset is None or not window:
        return None
    passed = 1 - (reset - one.at) / window
    return used - 100 * passed if 0 <= passed <= 1 else None


def _bands(status: Status) -> dict[tuple[str, str, str | None], dict[str, Cell]]:
    """What is expected at the reset in four of five cases, by account; None stands for the only account."""
    accounts = Counter((one.provider, one.meter) for one in status.outlooks)
    bands: dict[tuple[str, str, str | None], dict[str, Cell]] = {}
    for one in status.outlooks:
        low, high = one.figures.get("expected") or (None, None)
        if low is None or high is None:
            continue
        # one rounding for the chart and the words beside it
        first, last = number(low, 0), number(high, 0)
        band: dict[str, Cell] = {"low": int(first), "high": int(last), "expected": f"{first} to {last}%"}
        bands[one.provider, one.meter, one.account] = band
        if accounts[one.provider, one.meter] == 1:
            bands[one.provider, one.meter, None] = band
    return bands


def panel(status: Status, clock: Clock) -> Panel:
    found = rows(status, clock)
    about = "The newest reading of each meter. A meter that was reset since has no value until it is read again."
    if any(row.get("low") is not None for row in found):
        about += " The band is where it will be at its reset, in four of five cases."
    return Panel(
        name="meters",
        title="Meters now",
        place=7,
        about=about,
        columns=columns(found),
        rows=found,
        charts=(Chart(kind="bars", title="Used now, %", x="name", y="used", low="low", high="high", top=100),),
    )


def lines(found: list[Mapping[str, Cell]]) -> Iterator[str]:
    names = [max((len(str(row[key])) for row in found), default=0) for key in ("provider", "meter")]
    for row in found:
        resets = f"resets {row['reset_at']} (in {row['reset']})" if row["reset"] else ""
        pace = str(row["pace"]).replace("ahead", "ahead of") + " an even pace" if row["pace"] else ""
        note = row.get("note")
        used = note if row["used"] is None else value(row["used"], unit="%")
        count, age = ("", f"read {row['age']}") if row["used"] is None else (note, row["age"])
        notes = ", ".join(str(one) for one in (count, age, resets, pace) if one)
        bar = f"{_bar(row['used']):{WIDTH}}  {used:>5}"
        yield f"{row['provider']:{names[0]}}  {row['meter']:{names[1]}}  {bar}  {notes}".rstrip()


def _bar(used: Cell) -> str:
    if not isinstance(used, int | float):
        return ""
    full, half, empty = SIGNS if "utf" in (sys.stdout.encoding or "utf").lower() else PLAIN_SIGNS
    halves = round(min(max(used / 100, 0), 1) * WIDTH * 2)
    return (full * (halves // 2) + half * (halves % 2)).ljust(WIDTH, empty)
