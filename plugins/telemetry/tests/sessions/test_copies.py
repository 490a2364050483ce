"""Requests that several sessions show are the parent's, in whatever order and pieces the files are read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Make = Callable[..., str]
WAYS = ("session", "daily", "model", "window")


def requests(home: Any) -> dict[str, int]:
    return {row["session"]: row["requests"] for row in home.usage("session")["rows"]}


def test_a_copied_request_is_the_parents_though_its_file_is_the_newer_one(home: Any, message: Make) -> None:
    parent, fork = home.projects / "zz.jsonl", home.projects / "aa.jsonl"
    parent.write_text(message("a", minute=0, sessionId="p") + message("b", minute=1, sessionId="p"))
    fork.write_text("".join(message(name, minute=at, sessionId="f") for at, name in enumerate("abc")))
    os.utime(fork, (1, 1))
    assert requests(home) == {"p": 2, "f": 1}
    with parent.open("a") as file:
        file.write(message("d", minute=5, sessionId="p"))
    for _ in range(2):
        assert requests(home) == {"p": 3, "f": 1}
        shutil.rmtree(home.data)


def test_a_fork_of_a_fork_shows_the_requests_of_both(home: Any, message: Make) -> None:
    for name, shown in {"g": "abcx", "f": "abcd", "p": "ab"}.items():
        text = "".join(message(one, minute=ord(one) - 97, sessionId=name) for one in shown)
        (home.projects / f"{name}.jsonl").write_text(text)
    # whether `c` is of `f` or of `g` is told by which of them went on last: `x` is of a later minute than `d`
    assert requests(home) == {"p": 2, "f": 1, "g": 2}


@pytest.mark.parametrize("goes_on", ["", "d", "subagent"])
def test_a_copy_that_names_its_session_is_that_ones(home: Any, message: Make, goes_on: str) -> None:
    """Whoever went on first, in whatever order they are read, and also if some copies name none."""
    parent, fork, later = (home.projects / f"{name}.jsonl" for name in ("zz", "aa", "bb"))
    origin = {"forkedFrom": {"sessionId": "p", "messageUuid": "u"}}
    parent.write_text("".join(message(name, minute=at, sessionId="p") for at, name in enumerate("ab")))
    copies = message("a", sessionId="f", **origin) + message("b", minute=1, sessionId="f")
    fork.write_text(copies + message("c", minute=9, sessionId="f"))
    # a fork of the fork names that one
    again = {"forkedFrom": {"sessionId": "f", "messageUuid": "u"}}
    copies = "".join(message(name, minute=at, sessionId="g", **again) for name, at in (("a", 0), ("b", 1), ("c", 9)))
    later.write_text(copies + message("e", minute=10, sessionId="g"))
    if goes_on:
        with parent.open("a") as file:
            file.write(message("d", minute=5, sessionId="p", isSidechain=goes_on == "subagent"))
    for _ in range(2):
        assert requests(home) == {"p": 3 if goes_on else 2, "f": 1, "g": 1}
        shutil.rmtree(home.data)
        os.utime(parent, (1, 1))
    parent.unlink()
    assert requests(home) == {"f": 3, "g": 1}


def test_a_copy_that_names_a_deleted_fork_is_no_original(home: Any, message: Make) -> None:
    original = message("a", sessionId="p") + message("b", minute=1, sessionId="p")
    named = {"sessionId": "g", "forkedFrom": {"sessionId": "f", "messageUuid": "u"}}
    (home.projects / "p.jsonl").write_text(original)
    path = home.projects / "g.jsonl"
    path.write_text(message("a", **named) + message("c", minute=3, **named) + message("d", minute=9, sessionId="g"))
    assert requests(home) == {"p": 2, "g": 2}


@pytest.mark.parametrize("first", [4, 20])
def test_copies_that_name_their_deleted_parent_need_no_time(home: Any, message: Make, first: int) -> None:
    """The clock was set back before the fork's own first request, which else tells where its copies end."""
    named = {"sessionId": "f", "forkedFrom": {"sessionId": "p", "messageUuid": "u"}}
    parent, fork = home.projects / "p.jsonl", home.projects / "f.jsonl"
    parent.write_text(message("a", minute=first, sessionId="p") + message("b", minute=9, sessionId="p"))
    copies = message("a", minute=first, **named) + message("b", minute=9, **named)
    fork.write_text(copies + message("c", minute=7, sessionId="f"))
    assert requests(home) == {"p": 2, "f": 1}
    parent.unlink()
    for _ in range(3):
        assert requests(home) == {"p": 2, "f": 1}
        shutil.rmtree(home.data / ".index")


@pytest.mark.parametrize("goes_on", [False, True])
def test_copies_stay_their_parents_whose_file_is_deleted_and_the_index_with_it(
    home: Any, message: Make, goes_on: bool
) -> None:
    parent, fork = home.projects / "p.jsonl", home.projects / "f.jsonl"
    parent.write_text(message("a", minute=0, sessionId="p") + message("b", minute=1, sessionId="p"))
    fork.write_text("".join(message(name, minute=at, sessionId="f") for at, name in enumerate("abc")))
    if goes_on:
        with parent.open("a") as file:
            file.write(message("d", minute=5, sessionId="p"))
    before = {way: home.usage(way)["rows"] for way in ("session", "daily", "model")}
    parent.unlink()
    for at in range(3):
        shutil.rmtree(home.data / ".index")
        assert {way: home.usage(way)["rows"] for way in before} == before
        assert (
            home.total("window")
            == home.total()
            == (3 + goes_on + at, 100 * (3 + goes_on + at), 50 * (3 + goes_on + at))
        )
        assert home.missing() == ({"deleted": 1} if goes_on else {})
        with fork.open("a") as file:
            file.write(message(f"e{at}", minute=10 + at, sessionId="f"))
        assert home.total()[0] == 4 + goes_on + at
        before = {way: home.usage(way)["rows"] for way in before}


def test_a_session_that_goes_on_while_the_index_is_away_takes_no_requests_twice(home: Any, message: Make) -> None:
    """What the journal says of days is of sessions as they were told apart then."""
    parent, fork = home.projects / "p.jsonl", home.projects / "f.jsonl"
    for name, path in (("p", parent), ("f", fork)):
        path.write_text(message("a", sessionId=name) + message("b", minute=1, sessionId=name))
        os.utime(path, (1, 1) if name == "p" else (2, 2))
    assert requests(home) == {"p": 2}
    shutil.rmtree(home.data / ".index")
    os.utime(parent, (3, 3))
    assert requests(home) == {"p": 2}
    shutil.rmtree(home.data / ".index")
    for minute in (5, 6, 7):
        with parent.open("a") as file:
            file.write(message(f"c{minute}", minute=minute, sessionId="p"))
        assert home.total() == home.total("window") == (minute - 2, 100 * (minute - 2), 50 * (minute - 2))
        assert home.missing() == {}
        if minute == 6:
            shutil.rmtree(home.data / ".index")


def test_what_later_copies_leave_out_at_their_beginning_does_not_make_them_the_originals(
    home: Any, message: Make
) -> None:
    for at, name in enumerate("stuvw"):
        rows = [message(f"m{number}", minute=number, sessionId=name) for number in range(2 * at + 2)]
        (home.projects / f"{name}.jsonl").write_text("".join(rows[-4:]))
        os.utime(home.projects / f"{name}.jsonl", (9 - at, 9 - at))
    assert requests(home) == dict.fromkeys("stuvw", 2)


def test_copies_in_two_forks_stay_their_parents_whose_file_is_deleted(home: Any, message: Make) -> None:
    for name, shown in {"p": "abz", "f": "abcy", "g": "abcx"}.items():
        text = "".join(message(one, minute=ord(one) - 97, sessionId=name) for one in shown)
        (home.projects / f"{name}.jsonl").write_text(text)
    for _ in range(3):
        assert requests(home) == {"p": 3, "f": 2, "g": 1}
        (home.projects / "p.jsonl").unlink(missing_ok=True)
        shutil.rmtree(home.data / ".index")


def test_copies_in_another_folder_leave_a_deleted_parent_in_its_own(home: Any, message: Make) -> None:
    (home.projects / "p.jsonl").write_text(message("a", sessionId="p") + message("b", sessionId="p"))
    where = {"cwd": "/w/other", "gitBranch": "fork", "sessionId": "f"}
    fork = "".join(message(name, minute=minute, **where) for minute, name in ((0, "a"), (0, "b"), (9, "c")))
    (home.projects / "f.jsonl").write_text(fork)
    for _ in range(3):
        for way, truth in (("project", {"acme": 2, "other": 1}), ("branch", {"main": 2, "fork": 1})):
            assert {row[way]: row["requests"] for row in home.usage(way)["rows"]} == truth
        (home.projects / "p.jsonl").unlink(missing_ok=True)
        shutil.rmtree(home.data / ".index")


def test_what_a_session_alone_shows_stays_its_own_whatever_was_thought_of_it(home: Any, message: Make) -> None:
    """A fork that has not gone on yet looks like the parent of a session that has."""
    parent, fork = home.projects / "p.jsonl", home.projects / "f.jsonl"
    parent.write_text("".join(message(name, minute=at, sessionId="p") for name, at in (("a", 0), ("b", 2), ("d", 5))))
    fork.write_text("".join(message(name, minute=at, sessionId="f") for name, at in (("a", 0), ("b", 2))))
    folder = home.projects / "p" / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-x.jsonl").write_text(message("x", minute=1, sessionId="p", isSidechain=True))
    assert requests(home) == {"p": 2, "f": 2}
    for minute in (6, 7):
        with parent.open("a") as file:
            file.write(message(f"e{minute}", minute=minute, sessionId="p"))
        assert requests(home) == {"p": minute - 3, "f": 2}


@pytest.mark.parametrize("has_own", [False, True])
def test_a_copy_of_only_the_later_row_of_a_message_is_its_originals(home: Any, message: Make, *, has_own: bool) -> None:
    """Also once the client deleted the original's file, and the index is made anew."""
    log = home.projects / "p.jsonl"
    log.write_text(message("a", output=5, sessionId="p") + message("a", minute=1, sessionId="p"))
    home.usage()
    copy = message("a", minute=1, sessionId="f") + (message("b", minute=5, sessionId="f") if has_own else "")
    (home.projects / "f.jsonl").write_text(copy)
    home.usage()
    expected = {"f": 1, "p": 1} if has_own else {"p": 1}
    log.unlink()
    for _ in range(3):
        assert requests(home) == expected
        assert home.total()[2] == 50 * len(expected)
        shutil.rmtree(home.data / ".index")


@pytest.mark.parametrize("is_replay", [True, False])
def test_a_subagent_does_not_tell_that_its_session_went_on(home: Any, message: Make, *, is_replay: bool) -> None:
    """It replays what it was told, or works while another process forks its session."""
    for name, shown in {"p": "az", "f": "ak"}.items():
        text = "".join(message(one, minute=2 * (ord(one) - 97), sessionId=name) for one in shown)
        (home.projects / f"{name}.jsonl").write_text(text)
    name, minute = ("a", 0) if is_replay else ("own", 9)
    agent = message(name, minute=minute, sessionId="p", isSidechain=True, requestId="r9")
    folder = home.projects / "p" / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-x.jsonl").write_text(agent)
    assert requests(home) == {"p": 3 - is_replay, "f": 1}


@pytest.mark.parametrize("is_parent_first", [False, True])
def test_a_session_of_which_only_a_subagent_went_on_is_the_parent(
    home: Any, message: Make, *, is_parent_first: bool
) -> None:
    for at, (name, shown) in enumerate({"p": "ab", "f": "abck", "g": "abckx"}.items()):
        path = home.projects / f"{name}.jsonl"
        path.write_text("".join(message(one, minute=2 * (ord(one) - 97), sessionId=name) for one in shown))
        os.utime(path, (at, at) if is_parent_first else (9 - at, 9 - at))
        if name != "g":  # the fork has one, too, which a request started that its own fork copied
            agent = home.projects / name / "subagents" / "agent-x.jsonl"
            agent.parent.mkdir(parents=True)
            agent.write_text(message(f"{name}-s", minute=3 + at, sessionId=name, isSidechain=True))
    assert requests(home) == {"p": 3, "f": 3, "g": 1}


@st.composite
def trees(draw: st.DrawFn) -> dict[str, list[int]]:
    """Sessions with the numbers of their requests: a fork begins with some of its parent's, and goes on before it."""
    sessions = {"root": [0, 1]}
    number = 2
    for name in draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4)):
        parent = draw(st.sampled_from(sorted(sessions)))
        copied = sessions[parent][: draw(st.integers(1, len(sessions[parent])))]
        sessions[name] = [*copied, number]
        number += 1
        if draw(st.booleans()):
            sessions[parent].append(number)
            number += 1
    return sessions


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees(), st.randoms(use_true_random=False))
def test_cold_and_in_pieces_and_in_any_order_the_figures_are_the_same(
    home: Any, message: Make, sessions: dict[str, list[int]], chance: Any
) -> None:
    def figures() -> Any:
        return {way: home.usage(way)["rows"] for way in ("session", "daily", "model", "branch")}

    shutil.rmtree(home.data, ignore_errors=True)
    shutil.rmtree(home.projects)
    home.projects.mkdir()
    lines = [
        (home.projects / f"{name}.jsonl", message(f"m{number}", number, number, sessionId=name))
        for name, numbers in sessions.items()
        for number in numbers
    ]
    left = {path: [text for of, text in lines if of == path] for path, _ in lines}
    while any(left.values()):
        path = chance.choice([path for path, rows in left.items() if rows])
        with path.open("a") as file:
            file.write(left[path].pop(0))
        os.utime(path, (chance.randrange(9**9),) * 2)
        if chance.random() < 0.3:
            figures()
    found = figures()
    assert home.total()[0] == len({number for numbers in sessions.values() for number in numbers})
    shutil.rmtree(home.data)
    for path in left:
        os.utime(path, (chance.randrange(9**9),) * 2)
    assert figures() == found


def test_the_copy_of_a_copy_does_not_count_without_the_first_original(home: Any) -> None:
    def line(kind: str, payload: Any, second: int) -> str:
        return json.dumps({"timestamp": 1.79e9 + second, "type": kind, "payload": payload}) + "\n"

    def count(total: int, second: int) -> str:
        info = {"total_token_usage": {"input_tokens": total}, "last_token_usage": {"input_tokens": 100}}
        return line("event_msg", {"type": "token_count", "info": info}, second)

    def put(name: str, parents: str, second: int, own: int) -> Path:
        path: Path = home.sessions / f"rollout-{name}.jsonl"
        metas = [line("session_meta", {"id": one}, second) for one in parents]
        path.write_text(
            "".join([*metas, *(count(100 * at, second) for at in range(1, own)), count(100 * own, second + 9)])
        )
        return path

    fork, last = put("f", "fp", 100, 3), put("g", "gfp", 200, 4)
    for first, second in ((fork, last), (last, fork)):
        os.utime(first, (1, 1))
        os.utime(second, (2, 2))
        assert requests(home) == {"f": 1, "g": 1}
        shutil.rmtree(home.data)
