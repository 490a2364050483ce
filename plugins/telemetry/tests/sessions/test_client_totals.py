"""What the client's own totals of a session have more than its requests is told once, whoever took it over."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., str]


def more(home: Any, *, is_certain: bool = True) -> dict[str, tuple[int, ...]]:
    """Of each model: how many sessions, and their input and output."""
    found = {}
    for one in home.usage()["missing"]:
        assert one["kind"] == "not_in_rows"
        assert ("(such as compaction): at most " not in one["detail"]) is is_certain
        assert "in the client's own totals alone (such as compaction): " in one["detail"]
        model = one["detail"].split(": ")[1].split()[0]
        counts = dict(re.findall(r"(\w+)_tokens=(\d+)", one["detail"]))
        found[model] = one["count"], int(counts.get("input", 0)), int(counts.get("output", 0))
    return found


def put(home: Any, **files: str) -> None:
    for name, text in files.items():
        (home.projects / f"{name}.jsonl").write_text(text)


OPUS = "claude-opus-4-6"


def test_siblings_take_over_their_parents_and_not_each_others(home: Any, message: Make, state: Make) -> None:
    def copies(name: str) -> str:
        return message("a", sessionId=name) + message("b", minute=1, sessionId=name)

    parent = copies("p") + state(300, 120, "p")  # of which 100 and 20 are a compaction
    one = copies("one") + message("c", minute=2, sessionId="one") + state(1400, 270, "one")  # 1000 and 100
    two = copies("two") + message("d", minute=9, sessionId="two") + state(405, 175, "two")  # 5 and 5
    put(home, p=parent, one=one, two=two)
    assert more(home) == {OPUS: (3, 100 + 1000 + 5, 20 + 100 + 5)}


@pytest.mark.parametrize("has_copies", [True, False])
def test_a_parent_that_told_its_totals_only_after_the_fork(
    home: Any, message: Make, state: Make, *, has_copies: bool
) -> None:
    parent = message("a", sessionId="p") + message("b", minute=8, sessionId="p") + state(207, 103, "p")
    fork = message("a", sessionId="f") * has_copies + message("c", minute=2, sessionId="f") + state(230, 130, "f")
    put(home, p=parent, f=fork)
    # 7 and 3 in the parent; the fork's own 100 and 50 and its parent's as much leave 30 and 30, of which 7 and 3 may be
    # the parent's: nothing tells when it used them
    assert more(home, is_certain=False) == {OPUS: (2, 37, 33)}


@pytest.mark.parametrize("compacted", [0, 5000])
def test_a_fork_from_an_earlier_point_takes_over_what_its_parent_used_later(
    home: Any, message: Make, state: Make, compacted: int
) -> None:
    parent = "".join(message(name, minute=at, sessionId="p") for name, at in (("a", 0), ("b", 1), ("c", 5)))
    fork = message("a", sessionId="f", forkedFrom={"sessionId": "p"}) + message("n", minute=3, sessionId="f")
    put(home, p=parent + state(300, 150, "p"), f=fork + state(300 + compacted, 150 + compacted, "f"))
    # with a compaction of its own before its first total it is not known whether it has `b`
    truth = {OPUS: (1, compacted + 100, compacted + 50)} if compacted else {}
    assert more(home, is_certain=not compacted) == truth


def test_what_a_fork_and_the_next_total_of_its_parent_both_have_was_used_before_the_fork(
    home: Any, message: Make, state: Make
) -> None:
    both = message("a", sessionId="p") + message("b", minute=1, sessionId="p")
    parent = both + message("c", minute=8, sessionId="p") + state(1300, 200, "p")
    fork = both.replace('"p"', '"f"') + message("d", minute=5, sessionId="f") + state(1300, 200, "f")
    put(home, p=parent, f=fork)
    assert more(home) == {OPUS: (1, 1000, 50)}
    put(home, f=fork + state(3300, 230, "f"))  # a compaction of the fork
    assert more(home) == {OPUS: (2, 3000, 80)}


@pytest.mark.parametrize("copy", [{}, {"forkedFrom": {"sessionId": "p"}}])
def test_a_fork_from_an_earlier_point_takes_later_totals_over(
    home: Any, message: Make, state: Make, copy: dict[str, Any]
) -> None:
    rows = [message(name, minute=at, sessionId="p") for at, name in enumerate("abc")]
    parent = "".join(row + state(100 * at, 50 * at, "p") for at, row in enumerate(rows, 1))
    fork = message("a", sessionId="f", **copy) + message("n", minute=5, sessionId="f") + state(400, 200, "f")
    put(home, p=parent + message("d", minute=9, sessionId="p") + state(400, 200, "p"), f=fork)
    assert more(home) == {}


def test_what_a_parent_used_behind_the_fork_is_not_in_the_first_total_of_the_fork(
    home: Any, message: Make, state: Make
) -> None:
    parent = message("a", sessionId="p") + state(100, 50, "p") + state(1100, 100, "p")
    fork = message("a", sessionId="f", forkedFrom={"sessionId": "p"}) + message("b", minute=2, sessionId="f")
    put(home, p=parent, f=fork + state(200, 100, "f") + state(5200, 300, "f"))
    assert more(home) == {OPUS: (2, 1000 + 5000, 50 + 200)}


@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_a_parent_that_told_its_total_before_it_went_on_is_the_parent(
    home: Any, message: Make, state: Make, *, is_rebuilt: bool
) -> None:
    """Also where it went on before its fork did, which else tells the two apart."""
    parent = message("a", sessionId="p") + state(1100, 70, "p") + message("b", minute=1, sessionId="p")
    fork = message("a", sessionId="f") + message("c", minute=2, sessionId="f") + state(1500, 140, "f")
    put(home, f=fork)
    if not is_rebuilt:
        home.usage()
    put(home, p=parent + state(1700, 150, "p"))
    # 1500 and 50 in the parent, of which 1000 and 20 before the fork; 300 and 20 in the fork
    assert more(home, is_certain=False) == {OPUS: (2, 1500 + 300, 50 + 20)}
    rows = home.usage("session")["rows"]
    assert {row["session"]: row["requests"] for row in rows} == {"p": 2, "f": 1}


def test_a_compaction_behind_a_message_that_grew_is_taken_over(home: Any, message: Make, state: Make) -> None:
    grows = message("a", 1) + message("a", 10, timestamp="2026-11-20T10:00:00.100Z")
    fork = grows.replace('"s1"', '"f"') + message("b", 20, minute=9, sessionId="f") + state(5200, 330, "f")
    put(home, s1=grows + state(5100, 310), f=fork)
    assert more(home) == {OPUS: (1, 5000, 300)}


def test_a_fork_with_a_compaction_alone(home: Any, message: Make, state: Make) -> None:
    parent = message("a", sessionId="p") + state(110, 55, "p") + message("b", minute=8, sessionId="p")
    put(home, p=parent + state(910, 555, "p"), f=state(140, 95, "f"))
    # in the parent 710 and 455; in the fork what it has more than its parent's first total
    assert more(home, is_certain=False) == {OPUS: (2, 710 + 30, 455 + 40)}


def test_a_compaction_of_the_parent_behind_the_fork_is_not_taken_over(home: Any, message: Make, state: Make) -> None:
    parent = message("a", sessionId="p") + state(110, 55, "p") + state(910, 555, "p")
    fork = message("a", sessionId="f") + message("b", minute=2, sessionId="f") + state(240, 135, "f")
    put(home, p=parent, f=fork)
    # 810 and 505 in the parent; in the fork what is left of 240 and 135 without 110 and 55, and its own request
    assert more(home, is_certain=False) == {OPUS: (2, 810 + 30, 505 + 30)}


def test_a_compaction_of_the_parent_between_its_total_and_two_forks_counts_once(
    home: Any, message: Make, state: Make
) -> None:
    """Its next total has a subagent's request, too; with one more compaction it is not known which part is earlier."""
    forks = {
        name: message("a", sessionId=name, forkedFrom={"sessionId": "p"})
        + message(name, minute=at, sessionId=name)
        + state(5300, 400, name)
        for name, at in (("f", 10), ("g", 12))
    }
    agent = home.projects / "p" / "subagents" / "agent-x.jsonl"
    agent.parent.mkdir(parents=True)
    agent.write_text(message("x", minute=30, sessionId="p", isSidechain=True))
    parent = message("a", sessionId="p") + state(200, 100, "p")
    put(home, p=parent + state(5300, 400, "p"), **forks)
    assert more(home) == {OPUS: (1, 5100, 300)}
    put(home, p=parent + state(5400, 450, "p"))
    shutil.rmtree(home.data)
    assert more(home, is_certain=False) == {OPUS: (3, 5200 + 5000 + 5000, 350 + 250 + 250)}


def test_a_total_that_the_parent_may_have_told_after_the_fork_is_not_surely_taken_over(
    home: Any, message: Make, state: Make
) -> None:
    parent = message("a", sessionId="p") + state(100, 50, "p") + state(3100, 150, "p")
    fork = message("a", sessionId="f", forkedFrom={"sessionId": "p"}) + message("b", minute=9, sessionId="f")
    put(home, p=parent, f=fork + state(4200, 300, "f"))
    assert more(home, is_certain=False) == {OPUS: (2, 3000 + 4000, 100 + 200)}


def test_a_fork_whose_totals_begin_with_it_took_nothing_over(home: Any, message: Make, state: Make) -> None:
    parent = message("a", sessionId="p") + message("b", minute=8, sessionId="p") + state(207, 103, "p")
    fork = message("a", sessionId="f") + message("c", minute=2, sessionId="f") + state(130, 80, "f", start=2)
    put(home, p=parent, f=fork)
    # 7 and 3 in the parent; the fork's own request and 30 and 30
    assert more(home) == {OPUS: (2, 37, 33)}


def test_what_was_thought_before_the_parent_was_read_is_forgotten(home: Any, message: Make, state: Make) -> None:
    fork = message("a", sessionId="f") + message("b", minute=1, sessionId="f") + state(1300, 550, "f")
    other = "".join(message(name, minute=at, sessionId="g") for name, at in (("a", 0), ("d", 9), ("c", 12)))
    put(home, f=fork, g=other)
    home.usage()  # `g`, which went on later than `f`, seems to be its parent
    parent = message("a", sessionId="a") + state(200, 100, "a") + message("d", minute=9, sessionId="a")
    put(home, a=parent + state(300, 150, "a"))
    # 100 and 50 in the parent, which the fork took over; 1000 and 400 in the fork
    assert more(home) == {OPUS: (2, 1100, 450)}


def test_a_fork_of_a_fork_takes_over_what_both_have(home: Any, message: Make, state: Make) -> None:
    a, b, c = (
        lambda name, letter=letter, at=at: message(letter, minute=at, sessionId=name) for at, letter in enumerate("abc")
    )
    put(home, p=a("p") + state(150, 60, "p"), f=a("f") + b("f"), g=a("g") + b("g") + c("g") + state(351, 161, "g"))
    # 50 and 10 in the parent; of the fork between no total is known, but its request is
    assert more(home) == {OPUS: (2, 51, 11)}


def test_a_client_that_begins_anew_adds_up(home: Any, message: Make, state: Make) -> None:
    put(home, s1=message("a") + state(130, 60) + message("b", minute=3) + state(107, 55, start=2))
    assert more(home) == {OPUS: (1, 37, 15)}
    put(home, s1=message("a") + state(130, 60) + message("b", minute=3) + state(237, 115, start=2))
    shutil.rmtree(home.data)
    assert more(home) == {OPUS: (1, 37, 15)}


def test_the_mark_of_a_long_context_is_no_other_model(home: Any, message: Make, state: Make) -> None:
    text = state(60, 30).replace(OPUS, f"{OPUS}[1m]")
    both = json.loads(state(60, 30))
    both["modelUsage"][f"{OPUS}[1m]"] = {"inputTokens": 50, "outputTokens": 25, "costUSD": 0.2}
    put(home, s1=message("a") + text + json.dumps(both) + "\n")
    assert more(home) == {OPUS: (1, 10, 5)}


def test_the_date_of_a_snapshot_is_no_other_model(home: Any, message: Make, state: Make) -> None:
    """A total has the name that was asked for, and a row the one that answered."""
    row = message("a", model="claude-haiku-4-5-20251001") + message("b", minute=1, model="claude-haiku-4-5")
    put(home, s1=row + state(230, 110).replace(OPUS, "claude-haiku-4-5"))
    assert more(home) == {"claude-haiku-4-5": (1, 30, 10)}
    both = json.loads(state(130, 60).replace(OPUS, "claude-haiku-4-5"))
    both["modelUsage"]["claude-haiku-4-5-20251001"] = {"inputTokens": 150, "outputTokens": 60}
    put(home, s1=row + json.dumps(both) + "\n")
    shutil.rmtree(home.data)
    assert more(home) == {"claude-haiku-4-5": (1, 80, 20)}


def test_a_total_under_whose_name_another_model_answers_is_that_ones(home: Any, message: Make) -> None:
    """An endpoint of another vendor maps names; where another model took over, each has a total of its own."""

    def total(**used: tuple[int, int]) -> str:
        usage = {name: {"inputTokens": one[0], "outputTokens": one[1]} for name, one in used.items()}
        return json.dumps({"type": "cost-state", "sessionId": "s1", "startTime": 1, "modelUsage": usage}) + "\n"

    mapped = [message(name, model="glm-4.6", requestedModel=OPUS) for name in "ab"]
    put(home, s1="".join(mapped) + total(**{f"{OPUS}[1m]": (230, 110)}))
    assert more(home) == {"glm-4.6": (1, 30, 10)}
    shutil.rmtree(home.data)
    put(home, s1="".join(mapped) + total(**{OPUS: (7, 3), "glm-4.6": (200, 100)}))
    assert more(home) == {OPUS: (1, 7, 3)}
    shutil.rmtree(home.data)
    own = message("c", model=OPUS, requestedModel=OPUS)
    put(home, s1="".join([*mapped, own]) + total(**{OPUS: (130, 60)}))
    assert more(home) == {OPUS: (1, 30, 10)}


@pytest.mark.parametrize(
    ("row", "total", "left"),
    [
        ({"ephemeral_1h_input_tokens": 900, "ephemeral_5m_input_tokens": 100}, {}, ""),  # as 2.1.300 writes it
        (None, {"cacheCreationEphemeral1hInputTokens": 1000}, ""),
        ({"ephemeral_1h_input_tokens": 700}, {}, "cache_write_5m_tokens=300"),
        (
            {"ephemeral_1h_input_tokens": 700},
            {"cacheCreationEphemeral1hInputTokens": 900},
            "cache_write_5m_tokens=100, cache_write_1h_tokens=200",
        ),
    ],
)
def test_what_was_written_to_the_cache_is_one_count(
    home: Any, message: Make, state: Make, row: dict[str, int] | None, total: dict[str, int], left: str
) -> None:
    """A client may tell only in a row, or only in the total, for how long."""
    written = 1000 if row is None else sum(row.values())
    usage = {"cache_creation_input_tokens": written, "cache_creation": row}
    found = json.loads(state(100, 50))
    found["modelUsage"][OPUS] |= {"cacheCreationInputTokens": 1000, **total}
    put(home, s1=message("a", usage=usage) + json.dumps(found) + "\n")
    details = [one["detail"].rpartition(": ")[2] for one in home.usage()["missing"]]
    assert details == ([left] if left else [])


def test_requests_of_deleted_files_are_no_compaction(home: Any, message: Make, state: Make) -> None:
    put(home, s1=message("a") + state(200, 100))
    folder = home.projects / "s1" / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-x.jsonl").write_text(message("c", isSidechain=True))
    assert more(home) == {}
    shutil.rmtree(home.projects / "s1")
    shutil.rmtree(home.data / ".index")
    assert home.missing() == {"deleted": 1}
    assert home.total() == (2, 200, 100)


def test_what_a_fork_took_over_of_a_deleted_parent_is_no_compaction(home: Any, message: Make, state: Make) -> None:
    parent = message("a", sessionId="p") + state(110, 55, "p")
    put(home, p=parent, f=message("a", sessionId="f") + message("b", minute=2, sessionId="f") + state(210, 105, "f"))
    assert more(home) == {OPUS: (1, 10, 5)}
    (home.projects / "p.jsonl").unlink()
    shutil.rmtree(home.data / ".index")
    assert more(home) == {OPUS: (1, 10, 5)}
    assert home.total() == (2, 200, 100)


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        ((), {"not_in_rows": 2, "gone": 2}),
        (("--since", "2026-11-20T10:30"), {"not_in_rows": 1, "gone": 1}),
        (("--until", "2026-11-20T10:10"), {"not_in_rows": 1, "gone": 1}),
        (("--since", "2026-11-20T10:10", "--until", "2026-11-20T10:30"), {}),
        (("--last", "1"), {"not_in_rows": 1, "gone": 1}),
        (("weekly", "--last", "1"), {"not_in_rows": 2, "gone": 2}),
        (("monthly", "--last", "1"), {"not_in_rows": 2, "gone": 2}),
        (("--until", "2026-11-10"), {}),
    ],
)
def test_only_sessions_of_the_time_that_is_asked_for_are_said(
    home: Any, message: Make, state: Make, asked: tuple[str, ...], kinds: dict[str, int]
) -> None:
    early = "2026-11-19T23:50:00Z" if "--last" in asked else "2026-11-20T10:01:00Z"
    for name, at in (("early", early), ("late", "2026-11-20T10:40:00Z")):
        put(home, **{name: message(name, timestamp=at, sessionId=name) + state(900, 120, name)})
        put(home, **{f"{name}-gone": message(f"{name}-gone", timestamp=at, sessionId=f"{name}-gone")})
    home.usage()
    for name in ("early", "late"):
        (home.projects / f"{name}-gone.jsonl").unlink()
    found = home.usage(*asked)["missing"]
    assert {one["kind"]: one["count"] for one in found} == kinds
