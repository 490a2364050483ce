"""What a command does to a window that was finalized is said: the reason may be a slip in an id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tracker.kernel import CaptureMark, Clock, FinalizeRow, Session, Windows, canonical, line, plural, value

WINDOWS = "windows"


def notes(session: Session, given: Mapping[str, Any]) -> Iterator[str]:
    """What to say behind a command with these parameters, which has stored something."""
    if "reopen" in given:
        yield from () if given["reopen"] else _of_complete(session, str(given["window"]))
    elif isinstance(name := given.get("provider") or given.get("name"), str):
        yield from _of_before(session, name)


def _of_complete(session: Session, window: str) -> Iterator[str]:
    """The figures that a later row replaces, and features that cost nothing."""
    rows = [FinalizeRow(window, one.record_id, one.record) for one in session.index.entries(WINDOWS, [window])]
    if not rows:  # nobody knows whether it was stored
        return
    row, *earlier = reversed(rows)
    if earlier and (was := _figures(session, earlier[0])) not in ("", _figures(session, row)):
        yield f"this replaces {was}"
    for name, capacity in _capacities(session, row).items():
        if capacity == 0 and (count := row.features.get(name)):
            meter, cost = session.source(name).capacity, f"{plural(count, 'feature')} cost nothing"
            yield f"{name}: {meter} did not move from BEFORE to AFTER, so {cost}{_earlier(session, window, name)}"


def _earlier(session: Session, window: str, name: str) -> str:
    """A BEFORE that another one replaced, and what makes it count: `start` may have been typed for `end`."""
    group = Windows(session).captures([window]).get((window, name), [])
    now = canonical(group).before
    befores = [one for one in group if now and one.phase == "before" and one.agent_id == now.agent_id]
    if now is None or befores[0] is now:
        return ""
    lane = f" --agent {now.agent_id or repr('')}" if now.agent_id or session.lane else ""
    at = Clock(session.now, session.zone).at(befores[befores.index(now) - 1].captured_at)
    delete = f"`tracker alias delete {name} --phase before --window {line(window)}{lane} --yes`"
    return f". If the work began at the BEFORE of {at}, {delete} lets that count, then `complete` again"


def _of_before(session: Session, name: str) -> Iterator[str]:
    """A BEFORE in a window that is finalized opens it again."""
    source = session.registry.source(name)
    mark = session.index.newest(source.stream, session.lane, name) if source and source.kind == "status" else None
    if mark is None or mark.phase != "before" or not _is_new(session, mark):
        return
    if (row := Windows(session).finalized([mark.window]).get(mark.window)) is not None:
        done, other = _figures(session, row), _meant(session, mark)
        yield (
            f"{line(mark.window)} is finalized{f' ({done})' if done else ''}."
            f" If you meant {other}, `tracker undo` takes this BEFORE back"
        )


def _is_new(session: Session, mark: CaptureMark) -> bool:
    """Whether the running command stored a capture: it stored something there, and this is the last record."""
    stored = session.journal.stored.get(mark.stream)
    return bool(stored) and sum(1 for _ in session.journal.lines(mark.stream, mark.offset)) == 1


def _meant(session: Session, mark: CaptureMark) -> str:
    """The window that a capture without an id would have been for: the open one, else the next."""
    index = session.index
    if opened := index.left_open(mark.stream, session.lane, mark.provider, index.unfinalized()):
        return f"{line(opened[-1].window)}, which is open"
    found = Windows.following(mark.window)
    while index.knows(found):
        found = Windows.following(found)
    return f"{line(found)}, the next window"


def _figures(session: Session, row: FinalizeRow) -> str:
    """`codex: features=3, capacity=7 pp`, as `complete` says it, of each provider that a plugin reads."""
    parts = []
    for name, capacity in _capacities(session, row).items():
        meter = session.source(name).capacity_meter
        unit = f" {meter.unit}" if meter else ""
        parts.append(f"{name}: features={value(row.features.get(name))}, capacity={value(capacity, unit=unit)}")
    return "; ".join(parts)


def _capacities(session: Session, row: FinalizeRow) -> dict[str, float | None]:
    """What each provider cost by a finalize row; None is not known."""
    found = {}
    for name in row.providers:
        if (source := session.registry.source(name)) and (result := row.result(source, ())):
            found[name] = result.capacity if result.reason in (None, "features-missing") else None
    return found
