"""A copy with damaged or missing lines adds nothing and changes nothing, whichever of the two is read first."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., str]
THREAD = "019a0000-0000-7000-8000-00000000000a"


def line(minute: int, kind: str, **payload: Any) -> str:
    row = {"timestamp": f"2026-11-20T10:{minute:02}:00Z", "type": kind, "payload": payload}
    return json.dumps(row, separators=(",", ":"))


def use(inputs: int, output: int) -> dict[str, int]:
    return {"input_tokens": inputs, "output_tokens": output, "total_tokens": inputs + output}


def record(minute: int, response: str, usage: dict[str, int]) -> str:
    return line(minute, "token_usage_record", thread_id=THREAD, response_id=response, usage=usage)


def count(minute: int, total: dict[str, int], last: dict[str, int]) -> str:
    info = {"total_token_usage": total, "last_token_usage": last}
    return line(minute, "event_msg", type="token_count", info=info)


META = line(0, "session_meta", id=THREAD, cwd="/home/dev/acme", cli_version="0.171.0")
TWO_MODELS = [
    META,
    line(0, "turn_context", model="gpt-5"),
    record(1, "r1", use(1000, 50)),
    line(2, "turn_context", model="gpt-5-mini"),
    record(3, "r2", use(5000, 60)),
]


def figures(home: Any) -> list[tuple[Any, ...]]:
    rows = home.usage("session", "--by", "project")["rows"]
    return [(one["session"], one["project"], one["model"], one["requests"], one["input_tokens"]) for one in rows]


def orders(home: Any, intact: str, copy: str) -> Iterator[str]:
    """Both files at once, each of them as the older one, and each read before the other is there."""
    one, other = home.sessions / "rollout-a.jsonl", home.folder / ".codex" / "archived_sessions" / "rollout-a.jsonl"
    other.parent.mkdir(exist_ok=True)
    texts = ((one, intact), (other, copy))
    for is_between in (False, True):
        for given in (texts, texts[::-1]):
            shutil.rmtree(home.data, ignore_errors=True)
            for path, _ in texts:
                path.unlink(missing_ok=True)
            for age, (path, text) in enumerate(given):
                path.write_text(text)
                os.utime(path, (1_700_000_000 + age,) * 2)
                if is_between:
                    home.usage()
            yield f"{[path.parent.name for path, _ in given]}, {is_between}"


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_a_copy_without_a_line_takes_no_model_session_or_project(home: Any, missing: int) -> None:
    expected = [(THREAD, "acme", "gpt-5", 1, 1000), (THREAD, "acme", "gpt-5-mini", 1, 5000)]
    copy = [one for at, one in enumerate(TWO_MODELS) if at != missing]
    for how in orders(home, "\n".join(TWO_MODELS) + "\n", "\n".join(copy) + "\n"):
        assert figures(home) == expected, how


def test_what_two_copies_say_is_settled_by_what_they_say(home: Any) -> None:
    one = "\n".join(TWO_MODELS) + "\n"
    other = one.replace('"gpt-5"', '"gpt-5.1"').replace("/acme", "/work").replace("0.171.0", "0.172.0")
    found = {json.dumps(figures(home)) for _ in orders(home, one, other)}
    assert len(found) == 1


def test_lines_that_are_damaged_side_by_side_count_by_what_is_written_again(home: Any) -> None:
    again = count(4, use(6000, 110), use(5000, 60))
    lines = [META, TWO_MODELS[1], record(1, "r1", use(1000, 50)), count(1, use(1000, 50), use(1000, 50))]
    lines += [record(2, "r2", use(5000, 60)), count(2, use(6000, 110), use(5000, 60)), again]
    cut = [*lines[:4], lines[4][:-30], lines[5][:-40], again]
    for how in orders(home, "\n".join(lines) + "\n", "\n".join(cut) + "\n"):
        assert home.total() == (2, 6000, 110), how


@pytest.mark.parametrize("part", ["type", "token_usage_record", "payload", "thread_id", "usage", THREAD])
def test_a_damaged_record_is_known_by_its_response(home: Any, part: str) -> None:
    """Also if the damage is where the thread is named."""
    lines = [META, TWO_MODELS[1], record(1, "r1", use(1000, 50)), count(1, use(1000, 50), use(1000, 50))]
    at = 0 if part == THREAD else 2
    broken = lines[at].encode().replace(f'"{part}"'.encode(), f'"{part[:-1]}'.encode() + b'\xe4"')
    archive = home.folder / ".codex" / "archived_sessions"
    archive.mkdir()
    (home.sessions / "rollout-a.jsonl").write_text("\n".join(lines) + "\n")
    copy = [one.encode() for one in lines]
    (archive / "rollout-a.jsonl").write_bytes(b"\n".join([*copy[:at], broken, *copy[at + 1 :], b""]))
    assert figures(home) == [(THREAD, "acme", "gpt-5", 1, 1000)]


NAMES = ("response_id", "usage", "total_token_usage", "last_token_usage", "info", "payload", "type", "model")


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_name_makes_a_line_of_codex_unreadable(home: Any, name: str) -> None:
    lines = [META, TWO_MODELS[1], count(1, use(1000, 50), use(1000, 50)), count(2, use(6000, 110), use(5000, 60))]
    if name in ("response_id", "usage"):
        lines = [META, TWO_MODELS[1], record(2, "r2", use(6000, 110))]
    at = max(at for at, one in enumerate(lines) if f'"{name}"' in one)
    (home.sessions / "rollout-a.jsonl").write_text("\n".join(lines) + "\n")
    truth = home.total()
    archive = home.folder / ".codex" / "archived_sessions"
    archive.mkdir()
    broken = lines[at].encode().replace(f'"{name}"'.encode(), b'"' + name[:-1].encode() + b'\xe4"')
    copy = [one.encode() for one in lines]
    (archive / "rollout-a.jsonl").write_bytes(b"\n".join([*copy[:at], broken, *copy[at + 1 :], b""]))
    assert home.total() == truth
    assert home.missing()["unreadable"] == 1


@pytest.mark.parametrize("damage", [(b'"id"', b'"i\xe4"'), (b'"msg_1"', b'"msg_\xe4"'), (b'"type"', b'"typ\xe4"')])
def test_a_damaged_name_makes_a_line_of_claude_unreadable(
    home: Any, message: Make, tmp_path: Path, damage: tuple[bytes, bytes]
) -> None:
    row = message("msg_1").encode()
    (home.projects / "s.jsonl").write_bytes(row)
    other = tmp_path / "other" / "projects" / "p"
    other.mkdir(parents=True)
    folders = {"CLAUDE_CONFIG_DIR": f"{home.folder}/.claude,{tmp_path}/other"}
    (other / "s.jsonl").write_bytes(row.replace(*damage))
    assert home.total(**folders) == (1, 100, 50)
    found = home.usage(**folders)["missing"]
    assert [one["count"] for one in found if one["kind"] == "unreadable"] == [1]
    # in a text that tells no request from another it is mended
    (other / "s.jsonl").write_bytes(message("msg_2").encode().replace(b"canary", b"can\xe4ry"))
    assert home.total(**folders) == (2, 200, 100)
    assert home.usage(**folders)["missing"] == []


@pytest.mark.parametrize("cut", [1, 30, 100, 250, -2])
def test_a_whole_row_behind_one_that_was_cut_off_counts(home: Any, message: Make, cut: int) -> None:
    torn = message("b").rstrip()[:cut]
    (home.projects / "s.jsonl").write_text(message("a") + torn + message("c") + message("d"))
    assert home.total() == (3, 300, 150)
    assert home.missing()["unreadable"] == 1


def test_rows_on_one_line_count_whatever_they_begin_with_and_however_many_they_are(home: Any, message: Make) -> None:
    other = '{"type":"last-prompt","usage":{"note":"{"}}'
    begun = [message(f"m{at}").rstrip().replace("{", f'{{"parent{at % 3}":null,', 1) for at in range(40)]
    (home.projects / "s.jsonl").write_text(other + " ".join(begun) + other + "\n")
    assert (home.total(), home.missing()) == ((40, 4000, 2000), {})
    torn = "".join(one[:-at] + one for at, one in enumerate(begun, 3))
    (home.projects / "s.jsonl").write_text(other + torn + other + "\n")
    assert (home.total(), home.missing()) == ((40, 4000, 2000), {"unreadable": 1})


@pytest.mark.parametrize("client", ["claude", "codex"])
@pytest.mark.parametrize("torn", [0, 40])
def test_whole_rows_on_one_line_count_whichever_newline_was_lost(
    home: Any, message: Make, client: str, torn: int
) -> None:
    """Also behind one that was cut off, which alone could not be read then."""
    rows = [message(name).rstrip() for name in "abcd"]
    path = home.projects / "s.jsonl"
    if client == "codex":
        counts = [count(2, use(1000, 50), use(1000, 50)), count(4, use(6000, 110), use(5000, 60))]
        rows, path = [*TWO_MODELS[:3], counts[0], *TWO_MODELS[3:], counts[1]], home.sessions / "rollout-a.jsonl"
    path.write_text("\n".join(rows) + "\n")
    truth = home.total()
    for size in (2, 3):
        for at in range(len(rows) - size + 1):
            glued = rows[-1][:torn] + "".join(rows[at : at + size])
            path.write_text("\n".join([*rows[:at], glued, *rows[at + size :]]) + "\n")
            assert home.total() == truth, (size, at)
            assert home.missing() == ({"unreadable": 1} if torn else {}), (size, at)
