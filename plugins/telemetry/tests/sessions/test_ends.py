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
        assert home.missing() == {}


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (lambda _scratch: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
        (lambda _scratch: None, "TypeError: Value after * must be an iterable, not NoneType"),
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
    cost = "what the last lines of its files leave open is not counted"
    assert done.stderr.count(f"warning: plugin 'claude-sessions' failed to end_stream: {why}; {cost}") == 1
    assert home.total() == (2, 200, 100)
