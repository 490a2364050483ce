"""What a capture makes of a text, and of two of them: encodings, counts, and meters that a vendor reset early."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from outcomes import ok, records
from plugin_modules import plugin, registry, source

from tracker.api import Change, Delta, Gauge, Meter, Reading
from tracker.hosting.discovery import Plugin
from tracker.hosting.registry import Registry
from tracker.kernel import PluginError
from tracker.windows.captures import Capture, Pair, measure

Run = Callable[..., "subprocess.CompletedProcess[str]"]


CALLS = 'Delta(changes=(Change(meter="calls", delta={}),))'


@pytest.mark.parametrize(("answer", "own"), [("None", None), (CALLS.format(58), 58)])
def test_a_count_across_a_reset_is_what_its_delta_says(
    program: Any, toy_code: dict[str, str], monkeypatch: pytest.MonkeyPatch, answer: str, own: int | None
) -> None:
    """The plain difference is stored neither if the meter was reset in between nor if the plugin measures across it."""
    module, resets = ModuleType("acme_count"), {"12": "2026-01-10T09:00:00+00:00", "30": "2026-02-10T09:00:00+00:00"}
    code = toy_code["tally"].replace(
        "used=float(used)", f"reset_at=datetime.fromisoformat({resets}[used]), used=float(used)"
    )
    code += f"\n@hookimpl\ndef compute_delta(before, after):\n    return {answer}\n"
    exec(f"from datetime import datetime\nfrom tracker.api import Change, Delta\n{code}", vars(module))
    made = Registry(plugins=[Plugin("tally", "", "acme", "1", lambda: module)])
    monkeypatch.setattr("tracker.hosting.registry.discover", lambda *_report: made)
    program("start", "tally", "--stdin", "--captured-at", "2026-01-10T08:00:00Z", stdin="12").ok()
    ended = program("end", "tally", "--stdin", "--captured-at", "2026-01-10T10:00:00Z", stdin="30").ok()
    assert f"(baseline=12, calls={'n/a' if own is None else own})" in ended
    [stored] = [one for one in program.rows("tally_counts") if one["phase"] == "after"]
    assert (stored["baseline"], stored["calls_used"], stored["parsed"]["calls_used"]) == (12, own, 30)


@pytest.mark.parametrize(("hours", "age"), [(0.2, None), (26, "26 h 0 min")])
def test_a_reading_that_is_older_than_its_capture_is_told(
    program: Any, monkeypatch: pytest.MonkeyPatch, hours: float, age: str | None
) -> None:
    """A day that was over before the window began counted in it, without a word."""

    def parse_status(text: str, captured_at: datetime) -> Reading:
        return Reading(gauges=(Gauge(meter="m", used=float(text)),), as_of=captured_at - timedelta(hours=hours))

    module = plugin("acme", parse_status=parse_status)
    made = Registry(plugins=[Plugin("acme", "", "acme", "1", lambda: module)])
    monkeypatch.setattr("tracker.hosting.registry.discover", lambda *_report: made)
    for verb, word, time, used in (("start", "BEFORE", "10:00", "40"), ("end", "AFTER", "11:00", "44")):
        done = program(verb, "acme", "--stdin", "--captured-at", f"2026-01-10T{time}:00Z", stdin=used)
        assert done.status == 0, done.err
        notes = [line for line in done.err.splitlines() if "its numbers are from" in line]
        assert [line.partition(", ")[2] for line in notes] == ([f"{age} older than this {word}"] if age else [])


def test_a_delta_below_0_without_a_fall_is_the_plugins_fault(
    program: Any, toy_code: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was called a fall of the meter, whose captures were to be made again or removed."""
    module, answer = ModuleType("acme_count"), CALLS.format(-5)
    code = f"{toy_code['tally']}\n@hookimpl\ndef compute_delta(before, after):\n    return {answer}\n"
    exec(f"from tracker.api import Change, Delta\n{code}", vars(module))
    made = Registry(plugins=[Plugin("tally", "", "acme", "1", lambda: module)])
    monkeypatch.setattr("tracker.hosting.registry.discover", lambda *_report: made)
    program("start", "tally", "--stdin", stdin="30").ok()
    assert "plugin 'tally' failed to compute_delta: Invalid delta -5 of calls. Expected 0 or more, and no reason." in (
        program("end", "tally", "--stdin", stdin="30").refused()
    )
    ended = program("end", "tally", "--stdin", stdin="12")
    assert "anomaly negative-delta in W0-01" in ended.err


@pytest.mark.parametrize(
    ("answer", "errors", "falls"),
    [
        # of its own, it is final
        ((None, "stale-data"), ("stale-data",), 0),
        # no reading shows the reset that the plugin knows of
        ((None, "reset-crossed:m"), ("reset-crossed:m",), 0),
        ((None, "negative-delta:m"), ("negative-delta:m",), 1),
        # a value that is none
        ((3, "negative-delta"), ("negative-delta:m",), 1),
        ((-37, None), ("negative-delta:m",), 1),
    ],
)
def test_a_plugin_s_reason_for_a_fall_is_final(
    answer: tuple[float | None, str | None], errors: tuple[str, ...], falls: int
) -> None:
    def compute_delta(before: Reading, after: Reading) -> Delta:
        return Delta(changes=(Change(meter="m", delta=answer[0], reason=answer[1]),))

    acme = source("acme", meters=(Meter(key="m", title="M"),), capacity=None)
    made = registry(plugin("acme", acme, compute_delta=compute_delta))
    both = [
        Capture(one, "W1", one, at, None, 0, {}, Reading(gauges=(Gauge(meter="m", used=used),), as_of=at))
        for one, at, used in (("before", NOON, 40), ("after", NOON + HOUR, 3))
    ]
    found = measure(made, acme, Pair(*both))
    assert (found.delta, found.errors, len(found.falls)) == ({"m_pct": None}, errors, falls)
    answer = 3, "stale-data"
    with pytest.raises(PluginError, match="Invalid delta 3 of m"):
        measure(made, acme, Pair(*both))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-8-sig"])
def test_a_pane_in_another_encoding_is_read_and_keeps_no_address(toys: Run, tmp_path: Path, encoding: str) -> None:
    """What an editor or `>` of another system writes: zeros stood between the letters of an address."""
    text = "fuel 12%\nAccount: dev@example.com\nkey sk-proj-0123456789abcdef\n"
    (tmp_path / "pane.txt").write_bytes(text.encode(encoding))
    ok(toys("start", "toy", str(tmp_path / "pane.txt")))
    [stored] = records(tmp_path, "snapshots")
    assert stored["parsed"]["fuel_pct"] == 12
    assert stored["raw_text"] == "fuel 12%\nAccount: d***@example.com\nkey sk-***\n"


WEEK, DAY, HOUR = timedelta(days=7), timedelta(days=1), timedelta(hours=1)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "used", "ends", "later", "delta"),
    [
        (WEEK, 10, 4 * DAY, 7 * DAY + 2 * HOUR, None),
        (WEEK, 10, None, 9 * DAY, None),
        # a period that begins with the first use; one reset, shown by the hour or the day; one that is only near
        (WEEK, 0, 4 * DAY, 7 * DAY + 2 * HOUR, 15),
        (WEEK, 10, 4 * DAY, 4 * DAY + 23 * HOUR, 5),
        (WEEK, 10, 6 * DAY + 20 * HOUR, 7 * DAY + 2 * HOUR, 5),
        (WEEK, 10, 4 * DAY, 7 * DAY - HOUR, 5),
        (5 * HOUR, 10, 4 * HOUR, 5 * HOUR, 5),
        (5 * HOUR, 10, 3 * HOUR, 5.1 * HOUR, None),
        ("month", 10, 20 * DAY, 32 * DAY, None),
        ("month", 10, 20 * DAY, 30 * DAY, 5),
        (None, 10, 4 * DAY, 30 * DAY, 5),
        # no reset moves back: that is another subscription's
        (WEEK, 10, 4 * DAY, 3 * DAY, None),
        (WEEK, 10, 4 * DAY, 4 * DAY - 12 * HOUR, 5),
        (5 * HOUR, 10, 4 * HOUR, 3 * HOUR, None),
        # a pane of last week, in which another meter's reset fits; an idle meter's reset that is over
        (WEEK, 10, -DAY, 6 * DAY, None),
        (WEEK, 10, -DAY, -DAY, 5),
        (WEEK, 0, -DAY, 7 * DAY, 15),
    ],
)
def test_a_period_that_begins_behind_the_before_measures_nothing(
    window: Any, used: float, ends: timedelta | None, later: timedelta, delta: float | None
) -> None:
    """A vendor's early reset, with more use since than before, was a small rise."""
    made = registry(plugin("acme", source("acme", meters=(Meter(key="m", title="M", window=window),), capacity="m")))

    def capture(phase: str, used: float, reset: timedelta | None, at: datetime) -> Capture:
        gauge = Gauge(meter="m", used=used, reset_at=reset and NOON + reset)
        return Capture(phase, "W1", phase, at, None, 0, {}, Reading(gauges=(gauge,), as_of=at))

    pair = Pair(capture("before", used, ends, NOON), capture("after", 15, later, NOON + HOUR))
    info = made.source("acme")
    assert info is not None
    found = measure(made, info, pair)
    assert (found.delta, found.errors) == ({"m_pct": delta}, () if delta is not None else ("reset-crossed:m",))


@pytest.mark.parametrize("capacity", [None, "m"])
def test_a_fall_at_a_reset_that_the_later_reading_tells(capacity: str | None) -> None:
    """The vendor reset it early: the new period began within the window. Another meter is odd only without that."""
    meters = (Meter(key="m", title="M", window=WEEK),)
    made = registry(plugin("acme", source("acme", meters=meters, capacity=capacity)))
    info = made.source("acme")
    assert info is not None
    for later, reset_at in ((WEEK + HOUR / 2, NOON + HOUR / 2), (4 * DAY, None)):
        readings = (Gauge(meter="m", used=60, reset_at=NOON + 4 * DAY), Gauge(meter="m", used=3, reset_at=NOON + later))
        both = [
            Capture(one, "W1", one, at, None, 0, {}, Reading(gauges=(gauge,), as_of=at))
            for one, at, gauge in zip(("before", "after"), (NOON, NOON + HOUR), readings, strict=True)
        ]
        found = measure(made, info, Pair(*both))
        is_odd = bool(capacity) or reset_at is None
        assert [one.reset_at for one in found.falls] == ([reset_at] if is_odd else [])
        tags = [f"negative-delta{'' if capacity else ':m'}"] * is_odd + ["reset-crossed:m"] * (reset_at is not None)
        assert (found.delta, found.errors) == ({"m_pct": None}, tuple(tags))


@pytest.mark.parametrize(
    ("reset", "shown"),
    [
        ("2026-01-10T09:00:00Z", "in 1 h 0 min"),
        ("2026-01-17T07:59:00Z", "Sat 07:59"),
        ("2026-01-17T08:00:00Z", "17 Jan 2026 08:00"),
        ("2026-02-05T06:27:00Z", "05 Feb 2026 06:27"),
    ],
)
def test_a_reset_from_a_week_on_has_its_date(toys: Run, reset: str, shown: str) -> None:
    given = ("--stdin", "--captured-at", "2026-01-10T08:00:00Z")
    done = toys("start", "toy", *given, stdin=f"fuel 10% reset {reset}")
    assert done.stderr.splitlines()[0] == f"  fuel 10% used, resets {shown}"


def test_a_reading_from_the_future_is_refused_and_can_be_taken_back(toys: Run) -> None:
    """No AFTER would be younger than it until then."""
    pane = "fuel 10%\nas of 2999-01-01T00:00:00+00:00"
    done = toys("start", "toy", "--stdin", stdin=pane)
    assert (done.returncode, done.stderr.partition(", ")[0]) == (
        1,
        "error: The reading time 2999-01-01T00:00:00Z lies in the future",
    )
    ok(toys("start", "toy", "--stdin", "--force", stdin=pane))
    done = toys("end", "toy", "--stdin", stdin="fuel 20%\nas of 2026-01-10T09:00:00+00:00")
    cure = "tracker alias delete toy --phase before --window W0-01"
    assert f"Take that BEFORE back with `{cure}`" in done.stderr
    ok(toys(*cure.split()[1:], "--yes"))
    ok(toys("start", "toy", "--stdin", "--captured-at", "2026-01-10T08:00:00Z", stdin="fuel 10%"))
    ok(toys("end", "toy", "--stdin", stdin="fuel 20%\nas of 2026-01-10T09:00:00+00:00"))
