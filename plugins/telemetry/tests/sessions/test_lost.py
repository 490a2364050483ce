"""What deleted files held adds up with new requests of the same session and day, and counts once if they come back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

Make = Callable[..., str]


def test_a_day_that_lost_requests_gets_new_ones(home: Any, message: Make) -> None:
    (home.projects / "s.jsonl").write_text(message("a", usage={"input_tokens": 1000, "output_tokens": 1}))
    other = home.projects / "x.jsonl"
    other.write_text(message("b"))
    before = home.total()
    (home.projects / "s.jsonl").unlink()
    shutil.rmtree(home.data / ".index")
    assert home.total() == before == (2, 1100, 51)
    for at, is_anew in enumerate((False, True, False), 1):
        with other.open("a") as file:
            file.write(message(f"c{at}", minute=at))
        if is_anew:
            shutil.rmtree(home.data / ".index")
        assert home.total() == home.total("window") == (2 + at, 1100 + 100 * at, 51 + 50 * at)


def test_files_that_come_back_are_lost_no_more(home: Any, message: Make) -> None:
    """A folder that was not mounted: what its files show is what the journal has, and what they got since is new."""
    log, kept = home.projects / "s1.jsonl", home.folder / "kept"
    log.write_text(message("a") + message("b", minute=1))
    assert home.total()[0] == 2
    log.rename(kept)
    shutil.rmtree(home.data / ".index")
    assert home.total()[0] == 2
    assert home.missing() == {"deleted": 1}
    with kept.open("a") as file:
        file.write(message("c", minute=2))
    kept.rename(log)
    for _ in range(2):
        assert home.total() == home.total("window") == (3, 300, 150)
        assert home.missing() == {}
        shutil.rmtree(home.data / ".index")


def test_a_message_that_grows_while_the_index_is_away_counts_once(home: Any, message: Make) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text(message("a") + message("b", output=1, minute=1))
    assert home.total() == (2, 200, 51)
    with log.open("a") as file:
        file.write(message("b", output=70, minute=2))
    shutil.rmtree(home.data / ".index")
    for _ in range(2):
        assert home.total() == (2, 200, 120)
        assert home.missing() == {}


def test_the_rest_of_a_message_that_grew_keeps_its_money(home: Any, message: Make) -> None:
    """A fork copied it while it was written, and its own file and the index are gone: the rest is no request."""
    own, fork = home.projects / "s1.jsonl", home.projects / "s2.jsonl"
    own.write_text(message("a", output=5) + message("a"))
    fork.write_text(message("a", output=5, sessionId="s2") + message("b", minute=5, sessionId="s2"))
    before = home.usage()["totals"]
    assert (before["requests"], before["output_tokens"]) == (2, 100)
    own.unlink()
    shutil.rmtree(home.data / ".index")
    for _ in range(2):
        assert home.usage()["totals"] == before


def test_what_an_older_version_kept_was_made_before_it_was_kept(home: Any, message: Make) -> None:
    """Its totals do not say when the last request was made, but when they were stored."""
    log, other = home.projects / "s1.jsonl", home.projects / "x.jsonl"
    log.write_text(message("a"))
    other.write_text(message("b", minute=1))
    assert home.total()[0] == 2
    stream = home.data / "claude_sessions.jsonl"
    rows = [json.loads(line) for line in stream.read_text().splitlines()]
    for row in rows:
        row["captured_at"] = "2026-11-20T10:30:00Z"
        del row["usage"]["until"]
    stream.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    log.unlink()
    shutil.rmtree(home.data / ".index")
    with other.open("a") as file:
        file.write(message("c", minute=40))
    assert home.total() == home.total("window") == (3, 300, 150)


def test_totals_that_somebody_took_back_are_kept_again(home: Any, message: Make) -> None:
    """An older version's `undo` did, of a command that had read the session logs by the way."""
    log, stream = home.projects / "s1.jsonl", home.data / "claude_sessions.jsonl"
    log.write_text(message("a"))
    assert home.total() == (1, 100, 50)
    [row] = map(json.loads, stream.read_text().splitlines())
    gone = {**row, "record_id": "0" * 32, "tombstone": row["record_id"]}
    del gone["usage"]
    with stream.open("a") as file:
        file.write(json.dumps(gone) + "\n")
    assert home.total() == (1, 100, 50)
    log.unlink()
    shutil.rmtree(home.data / ".index")
    assert home.total() == (1, 100, 50)


def test_undo_leaves_the_totals_to_the_commands_that_only_read_the_logs(home: Any, message: Make) -> None:
    pane = ">_ OpenAI Codex (v0.169.0)\n Weekly limit: {}% left\n"
    for verb, left, ago in (("start", 80, "-2h"), ("end", 70, "-1h")):
        home.run("alias", verb, "codex", "--stdin", "--window", "W1", "--captured-at", ago, stdin=pane.format(left))
    home.run("complete", "--window", "W1", "--codex-features", "1")
    (home.projects / "s1.jsonl").write_text(message("a"))
    spent = ("--provider", "codex", "--task", "t", "--plan", "1", "--actual", "2")
    assert home.run("checkpoint", "--window", "W1", *spent).exit_code == 0
    kept = (home.data / "claude_sessions.jsonl").read_bytes()
    assert b'"command_id"' in kept
    undone = home.run("undo", "--yes")
    assert "undid `tracker checkpoint " in undone.stdout
    assert "sessions" not in undone.stdout
    assert (home.data / "claude_sessions.jsonl").read_bytes() == kept


def test_usage_events_have_the_days_of_which_only_totals_are_left(home: Any, message: Make, monkeypatch: Any) -> None:
    """Without them a meter's rise of these days is taken for that of the requests that are left."""
    from tracker.kernel import session

    log, other = home.projects / "s1.jsonl", home.projects / "x.jsonl"
    owner = json.dumps({"type": "session-owner", "accountUuid": "account-1", "sessionId": "s1"}) + "\n"
    log.write_text(owner + message("a") + message("b", minute=5))
    other.write_text(message("c", minute=1, sessionId="s2"))
    assert home.total()[0] == 3
    log.unlink()
    shutil.rmtree(home.data / ".index")
    for name, value in {"HOME": home.folder, "TRACKER_DATA_DIR": home.data}.items():
        monkeypatch.setenv(name, str(value))
    first = datetime(2026, 11, 20, 10, tzinfo=UTC).timestamp()
    with click.Context(click.Command("x")):
        here = session()
        found = {
            minute: here.registry.first(
                "usage_events", session=here, since=datetime(2026, 11, 20, 10, minute, tzinfo=UTC), folder=None
            )
            for minute in (0, 5, 6)
        }
    request, total = found[0]
    assert (request.at, request.session, request.since) == (first + 60, "s2", None)
    assert (total.at, total.session, total.since) == (first + 300, "s1", first)
    assert (total.tokens, total.fresh, total.provider, total.project) == (300, None, "claude", "acme")
    assert (request.account, bool(total.account)) == ("", True)
    assert (found[5], found[6]) == ([total], [])
