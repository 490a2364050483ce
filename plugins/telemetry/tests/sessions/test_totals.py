"""Whatever the logs hold and however it is asked, rows add up to the totals, and groupings agree."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from tracker.journal.journal import Journal

FIGURES = ("requests", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
FIGURES = (*FIGURES, "output_tokens", "reasoning_tokens")
WAYS = ("daily", "weekly", "monthly", "session", "project", "branch", "model", "window")
LIMITS: tuple[tuple[str, ...], ...] = (
    (),
    ("--timezone", "Pacific/Auckland"),
    ("--since", "2026-10-24", "--until", "2026-11-02", "--timezone", "Europe/Berlin"),
    ("--since", "2026-10-26", "--start-of-week", "sunday", "--timezone", "Asia/Kathmandu"),
    ("--provider", "codex", "--timezone", "America/New_York"),
)


def logs(chance: random.Random) -> tuple[dict[str, str], dict[str, str]]:
    """Files of both clients over a month in which clocks change, with copies, nulls and models without a price."""
    claude: dict[str, list[str]] = {}
    codex: dict[str, list[str]] = {}
    for number in range(chance.randrange(20, 60)):
        day, hour, minute = chance.randrange(20, 51), chance.randrange(24), chance.randrange(60)
        month, day = (10, day) if day <= 31 else (11, day - 31)
        at: str | None = f"2026-{month}-{day:02}T{hour:02}:{minute:02}:{chance.randrange(60):02}Z"
        at = at if chance.random() < 0.97 else None
        session = f"s{chance.randrange(6)}"
        inputs, read, output = chance.randrange(5000), chance.randrange(90_000), chance.randrange(3000)
        if chance.random() < 0.5:
            usage = {
                "input_tokens": inputs, "cache_read_input_tokens": read, "output_tokens": output,
                "cache_creation_input_tokens": chance.choice((0, 500)),
                "cache_creation": chance.choice((None, {"ephemeral_1h_input_tokens": 300})),
                "output_tokens_details": {"thinking_tokens": output // 2},
            }  # fmt: skip
            model = chance.choice(("claude-opus-4-6", "claude-haiku-4-5", "house-model", None))
            row = {
                "type": "assistant", "timestamp": at, "sessionId": session, "requestId": f"r{number}",
                "cwd": chance.choice(("/w/acme", "/w/beta", None)), "gitBranch": chance.choice(("main", "fix", None)),
                "isSidechain": chance.random() < 0.2, "message": {"id": f"m{number}", "model": model, "usage": usage},
            }  # fmt: skip
            for copy in {session, chance.choice((session, "copy"))}:
                claude.setdefault(copy, []).append(json.dumps(row))
        else:
            lines = codex.setdefault(session, [])
            if not lines:
                about = {"id": f"t-{session}", "cwd": chance.choice(("/w/acme", "/w/other"))}
                about["git"] = {"branch": chance.choice(("main", "dev"))}
                lines.append(json.dumps({"type": "session_meta", "timestamp": at, "payload": about}))
            model = chance.choice(("gpt-5.2", "gpt-5.2-codex", "house-model"))
            lines.append(json.dumps({"type": "turn_context", "timestamp": at, "payload": {"model": model}}))
            numbers = {"input_tokens": inputs + read, "cached_input_tokens": read, "output_tokens": output}
            payload = {"thread_id": f"t-{session}", "response_id": f"resp-{number}", "usage": numbers}
            lines.append(json.dumps({"type": "token_usage_record", "timestamp": at, "payload": payload}))
    return tuple({name: "\n".join(lines) + "\n" for name, lines in one.items()} for one in (claude, codex))  # type: ignore[return-value]


def sums(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    money = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    return (*(sum(row[name] for row in rows) for name in FIGURES), sum(money) if money else None)


def first(totals: dict[str, Any]) -> tuple[Any, ...]:
    return sums([totals])


@pytest.mark.parametrize("seed", range(2))
def test_every_grouping_adds_up_to_the_same_totals(home: Any, seed: int) -> None:
    claude, codex = logs(random.Random(seed))
    for name, text in claude.items():
        (home.projects / f"{name}.jsonl").write_text(text)
    for name, text in codex.items():
        (home.sessions / f"rollout-2026-10-20T10-00-00-{name}.jsonl").write_text(text)
    words = ("--window", "W1", "--from", "2026-10-24T00:00:00Z", "--to", "2026-11-01T12:00:00Z", "--provider", "claude")
    home.run("windows", "add", *words)
    everything = first(home.usage()["totals"])
    assert everything[0] > 0
    for limits in LIMITS:
        whole = None
        for way, more in itertools.product(WAYS, ((), ("--by", "project"))):
            if more and way not in ("daily", "window"):
                continue
            found = home.usage(way, *more, *limits)
            assert sums(found["rows"]) == pytest.approx(first(found["totals"])), (way, limits)
            whole = whole or first(found["totals"])
            assert first(found["totals"]) == pytest.approx(whole), (way, limits)
        if limits == ():
            assert whole == pytest.approx(everything)
    # a day belongs to one side of a border
    parts = [
        first(home.usage("daily", *limits)["totals"])
        for limits in (("--until", "2026-10-31"), ("--since", "2026-11-01"))
    ]
    dated = first(home.usage("daily", "--since", "2026-01-01")["totals"])
    assert [a + b for a, b in zip(*parts, strict=True)] == pytest.approx(list(dated), abs=1e-6)


def test_what_only_shows_waits_for_no_lock(
    home: Any, message: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home screen waited 5 s for each program's logs. The next command keeps the totals."""
    (home.projects / "s1.jsonl").write_text(message("a"))
    with Journal(home.data).lock():
        monkeypatch.setattr("tracker.journal.journal.time.sleep", lambda _: pytest.fail("it waits"))
        done = home.run("--json", "usage")
    assert (json.loads(done.stdout)["totals"]["requests"], done.stderr) == (1, "")
    assert not (home.data / "claude_sessions.jsonl").exists()
    home.usage()
    assert (home.data / "claude_sessions.jsonl").exists()
