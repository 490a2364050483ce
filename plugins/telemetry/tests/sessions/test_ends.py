"""Plugins whose last lines leave a request open: it counts as it is then, and once when more lines follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tracker.kernel import Registry
from tracker_telemetry.sessions import parallel, scan

Make = Callable[..., str]
End = Callable[[dict[str, Any]], Any]


@pytest.fixture(params=[1, 2])
def ending(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[End], None]:
    """Let the plugins give a request when the next one begins, and the last one at the end."""
    bind, has = Registry.bind, Registry.has
    monkeypatch.setattr(scan, "workers", lambda: request.param)
    monkeypatch.setattr(parallel, "PARALLEL", 0)

    def put(end: End) -> None:
        def bound(self: Registry, source: str, hook: str) -> Callable[..., Any]:
            if hook == "end_stream":
                return end
            own = bind(self, source, hook)

            def read(line: bytes, scratch: dict[str, Any]) -> Any:
                events = [*own(line, scratch)]
                given = scratch.get("open", []) if events else []
                scratch["open"] = events or scratch.get("open", [])
                return given

            return read

        monkeypatch.setattr(Registry, "bind", bound)
        monkeypatch.setattr(Registry, "has", lambda *given: given[-1] == "end_stream" or has(*given))

    return put


def last(scratch: dict[str, Any]) -> Any:
    return scratch.pop("open", [])


def test_the_last_request_of_a_file_counts_once(home: Any, message: Make, ending: Callable[[End], None]) -> None:
    ending(last)
    log = home.projects / "s1.jsonl"
    log.write_text(message("a", 10) + message("b", 10))
    (home.projects / "s2.jsonl").write_text(message("x", sessionId="s2"))
    assert home.total() == (3, 300, 70)
    with log.open("a") as file:
        file.write(message("b", 30) + message("c", 10)[:-1])
    assert home.total() == (4, 400, 100)
    with log.open("a") as file:
        file.write("\n" + message("d", 10)[:40])
    for _ in range(2):
        assert home.total() == (4, 400, 100)
        assert home.missing() == {"partial": 1}


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (lambda _scratch: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
        (lambda _scratch: None, "TypeError: returned a NoneType. Expected a list of events"),
    ],
    ids=["raises", "none"],
)
def test_a_fault_at_the_end_costs_the_open_requests_alone(
    home: Any, message: Make, ending: Callable[[End], None], end: End, why: str
) -> None:
    ending(end)
    (home.projects / "s1.jsonl").write_text(message("a") + message("b"))
    (home.projects / "s2.jsonl").write_text(message("x", sessionId="s2") + message("y", sessionId="s2"))
    done = home.run("usage")
    assert done.exit_code == 0
    cost = "requests left open at the end of its files are not counted"
    assert done.stderr.count(f"warning: plugin 'claude-sessions' failed to end_stream: {why}; {cost}") == 1
    assert home.total() == (2, 200, 100)


def test_a_wrong_value_before_the_end_is_named_and_counted(
    home: Any, message: Make, ending: Callable[[End], None]
) -> None:
    ending(last)
    log = home.projects / "s1.jsonl"
    log.write_text(message("a") + message("b", usage={"input_tokens": 10**14}) + message("c"))
    assert home.total() == (2, 200, 100)
    assert home.missing() == {"unreadable": 1}


def test_a_wrong_value_at_the_end_is_the_fault_of_its_hook(
    home: Any, message: Make, ending: Callable[[End], None]
) -> None:
    ending(lambda scratch: [{**event, "input_tokens": "5"} for event in last(scratch)])
    (home.projects / "s1.jsonl").write_text(message("a") + message("b"))
    why = "an event's input_tokens is of type str. Expected None or int"
    assert f"warning: plugin 'claude-sessions' failed to end_stream: TypeError: {why}" in home.run("usage").stderr


def test_what_is_noted_at_the_end_is_shown_and_noted_once_when_the_file_goes_on(
    home: Any, message: Make, ending: Callable[[End], None]
) -> None:
    def noting(scratch: dict[str, Any]) -> Any:
        notes = scratch.setdefault("unknown", {})
        notes["rows of type odd"] = notes.get("rows of type odd", 0) + 1
        return last(scratch)

    ending(noting)
    log = home.projects / "s1.jsonl"
    for name in "abc":
        with log.open("a") as file:
            file.write(message(name))
        assert home.missing() == {"unknown": 1}


def test_what_a_last_line_without_its_end_notes_is_shown(home: Any, message: Make) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text(message("a", usage={"server_tool_use": {"web_search_requests": 3}})[:-1])
    for _ in range(2):
        assert home.missing() == {"extras": 3}
        with log.open("a") as file:
            file.write("\n")


def test_notes_of_the_end_that_cannot_be_stored_are_named_and_cost_nothing_else(
    home: Any, message: Make, ending: Callable[[End], None]
) -> None:
    ending(lambda scratch: (scratch.update(unknown={("a", "tuple"): 1}), last(scratch))[1])
    (home.projects / "s1.jsonl").write_text(message("a") + message("b"))
    assert "warning: plugin 'claude-sessions' failed to end_stream: TypeError: the scratch" in home.run("usage").stderr
    assert home.total() == (2, 200, 100)
    assert home.missing() == {}
