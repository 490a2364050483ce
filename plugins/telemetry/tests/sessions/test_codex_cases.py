"""Codex's files as disks have them: each case is a thread of its own, and its truth follows from its lines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Sums: TypeAlias = "tuple[int, int, int, int, int]"  # requests, plain input, cache reads, output, reasoning
T = "2026-11-20T10:00:00.000Z"


def line(kind: str, payload: Any, at: object = T, **more: Any) -> str:
    return json.dumps({"timestamp": at, "type": kind, "payload": payload, **more}, separators=(",", ":")) + "\n"


def at(second: float) -> str:
    return f"2026-11-20T10:{int(second) // 60:02}:{second % 60:06.3f}Z"


def meta(thread: str, when: object = T, **more: Any) -> str:
    return line("session_meta", {"id": thread, "cwd": "/home/dev/acme", **more}, when)


def model(name: str, when: object = T) -> str:
    return line("turn_context", {"model": name}, when)


def use(inputs: object, output: object, cached: object = 0, reasoning: object = 0) -> dict[str, Any]:
    names = "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_output_tokens"
    return dict(zip(names, (inputs, output, cached, reasoning), strict=True))


def record(thread: str | None, response: str | None, usage: Any, when: object = T) -> str:
    return line("token_usage_record", {"thread_id": thread, "response_id": response, "usage": usage}, when)


def count(total: Any, last: Any, when: object = T, **more: Any) -> str:
    info = {"total_token_usage": total, "last_token_usage": last}
    return line("event_msg", {"type": "token_count", "info": info, **more}, when)


def pair(thread: str, response: str, usage: Any, total: Any, when: object = T) -> str:
    return record(thread, response, usage, when) + count(total, usage, when)


A, B = use(100, 10), use(300, 30)


def text(thread: str, *lines: str) -> str:
    return "".join((meta(thread), model("gpt-5.2"), *lines))


def legacy(thread: str, parent: str, *copied: str, gap: str = "") -> str:
    return meta(thread, at(500), forked_from_id=parent) + "".join(copied) + gap


# file by file: the text, or bytes; then requests, plain input, cache reads, output, reasoning per thread
FILES: dict[str, str | bytes] = {
    "spaced": json.dumps(json.loads(meta("spaced", "2026-11-20T10:00:00.123456Z")))
    + "\n"
    + json.dumps(json.loads(record("spaced", "spaced-1", A, 1_795_168_800_000)))
    + "\n",
    "floats": text("floats", record("floats", "floats-1", use(100.0, 10.0, 40.0))),
    "nulls": text("nulls", record("nulls", "n-0", None), record("nulls", "n-1", use(100, 10, None, None))),
    "negative": text("negative", record("negative", "neg-1", use(-5, 10)), record("negative", "neg-2", A)),
    "huge": text("huge", record("huge", "huge-1", use(2**60, 1)), record("huge", "huge-2", A)),
    "words": text("words", record("words", "words-1", use("100", 1)), record("words", "words-2", A)),
    "zeros": text("zeros", record("zeros", "z-1", use(0, 0)), count(use(0, 0), use(0, 0)), record("zeros", "z-2", A)),
    "odd-shares": text("odd-shares", record("odd-shares", "odd-1", use(100, 10, 500, 99))),
    "totals": text("totals", count(A, None), count(A, None), count(B, None), count(use(50, 5), None), count(None, A)),
    "re-emit": text("re-emit", count(A, A), count(A, A, rate_limits={"limit_id": "codex"}), count(B, use(200, 20))),
    "compaction": text(
        "compaction",
        pair("compaction", "c-1", A, A),
        record("compaction", "c-2", use(5000, 200)),
        count(use(5100, 210), use(0, 0)),
        pair("compaction", "c-3", use(20, 2), use(5120, 212)),
    ),
    "upgraded": text(
        "upgraded", count(A, A), count(B, use(200, 20), at(9)), pair("upgraded", "u-1", use(7, 1), use(307, 31), at(20))
    ),
    "two-records": text(
        "two-records", record("two-records", "t-1", A), record("two-records", "t-2", A), count(use(200, 20), A)
    ),
    "nameless": text("nameless", record("nameless", None, A), record("nameless", None, A), record("nameless", None, B)),
    "foreign": text("foreign", record("elsewhere", "f-1", A), record("foreign", "f-2", A), record(None, "f-3", A)),
    "unknown": text(
        "unknown",
        line("token_count", None),
        line("thing", {"token_count": 1}),
        line("event_msg", ["token_count"]),
        '{"type":"token_count"}\n',
        line("event_msg", {"type": "token_count", "info": None}),
        record("unknown", "k-1", A),
    ),
    "quoted": text("quoted", line("item", {"text": '{"type":"token_count"} "token_usage_record" {'}), count(A, A)),
    "crlf": text("crlf", record("crlf", "crlf-1", A)).replace("\n", "\r\n"),
    "zeros-of-a-crash": text("zeros-of-a-crash").encode() + b"\0" * 700 + record("zeros-of-a-crash", "x-1", A).encode(),
    "surrogate": text("surrogate", record("surrogate", "s-1", A).replace('"usage"', '"note":"\\ud83d","usage"')),
    "bad-utf-8": text("bad-utf-8").encode()
    + record("bad-utf-8", "b-1", A).encode().replace(b'"usage"', b'"note":"\xff\xfe","usage"'),
    "byte-order-mark": b"\xef\xbb\xbf" + text("byte-order-mark", record("byte-order-mark", "m-1", A)).encode(),
    "partial": text("partial", record("partial", "p-1", A)) + record("partial", "p-2", A)[:90],
    "whole-end": text("whole-end", record("whole-end", "e-1", A), record("whole-end", "e-2", A)).rstrip("\n"),
    "images": text(
        "images",
        *(
            line("response_item", {"image": "A" * size}) + record("images", f"i-{size}", A)
            for size in (1_000, (1 << 19) - 300, 3 << 20, 9 << 20, 70_000)
        ),
    ),
    "models": text("models", count(A, A), model("gpt-5.2-codex"), count(B, use(200, 20))),
    "subagent": meta("subagent", forked_from_id="models", source={"subagent": {"thread_spawn": {"parent": "models"}}})
    + model("gpt-5.2")
    + count(A, A, at(0.1))
    + count(use(200, 20), A, at(0.4)),
    "paginated": meta("paginated", forked_from_id="models", history_mode="paginated", history_base={"thread_id": "x"})
    + model("gpt-5.2")
    + count(use(310, 31), use(10, 1), at(0))
    + count(use(330, 33), use(20, 2), at(0.3)),
    # its first total holds its parent's: what it grew by is not in the file
    "paginated-totals": meta("paginated-totals", history_base={"thread_id": "models"})
    + model("gpt-5.2")
    + count(use(310, 31), None)
    + count(use(330, 33), None),
    # copies of `grown`, then of `fork`, stamped with the instant of the fork
    "grown": text("grown", count(A, A, at(1)), count(B, use(200, 20), at(60))),
    "fork": legacy(
        "fork",
        "grown",
        meta("grown", at(500)),
        model("gpt-5.2", at(500)),
        count(A, A, at(500)),
        count(B, use(200, 20), at(500.2)),
    )
    + count(use(340, 34), use(40, 4), at(540)),
    "fork-of-fork": legacy(
        "fork-of-fork",
        "fork",
        meta("fork", at(600)),
        meta("grown", at(600)),
        count(A, A, at(600)),
        count(B, use(200, 20), at(600)),
        count(use(340, 34), use(40, 4), at(600.1)),
    )
    + count(use(345, 35), use(5, 1), at(640)),
    # it names its parent alone, whose first part is `grown`'s
    "fork-in-short": legacy(
        "fork-in-short",
        "fork",
        meta("fork", at(700)),
        count(A, A, at(700)),
        count(B, use(200, 20), at(700)),
        count(use(340, 34), use(40, 4), at(700.1)),
    )
    + count(use(345, 35), use(5, 1), at(740)),
    # the next request has the same numbers as that of its sibling
    "sibling": legacy("sibling", "grown", meta("grown", at(800)), count(A, A, at(800)), count(B, use(200, 20), at(800)))
    + count(use(340, 34), use(40, 4), at(840)),
    # copied a while after its own first line
    "late-copy": legacy(
        "late-copy", "grown", meta("grown", at(899)), count(A, A, at(899)), count(B, use(200, 20), at(899))
    )
    + count(use(350, 35), use(50, 5), at(940)),
    # copied with a pause: what its parent showed before is its parent's, and what it showed later is not
    "paused": meta("paused", at(30), forked_from_id="grown")
    + meta("grown", at(30))
    + count(A, A, at(32))
    + count(B, use(200, 20), at(34))
    + count(use(340, 34), use(40, 4), at(50)),
    "paused-later": legacy("paused-later", "grown", meta("grown", at(900)), count(A, A, at(900)))
    + count(B, use(200, 20), at(904))
    + count(use(340, 34), use(40, 4), at(940)),
    "paused-again": legacy(
        "paused-again", "paused", meta("paused", at(950)), meta("grown", at(950)), count(A, A, at(950))
    )
    + count(B, use(200, 20), at(952))
    + count(use(340, 34), use(40, 4), at(954))
    + count(use(345, 35), use(5, 1), at(990)),
    # its parent's file is gone: what was written at once is a copy
    "orphan": legacy("orphan", "gone", meta("gone", at(500)), count(A, A, at(500)), count(B, use(200, 20), at(500.9)))
    + count(use(340, 34), use(40, 4), at(540)),
    "no-head": model("gpt-5.2") + record(None, "h-1", A),
    "empty": "",
    "newline": "\n\n",
    "timeless": text("timeless", record("timeless", "tl-1", A, None), record("timeless", "tl-2", A, "yesterday")),
}
ONE: Sums = (1, 100, 0, 10, 0)
TWO: Sums = (2, 200, 0, 20, 0)
ALL_OF_B: Sums = (2, 300, 0, 30, 0)
TRUTH: dict[str, Sums] = {
    "spaced": ONE,
    "floats": (1, 60, 40, 10, 0),
    "nulls": ONE,
    "negative": ONE,
    "huge": ONE,
    "words": ONE,
    "zeros": ONE,
    "odd-shares": (1, 0, 100, 10, 10),
    "totals": (4, 100 + 200 + 50 + 100, 0, 10 + 20 + 5 + 10, 0),
    "re-emit": ALL_OF_B,
    "compaction": (3, 5120, 0, 212, 0),
    "upgraded": (3, 307, 0, 31, 0),
    "two-records": TWO,
    "nameless": (2, 400, 0, 40, 0),
    "foreign": TWO,
    "unknown": ONE,
    "quoted": ONE,
    "crlf": ONE,
    "zeros-of-a-crash": ONE,
    "surrogate": ONE,
    "bad-utf-8": ONE,
    "byte-order-mark": ONE,
    "partial": ONE,
    "whole-end": TWO,
    "images": (5, 500, 0, 50, 0),
    "models": ALL_OF_B,
    "subagent": TWO,
    "paginated": (2, 30, 0, 3, 0),
    "paginated-totals": (1, 20, 0, 2, 0),
    "grown": ALL_OF_B,
    "fork": (1, 40, 0, 4, 0),
    "fork-of-fork": (1, 5, 0, 1, 0),
    "fork-in-short": (1, 5, 0, 1, 0),
    "sibling": (1, 40, 0, 4, 0),
    "late-copy": (1, 50, 0, 5, 0),
    "paused": (2, 240, 0, 24, 0),
    "paused-later": (1, 40, 0, 4, 0),
    "paused-again": (1, 5, 0, 1, 0),
    "orphan": (1, 40, 0, 4, 0),
    "": ONE,
    "timeless": TWO,
}
UNREADABLE = ("negative", "huge", "words", "paginated-totals")  # a line of each


def put(home: Any, name: str, content: str | bytes, folder: Path | None = None) -> Path:
    path: Path = (folder or home.sessions) / f"rollout-2026-11-20T10-00-00-{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def sums(home: Any, by: str = "session", **environment: str) -> dict[str, Sums]:
    found: dict[str, Sums] = {}
    names = ("requests", "input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    for row in home.usage(by, **environment)["rows"]:
        a, b, c, d, e = (old + row[name] for old, name in zip(found.get(row[by], (0,) * 5), names, strict=True))
        found[row[by]] = a, b, c, d, e
    return found


def test_each_thread_has_its_truth(home: Any) -> None:
    for age, name in enumerate(FILES):
        path = put(home, name, FILES[name])
        # a fork is written after its parent, whichever file is read first
        os.utime(path, (1_795_000_000 + age, 1_795_000_000 + age))
    found = sums(home)
    assert {name: found.get(name) for name in (*TRUTH, *found) if found.get(name) != TRUTH.get(name)} == {}
    assert home.missing()["unreadable"] == len(UNREADABLE)


def test_models_change_inside_a_session(home: Any) -> None:
    put(home, "models", FILES["models"])
    assert {name: one[:2] for name, one in sums(home, "model").items()} == {
        "gpt-5.2": (1, 100),
        "gpt-5.2-codex": (1, 200),
    }


def test_a_copy_in_the_archive_and_a_response_in_two_files_count_once(home: Any) -> None:
    content = text("t", record("t", "same", A), count(A, A))
    put(home, "t", content)
    put(home, "t", content, home.folder / ".codex" / "archived_sessions")
    put(home, "other", meta("other") + record("other", "same", A))
    assert sums(home) == {"t": ONE}


def test_unreadable_lines_of_a_copy_in_the_archive_count_once(home: Any) -> None:
    content = text("t", record("t", "r1", A), record("t", "r2", use(-1, 1)))
    put(home, "t", content)
    put(home, "t", content, home.folder / ".codex" / "archived_sessions")
    put(home, "u", text("u", record("u", "r3", use(-1, 1))))
    assert (sums(home), home.missing()) == ({"t": ONE}, {"unreadable": 2})


def test_a_file_may_move_to_the_archive_between_two_runs(home: Any) -> None:
    path = put(home, "t", text("t", record("t", "r1", A), record("t", "r2", use(-1, 1))))
    archive = home.folder / ".codex" / "archived_sessions"
    archive.mkdir()
    assert sums(home) == {"t": ONE}
    path.rename(archive / path.name)
    assert (sums(home), home.missing()["unreadable"]) == ({"t": ONE}, 1)


@pytest.mark.parametrize("form", ["frames", "cut", "garbage", "plain text"])
def test_compressed_files(home: Any, form: str) -> None:
    zstandard = pytest.importorskip("zstandard")
    pack: Callable[[bytes], bytes] = zstandard.ZstdCompressor().compress
    rows = [text("t", record("t", "r1", A)).encode(), record("t", "r2", A).encode()]
    content = {
        "frames": b"".join(map(pack, rows)),
        "cut": pack(rows[0]) + pack(b"".join(record("t", str(at), A).encode() for at in range(9)))[:-9],
        "garbage": pack(rows[0]) + b"\1\2\3\4 garbage",
        "plain text": rows[0],
    }[form]
    path = put(home, "t", content)
    path.rename(path.with_suffix(".jsonl.zst"))
    missing = home.missing()
    found = sums(home)
    if form == "frames":
        assert (found, missing) == ({"t": TWO}, {})
    else:
        assert (found.get("t", ONE)[:2] >= ONE[:2], missing.get("unread_files")) == (True, 1)


def test_a_file_that_is_compressed_in_the_course_of_time_counts_once(home: Any) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = put(home, "t", text("t", record("t", "r1", A), count(B, use(200, 20))))
    before = sums(home)
    path.with_suffix(".jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
    assert sums(home) == before
    path.unlink()
    assert sums(home) == before


def test_links_lead_to_a_file_once(home: Any, tmp_path: Path) -> None:
    elsewhere = put(home, "t", text("t", record("t", "r1", A)), tmp_path / "elsewhere")
    (home.sessions / elsewhere.name).symlink_to(elsewhere)
    (home.sessions / "rollout-x-again.jsonl").symlink_to(elsewhere)
    (home.sessions / "rollout-x-lost.jsonl").symlink_to(tmp_path / "lost")
    (home.sessions / "up").symlink_to(home.folder / ".codex" / "sessions", target_is_directory=True)
    assert (sums(home), home.missing()) == ({"t": ONE}, {})


def test_several_homes_and_spaces_between_them(home: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        put(home, name, text(name, record(name, name, A)), tmp_path / name / "sessions" / "2026")
    found = sums(home, CODEX_HOME=f" {tmp_path}/one/ , {tmp_path}/two,{tmp_path}/none,")
    assert found == {"one": ONE, "two": ONE}


def test_a_file_that_cannot_be_read_is_named_and_read_later(home: Any) -> None:
    path = put(home, "t", text("t", record("t", "r1", A)))
    path.rename(path.with_name("kept"))
    path.mkdir()
    assert (sums(home), home.missing().get("unread_files")) == ({}, None) or home.missing() == {"unread_files": 1}
    path.rmdir()
    path.with_name("kept").rename(path)
    assert sums(home) == {"t": ONE}


def test_a_file_that_grows_in_pieces_of_a_line(home: Any) -> None:
    content = text("t", record("t", "r1", A), count(A, A), count(B, use(200, 20)), count(use(340, 34), use(40, 4)))
    for stop in range(1, len(content), 97):
        put(home, "t", content[:stop])
        if stop % 3 == 0:
            home.usage()
    put(home, "t", content)
    assert (sums(home), home.missing()) == ({"t": (3, 340, 0, 34, 0)}, {})


def test_tiers_and_plans_are_kept(home: Any) -> None:
    def tier(name: str | None) -> str:
        payload = {"type": "thread_settings_applied", "thread_settings": {"service_tier": name}}
        return line("event_msg", payload)

    put(home, "t", text("t", tier("priority"), record("t", "r1", A), tier("default"), record("t", "r2", A)))
    rows: list[Mapping[str, Any]] = home.usage("model")["rows"]
    assert rows[0]["requests"] == 2
    put(home, "u", text("u", record("u", "r3", A), record("u", "r4", A)))
    costs = {row["session"]: row["cost_usd"] for row in home.usage("session")["rows"]}
    assert costs["t"] > costs["u"] > 0


def test_hashed_projects_leave_no_folder_in_the_state_of_a_file(home: Any, tmp_path: Path) -> None:
    (tmp_path / "tracker.toml").write_text('[privacy]\nprojects = "hash"\n')
    path = put(home, "t", text("t", record("t", "r1", A)))
    home.usage()
    with path.open("a") as file:
        file.write(record("t", "r2", A))
    rows = home.usage("project")["rows"]
    assert [row["requests"] for row in rows] == [2]
    everything = b"".join(one.read_bytes() for one in home.data.rglob("*") if one.is_file())
    assert b"acme" not in everything
