"""Session logs are read once and counted once, whatever becomes of the files."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

Make = Callable[..., str]
ROOT = Path(__file__).parents[4]


def test_a_file_that_grows_is_read_on(home: Any, message: Make) -> None:
    path = home.projects / "s1.jsonl"
    path.write_text(message("a"))
    assert home.total() == home.total() == (1, 100, 50)
    with path.open("a") as file:
        file.write(message("b") + message("a", 60))
    assert home.total() == (2, 200, 110)
    with path.open("a") as file:
        file.write(message("c")[:40])
    assert home.total() == (2, 200, 110)
    assert home.missing() == {"partial": 1}
    assert (
        "1 last line incomplete, and the rest may still come: Claude Code sessions: s1.jsonl"
        in home.run("usage").stderr
    )
    with path.open("a") as file:
        file.write(message("c")[40:])
    assert home.total() == (3, 300, 160)
    assert home.missing() == {}


def test_a_last_line_without_an_end_counts_if_it_is_whole(home: Any, message: Make) -> None:
    path = home.projects / "s1.jsonl"
    path.write_text(message("a").rstrip())
    assert home.total() == (1, 100, 50)
    with path.open("a") as file:
        file.write("\n" + message("b"))
    assert home.total() == (2, 200, 100)


@pytest.mark.parametrize("change", ["truncated", "replaced", "moved", "deleted"])
def test_what_a_file_held_stays_counted(home: Any, message: Make, change: str) -> None:
    path = home.projects / "s1.jsonl"
    path.write_text(message("a") + message("b"))
    assert home.total() == (2, 200, 100)
    if change == "truncated":
        path.write_text(message("a"))
    elif change == "replaced":
        path.write_text(message("c") + message("d"))
    elif change == "moved":
        path.rename(home.projects / "s2.jsonl")
    else:
        path.unlink()
    assert home.total() == ((4, 400, 200) if change == "replaced" else (2, 200, 100))


def test_a_deleted_file_and_a_deleted_index_leave_the_daily_totals(home: Any, message: Make) -> None:
    path = home.projects / "s1.jsonl"
    path.write_text(message("a") + message("b"))
    (home.projects / "s2.jsonl").write_text(message("c", sessionId="s2"))
    before = home.usage("session")["rows"]
    shutil.rmtree(home.data / ".index")
    path.unlink()
    assert home.usage("session")["rows"] == before
    assert home.missing() == {"deleted": 1}
    assert [row["period"] for row in home.usage("daily")["rows"]] == ["2026-11-20"]
    [index] = (home.data / ".index").glob("sessions.sqlite3")
    whole = index.read_bytes()
    for spoilt in (b"garbage" * 1000, whole[:4096] + b"garbage " * 2000, whole[:5000]):
        index.write_bytes(spoilt)
        assert home.usage("session")["rows"] == before


def test_a_replay_of_a_subagent_is_the_same_message(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a", 50) + message("b", 50))
    replay = message("a", 50, isSidechain=True, requestId="other") + message("b", 70, isSidechain=True, requestId=None)
    (home.projects / "s1" / "subagents").mkdir(parents=True)
    (home.projects / "s1" / "subagents" / "agent-x.jsonl").write_text(replay + message("own", isSidechain=True))
    assert home.total() == (3, 300, 170)
    (home.projects / "s2.jsonl").write_text(message("a", 9, requestId="not the same"))
    assert home.total()[0] == 4


def test_what_only_the_clients_own_total_has_is_said(home: Any, message: Make, state: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a") + state(100, 50) + message("b", minute=1) + state(900, 120))
    found = home.usage()
    assert found["totals"]["requests"] == 2
    [missing] = found["missing"]
    assert (missing["kind"], missing["count"]) == ("not_in_rows", 1)
    assert missing["detail"].endswith("(such as compaction): input_tokens=700, output_tokens=20")


def test_a_forks_total_holds_its_parents(home: Any, message: Make, state: Make) -> None:
    """After a compaction the fork copies no row of its parent, but its total goes on from the parent's."""
    (home.projects / "s1.jsonl").write_text(message("a") + state(100, 50))
    fork = message("b", minute=5, sessionId="s2") + state(200, 100, "s2")
    (home.projects / "s2.jsonl").write_text(fork)
    assert home.missing() == {}


def test_lines_that_cannot_be_read_are_counted(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text('{"usage" torn\n' + message("a") + '{"other": "line"}\n')
    assert home.missing() == {"unreadable": 1}


def test_a_model_without_a_price_is_named(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a") + message("b", model="claude-opus-4-6-house"))
    found = home.usage("model")
    assert [(row["model"], row["cost_usd"] is None) for row in found["rows"]] == [
        ("claude-opus-4-6", False),
        ("claude-opus-4-6-house", True),
    ]
    assert found["missing"] == [{"kind": "unpriced", "count": 1, "detail": "claude-opus-4-6-house"}]


def test_without_a_price_list_the_command_that_adds_it_is_said_once(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.projects / "s1.jsonl").write_text(message("a") + message("b", model="claude-opus-4-6-house"))
    monkeypatch.setattr("tracker_telemetry.sessions.genai.is_installed", lambda: False)
    said = [one for one in home.usage("model")["missing"] if one["kind"] == "no_price_list"]
    [command] = [one["detail"].partition(": ")[2].strip("`") for one in said]
    assert shlex.split(command)[-1] == "genai-prices"
    assert shutil.which(shlex.split(command)[0])


def test_totals_agree_in_every_grouping(home: Any, message: Make) -> None:
    for client in ("codex", "claude"):
        logs = ROOT / "plugins" / client / "tests" / "session_logs"
        case = logs / ("codex-t2" if client == "codex" else "claude-k3")
        shutil.copytree(case, home.folder, dirs_exist_ok=True)
    (home.projects / "s9.jsonl").write_text(message("a"))
    ways = ("daily", "weekly", "monthly", "session", "project", "branch", "model", "window")
    totals = [json.dumps(home.usage(way)["totals"]) for way in ways]
    assert set(totals) == {totals[0]}
    assert json.loads(totals[0])["requests"] == 14
    for way in ways:
        rows = home.usage(way)["rows"]
        assert sum(row["requests"] for row in rows) == 14
        assert {row["provider"] for row in rows} == {"codex", "claude"}


def test_periods_begin_where_people_are(home: Any, message: Make) -> None:
    rows = [message("a", timestamp="2026-11-20T23:30:00Z"), message("b", timestamp="2026-11-22T01:00:00Z")]
    (home.projects / "s1.jsonl").write_text("".join(rows))

    def periods(*arguments: str) -> list[str]:
        return [row["period"] for row in home.usage(*arguments)["rows"]]

    assert periods("daily", "--timezone", "Europe/Berlin") == ["2026-11-21", "2026-11-22"]
    assert periods("weekly", "--timezone", "UTC") == ["2026-11-16"]
    assert periods("weekly", "--start-of-week", "sunday", "--timezone", "UTC") == ["2026-11-15", "2026-11-22"]
    assert periods("monthly") == ["2026-11"]
    assert periods("daily", "--since", "2026-11-21", "--timezone", "UTC") == ["2026-11-22"]
    assert periods("daily", "--last", "1", "--timezone", "UTC") == ["2026-11-22"]
    wrong = home.run("usage", "--since", "noon")
    assert (wrong.exit_code, "Invalid time 'noon'" in wrong.stderr) == (2, True)


def test_days_are_those_of_the_zone_at_that_time(home: Any, message: Make, tmp_path: Path) -> None:
    """Not of today's offset: the row is of a summer night, the last before New York's clocks go back."""
    (home.projects / "s1.jsonl").write_text(message("a", timestamp="2026-11-01T04:10:00Z"))

    def periods(*arguments: str, **environment: str) -> list[str]:
        return [row["period"] for row in home.usage(*arguments, **environment)["rows"]]

    assert periods(TZ="America/New_York") == ["2026-11-01"]
    assert periods("--since", "2026-11-01", TZ="America/New_York") == ["2026-11-01"]
    assert periods("--until", "2026-10-31", TZ="America/New_York") == []
    assert periods("monthly", TZ="EST5EDT,M3.2.0,M11.1.0") == ["2026-11"]
    assert periods(TZ="Pacific/Honolulu") == ["2026-10-31"]
    (tmp_path / "tracker.toml").write_text('timezone = "America/New_York"\n')
    assert periods(TZ="Pacific/Honolulu") == ["2026-11-01"]
    assert periods("--timezone", "Pacific/Honolulu") == ["2026-10-31"]
    assert periods("--since", "2026-11-01", "--timezone", "Pacific/Honolulu") == []


def test_a_time_of_day_limits_what_is_counted(home: Any, message: Make) -> None:
    times = ("09:59:59", "12:00:00", "12:07:00", "13:00:00", "23:59:59.5")
    rows = (message(at, output=number, timestamp=f"2026-11-20T{at}Z") for number, at in enumerate(times))
    (home.projects / "s1.jsonl").write_text("".join(rows))

    def counted(*limits: str) -> int:
        totals: dict[str, int] = home.usage("daily", *limits)["totals"]
        assert home.usage("window", *limits)["totals"] == totals
        return totals["requests"]

    assert counted("--since", "2026-11-20T12:00Z", "--until", "2026-11-20T13:00Z") == 3
    assert counted("--since", "2026-11-20T12:00:01Z") == 3
    assert counted("--since", "2026-11-20T12:15Z", "--until", "2026-11-20T12:59:59Z") == 0
    assert counted("--since", "2026-11-20T12:15Z") == 2
    assert counted("--until", "2026-11-20T12:06:59Z") == 2
    assert counted("--since", "2026-11-20", "--until", "2026-11-20") == 5
    assert counted("--until", "2026-11-19") == counted("--since", "2026-11-21") == 0
    assert counted("--until", "9999-12-31") == 5


def test_compressed_files_and_linked_folders_are_read_once(home: Any, tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    case = ROOT / "plugins" / "codex" / "tests" / "session_logs" / "codex-t1"
    shutil.copytree(case, home.folder, dirs_exist_ok=True)
    before = home.total()
    for path in home.folder.rglob("rollout-*.jsonl"):
        path.with_suffix(".jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
        path.unlink()
    (home.folder / ".codex" / "sessions" / "loop").symlink_to(home.folder / ".codex" / "sessions")
    shutil.rmtree(home.data)
    assert home.total() == before
    assert before[0] == 2


def test_folders_may_be_several(home: Any, message: Make, tmp_path: Path) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    for name in ("one", "two"):
        (tmp_path / name / "projects" / "p").mkdir(parents=True)
        (tmp_path / name / "projects" / "p" / "s.jsonl").write_text(message(name))
    assert home.total(CLAUDE_CONFIG_DIR=f"{tmp_path}/one,{tmp_path}/two")[0] == 2


def test_nothing_of_a_conversation_reaches_the_disk(home: Any, message: Make, tmp_path: Path) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    (tmp_path / "tracker.toml").write_text('[privacy]\nprojects = "hash"\n')
    found = home.usage("project")
    everything = b"".join(path.read_bytes() for path in home.data.rglob("*") if path.is_file())
    assert b"canary" not in everything
    assert b"acme" not in everything
    assert len(found["rows"][0]["project"]) == 12


def test_people_see_a_table(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    shown = home.run("usage").stdout.splitlines()
    names = "provider period model requests input cache read cached cache write output cost"
    assert shown[0].split() == names.split()
    assert shown[1].split()[-1] == "$0.0018"
    assert shown[-1].startswith("total")
    table = home.run("usage", "--csv").stdout.splitlines()
    assert table[0].startswith("provider,period,model,requests,input_tokens,")
    wrong = home.run("usage", "--provider", "claud")
    assert (wrong.exit_code, "claude" in wrong.stderr) == (2, True)


def test_a_price_of_your_own_counts_at_once(home: Any, message: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracker_telemetry import prices

    monkeypatch.setattr(prices, "user_file", prices.user_file.__wrapped__)
    monkeypatch.setattr("tracker_telemetry.sessions.gaps.user_file", prices.user_file)
    (home.projects / "s1.jsonl").write_text(message("a", model="house-1") + message("b", model="house-1"))
    done = home.run("usage")
    assert "n/a" in done.stdout
    said = re.search(r"missing: no price is known for house-1 \(2 requests\); add your own to (\S+)", done.stderr)
    assert said is not None, done.stderr
    # the file that it names, and no log that grew
    path = Path(said[1])
    path.parent.mkdir(parents=True)
    for cost, total in ((1000, "$0.30"), (10_000, "$3.00")):
        path.write_text(f'[[model]]\nname = "house-1"\ninput = {cost}\noutput = {cost}\n')
        done = home.run("usage")
        assert done.stdout.splitlines()[1].split()[-1] == total
        assert "no price" not in done.stderr


def test_what_the_meter_moved_stands_beside_the_tokens(home: Any) -> None:
    def line(day: int, used: float, response: str) -> str:
        at = f"2026-11-{day}T10:00:00Z"
        reset = 1795730400 - ((day < 13) + (day < 20)) * 604800
        weekly = {"used_percent": used, "window_minutes": 10080, "resets_at": reset}
        limits = {"limit_id": "codex", "primary": weekly, "secondary": None, "plan_type": "pro"}
        count = {"type": "token_count", "info": None, "rate_limits": limits}
        usage = {"input_tokens": 100, "cached_input_tokens": 50, "output_tokens": 5}
        kinds = (
            ("event_msg", count),
            ("token_usage_record", {"thread_id": "t", "response_id": response, "usage": usage}),
        )
        return "".join(json.dumps({"timestamp": at, "type": kind, "payload": one}) + "\n" for kind, one in kinds)

    meta = {"type": "session_meta", "payload": {"id": "t", "cli_version": "0.171.0"}}
    lines = (line(day, used, f"r-{day}") for day, used in ((20, 10.0), (21, 14.0), (22, 15.0)))
    path = home.sessions / "rollout-2026-11-20T10-00-00-t.jsonl"
    path.write_text(json.dumps(meta) + "\n" + "".join(lines))
    assert home.run("sync", "codex").exit_code == 0
    found = home.usage("daily", "--provider", "codex")
    assert [(one["period"], one["moved"], one["unit"]) for one in found["meters"]] == [
        ("2026-11-21", 4, "pp"),
        ("2026-11-22", 1, "pp"),
    ]
    shown = home.run("usage", "weekly", "--provider", "codex").stdout
    assert "meter codex weekly moved: 2026-11-16 5 pp" in shown
    many = (line(day, float(day), f"r-{day}") for day in range(10, 20))
    path.with_name("rollout-2026-11-10T10-00-00-u.jsonl").write_text(json.dumps(meta) + "\n" + "".join(many))
    assert home.run("sync", "codex").exit_code == 0
    shown = home.run("usage", "--provider", "codex").stdout
    assert "meter codex weekly moved 36 pp in 12 periods (--json lists all), most recently: 2026-11-16 1 pp," in shown
    assert " 50% " in shown
    stored = [json.loads(line) for line in (home.data / "codex_sessions.jsonl").read_text().splitlines()]
    assert {(one["usage"]["client"], one["usage"]["plan"]) for one in stored} == {("0.171.0", "pro")}


def test_what_a_meter_moved_between_resets() -> None:
    from datetime import UTC, datetime, timedelta

    from tracker.api import MeterReading
    from tracker_telemetry.sessions.moves import moves

    start = datetime(2026, 11, 20, tzinfo=UTC)
    first, next_one = start + timedelta(days=3), start + timedelta(days=10)
    shown = [(10.0, first), (12.0, None), (15.0, first), (14.5, first), (15.0, first), (9.0, next_one), (8.6, None)]
    shown += [(9.0, next_one), (2.0, None), (5.0, None)]
    readings = [
        MeterReading("codex", "weekly", None, "rollout", at := start + timedelta(hours=hour), at, used, reset)
        for hour, (used, reset) in enumerate(shown)
    ]

    class Source:
        class capacity_meter:
            key, unit, window = "weekly", "pp", timedelta(days=7)

    class Session:
        now = start + timedelta(days=12)

        class registry:
            providers: ClassVar = {"codex": Source}

            @staticmethod
            def first(_hook: str, **_given: Any) -> list[MeterReading]:
                return readings

    [found] = moves(cast("Any", Session), "codex", lambda at: str(at.date()))
    # 5 before the reset, 9 behind it, 5 behind one that only the fall tells; corrections and roundings are no resets
    assert dict(found.periods) == {"2026-11-20": pytest.approx(5 + 9 + 5)}


def test_a_directory_that_cannot_be_written_still_shows_its_usage(
    home: Any, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker.journal.journal import Journal
    from tracker.kernel import TrackerError

    def full(*_given: Any) -> None:
        raise TrackerError("cannot append to claude_sessions.jsonl: No space left on device. Nothing was stored.")

    (home.projects / "s1.jsonl").write_text(message("a"))
    monkeypatch.setattr(Journal, "append", full)
    done = home.run("--json", "usage")
    assert (done.exit_code, json.loads(done.stdout)["totals"]["requests"]) == (0, 1)
    assert "warning: the daily totals of Claude Code sessions were not kept: cannot append" in done.stderr


def test_the_index_is_private(home: Any, message: Make) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    home.usage()
    assert {path.stat().st_mode & 0o077 for path in home.data.rglob("*")} == {0}


def test_a_provider_may_have_several_sources_of_session_logs() -> None:
    from tracker.api import LogOrigin, Source
    from tracker_telemetry.commands.usage import _sources

    origin = LogOrigin(name="logs", title="Logs", folder="~/logs", pattern="*.jsonl", words=())
    names = ("codex-sessions", "codex-cloud", "claude-sessions")
    sources = {
        name: Source(
            contract="1.2", kind="telemetry", name=name, title=name, stream=name.replace("-", "_"), origins=(origin,)
        )
        for name in names
    }
    registry = SimpleNamespace(
        sources=sources, providers=dict.fromkeys(("codex", "claude"), SimpleNamespace(models=()))
    )
    here = cast("Any", SimpleNamespace(registry=registry))
    found = {provider: [one.name for one in _sources(here, provider)] for provider in (None, "codex", "claude")}
    assert found == {None: [*names], "codex": [*names[:2]], "claude": [*names[2:]]}


def test_what_a_newer_client_writes_is_named(home: Any, message: Make) -> None:
    path = home.projects / "s1.jsonl"
    path.write_text(message("a", usage={"audio_tokens": 7}) + message("b", type="assistant-turn"))
    for _ in range(2):
        found = home.usage()
        assert found["totals"]["requests"] == 1
        assert [(one["kind"], one["count"], one["detail"]) for one in found["missing"]] == [
            ("unknown", 1, "Claude Code sessions: rows of type assistant-turn"),
            ("unknown", 1, "Claude Code sessions: rows with audio_tokens"),
        ]
    with path.open("a") as file:
        file.write(message("c", usage={"audio_tokens": 7}))
    assert home.usage()["missing"][1]["count"] == 2
    said = "2 rows of a newer client may hold tokens that are not counted: Claude Code sessions: rows with audio_tokens"
    assert said in home.run("usage").output
