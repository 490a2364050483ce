"""The machine's time zone is what the C library makes of TZ, in summer and winter."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tracker.errors import TrackerError
from tracker.text.clock import local_zone

pytestmark = pytest.mark.skipif(not hasattr(time, "tzset"), reason="the platform has no TZ")
ZONEINFO = Path("/usr/share/zoneinfo/Asia/Tehran")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "winter", "summer"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", 60, 120),
        ("<+0330>-3:30", 210, 210),
        ("CET-1CEST", 60, 120),
        (":Europe/Berlin", 60, 120),
        ("", 0, 0),
        pytest.param(str(ZONEINFO), 210, 210, marks=pytest.mark.skipif(not ZONEINFO.exists(), reason="no such file")),
    ],
)
def test_tz_is_read_as_the_c_library_does(elsewhere: pytest.MonkeyPatch, name: str, winter: int, summer: int) -> None:
    elsewhere.setenv("TZ", name)
    zone = local_zone()
    for month, minutes in ((1, winter), (7, summer)):
        here = datetime(2026, month, 10, 12, tzinfo=zone)
        assert here.utcoffset() == timedelta(minutes=minutes)
        assert here.astimezone(UTC).astimezone(zone) == here
    assert str(zone) == (name.lstrip(":") or "UTC")


def test_an_hour_that_comes_twice_is_two_instants(elsewhere: pytest.MonkeyPatch) -> None:
    elsewhere.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    zone = local_zone()
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).astimezone(zone)
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC).astimezone(zone)
    assert (first.hour, second.hour, first.fold, second.fold) == (2, 2, 0, 1)
    assert (first.tzname(), second.tzname()) == ("CEST", "CET")
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)


def test_a_machine_without_a_named_zone_keeps_its_rules(elsewhere: pytest.MonkeyPatch) -> None:
    elsewhere.delenv("TZ", raising=False)
    time.tzset()
    elsewhere.setattr("os.path.realpath", lambda path: path)
    assert local_zone().utcoffset(datetime(2026, 7, 1)) == datetime(2026, 7, 1).astimezone().utcoffset()


@pytest.mark.parametrize("name", ["Europe/Berlim", "Berlin", "Etc/GMT+99"])
def test_a_tz_that_names_no_zone_is_refused(elsewhere: pytest.MonkeyPatch, name: str) -> None:
    elsewhere.setenv("TZ", name)
    with pytest.raises(TrackerError, match=r"^Unknown time zone '.*' in the variable TZ. Expected a name"):
        local_zone()
