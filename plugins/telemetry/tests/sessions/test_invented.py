"""Threads that a model of Codex invents, with the truth that it knows: each response counts once, whatever shows it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from attrs import define, field
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

Counts: TypeAlias = "tuple[int, int, int]"  # input, of which read from a cache, and output
KINDS = ("input_tokens", "cached_input_tokens", "output_tokens")
NOTHING: Counts = (0, 0, 0)


def added(one: Counts, other: Counts) -> Counts:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def usage(counts: Counts) -> dict[str, int]:
    return dict(zip(KINDS, counts, strict=True))


@define
class Thread:
    """A file: its lines with their seconds, and what it adds up to as the client shows it."""

    name: str
    has_records: bool  # which older clients do not write
    mode: str = "legacy"
    lines: list[tuple[float, str, Any]] = field(factory=list)
    total: Counts = NOTHING
    last: Counts = NOTHING  # of it

    def put(self, at: float, kind: str, **payload: Any) -> None:
        self.lines.append((at, kind, payload))

    @property
    def shows_records(self) -> bool:
        return any(kind == "token_usage_record" for _, kind, _ in self.lines)

    @property
    def text(self) -> str:
        rows = ({"timestamp": 1.79e9 + 0.25 + at, "type": kind, "payload": payload} for at, kind, payload in self.lines)
        return "".join(json.dumps(row) + "\n" for row in rows)


@define
class World:
    """Threads, the second, and the requests of each thread: how many, and their tokens."""

    chance: Random
    at: float = 0.0
    threads: list[Thread] = field(factory=list)
    requests: Counter[str] = field(factory=Counter)
    tokens: Counter[tuple[str, str]] = field(factory=Counter)
    _count: int = 0

    def begin(self, parent: Thread | None = None, kind: str = "main") -> None:
        chance = self.chance
        self.at += chance.choice((3, 60))
        thread = Thread(f"t{len(self.threads)}", parent.has_records if parent else chance.random() < 0.5)
        thread.mode = (
            parent.mode if parent else "paginated" if thread.has_records and chance.random() < 0.5 else "legacy"
        )
        meta: dict[str, Any] = {"id": thread.name, "cwd": "/w/acme", "history_mode": thread.mode}
        if parent is not None and kind == "subagent":
            meta["source"] = {"subagent": {"thread_spawn": {"parent_thread_id": parent.name}}}
        elif parent is not None:
            meta["forked_from_id"] = parent.name
            thread.total, thread.last = parent.total, parent.last
            if thread.mode == "paginated" and chance.random() < 0.7:
                meta["history_base"] = {"thread_id": parent.name, "end_ordinal_exclusive": len(parent.lines)}
        thread.put(self.at, "session_meta", **meta)
        if "history_base" in meta and chance.random() < 0.5:  # a turn that got no answer
            thread.put(self.at + 1, "turn_context", model="gpt-5.2")
            self.at += 2
            self.count(thread, thread.last)
        if parent is not None and kind == "fork" and thread.mode == "legacy":
            # a slow one of a subagent that copies shows what that did not
            is_slow = chance.random() < 0.3 and "source" not in parent.lines[0][2]
            for _, copied, payload in parent.lines:
                self.at += 1.5 if is_slow and chance.random() < 0.2 else 0
                thread.lines.append((self.at, copied, payload))
        if parent is not None and kind == "subagent" and not parent.shows_records and chance.random() < 0.5:
            thread.lines += [(self.at, copied, payload) for _, copied, payload in parent.lines]
        self.threads.append(thread)
        self.turn(thread)

    def turn(self, thread: Thread) -> None:
        self.at += 5
        thread.put(self.at, "turn_context", model="gpt-5.2")
        for _ in range(self.chance.choice((1, 1, 3))):
            self.at += self.chance.choice((0.2, 4))
            self.respond(thread)

    def respond(self, thread: Thread, *, is_compaction: bool = False) -> None:
        chance = self.chance
        # a total that was counted from 0 anew and is the one of before cannot be told from it
        counts = (100, 0, 10) if chance.random() < 0.5 and any(thread.total) else self._odd()
        self._count += 1
        if thread.has_records:
            thread.put(
                self.at, "token_usage_record", thread_id=thread.name, response_id=f"r{self._count}", usage=usage(counts)
            )
        if not is_compaction:
            thread.total = added(thread.total, counts)
        for _ in range(chance.choice((1, 1, 2))):
            self.count(thread, NOTHING if is_compaction else counts)
        self.requests[thread.name] += 1
        for kind, tokens in zip(KINDS, counts, strict=True):
            self.tokens[thread.name, kind] += tokens

    def count(self, thread: Thread, last: Counts) -> None:
        thread.last = last
        info = {"total_token_usage": usage(thread.total), "last_token_usage": usage(last)}
        thread.put(self.at, "event_msg", type="token_count", info=info)

    def _odd(self) -> Counts:
        return self.chance.randrange(50, 9000), self.chance.randrange(50), self.chance.randrange(1, 99)

    def go_on(self) -> None:
        thread = self.chance.choice(self.threads)
        match self.chance.choice(("turn", "turn", "fork", "subagent", "compaction", "update", "reset")):
            case "compaction" if thread.has_records:
                self.at += 9
                self.respond(thread, is_compaction=True)
            case "fork" | "subagent" as kind if len(self.threads) < 8:
                self.begin(thread, kind)
            case "update":
                thread.has_records = True
            case "reset" if not thread.has_records:
                thread.total = NOTHING
                self.turn(thread)
            case _:
                self.turn(thread)


def figures(home: Any) -> dict[str, tuple[int, int, int]]:
    rows = home.usage("session")["rows"]
    return {
        row["session"]: (row["requests"], row["input_tokens"] + row["cache_read_tokens"], row["output_tokens"])
        for row in rows
    }


def written(world: World, folder: Path) -> Iterator[Path]:
    for thread in world.threads:
        path = folder / f"rollout-{thread.name}.jsonl"
        path.write_text(thread.text)
        yield path


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9).map(Random))
@example(Random(2732))  # behind a pause of a fork that copies, a count stands before the record of another request
def test_each_response_counts_once_at_once_and_in_pieces_and_when_files_are_deleted(home: Any, chance: Random) -> None:
    shutil.rmtree(home.data, ignore_errors=True)
    shutil.rmtree(home.sessions)
    home.sessions.mkdir()
    world = World(chance)
    world.begin()
    for _ in range(3):
        for _ in range(4):
            world.go_on()
        paths = [*written(world, home.sessions)]
        truth = {
            name: (count, world.tokens[name, "input_tokens"], world.tokens[name, "output_tokens"])
            for name, count in world.requests.items()
        }
        assert figures(home) == truth
    shutil.rmtree(home.data)
    assert figures(home) == truth
    chance.choice(paths).unlink()
    assert figures(home) == truth
