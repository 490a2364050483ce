"""Sessions that a model of Claude Code invents, with the truth that it knows: each message counts once."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Row: TypeAlias = "dict[str, Any]"
Truth: TypeAlias = "dict[str, tuple[int, int, int]]"  # by session: requests, input with caches, output


@define
class World:
    """The rows of each file below the folder, and the messages of each session: input, and output until now."""

    chance: Random
    second: int = 0
    files: dict[str, list[Row]] = field(factory=dict)
    messages: dict[str, dict[str, tuple[int, int]]] = field(factory=lambda: defaultdict(dict))
    has_resumed: bool = False  # older clients' copies do not name the session that they are from
    _count: int = 0

    @property
    def truth(self) -> Truth:
        return {
            name: (len(own), sum(one for one, _ in own.values()), sum(one for _, one in own.values()))
            for name, own in self.messages.items()
        }

    def begin(self, rows: list[Row] | None = None, **more: Any) -> None:
        name = f"s{len(self.messages)}"
        self.files[name] = [{**row, "sessionId": name, **more} for row in rows or ()]
        self.answer(name, name)

    def answer(self, file: str, session: str, *, is_sidechain: bool = False) -> None:
        """One answer, with a row for each block of it; older clients show its output while it grows."""
        chance = self.chance
        self.second += chance.choice((1, 40))
        self._count += 1
        # equal numbers are two requests all the same
        plain, read, output = (100, 0, 10) if chance.random() < 0.4 else (chance.randrange(99), chance.randrange(9), 60)
        outputs = [output] * chance.choice((1, 2, 3))
        if chance.random() < 0.5:
            outputs = sorted(chance.randrange(1, output + 1) for _ in outputs)
        for shown in outputs:
            usage = {"input_tokens": plain, "cache_read_input_tokens": read, "output_tokens": shown}
            message = {"id": f"m{self._count}", "model": "claude-opus-4-6", "content": '"usage"', "usage": usage}
            row = {"type": "assistant", "requestId": f"r{self._count}", "message": message, "sessionId": session}
            row |= {"timestamp": 1.79e9 + self.second, "cwd": "/w/acme", "isSidechain": is_sidechain}
            self.files[file].append(row)
            if chance.random() < 0.3:
                self.files[file].append({"type": "user", "message": {"content": '{"usage": 5}'}, "sessionId": session})
        self.messages[session][f"m{self._count}"] = (plain + read, max(outputs))

    def go_on(self) -> None:
        chance = self.chance
        session = chance.choice([*self.messages])
        own = self.files[session]
        match chance.choice(("answer", "answer", "branch", "resume", "subagent", "replay")):
            case "branch" if len(self.messages) < 6:
                self.begin(own[: chance.randrange(len(own)) + 1], forkedFrom={"sessionId": session})
            case "resume" if len(self.messages) < 6:
                self.has_resumed = True
                self.begin(own)
            case "subagent":
                file = f"{session}/subagents/agent-{chance.randrange(2)}"
                self.files.setdefault(file, [])
                self.answer(file, session, is_sidechain=True)
            case "replay":
                # each row under a request of its own
                file = f"{session}/subagents/agent-{chance.randrange(2)}"
                shown = [row for row in own if "forkedFrom" not in row and row["type"] == "assistant"]
                again = [{**row, "isSidechain": True, "requestId": f"x{at}"} for at, row in enumerate(shown)]
                self.files.setdefault(file, []).extend(again)
            case _:
                self.answer(session, session)


def written(world: World, folder: Path) -> Iterator[Path]:
    for name, rows in world.files.items():
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        yield path


def check(home: Any, world: World) -> None:
    rows = home.usage("session")["rows"]
    found = {
        row["session"]: (row["requests"], row["input_tokens"] + row["cache_read_tokens"], row["output_tokens"])
        for row in rows
    }
    if not world.has_resumed:
        assert found == world.truth
    assert [*map(sum, zip(*found.values(), strict=True))] == [*map(sum, zip(*world.truth.values(), strict=True))]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9).map(Random))
def test_each_message_counts_once_at_once_and_in_pieces_and_when_files_are_deleted(home: Any, chance: Random) -> None:
    shutil.rmtree(home.data, ignore_errors=True)
    shutil.rmtree(home.projects)
    world = World(chance)
    world.begin()
    for _ in range(3):
        for _ in range(4):
            world.go_on()
        paths = [*written(world, home.projects)]
        check(home, world)
    shutil.rmtree(home.data)
    check(home, world)
    chance.choice(paths).unlink()
    check(home, world)
    if not world.has_resumed:
        shutil.rmtree(home.data / ".index")
        check(home, world)
