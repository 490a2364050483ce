"""A file of Codex that begins with a copy of its parent's, other than a legacy fork: what that showed counts once."""

from __future__ import annotations

import json
import shutil
from itertools import accumulate
from typing import Any

import pytest

NAMES = ("input_tokens", "cached_input_tokens", "output_tokens")
USED = [(1000 + at, 400, 100 + at) for at in range(4)]
EPOCH = 1.79e9 + 0.25  # of whole seconds it is not known what follows within milliseconds


def row(second: float, kind: str, **payload: Any) -> dict[str, Any]:
    return {"timestamp": EPOCH + second, "type": kind, "payload": payload}


def usage(counts: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(NAMES, counts, strict=True))


def counted(second: float, total: tuple[int, ...], last: tuple[int, ...]) -> dict[str, Any]:
    info = {"total_token_usage": usage(total), "last_token_usage": usage(last)}
    return row(second, "event_msg", type="token_count", info=info)


def recorded(second: float, thread: str, response: str, counts: tuple[int, ...]) -> dict[str, Any]:
    return row(second, "token_usage_record", thread_id=thread, response_id=response, usage=usage(counts))


def asked(begin: float, used: list[tuple[int, ...]], *, thread: str = "", gap: float = 5) -> list[dict[str, Any]]:
    """A turn of some requests, with records if the thread has a name."""
    rows = [row(begin, "turn_context", model="gpt-5.2")]
    totals = accumulate(used, lambda one, other: tuple(a + b for a, b in zip(one, other, strict=True)))
    for at, (total, last) in enumerate(zip(totals, used, strict=True), 1):
        own = [recorded(begin + at * gap, thread, f"r{last[0]}", last)] if thread else []
        rows += [*own, counted(begin + at * gap, total, last)]
    return rows


def spawned(second: float, **meta: Any) -> dict[str, Any]:
    source = {"subagent": {"thread_spawn": {"parent_thread_id": "p", "depth": 1}}}
    return row(second, "session_meta", **{"id": "s", "cwd": "/w/acme", "source": source, **meta})


def write(home: Any, name: str, rows: list[dict[str, Any]], *, has_ordinals: bool = False) -> None:
    lines = [{**one, "ordinal": at} if has_ordinals else one for at, one in enumerate(rows)]
    (home.sessions / f"rollout-{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))


def sessions(home: Any) -> dict[str, tuple[int, int]]:
    return {one["session"]: (one["requests"], one["output_tokens"]) for one in home.usage("session")["rows"]}


PARENT = [row(0, "session_meta", id="p", cwd="/w/acme"), *asked(0, USED[:2])]
BOTH = {"p": (2, USED[0][2] + USED[1][2]), "s": (2, USED[2][2] + USED[3][2])}


@pytest.mark.parametrize("is_stamped", [False, True])
@pytest.mark.parametrize("is_named", [False, True])
@pytest.mark.parametrize("spread", [0, 0.004])
def test_requests_that_its_parent_shows_are_the_parents(
    home: Any, *, is_stamped: bool, is_named: bool, spread: float
) -> None:
    """Whether the copies have the times of the spawn or their own, and whether the file is called a fork."""
    copies = [{**one, "timestamp": EPOCH + 60 + spread} if is_stamped else one for one in PARENT]
    meta = {"forked_from_id": "p", "history_mode": "legacy"} if is_named else {}
    write(home, "p", PARENT)
    write(home, "s", [spawned(60, **meta), *copies, *asked(69, USED[2:])])
    assert sessions(home) == BOTH


@pytest.mark.parametrize("has_records", [False, True])
@pytest.mark.parametrize("has_ordinals", [False, True])
@pytest.mark.parametrize("has_parent", [False, True])
def test_a_copy_is_told_by_its_time_or_its_place(
    home: Any, *, has_records: bool, has_ordinals: bool, has_parent: bool
) -> None:
    """Also where the parent is gone, or shows the request by a record that was not copied."""
    parent = [PARENT[0], *asked(0, USED[:2], thread="p" if has_records else "")]
    copies = [one for one in parent if one["type"] != "token_usage_record"]
    meta = {}
    if has_ordinals:
        copies = [{**one, "timestamp": EPOCH + 60} for one in copies]
        meta = {"subagent_history_start_ordinal": len(copies) + 1}
    if has_parent:
        write(home, "p", parent)
    own = asked(60, USED[2:], thread="s" if has_records else "", gap=0.3)
    write(home, "s", [spawned(60, **meta), *copies, *own], has_ordinals=has_ordinals)
    assert sessions(home) == {name: one for name, one in BOTH.items() if has_parent or name == "s"}


@pytest.mark.parametrize("has_copies", [False, True])
def test_a_subagents_file_that_was_made_paginated_later_keeps_its_requests(home: Any, *, has_copies: bool) -> None:
    """Its history is said to begin behind its last line."""
    copies = [{**one, "timestamp": EPOCH + 60.003} for one in PARENT[1:] * has_copies]
    own = asked(60, USED[2:])
    write(home, "p", PARENT)
    meta = {"history_mode": "paginated", "subagent_history_start_ordinal": 1 + len(copies) + len(own)}
    write(home, "s", [spawned(60, **meta), *copies, *own], has_ordinals=True)
    assert sessions(home) == BOTH


@pytest.mark.parametrize("gap", [0, 0.3, 0.9, 5])
@pytest.mark.parametrize("is_exact", [False, True])
def test_its_own_requests_with_the_figures_of_its_parents_first_count(home: Any, gap: float, *, is_exact: bool) -> None:
    """Though its parent's first line is copied: only what follows that within milliseconds may be a copy, too."""
    same = [(100, 0, 10), (100, 0, 10)]
    begin = 60.1 if is_exact else 60 - 0.25  # whole seconds
    copied = {**PARENT[0], "timestamp": EPOCH + (60.001 if is_exact else begin)}
    write(home, "p", [PARENT[0], *asked(0, same)])
    write(home, "s", [spawned(begin - is_exact * 0.1), copied, *asked(begin, same, gap=gap)])
    assert sessions(home) == {"p": (2, 20), "s": (2, 20)}


@pytest.mark.parametrize("is_fork", [False, True])
def test_copies_are_known_when_the_parents_file_and_the_index_are_gone(home: Any, *, is_fork: bool) -> None:
    """The journal says until when a session shows the requests of another one."""
    copies = [{**one, "timestamp": EPOCH + 60 + at / 1000} for at, one in enumerate(PARENT)]
    fork = row(60, "session_meta", id="s", forked_from_id="p", history_mode="paginated")
    write(home, "p", PARENT)
    write(home, "s", [*([fork, *copies[1:]] if is_fork else [spawned(60), *copies]), *asked(69, USED[2:])])
    for _ in range(3):
        assert sessions(home) == BOTH
        (home.sessions / "rollout-p.jsonl").unlink(missing_ok=True)
        shutil.rmtree(home.data / ".index")


@pytest.mark.parametrize(("has_records", "is_known"), [(False, True), (True, True), (False, False)])
def test_counts_that_a_subagent_copied_at_once_are_its_parents(home: Any, *, has_records: bool, is_known: bool) -> None:
    """Behind its parent's first line also if the parent's file is gone, or has its requests as records."""
    if is_known:
        write(home, "p", [PARENT[0], *asked(0, USED[:2], thread="p" if has_records else "")])
    copies = [{**one, "timestamp": EPOCH + 60 + at / 50} for at, one in enumerate(PARENT)]
    write(home, "s", [spawned(60), *copies, *asked(69, USED[2:])])
    assert sessions(home) == (BOTH if is_known else {"s": BOTH["s"]})


@pytest.mark.parametrize("gap", [0.02, 0.2])
def test_a_subagents_first_counts_may_be_copies_without_its_parents_first_line(home: Any, gap: float) -> None:
    write(home, "p", PARENT)
    first = [{**one, "timestamp": EPOCH + 60 + gap} for one in PARENT[1:]]
    write(home, "s", [spawned(60), *first, *asked(69, USED[2:])])
    own = USED if gap > 0.1 else USED[2:]
    assert sessions(home) == {"p": BOTH["p"], "s": (len(own), sum(one[2] for one in own))}


def test_one_that_a_subagent_began_copies_what_that_copied(home: Any) -> None:
    copies = [{**one, "timestamp": EPOCH + 60.004} for one in PARENT]
    own = asked(69, USED[2:3])
    write(home, "p", PARENT)
    write(home, "s", [spawned(60), *copies, *own])
    again = [{**one, "timestamp": EPOCH + 90.004} for one in (spawned(60), *copies, *own)]
    write(home, "t", [spawned(90, id="t"), *again, *asked(99, USED[3:])])
    assert sessions(home) == {"p": BOTH["p"], "s": (1, USED[2][2]), "t": (1, USED[3][2])}


def test_its_own_requests_may_have_its_parents_figures(home: Any) -> None:
    """Its totals begin at 0, as the parent's did."""
    write(home, "p", PARENT)
    write(home, "s", [spawned(60), *asked(62, USED[:2])])
    write(home, "t", [spawned(60, id="t"), *asked(60, [(7, 0, 7), (8, 0, 8)], gap=0.3)])
    assert sessions(home) == {**BOTH, "s": BOTH["p"], "t": (2, 15)}


@pytest.mark.parametrize("is_known", [False, True])
def test_a_fork_that_copies_with_the_times_of_its_parent(home: Any, *, is_known: bool) -> None:
    """What is of before the fork is the parent's, also if the client deleted that, and if it never was here."""
    fork = row(60, "session_meta", id="f", forked_from_id="p")
    if is_known:
        write(home, "p", PARENT)
    write(home, "f", [fork, *PARENT, *asked(69, USED[2:3])])
    expected = {"f": (1, USED[2][2])} | ({"p": BOTH["p"]} if is_known else {})
    assert sessions(home) == expected
    (home.sessions / "rollout-p.jsonl").unlink(missing_ok=True)
    shutil.rmtree(home.data / ".index")
    assert sessions(home) == expected


@pytest.mark.parametrize("is_migrated", [False, True])
def test_a_fork_that_was_made_paginated_later(home: Any, *, is_migrated: bool) -> None:
    """It has its parent's requests, and no base. One that was paginated from the start goes on from the last total."""
    write(home, "p", PARENT)
    copies = [{**one, "timestamp": EPOCH + 60} for one in PARENT[1:]] if is_migrated else []
    last = PARENT[-1]["payload"]["info"]["total_token_usage"]
    total = tuple(a + b for a, b in zip(last.values(), USED[2], strict=True))
    meta = row(60, "session_meta", id="f", forked_from_id="p", history_mode="paginated")
    write(home, "f", [meta, *copies, row(60, "turn_context", model="gpt-5.2"), counted(60.4, total, USED[2])])
    assert sessions(home) == {"p": BOTH["p"], "f": (1, USED[2][2])}
    (home.sessions / "rollout-p.jsonl").unlink()
    assert sessions(home) == {"p": BOTH["p"], "f": (1, USED[2][2])}


def test_a_reviewer_that_begins_with_the_last_total_of_another_one(home: Any) -> None:
    """The row in front of its own, whose place it names, is of a request that the other one made."""
    meta = {"source": {"subagent": {"other": "guardian"}}, "history_mode": "paginated"}
    first = [spawned(60, id="g1", **meta), *asked(60, USED[:2], thread="g1")]
    total = first[-1]["payload"]["info"]["total_token_usage"]
    begun = [
        spawned(90, id="g2", subagent_history_start_ordinal=3, **meta),
        row(90, "turn_context", model="gpt-5.2"),
        counted(90.001, tuple(total.values()), USED[1]),
        recorded(95, "g2", "r9", USED[2]),
        counted(95, tuple(a + b for a, b in zip(total.values(), USED[2], strict=True)), USED[2]),
    ]
    write(home, "g1", first)
    write(home, "g2", begun, has_ordinals=True)
    assert sessions(home) == {"g1": BOTH["p"], "g2": (1, USED[2][2])}


@pytest.mark.parametrize("is_segment", [False, True], ids=["fork", "segment"])
@pytest.mark.parametrize(
    ("size", "has_records", "is_late"), [(1, True, False), (2, True, True), (2, False, False)], ids=str
)
def test_what_a_fork_writes_again_of_its_parents_last_request_is_no_request(
    home: Any, *, has_records: bool, is_segment: bool, is_late: bool, size: int
) -> None:
    """A paginated fork, or a thread's next file, whose first turn got no answer; the parent may be read later."""
    thread = "p" if is_segment else "f"
    base = {"thread_id": "p", "end_ordinal_exclusive": 5, "end_byte_offset": 999}
    fork = {"forked_from_id": None if is_segment else "p", "history_mode": "paginated", "history_base": base}
    parent = [PARENT[0], *asked(0, USED[:size], thread="p" if has_records else "")]
    total = tuple(map(sum, zip(*USED[:size], strict=True)))
    meta = row(60, "session_meta", id=thread, cwd="/w/acme", **fork)
    again = [meta, row(61, "turn_context", model="gpt-5.2"), counted(62, total, USED[size - 1])]
    name = "a" if is_late else "z"
    for rows in (again, [*again, counted(63, tuple(map(sum, zip(total, USED[size], strict=True))), USED[size])]):
        if not is_late:
            write(home, "p", parent)
        write(home, name, rows)
        if is_late:
            sessions(home)
            write(home, "p", parent)
        used = USED[:size] if rows is again else USED[: size + 1]
        own = [] if is_segment else used[size:]
        expected = {"p": used[: len(used) - len(own)], "f": own}
        truth = {key: (len(one), sum(last[2] for last in one)) for key, one in expected.items() if one}
        assert sessions(home) == truth
        if has_records:  # nor is it one when the original is deleted, and the index with it
            (home.sessions / "rollout-p.jsonl").unlink()
            assert sessions(home) == truth
            kept = (home.data / "codex_sessions.jsonl").read_text()
            shutil.rmtree(home.data / ".index")
            assert sessions(home) == truth
            assert (home.data / "codex_sessions.jsonl").read_text() == kept
        shutil.rmtree(home.data)


@pytest.mark.parametrize("has_records", [False, True])
@pytest.mark.parametrize(("size", "is_subagent"), [(1, False), (2, False), (2, True)])
def test_a_fork_from_an_earlier_message_writes_what_was_the_last_request_there_again(
    home: Any, *, has_records: bool, is_subagent: bool, size: int
) -> None:
    """So does a subagent that goes on with its parent's total."""
    write(home, "p", [PARENT[0], *asked(0, USED[:3], thread="p" if has_records else "")])
    totals = [*accumulate([*USED[:size], USED[3]], lambda one, other: tuple(map(sum, zip(one, other, strict=True))))]
    fork = {"forked_from_id": "p", "history_mode": "paginated", "history_base": {"thread_id": "p"}}
    meta = spawned(60, id="f") if is_subagent else row(60, "session_meta", id="f", cwd="/w/acme", **fork)
    begun = [meta, row(61, "turn_context", model="gpt-5.2")]
    write(home, "f", [*begun, counted(62, totals[-2], USED[size - 1]), counted(63, totals[-1], USED[3])])
    assert sessions(home) == {"p": (3, sum(one[2] for one in USED[:3])), "f": (1, USED[3][2])}


@pytest.mark.parametrize("at", [0, 1], ids=["otherwise", "as much"])
def test_the_first_request_of_a_fork_counts_if_its_total_is_beyond_its_parents(home: Any, at: int) -> None:
    """Also if it used as much as its parent's last one."""
    write(home, "p", PARENT)
    fork = {"forked_from_id": "p", "history_mode": "paginated", "history_base": {"thread_id": "p"}}
    total = tuple(map(sum, zip(*USED[:2], USED[at], strict=True)))
    meta = row(60, "session_meta", id="f", cwd="/w/acme", **fork)
    write(home, "f", [meta, row(61, "turn_context", model="gpt-5.2"), counted(62, total, USED[at])])
    assert sessions(home) == {"p": BOTH["p"], "f": (1, USED[at][2])}


@pytest.mark.parametrize("is_recorded", [False, True])
@pytest.mark.parametrize("first", ["sound", "cut off", "damaged", "missing"])
def test_a_fork_whose_own_first_line_is_lost_keeps_its_requests(home: Any, first: str, *, is_recorded: bool) -> None:
    """The copied first line of its parent is taken for it; a record names the thread all the same."""
    own = asked(60, USED[2:], thread="f")
    copied = asked(0, USED[:2], thread="p" if is_recorded else "")
    parent = [row(0, "session_meta", id="p", cwd="/w/acme"), *copied]
    # a fork is stamped with its own time, and goes on counting its parent's total
    rows = [{**one, "timestamp": EPOCH + 50} for one in parent]
    write(home, "p", parent)
    lines = [json.dumps(one) for one in (*rows, *own)]
    head = json.dumps(row(50, "session_meta", id="f", forked_from_id="p", cwd="/w/acme"))
    heads = {"sound": [head], "cut off": [head[:40]], "damaged": [head.replace('"id"', '"id')], "missing": []}
    (home.sessions / "rollout-f.jsonl").write_text("".join(f"{one}\n" for one in (*heads[first], *lines)))
    assert sessions(home) == {"p": BOTH["p"], "f": BOTH["s"]}
    (home.sessions / "rollout-p.jsonl").unlink()
    assert sessions(home) == {"p": BOTH["p"], "f": BOTH["s"]}


def test_records_name_the_session_where_no_line_does(home: Any) -> None:
    write(home, "a", asked(0, USED[:2], thread="a"))
    write(home, "b", asked(0, USED[2:], thread="b"))
    assert sessions(home) == {"a": BOTH["p"], "b": BOTH["s"]}


def test_a_record_of_another_thread_before_any_of_its_own_is_a_copy(home: Any) -> None:
    """Also where the line is damaged that would name its thread."""
    meta = row(0, "session_meta", id="c", forked_from_id="b", cwd="/w/acme")
    write(home, "c", [meta, *asked(0, USED[:2], thread="a", gap=0), *asked(60, USED[2:], thread="c")])
    assert sessions(home) == {"c": BOTH["s"]}


PAGES = {"forked_from_id": "p", "history_mode": "paginated"}


@pytest.mark.parametrize("gap", [0.001, 2, 5])
@pytest.mark.parametrize(
    "meta",
    [{}, PAGES, {**PAGES, "history_base": {"thread_id": "p", "end_ordinal_exclusive": 9}}, {"forked_from_id": "p"}],
    ids=["plain", "paginated", "with a base", "legacy"],
)
def test_records_of_a_thread_that_no_line_names_are_copies_where_the_first_line_is_sound(
    home: Any, meta: dict[str, Any], gap: float
) -> None:
    copied = asked(0, USED[:2], thread="g", gap=gap)
    own = asked(60, USED[2:], thread="f")
    write(home, "f", [row(0, "session_meta", id="f", cwd="/w", **meta), *copied, *own])
    write(home, "late", [row(0, "session_meta", id="l", cwd="/w"), *asked(60, [(7, 0, 7)], thread="l"), *copied])
    assert sessions(home) == {"f": BOTH["s"], "l": (1, 7)}


def forked(second: float, *names: str, used: list[tuple[int, ...]]) -> list[dict[str, Any]]:
    """The beginning of a legacy fork: its own first line, those of its parents, and what these used, all at once."""
    own = row(second, "session_meta", id=names[0], forked_from_id=names[1], cwd="/w/acme")
    metas = [row(second, "session_meta", id=name, cwd="/w/acme") for name in names[1:]]
    return [own, *metas, *({**one, "timestamp": EPOCH + second + 0.004} for one in asked(0, used))]


def answered(second: float, used: list[tuple[int, ...]]) -> list[dict[str, Any]]:
    """The last of these requests, as a fork shows its own."""
    return [row(second - 0.06, "turn_context", model="gpt-5.2"), {**asked(0, used)[-1], "timestamp": EPOCH + second}]


@pytest.mark.parametrize("is_asked", [False, True])
def test_forks_of_forks_that_answer_within_a_second_keep_their_requests(home: Any, *, is_asked: bool) -> None:
    """Also those of one whose parent has no request of its own: its file was read."""
    used = USED[: 2 + is_asked]
    write(home, "p", PARENT)
    write(home, "f", [*forked(60, "f", "p", used=USED[:2]), *(answered(60.16, used) if is_asked else ())])
    write(home, "g", [*forked(90, "g", "f", "p", used=used), *answered(90.16, [*used, USED[3]])])
    truth = {"p": BOTH["p"], **({"f": (1, USED[2][2])} if is_asked else {}), "g": (1, USED[3][2])}
    assert sessions(home) == truth
    for name in "fp":
        (home.sessions / f"rollout-{name}.jsonl").unlink()
        assert sessions(home) == truth


def test_what_a_subagent_copied_makes_no_deleted_parent_known(home: Any) -> None:
    """Else what a fork copied of it would count again."""
    write(home, "p", PARENT)
    write(home, "s", [spawned(30), *forked(30, "s", "p", used=USED[:1])[1:], *asked(33, USED[2:3])])
    write(home, "f", [*forked(60, "f", "p", used=USED[:2]), *answered(69, [*USED[:2], USED[3]])])
    for _ in range(3):
        assert sessions(home) == {"p": BOTH["p"], "s": (1, USED[2][2]), "f": (1, USED[3][2])}
        (home.sessions / "rollout-p.jsonl").unlink(missing_ok=True)
        shutil.rmtree(home.data / ".index")


def test_what_its_parent_or_a_sibling_uses_later_is_no_original_of_a_forks_request(home: Any) -> None:
    """Though all three have the same numbers, and the fork answers within a second."""
    write(home, "p", [*PARENT, *answered(200, [*USED[:2], USED[2]])])
    for second, name in ((60, "f"), (90, "g")):
        write(home, name, [*forked(second, name, "p", used=USED[:2]), *answered(second + 0.5, [*USED[:2], USED[2]])])
    own = USED[2][2]
    assert sessions(home) == {"p": (3, BOTH["p"][1] + own), "f": (1, own), "g": (1, own)}


@pytest.mark.parametrize("thread", ["", "p"])
def test_what_a_fork_copied_is_its_parents_though_a_clock_was_set_back_before(home: Any, thread: str) -> None:
    write(home, "p", [PARENT[0], *asked(0, USED[:2], thread=thread)])
    write(home, "f", [*forked(-19, "f", "p", used=USED[:2]), *answered(1, USED[:3])])
    assert sessions(home) == {"p": BOTH["p"], "f": (1, USED[2][2])}


@pytest.mark.parametrize("is_named", [False, True])
def test_a_fork_whose_copies_lack_the_records_or_their_threads(home: Any, *, is_named: bool) -> None:
    """What its parent shows by records counts once, and what a fork copied is none of its own if that is gone."""
    parent = [PARENT[0], *asked(0, USED[:2], thread="p")]
    copies = [one for one in parent[1:] if is_named or one["type"] != "token_usage_record"]
    copies = [{**one, "payload": {**one["payload"], "thread_id": None}} for one in copies]
    head = [row(60, "session_meta", id="s", forked_from_id="p"), row(60, "session_meta", id="p")]
    own = asked(66, USED[2:], thread="s")
    write(home, "s", [*head, *({**one, "timestamp": EPOCH + 60} for one in copies), *own])
    assert sessions(home) == {"s": BOTH["s"]}
    write(home, "p", parent)
    assert sessions(home) == BOTH


def test_records_without_names_and_totals_are_told_by_their_times(home: Any) -> None:
    first, second = ([recorded(at, "p", "", USED[0]), counted(at, (at * 100, 0, at), USED[0])] for at in (1, 2))
    write(home, "p", [PARENT[0], *first, *second])
    write(home, "copy", [PARENT[0], *first, *second])
    assert sessions(home) == {"p": (2, 2 * USED[0][2])}
