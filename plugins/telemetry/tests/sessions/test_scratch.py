"""What a plugin leaves in the scratch of a session file: it costs no request, whatever that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tracker.kernel import Registry
from tracker_telemetry.sessions.scratch import as_json, begun, stored

Make = Callable[..., str]
Leave = Callable[[dict[str, Any]], None]


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Leave:
    """Let the plugins leave something in their scratches, too."""
    bind = Registry.bind

    def leave(given: dict[str, Any]) -> None:
        def bound(self: Registry, source: str, hook: str) -> Callable[..., Any]:
            own = bind(self, source, hook)

            def read(line: bytes, scratch: dict[str, Any]) -> Any:
                scratch.update(given)
                return own(line, scratch)

            return read

        monkeypatch.setattr(Registry, "bind", bound)

    return leave


@pytest.mark.parametrize("kind", ["unknown", "extras"])
@pytest.mark.parametrize(
    "notes",
    [
        *({"a": count} for count in ("many", -1, True, 0.5, None, 10**13, ["x"], {"m": "x"}, {"m": {}})),
        *(["x"], "web", 3, None),
    ],
    ids=str,
)
def test_notes_that_count_nothing_are_named_and_nothing_else_is_lost(
    home: Any, message: Make, scratch: Leave, kind: str, notes: Any
) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text(message("a"))
    other = "extras" if kind == "unknown" else "unknown"
    scratch({kind: notes, other: {"web searches": {"m": 2}}})
    done = home.run("usage")
    assert done.exit_code == 0, done.output
    why = f"TypeError: scratch[{kind!r}] is not a dict of names and counts; it is not shown"
    assert done.stderr.count(f"warning: plugin 'claude-sessions' failed to ingest_line: {why}") == 1
    assert home.total() == (1, 100, 50)
    assert home.missing() == {other: 2}
    scratch({})
    with log.open("a") as file:
        file.write(message("b"))
    assert home.total() == (2, 200, 100)


NESTED: dict[str, Any] = {}
NESTED["own"] = NESTED


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"seen": {1}}, "Object of type set is not JSON serializable"),
        ({"seen": object()}, "Object of type object is not JSON serializable"),
        ({("a", 1): 1}, "keys must be str, int, float, bool or None, not tuple"),
        ({"text": "x" * (16 << 20)}, "it has 17 MB. Expected at most 16 MB"),
        ({"number": 10**5000}, "Exceeds the limit"),
        (NESTED, "maximum recursion depth exceeded"),
    ],
    ids=["set", "object", "key", "long", "number", "nested"],
)
def test_a_scratch_that_cannot_be_stored_is_named_and_its_files_are_read_anew_when_they_grow(
    home: Any, message: Make, scratch: Leave, given: dict[str, Any], why: str
) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text('{torn "usage"\n' + message("a"))
    scratch(given)
    done = home.run("usage")
    assert done.exit_code == 0, done.output
    start = f"warning: plugin 'claude-sessions' failed to ingest_line: TypeError: the scratch cannot be stored: {why}"
    assert done.stderr.count(start) == 1
    assert done.stderr.count("; growing files are read from the start each time\n") == 1
    for name in "bcd":
        assert home.missing() == {"unreadable": 1}
        with log.open("a") as file:
            file.write(message(name))
    assert home.total() == (4, 400, 200)
    scratch({})
    with log.open("a") as file:
        file.write(message("e"))
    assert home.total() == (5, 500, 250)
    assert home.missing() == {"unreadable": 1}


def test_a_strict_run_ends_with_a_scratch_that_cannot_be_stored(home: Any, message: Make, scratch: Leave) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    scratch({"seen": {1}})
    done = home.run("usage", TRACKER_STRICT="1")
    assert done.exit_code == 1
    assert "the scratch cannot be stored" in done.stderr


@pytest.mark.parametrize("is_hashed", [False, True])
def test_a_folder_is_stored_as_its_name_and_hashes_and_read_on_as_the_same(is_hashed: bool) -> None:
    known = stored("/made/up/acme/backend", is_hashed=is_hashed)
    assert known["project"] == (known["folders"].split()[-1] if is_hashed else "backend")
    kept = begun(as_json({"project": "/made/up/acme/backend", "more": 1}, is_hashed=is_hashed))["project"]
    assert not any(name in kept for name in ("made", "up", "acme"))
    assert stored(kept, is_hashed=is_hashed) == known
    hashes = known["folders"].split()
    assert hashes[:3] == stored("/made/up/acme", is_hashed=is_hashed)["folders"].split()
    assert not set(hashes[2:]) & set(stored("/other/acme", is_hashed=is_hashed)["folders"].split())
    assert stored(r"C:\made\up", is_hashed=is_hashed)["folders"] == stored("C:/made/up", is_hashed=is_hashed)["folders"]
    assert stored("up", is_hashed=is_hashed)["folders"] == stored("/", is_hashed=is_hashed)["folders"] == ""
    assert stored(None, is_hashed=is_hashed) == {"project": None, "folders": None}
