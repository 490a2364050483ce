"""The source `codex` against real panes: as recorded, and against what the backend had told Codex."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tracker.api import Reading
from tracker_codex import status
from tracker_kit import StatusConformance
from tracker_kit.cases import together

HERE = Path(__file__).parent
PACKAGE = Path(status.__file__).parent
CAPTURED = datetime(2026, 11, 22, 6, 33, 40, tzinfo=UTC)
TRUTH: dict[str, dict[str, Any]] = json.loads((HERE / "status_truth.json").read_text())
HIDDEN = {"v0.94.0_n50"}  # its box cut the percents off
# These show the headers of a turn, too, which the truth does not hold; the backend sent the same ones as to 0.57.
TURN_OF = dict.fromkeys(["v0.61.0_base", "v0.73.0_base", "v0.87.0_base"], "v0.57.0_base")
MINUTE = timedelta(minutes=1)
WINDOWS = {
    5 * 60: ("fiveh", "5h limit:"),
    24 * 60: ("daily", "Daily limit:"),
    7 * 24 * 60: ("weekly", "Weekly limit:"),
    30 * 24 * 60: ("monthly", "Monthly limit:"),
    365 * 24 * 60: ("annual", "Annual limit:"),
}
BUCKETS = {"GPT-5.3-Codex-Spark": "gpt_5_3_codex_spark", "Alpha-Preview": "alpha_preview", "zeta_model": "zeta_model"}


class TestConformance(StatusConformance):
    source = "codex"
    screens = HERE / "screens"


def read(text: str, captured_at: datetime = CAPTURED, timezone: str = "UTC") -> Reading:
    return status.parse_status(text=text, captured_at=captured_at, timezone=ZoneInfo(timezone))


def used(reading: Reading) -> dict[str, float | None]:
    return {gauge.meter: gauge.used for gauge in reading.gauges}


def real(name: str) -> str:
    return (HERE / "screens" / f"{name}.txt").read_text()


def told(entry: dict[str, Any], text: str) -> Iterator[tuple[str, float, datetime, datetime]]:
    """Meter, used percent, and the earliest and latest instant of its reset, of each window that the pane shows."""
    shown = "".join(text.split())

    def meter(minutes: int, name: str = "") -> str | None:
        key, label = WINDOWS.get(minutes, ("secondary_usage", "Secondary usage limit:"))
        labels = [label, "limit:"] if name else [label]
        found = any(f"{name}{label}".replace(" ", "") in shown for label in labels)
        return (f"{BUCKETS[name]}_{key}" if name else key) if found else None

    usage, headers = entry["backend_usage"] or {}, entry["turn_headers"] or {}
    minor = int(entry["version"].split(".")[1])
    by_turn = bool(headers) and minor <= 57  # later ones ask the backend
    for place in ("primary", "secondary") if by_turn else ():
        if key := meter(int(headers[f"{place}-window-minutes"])):
            first = last = datetime.fromtimestamp(int(headers[f"{place}-reset-at"]), UTC)
            if minor < 49:  # the pane counts from the turn, some seconds before the capture
                after = timedelta(seconds=int(headers[f"{place}-reset-after-seconds"]))
                last = datetime.fromisoformat(entry["captured_at"]) + after
                first = last - MINUTE
            yield key, float(headers[f"{place}-used-percent"]), first, last
    buckets = [("", usage.get("rate_limit"))] if not by_turn else []
    buckets += [(other["limit_name"], other["rate_limit"]) for other in usage.get("additional_rate_limits") or []]
    for name, limit in buckets:
        for window in filter(None, (limit or {}).values()):
            if isinstance(window, dict) and (key := meter(window["limit_window_seconds"] // 60, name)):
                at = datetime.fromtimestamp(window["reset_at"], UTC)
                yield key, float(window["used_percent"]), at, at
    spending = (usage.get("spend_control") or {}).get("individual_limit")
    if spending and "Monthlycreditlimit:" in shown:
        at = datetime.fromtimestamp(spending["reset_at"], UTC)
        yield "monthly_credit", float(spending["used_percent"]), at, at


@together("name", TRUTH)
def test_shows_what_the_backend_said(name: str) -> None:
    entry, text = TRUTH[TURN_OF.get(name, name)], real(name)
    reading = read(text, datetime.fromisoformat(entry["captured_at"]), entry["timezone"])
    expected = {meter: (percent, first, last) for meter, percent, first, last in told(entry, text)}
    assert used(reading) == {meter: None if name in HIDDEN else percent for meter, (percent, *_) in expected.items()}
    for gauge in reading.gauges:
        _percent, first, last = expected[gauge.meter]
        assert gauge.reset_at is not None
        assert first.replace(second=0, microsecond=0) <= gauge.reset_at <= last, gauge
    assert ("insufficient-data" in reading.errors) == (not expected or name in HIDDEN)


def test_the_truth_is_not_empty() -> None:
    assert sum(len(list(told(entry, real(name)))) for name, entry in TRUTH.items()) == 100


def test_the_demo_has_no_reset_within_a_window() -> None:
    """Its captures read without an error, and no reset lies between those of a window or within 5 minutes."""
    demo = status.source_info().demo
    assert demo is not None
    readings = [
        (read((PACKAGE / step.capture).read_text(), at), at)
        for step in demo.steps
        if step.capture
        for at in [datetime.fromisoformat(step.arguments[step.arguments.index("--captured-at") + 1])]
    ]
    assert used(readings[0][0]) == {"fiveh": 11, "weekly": 64}
    assert used(readings[1][0]) == {"fiveh": 69, "weekly": 82}
    margin = timedelta(minutes=5)
    for before, after in zip(readings[::2], readings[1::2], strict=True):
        assert before[0].errors == after[0].errors == ()
        assert all(used(after[0])[meter] >= value for meter, value in used(before[0]).items())
        for reading, at in (before, after):
            assert all(gauge.reset_at and gauge.reset_at > max(at, after[1]) + margin for gauge in reading.gauges)


def test_a_bar_that_contradicts_its_number_is_said_once() -> None:
    """The row is there, so that no section is missing."""
    text = ">_ OpenAI Codex (v0.44.0)\n 5h limit: [██████████] 11% left\n Weekly limit: [█████████░] 90% left\n"
    assert read(text).errors == ("bar-contradicts:fiveh",)
    # it says more than that there is no value, and another cure would not help
    alone = text.replace(" Weekly limit: [█████████░] 90% left\n", "")
    assert read(alone).errors == ("bar-contradicts:fiveh", "insufficient-data")


@together("cells", ["▰▱", "■□", "= ", "▓░", "●○"])
def test_a_bar_of_other_cells_is_no_witness(cells: str) -> None:
    """Of cells that no version has drawn yet it is not known which are full."""
    full, empty = cells
    text = f">_ OpenAI Codex (v0.170.0)\n 5h limit: [{full * 18}{empty * 2}] 89% left (resets 08:27)\n"
    assert (used(read(text)), read(text).errors) == ({"fiveh": 11}, ())


def test_tabs_are_the_columns_that_a_terminal_gives_them() -> None:
    text = ">_ OpenAI Codex (v0.40.0)\n\t5h limit    : [██\t\t  ] 11% used\n"
    assert (used(read(text)), read(text).errors) == ({"fiveh": 11}, ())


PLANS = ("v0.169.0_monthly", "v0.169.0_annual_1h", "v0.169.0_spend_only")


@together("name", PLANS)
def test_only_a_whole_pane_says_that_the_plan_lacks_a_meter(name: str) -> None:
    text = real(name)
    assert read(text).errors == ("no-meter:weekly",)
    lines = text.splitlines()
    # from its head to the composer, it is whole; what is cut off above or below may have had the meter
    head, end = (next(at for at, line in enumerate(lines) if mark in line) for mark in (">_", "› Ask"))
    for begin, stop in ((head + 1, len(lines)), (0, end), (head, end - 1)):
        assert read("\n".join(lines[begin:stop])).errors == ()
    # a line between the rows that may have been it
    limit = next(at for at, line in enumerate(lines) if "limit:" in line)
    for garbled in ("  Weekly limi", "  Weekly  lim: [███░] 36% left", "  Weeklylimit [███░] 36% left"):
        assert "no-meter:weekly" not in read("\n".join([*lines[: limit + 1], garbled, *lines[limit + 1 :]])).errors
