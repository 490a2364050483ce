"""Another version of a plugin counts otherwise: its figures take the place of the old ones, and none counts twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tracker.kernel import Registry, Session
from tracker_telemetry.sessions import upgrades

Make = Callable[..., str]
Events = list[dict[str, Any]]
Upgrade = Callable[[str, Callable[[Events], Events]], None]


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Upgrade:
    """Let another version of the plugins read, which makes other events of those that they give."""
    bind = Registry.bind

    def install(version: str, change: Callable[[Events], Events]) -> None:
        def bound(self: Registry, source: str, hook: str) -> Callable[..., Any]:
            own = bind(self, source, hook)
            return lambda line, scratch: change([*own(line, scratch)])

        monkeypatch.setattr(Registry, "bind", bound)
        monkeypatch.setattr(upgrades, "version", lambda _registry, _source: version)

    return install


def counting(times: float) -> Callable[[Events], Events]:
    return lambda events: [{**one, "input_tokens": int(one["input_tokens"] * times)} for one in events]


def renamed(name: str, end: str) -> Callable[[Events], Events]:
    return lambda events: [{**one, name: f"{one[name]}{end}"} for one in events]


def twice(events: Events) -> Events:
    return [*events, *renamed("key", "-again")(events)]


def same(events: Events) -> Events:
    return events


def nothing(_events: Events) -> Events:
    return []


def total(home: Any) -> tuple[int, int, int]:
    """The same in every grouping, now and when the index is made anew."""
    found = home.total()
    assert [home.total(way) for way in ("session", "model", "window")] == [found] * 3
    assert home.missing() == {}
    return found  # type: ignore[no-any-return]


CHANGES: Sequence[tuple[Callable[[Events], Events], Callable[[Events], Events]]] = (
    (counting(0.1), same),
    (counting(3), same),
    (twice, same),
    (nothing, same),
    (renamed("key", "-x"), same),
    (renamed("session", "-x"), same),
    (renamed("model", "-x"), same),
)


@pytest.mark.parametrize(("old", "new"), CHANGES, ids=["less", "more", "twice", "none", "key", "session", "model"])
def test_what_another_version_counts_stands_alone(
    home: Any, message: Make, upgrade: Upgrade, old: Callable[[Events], Events], new: Callable[[Events], Events]
) -> None:
    log = home.projects / "s1.jsonl"
    log.write_text(message("a", minute=1) + message("b", minute=2))
    (home.projects / "s2.jsonl").write_text(
        message("b", minute=2, sessionId="s2") + message("c", minute=3, sessionId="s2")
    )
    upgrade("0.1", old)
    home.usage()
    upgrade("0.2", new)
    assert total(home) == (3, 300, 150)
    with log.open("a") as file:
        file.write(message("d", minute=4))
    assert total(home) == (4, 400, 200)
    shutil.rmtree(home.data / ".index")
    assert total(home) == (4, 400, 200)
    upgrade("0.1", counting(2))  # taken back
    assert total(home) == (4, 800, 200)


def test_what_deleted_files_held_stays_as_it_was_counted(home: Any, message: Make, upgrade: Upgrade) -> None:
    (home.projects / "s1.jsonl").write_text(message("a") + message("b"))
    (home.projects / "s2.jsonl").write_text(message("b", sessionId="s2") + message("c", sessionId="s2"))
    agent = home.projects / "s1" / "subagents" / "agent-x.jsonl"
    agent.parent.mkdir(parents=True)
    agent.write_text(message("d", isSidechain=True))
    upgrade("0.1", counting(3))
    assert total(home) == (4, 1200, 200)
    (home.projects / "s1.jsonl").unlink()
    assert total(home) == (4, 1200, 200)
    upgrade("0.2", same)
    # of the deleted file `a` is left, since another one shows `b`
    assert home.total() == (4, 300 + 3 * 100, 200)
    shutil.rmtree(home.data / ".index")
    assert home.total() == (4, 300 + 3 * 100, 200)
    (home.projects / "s1.jsonl").write_text(message("a") + message("b"))
    assert home.total()[0] == 4


@pytest.mark.parametrize("change", ["rewritten", "moved", "unreadable"])
def test_a_file_that_changes_meanwhile_loses_nothing(
    home: Any, message: Make, upgrade: Upgrade, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracker_telemetry.sessions import scan

    log = home.projects / "s1.jsonl"
    log.write_text(message("a") + message("b"))
    upgrade("0.1", counting(2))
    assert total(home) == (2, 400, 100)
    upgrade("0.2", same)
    if change == "rewritten":
        log.write_text(message("b"))
        assert total(home) == (2, 300, 100)
    elif change == "moved":
        log.rename(home.projects / "s3.jsonl")
        assert total(home) == (2, 200, 100)
    else:

        def refuse(path: str, *_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied", path)

        with monkeypatch.context() as patch:
            patch.setattr(scan, "open", refuse, raising=False)
            assert home.total() == (2, 400, 100)
        assert home.total()[0] == 2


def test_the_same_version_reads_no_file_again(home: Any, message: Make, upgrade: Upgrade) -> None:
    (home.projects / "s1.jsonl").write_text(message("a"))
    upgrade("0.1", same)
    before = home.total()
    upgrade("0.1", counting(2))
    assert home.total() == before


def test_a_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    registry = Session().registry
    source = registry.sources["claude-sessions"]
    assert upgrades.version(registry, source) == f"tracker-claude {version('tracker-claude')}"
