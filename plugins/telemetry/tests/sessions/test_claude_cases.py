"""Claude Code's files as disks have them: each case is a session of its own, and its truth follows from its rows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Sums: TypeAlias = "tuple[int, int, int, int, int, int, int]"
NAMES = ("requests", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
NAMES = (*NAMES, "output_tokens", "reasoning_tokens")
ONE: Sums = (1, 100, 0, 0, 0, 10, 0)
TWO: Sums = (2, 200, 0, 0, 0, 20, 0)
BOTH: Sums = (1, 7, 3, 10, 0, 5, 0)
U = {"input_tokens": 100, "output_tokens": 10}


def row(session: str, name: str | None, usage: Any, request: str | None = "r", **more: Any) -> str:
    """A row of an answer; `model` and `kind` are given by name."""
    message = {"id": name, "type": "message", "model": more.pop("model", "claude-opus-4-6"), "usage": usage}
    found = {
        "type": more.pop("kind", "assistant"),
        "timestamp": "2026-11-20T10:00:00.000Z",
        "sessionId": session,
        "cwd": "/home/dev/acme",
        "uuid": f"u-{session}-{name}-{request}",
        "requestId": request,
        "message": message,
        **more,
    }
    return json.dumps(found, separators=(",", ":")) + "\n"


def wide(output: int = 5, **more: Any) -> dict[str, Any]:
    return {
        "input_tokens": 7,
        "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 10,
        "output_tokens": output,
        **more,
    }


def without(text: str, *names: str) -> str:
    found = json.loads(text)
    for name in names:
        del found[name]
    return json.dumps(found) + "\n"


SPLIT = {"cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6}}
ALL_LONG = {"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 10}}
ITERATIONS = {"iterations": [{"model": "claude-haiku-4-5", **U}, {"model": "claude-opus-4-6", **U}, None, 5]}
FILES: dict[str, str | bytes] = {
    "grows": row("grows", "g", wide(1)) + row("grows", "g", wide(3)) + row("grows", "g", wide(5)) * 3,
    "shrinks": row("shrinks", "s", wide(5)) + row("shrinks", "s", wide(1)),
    "less-input": row("less-input", "li", {"input_tokens": 900, "output_tokens": 1}) + row("less-input", "li", U),
    "slash": row("slash", "sl", U, "a/b")
    + row("slash", "sl", U, "c/d", isSidechain=True)
    + row("slash", "sl", U, "a/b"),
    "late-split": row("late-split", "ls", wide())
    + row("late-split", "ls", wide(**SPLIT))
    + row("late-split", "ls", wide()),
    "interleaved": "".join(row("interleaved", name, U) for name in ("i1", "i2", "i1", "i2", "i1")),
    "no-request": row("no-request", "n1", U, None) + without(row("no-request", "n2", U), "requestId"),
    "no-message-id": row("no-message-id", None, U, "q1") + row("no-message-id", None, U, "q2"),
    "only-uuid": row("only-uuid", None, U, None, uuid="u1") * 2 + row("only-uuid", None, U, None, uuid="u2"),
    "no-id": without(row("no-id", None, U, None), "uuid")
    + without(row("no-id", None, U, None, timestamp="2026-11-20T10:00:01.000Z"), "uuid"),
    "two-requests": row("two-requests", "m", U, "r1") + row("two-requests", "m", U, "r2"),
    "sidechain": row("sidechain", "sc", U, "r1") + row("sidechain", "sc", U, "r9", isSidechain=True),
    "side-only": row("side-only", "so", U, "r1", isSidechain=True) + row("side-only", "so", U, "r2", isSidechain=True),
    "synthetic": row("synthetic", "sy", U, model="<synthetic>") + row("synthetic", "sy2", U),
    "split": row("split", "sp", wide(**SPLIT)),
    "long": row("long", "lo", wide(**ALL_LONG)),
    "usage-null": row("usage-null", "un", None) + row("usage-null", "un1", U),
    "nulls": row(
        "nulls", "nu", {**U, "cache_read_input_tokens": None, "cache_creation": None, "server_tool_use": None}
    ),
    "floats": row("floats", "f", {"input_tokens": 100.0, "output_tokens": 10.0}),
    "negative": row("negative", "neg", {**U, "output_tokens": -1}) + row("negative", "neg1", U),
    "huge": row("huge", "h", {**U, "input_tokens": 2**61}) + row("huge", "h1", U),
    "texts": row("texts", "t", {**U, "input_tokens": "100"}) + row("texts", "t1", U),
    "fraction": row("fraction", "fr", {**U, "input_tokens": 0.5}) + row("fraction", "fr1", U),
    "thinking": row("thinking", "th", {**U, "output_tokens_details": {"thinking_tokens": 4}}),
    "models": row("models", "mo1", U) + row("models", "mo2", U, model="claude-haiku-4-5"),
    "compacted": row("compacted", "co", {**U, "iterations": [{"type": "compaction", **U}, {"type": "message", **U}]}),
    "advised": row(
        "advised", "ad", {**U, "iterations": [{"type": "advisor_message", "model": "claude-opus-4-6", **U}]}
    ),
    "iterations": row("iterations", "it", {**U, **ITERATIONS}),
    "tools": row("tools", "to", U)
    + json.dumps({"type": "user", "sessionId": "tools", "toolUseResult": {"usage": U, "totalTokens": 110}})
    + "\n"
    + json.dumps({"type": "progress", "sessionId": "tools", "data": {"message": json.loads(row("tools", "to9", U))}})
    + "\n",
    "unknown": json.dumps({"type": "brand-new", "usage": U, "sessionId": "unknown"})
    + '\n[{"usage":1}]\n"usage"\n'
    + row("unknown", "uk", U),
    "spaced": json.dumps(json.loads(row("spaced", "spa", U, timestamp="2026-11-20T10:00:00.123456Z")), indent=None)
    + "\n",
    "zoned": row("zoned", "z1", U, timestamp="2026-11-20T12:00:00+02:00")
    + row("zoned", "z2", U, timestamp=1_795_168_800),
    "timeless": row("timeless", "tl", U, timestamp=None) + row("timeless", "tl2", U, timestamp="soon"),
    "partial": row("partial", "pa", U) + row("partial", "pa2", U)[:120],
    "whole-end": (row("whole-end", "we", U) + row("whole-end", "we2", U)).rstrip("\n"),
    "surrogate": row("surrogate", "su", U, note="X").replace('"X"', '"\\udc4d and \\ud83d"'),
    "bad-utf-8": row("bad-utf-8", "bu", U, note="X").encode().replace(b'"X"', b'"\xc3\x28"'),
    "nan": row("nan", "na", U, note="X").replace('"X"', "NaN"),
    "deep": row("deep", "de", U) + '{"usage":' * 100_000 + "\n",
    "crlf": row("crlf", "cr", U).replace("\n", "\r\n"),
    "cr": (row("cr", "cr1", U) + row("cr", "cr2", U)).replace("\n", "\r") + row("cr", "cr3", U)[:50],
    "empty": "",
}
# file by file as above; a resumed session copies rows into a file of its own
COPIES = {
    "original": row("original", "o1", U, "ro1") + row("original", "o2", U, "ro2"),
    "resumed": row("resumed", "o1", U, "ro1") + row("resumed", "o2", U, "ro2") + row("resumed", "new", U, "rn"),
}
TRUTH: dict[str, Sums] = {
    "grows": BOTH, "shrinks": BOTH, "less-input": ONE, "slash": ONE,
    "late-split": (1, 7, 3, 4, 6, 5, 0), "interleaved": TWO, "no-request": TWO, "no-message-id": TWO, "only-uuid": TWO,
    "no-id": TWO, "two-requests": TWO, "sidechain": ONE, "side-only": ONE, "synthetic": ONE,
    "split": (1, 7, 3, 4, 6, 5, 0), "long": (1, 7, 3, 0, 10, 5, 0), "usage-null": ONE, "nulls": ONE, "floats": ONE,
    "negative": ONE, "huge": ONE, "texts": ONE, "fraction": ONE, "thinking": (1, 100, 0, 0, 0, 10, 4),
    "compacted": (1, 200, 0, 0, 0, 20, 0),
    "models": TWO, "iterations": TWO, "tools": ONE, "unknown": ONE, "spaced": ONE, "zoned": TWO, "timeless": TWO,
    "partial": ONE, "whole-end": TWO, "surrogate": ONE, "bad-utf-8": ONE, "nan": ONE, "deep": ONE, "crlf": ONE,
    "cr": TWO, "advised": TWO, "original": TWO, "resumed": ONE,
}  # fmt: skip


def put(home: Any, name: str, content: str | bytes, folder: Path | None = None) -> Path:
    path: Path = (folder or home.projects) / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def sums(home: Any, by: str = "session", *arguments: str, **environment: str) -> dict[str, Sums]:
    found: dict[str, Any] = {}
    name = "period" if by in ("daily", "weekly", "monthly") else by
    for one in home.usage(by, *arguments, **environment)["rows"]:
        old = found.get(one[name], (0,) * 7)
        found[one[name]] = tuple(a + one[key] for a, key in zip(old, NAMES, strict=True))
    return found


def test_each_session_has_its_truth(home: Any) -> None:
    for age, (name, content) in enumerate((FILES | COPIES).items()):
        path = put(home, name, content)
        os.utime(path, (1_795_000_000 + age, 1_795_000_000 + age))
    found = sums(home)
    assert {name: found.get(name) for name in (*TRUTH, *found) if found.get(name) != TRUTH.get(name)} == {}
    # negative, huge, texts, fraction, a list and a text instead of a row, and the deep one
    assert home.missing()["unreadable"] == 7
    assert sums(home, "model")["claude-haiku-4-5"] == TWO


@pytest.mark.parametrize("place", ["s1/subagents", "s1", ".", "../-other"])
def test_subagents_stand_wherever_the_client_put_them(home: Any, place: str) -> None:
    put(home, "s1", row("s1", "m1", U, "r1"))
    lines = row("s1", "m1", U, "r7", isSidechain=True) + row("s1", "a1", U, "r8", isSidechain=True)
    put(home, "agent-x", lines, home.projects / place)
    assert sums(home) == {"s1": TWO}


def test_a_replay_that_is_read_before_its_original(home: Any) -> None:
    replay = put(home, "agent-x", row("s1", "m1", {**U, "output_tokens": 4}, "r7", isSidechain=True))
    assert sums(home) == {"s1": (1, 100, 0, 0, 0, 4, 0)}
    put(home, "s1", row("s1", "m1", U, "r1"))
    assert sums(home) == {"s1": ONE}
    replay.unlink()
    assert sums(home) == {"s1": ONE}


@pytest.mark.parametrize("is_read_at_once", [True, False])
def test_a_request_is_of_the_day_of_its_first_row_whichever_counts(home: Any, *, is_read_at_once: bool) -> None:
    before, after = ({"timestamp": at} for at in ("2026-11-20T23:59:58Z", "2026-11-21T00:00:03Z"))
    for name, first, then in (
        ("own", row("s1", "m1", {**U, "output_tokens": 1}, "r1", **before), {"request": "r7", "isSidechain": True}),
        ("wild", row("s2", "m2", {**U, "output_tokens": 1}, None, **before), {"request": "r2"}),
    ):
        put(home, name, first)
        assert is_read_at_once or {*sums(home, "daily")} == {"2026-11-20"}
        put(home, f"{name}-later", row("s3", json.loads(first)["message"]["id"], U, **after, **then))
    assert sums(home, "daily") == {"2026-11-20": TWO}


def test_the_most_output_of_all_files_and_runs_counts(home: Any) -> None:
    """Whatever the input: an answer's last row may show less of it."""
    put(home, "one", row("s1", "m1", {"input_tokens": 900, "output_tokens": 4}))
    assert sums(home) == {"s1": (1, 900, 0, 0, 0, 4, 0)}
    put(home, "two", row("s1", "m1", U))
    assert sums(home) == {"s1": ONE}
    put(home, "agent-x", row("s1", "m1", {"input_tokens": 900, "output_tokens": 9}, "r9", isSidechain=True))
    put(home, "three", row("s1", "m1", {"input_tokens": 900, "output_tokens": 5}))
    assert sums(home) == {"s1": ONE}


@pytest.mark.parametrize("is_read_at_once", [True, False])
def test_what_only_a_later_row_of_an_answer_names_counts(home: Any, *, is_read_at_once: bool) -> None:
    lines = without(row("s1", "m1", U, model=None), "cwd"), row("s1", "m1", U, timestamp="2026-11-20T10:00:01Z")
    put(home, "s1", lines[0])
    assert is_read_at_once or sums(home, "project") == {"": ONE}
    put(home, "s1", "".join(lines))
    assert sums(home, "project") == {"acme": ONE}
    assert sums(home, "model") == {"claude-opus-4-6": ONE}
    put(home, "s2", without(row("s2", "m2", U), "cwd") + row("s2", "m2", U, timestamp="2026-11-20T10:00:01Z"))
    assert sums(home, "project") == {"acme": TWO}


def test_a_folder_is_named_in_any_way(home: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        put(home, "s", row(name, name, U), tmp_path / name / "projects" / "-p")
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "projects").symlink_to(tmp_path / "one" / "projects")
    folders = f"{tmp_path}/one/, {tmp_path}/two ,{tmp_path}/three,,{tmp_path}/none"
    assert sums(home, CLAUDE_CONFIG_DIR=folders) == {"one": ONE, "two": ONE}
    put(home, "s", row("xdg", "x", U), home.folder / ".config" / "claude" / "projects" / "-p")
    put(home, "s", row("home", "h", U))
    assert {"xdg", "home"} <= sums(home).keys()


def test_days_follow_the_clock_of_the_zone(home: Any) -> None:
    """Summer time ends in Berlin on 2026-10-25: the day has 25 hours; in Kathmandu days begin at 18:15 UTC."""
    times = {
        "a": "2026-10-24T21:59:59Z", "b": "2026-10-24T22:00:00Z", "c": "2026-10-25T22:59:59Z",
        "d": "2026-10-25T23:00:00Z", "e": "2026-03-28T22:59:59Z", "f": "2026-03-28T23:00:00Z",
        "g": "2026-03-29T22:00:00Z", "h": "2026-06-01T18:14:59Z", "i": "2026-06-01T18:15:00Z",
    }  # fmt: skip
    put(home, "s1", "".join(row("s1", name, U, name, timestamp=when) for name, when in times.items()))
    found = {day: one[0] for day, one in sums(home, "daily", "--timezone", "Europe/Berlin").items()}
    assert found == {
        "2026-03-28": 1, "2026-03-29": 1, "2026-03-30": 1, "2026-06-01": 2,
        "2026-10-24": 1, "2026-10-25": 2, "2026-10-26": 1,
    }  # fmt: skip
    nepal = {day: one[0] for day, one in sums(home, "daily", "--timezone", "Asia/Kathmandu").items()}
    assert (nepal["2026-06-01"], nepal["2026-06-02"]) == (1, 1)
    one = sums(home, "daily", "--timezone", "Europe/Berlin", "--since", "2026-10-25", "--until", "2026-10-25")
    assert one == {"2026-10-25": TWO}


@pytest.mark.parametrize("way", ["same size and time", "shorter", "another file", "grown from nothing"])
def test_a_file_that_is_replaced_is_noticed(home: Any, way: str) -> None:
    path = put(home, "s1", "" if way == "grown from nothing" else row("s1", "m1", U, "r1"))
    home.usage()
    stat = path.stat()
    if way == "another file":
        other = put(home, "temporary", row("s1", "m2", U, "r2") + row("s1", "m3", U, "r3"))
        other.rename(path)
        assert sums(home) == {"s1": (3, 300, 0, 0, 0, 30, 0)}
        return
    path.write_text(row("s1", "m2", U, "r2") if way != "shorter" else row("s1", "m", U, "r"))
    if way == "same size and time":
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert sums(home) == {"s1": ONE if way == "grown from nothing" else TWO}


def test_speed_and_tier_change_the_price(home: Any) -> None:
    ways: dict[str, dict[str, str]] = {
        "usual": {}, "standard": {"speed": "standard", "service_tier": "standard"}, "fast": {"speed": "fast"},
    }  # fmt: skip
    put(home, "long", row("long", "long", U, "long", model="claude-opus-4-8[1m]"))
    for name, more in ways.items():
        put(home, name, row(name, name, {**U, **more}, name, model="claude-opus-4-8"))
    costs = {one["session"]: one["cost_usd"] for one in home.usage("session")["rows"]}
    assert costs["usual"] == costs["standard"] == costs["long"] < costs["fast"]


def test_a_cost_state_that_repeats_and_one_that_begins_anew(home: Any) -> None:
    def state(inputs: int, output: int, start: int) -> str:
        used = {"claude-opus-4-6": {"inputTokens": inputs, "outputTokens": output}, "odd": None}
        return json.dumps({"type": "cost-state", "sessionId": "s1", "startTime": start, "modelUsage": used}) + "\n"

    put(home, "s1", row("s1", "m1", U, "r1") + state(100, 10, 1) * 3 + state(150, 12, 1) * 2)
    [missing] = home.usage()["missing"]
    assert (missing["kind"], missing["count"]) == ("not_in_rows", 1)
    assert "input_tokens=50, output_tokens=2" in missing["detail"]
    assert home.total() == (1, 100, 10)
