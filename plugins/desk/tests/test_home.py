"""`tracker` alone: the home screen."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracker.api import MeterReading, Panel
from tracker_desk.meter_list import lines


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def test_before_the_first_capture_it_says_how_to_begin(program: Any) -> None:
    done = program()
    assert done.ok().splitlines()[2:] == [
        "Nothing is recorded here yet.",
        "  tally: has to be pasted",
        "  toy: has to be pasted",
        "Begin: tracker start tally",
    ]
    assert not program.root.exists()


def test_events_without_a_capture_are_not_denied(program: Any) -> None:
    (program.root.parent / "events").write_text(f'{{"ts": "{at(-1)}", "rid": "r1", "lane": "far", "ms": 1}}\n')
    program("ingest", "toy-stream", "--window", "W1", "--file", "events").ok()
    assert program().ok().splitlines()[2] == "No captures here yet."


@pytest.mark.parametrize("named", [False, True])
def test_before_the_first_capture_it_promises_what_it_can_read(tmp_path: Path, tracker_cli: Any, named: bool) -> None:
    """A folder of session files, which a variable may name, can be there and hold no meter."""
    home = tmp_path / "home"
    folder = tmp_path / "other" if named else home / ".codex"
    file = folder / "sessions" / "2026" / "11" / "20" / "rollout-1.jsonl"
    file.parent.mkdir(parents=True)
    given = {"HOME": str(home), "CODEX_HOME": str(folder) if named else "", "PATH": "/usr/bin:/bin"}
    usage = {"input_tokens": 100, "output_tokens": 5}
    row = {"type": "token_usage_record", "payload": {"thread_id": "t", "response_id": "r", "usage": usage}}
    file.write_text(json.dumps({"timestamp": at(-1), **row}) + "\n")
    said = tracker_cli("home", **given).stdout.splitlines()
    assert "  codex: has to be pasted" in said
    assert said[-2:] == [
        "Session logs found: `tracker usage` shows their tokens and cost, `tracker sync` stores their meters.",
        "Begin: tracker start claude",
    ]
    weekly = {
        "used_percent": 23.0,
        "window_minutes": 10080,
        "resets_at": (datetime.now(UTC) + timedelta(hours=72)).timestamp() // 1,
    }
    count = {"type": "token_count", "info": None, "rate_limits": {"limit_id": "codex", "primary": weekly}}
    # before a reset that is over it says nothing of now, and no capture takes it
    old = {**count, "rate_limits": {"limit_id": "codex", "primary": {**weekly, "resets_at": int(time.time()) - 3600}}}
    bare = file.read_text()
    file.write_text(bare + json.dumps({"timestamp": at(-30), "type": "event_msg", "payload": old}) + "\n")
    said = tracker_cli("home", **given).stdout.splitlines()
    assert ("  codex: has to be pasted" in said, said[-1]) == (True, "Begin: tracker start claude")
    file.write_text(bare)
    limits = {"timestamp": at(-0.05), "type": "event_msg", "payload": count}
    file.write_text(file.read_text() + json.dumps(limits) + "\n")
    said = tracker_cli("home", **given).stdout.splitlines()
    assert f"  codex: can be read from {folder if named else '~/.codex'}" in said
    assert said[-1] == "Begin: tracker capture codex"
    [line] = [one for one in tracker_cli("status", **given).stdout.splitlines() if one.startswith("Not stored yet: ")]
    assert line.endswith(f" in {folder if named else '~/.codex'}: tracker capture codex")
    [found] = json.loads(tracker_cli("--json", "status", **given).stdout)["at_hand"]
    assert found["provider"] == "codex"
    assert tracker_cli("capture", "codex", **given).returncode == 0
    assert "Not stored" not in tracker_cli("status", **given).stdout


def test_it_shows_meters_what_is_open_and_what_comes_next(program: Any) -> None:
    pane = f"fuel 50% reset {at(2)}\nheat 7.5%"
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin=pane).ok()
    done = program()
    head, _, fuel, heat, _, *due = done.ok().splitlines()
    assert "UTC" in head
    assert fuel.startswith("toy  fuel  ██████████░░░░░░░░░░    50%  under 1 min ago, resets ")
    assert "7.5%" in heat
    assert due == ["Open: W1 of toy, for under 1 min", "Next: tracker end toy --stdin"]
    assert json.loads(program("--json").ok())["lanes"][0]["window"] == "W1"
    assert program("home").ok().splitlines()[2:] == done.out.splitlines()[2:]


def test_one_point_is_no_points(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_desk.meter_list._ahead", lambda _standing, _used: -1.2)
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 50%").ok()
    assert ", 1 point behind an even pace" in program().ok()


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "██▌░░░░░"), ("latin-1", "##+....."), ("ascii", "##+.....")])
def test_a_bar_is_of_signs_that_the_output_has(monkeypatch: pytest.MonkeyPatch, encoding: str, bar: str) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    row: dict[str, Any] = {"provider": "toy", "meter": "fuel", "used": 12.5, "age": "now", "reset": None, "pace": None}
    [found] = lines([row])
    assert found.startswith(f"toy  fuel  {bar}")


def test_a_meter_that_was_reset_since_shows_no_bar(program: Any) -> None:
    pane = f"fuel 50% reset {at(-1)}"
    program("alias", "start", "toy", "--stdin", "--window", "W1", "--captured-at", at(-3), stdin=pane).ok()
    [fuel] = [line for line in program().ok().splitlines() if line.startswith("toy  fuel")]
    assert fuel.endswith("reset since  read 3 h 0 min ago")
    assert "█" not in fuel


def test_a_value_that_was_old_when_it_was_read_is_said_to_be(program: Any) -> None:
    """Nothing was reset since it was read."""
    pane = f"fuel 50% reset {at(-2)}\nheat 7% reset {at(9)}"
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin=pane).ok()
    [fuel] = [line for line in program().ok().splitlines() if line.startswith("toy  fuel")]
    assert fuel.split(maxsplit=2)[2] == "out of date  read under 1 min ago"


def test_without_the_desk_there_is_the_help(tmp_path: Path) -> None:
    environment = os.environ | {"TRACKER_DISABLE_PLUGINS": "desk"}
    command = [sys.executable, "-m", "tracker.cli"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: ")


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
@pytest.mark.parametrize("columns", ["80", "120"])
def test_a_terminal_gets_a_table_of_its_width(program: Any, columns: str, tmp_path: Path) -> None:
    import pty

    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin=f"fuel 50% reset {at(2)}").ok()
    main, side = pty.openpty()
    environment = os.environ | {"COLUMNS": columns, "TERM": "xterm-256color", "TRACKER_DATA_DIR": str(program.root)}
    environment.pop("NO_COLOR", None)
    done = subprocess.run([sys.executable, "-m", "tracker.cli"], stdout=side, env=environment, cwd=tmp_path, check=True)
    os.close(side)
    text = os.read(main, 65536).decode()
    os.close(main)
    assert done.returncode == 0
    assert "W1" in text
    assert max(len(line) for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()) <= int(columns)
    assert "…" not in text


@pytest.fixture
def with_panels(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a feature of some distribution that answers with these panels."""
    from types import ModuleType

    from tracker.feature import Feature, hookimpl
    from tracker.hosting import discovery

    def add(panels: Any, distribution: str) -> None:
        module = ModuleType("usage")
        module.feature_info = hookimpl(lambda: Feature(name="usage"))  # type: ignore[attr-defined]
        module.panels = hookimpl(panels)  # type: ignore[attr-defined]
        known, added = discovery.installed(), discovery.Plugin("usage", distribution=distribution)
        added.module, added.declared = module, Feature(name="usage")
        monkeypatch.setattr(discovery, "installed", lambda: [*known, added])

    return add


def test_panels_that_nobody_asked_for_stay_off_the_home_screen(program: Any, with_panels: Any) -> None:
    panels = [Panel(name=name, title="Hours", rows=[{"provider": "toy", "hours": 2}]) for name in ("hours", "today")]
    with_panels(lambda session: panels, "acme-hours")
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin=f"fuel 50% reset {at(2)}").ok()
    assert "Today:" not in program().ok()


def test_what_today_used_is_said(program: Any, with_panels: Any) -> None:
    row = {"provider": "toy", "requests": 3, "tokens": 12_345, "cost_usd": 1.5}

    def panels(period: Any) -> list[Panel]:
        assert period.since is not None
        return [Panel(name="today", title="Today", rows=[row])] if period.names == ("today",) else []

    with_panels(panels, "")
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin=f"fuel 50% reset {at(2)}").ok()
    assert "Today: toy 3 requests, 12,345 tokens, $1.50 at list prices" in program().ok()
    row["cost_usd"] = 0.00164
    assert "tokens, $0.0016 at list prices" in program().ok()


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a feature that keeps a meter history: (meter, account, hours from now, used)."""
    from types import ModuleType

    from tracker.feature import Feature, hookimpl
    from tracker.hosting import discovery

    def add(*known: tuple[str, str | None, float, float], account: str | None = None) -> None:
        def meter_readings(since: datetime, hourly: bool) -> list[MeterReading]:
            taken = [(name, who, datetime.now(UTC) + timedelta(hours=hours), used) for name, who, hours, used in known]
            found = [MeterReading("toy", name, who, "log", one, one, used, None) for name, who, one, used in taken]
            return sorted((one for one in found if one.until >= since), key=lambda one: one.at)

        def window_accounts(windows: Any) -> dict[tuple[str, str], str]:
            return {(window, "toy"): account for window in windows} if account else {}

        module = ModuleType("past")
        module.feature_info = hookimpl(lambda: Feature(name="past"))  # type: ignore[attr-defined]
        module.meter_readings = hookimpl(meter_readings)  # type: ignore[attr-defined]
        module.window_accounts = hookimpl(window_accounts)  # type: ignore[attr-defined]
        # no other feature answers
        kept = [one for one in discovery.installed() if one.name not in ("capture", "verdict")]
        added = discovery.Plugin("past")
        added.module, added.declared = module, Feature(name="past")
        monkeypatch.setattr(discovery, "installed", lambda: [*kept, added])

    return add


def meters(text: str) -> list[str]:
    """The lines of the toy's meters, without the bar."""
    return [re.sub(r"[█▌░▒]+ *", "", one) for one in text.splitlines() if one.startswith("toy  ")]


def test_the_newest_reading_is_shown_wherever_it_comes_from(program: Any, history: Any) -> None:
    history(("fuel", None, -1.1, 60), ("heat", None, -5, 3))
    pane = "fuel 50%\nheat 7%"
    program("alias", "start", "toy", "--stdin", "--window", "W1", "--captured-at", at(-3.1), stdin=pane).ok()
    fuel, heat = meters(program().ok())
    assert re.search(r"fuel +60%  1 h", fuel)
    assert re.search(r"heat +7%  3 h", heat)
    status = program("status").ok()
    assert re.search(r"\n  fuel  60%, 1 h [^,\n]*ago\n  heat  7%, 3 h [^,\n]*ago\n", status)
    document = json.loads(program("status", "--json").ok())
    assert [one["used"] for one in document["lanes"][0]["meters"]] == [60, 7]
    assert [round(one["age_s"] / 3600) for one in document["meters"]] == [1, 3]
    report = program("report", "--format", "md").ok()
    assert re.search(r"toy fuel .*60", report)


@pytest.mark.parametrize("is_in_git", [True, False])
def test_a_synced_meter_without_a_window_is_shown_with_the_next_step(
    program: Any, history: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_in_git: bool
) -> None:
    """The command that needs a repository is suggested for here only where one is."""
    history(("fuel", None, -1, 60))
    (here := tmp_path / "work" / "below").mkdir(parents=True)
    monkeypatch.chdir(here)
    if is_in_git:
        subprocess.run(["git", "init", "--quiet", ".."], check=True)
    within = "" if is_in_git else " (in the repository where you worked), or tracker start toy"
    for command in ("home", "status"):
        text = program(command).ok()
        assert "60%" in text
        assert f"\nNext: tracker windows propose{within}" in text
        assert "No captures here" not in text
        assert "Nothing is recorded" not in text


def test_of_meters_that_measure_no_window_none_is_proposed(program: Any, history: Any) -> None:
    """No reading of theirs gives a window its capacity: `windows propose` and `sync` named each other."""
    history(("heat", None, -1, 7))
    for command in ("home", "status"):
        assert "\nNext: tracker start toy --stdin" in program(command).ok()


def test_what_is_open_is_ended_before_anything_begins(program: Any) -> None:
    """Of many lanes three commands are shown: first those of open windows, whose meters go on."""
    for count, lane in enumerate("abcd"):
        words = ("alias", "{}", "toy", "--stdin", "--window", f"W{lane}", "--captured-at", at(count - 9))
        for verb in ("start", "end") if lane < "d" else ("start",):
            used = 20 + count + (verb == "end")
            program(*(word.format(verb) for word in words), stdin=f"fuel {used}%", lane=lane).ok()
        if lane < "d":
            program("complete", "--window", f"W{lane}", "--toy-features", "1", lane=lane).ok()
    following = [row.removeprefix("Next: ") for row in program().ok().splitlines() if row.startswith("Next: ")]
    assert following[0] == "tracker end toy --stdin --agent d"
    assert len(following) == 4
    assert following[3] == "1 more command; `tracker status` shows it"
    status = program("status").ok()
    assert sum(one in status for one in following) == 3


def test_the_meters_of_each_account_are_named(program: Any, history: Any) -> None:
    history(("fuel", "home", -1, 60), ("fuel", "work", -2, 20), account="work")
    program("alias", "start", "toy", "--stdin", "--window", "W1", "--captured-at", at(-3), stdin="fuel 10%").ok()
    first, second = meters(program().ok())
    assert re.search(r"fuel account home +60%", first)
    assert re.search(r"fuel account work +20%", second)
    status = program("status").ok()
    assert "  fuel account work  20%" in status.partition("toy: not in a window")[0]
    assert "  fuel account home  60%" in status.partition("toy: not in a window")[2]


def test_an_account_whose_only_capture_was_replaced_is_listed_once(
    program: Any, history: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No window's pair is of it, so the history alone knows its name."""
    history(account="sub")
    path, past = program.root / "snapshots.jsonl", []
    for name, digit, hours, used in (("me", "1", -2, 10), ("sub", "2", -1, 20)):
        taken = at(hours)
        words = ("start", "toy", "--stdin", "--window", "W1", "--captured-at", taken)
        program(*words, stdin=f"fuel {used}%").ok()
        *lines, last = path.read_text().splitlines()
        path.write_text("".join(f"{one}\n" for one in (*lines, json.dumps(json.loads(last) | {"account": digit * 12}))))
        moment = datetime.fromisoformat(taken)
        past.append(MeterReading("toy", "fuel", name, "log", moment, moment, used, None))
    monkeypatch.setattr("tracker_desk.current_meters._history", lambda session: iter(past))
    assert [re.split(" +", one)[3] for one in meters(program().ok())] == ["me", "sub"]


@pytest.mark.parametrize("columns", ["45", "80"])
def test_accounts_are_told_apart_however_narrow(
    program: Any, history: Any, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(("fuel", "home", -1, 60), ("fuel", "work", -2, 20))
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")
    for command in ("home", "status"):
        text = re.sub(r"\x1b\[[\d;]*m", "", program(command).ok())
        assert re.search(r"toy fuel +home ", text), text
        assert re.search(r"toy fuel +work ", text), text


def test_a_reading_without_a_name_that_an_account_repeats_hides_older_ones_too(program: Any, history: Any) -> None:
    history(("fuel", "home", -0.01, 60), ("fuel", "work", -2, 20), ("fuel", None, -0.02, 60), ("fuel", None, -0.5, 10))
    program("alias", "start", "toy", "--stdin", "--window", "W1", "--captured-at", at(-1), stdin="fuel 5%").ok()
    text = program().ok()
    assert [re.split(" +", one)[3] for one in meters(text)] == ["home", "work"], text


def test_a_window_that_was_finalized_without_a_pair_is_to_be_completed_again(program: Any) -> None:
    at = ("--stdin", "--window", "W1", "--captured-at")
    for words, pane in (
        (("start", "toy", *at, "-4h"), "fuel 10%"),
        (("end", "toy", *at, "-3h"), "fuel 30%"),
        (("complete", "--window", "W1", "--toy-features", "2"), ""),
        (("start", "tally", *at, "-2h"), "3"),
    ):
        program(*words, stdin=pane).ok()
    assert "complete" not in program().ok()
    program("end", "tally", *at, "-1h", stdin="8").ok()
    [command] = re.findall("Next: tracker (.*)", program().ok())
    assert command == "complete --window W1 --tally-features N"
    assert program("status").ok().count(f"next: complete W1: tracker {command}\n") == 2
    program(*command.replace("N", "1").split()).ok()
    assert "complete" not in program().ok()


def test_it_says_what_is_left_out_because_no_plugin_reads_it(program: Any) -> None:
    program("start", "toy", "--stdin", stdin="fuel 10%").ok()
    path = program.root / "snapshots.jsonl"
    path.write_text(path.read_text().replace('"toy"', '"gone"'))
    left_out = "Left out: gone: no plugin for it is installed; install the plugin that declares gone"
    assert left_out in program().ok()
