"""What the next person has to know, as data: the state of windows, what to run next, what was run, what it cost."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from tracker.api import Block, instant
from tracker.kernel import Capture, Session, Windows
from tracker_ledgers import card, git, ledgers
from tracker_ledgers.command_log import commands, typed
from tracker_ledgers.documents import home
from tracker_ledgers.settings import Handoff
from tracker_ledgers.window_state import Opening, Step, WindowState, beginnings, end_step, openings, state

# windows that need something
WANTING = 100
# how many of the last finalized windows are shown beside those that need something, and of how many newest ones
RECENT, AMONG = 3, 1000
EPOCH = datetime.fromtimestamp(0, UTC)


@frozen(kw_only=True)
class Brief:
    """The contents of the handoff. `earlier` counts the windows that it leaves out."""

    as_of: str | None
    data: Path
    home: Path
    head: str | None
    earlier: int
    windows: tuple[WindowState, ...]
    openings: tuple[Opening, ...]
    steps: tuple[Step, ...]
    commands: tuple[dict[str, Any], ...]
    artifacts: tuple[Path, ...]
    sections: tuple[Block, ...]
    anomalies: tuple[dict[str, Any], ...]
    checks: tuple[str, ...]
    preview: tuple[str, ...]
    cards: tuple[str, ...]
    read_first: tuple[Path, ...]


def gather(session: Session, asked: Sequence[str], also: Sequence[str] = ()) -> Brief:
    """The brief of some windows; by default those that still need something, and the last finalized ones."""
    shown = list(dict.fromkeys([*(asked or _choose(session)), *also]))
    opened = tuple(openings(session))
    windows = _windows(session, shown, opened)
    wanted = [step for found in windows for step in found.steps]
    # windows open elsewhere are listed too: a provider's next window cannot begin before the last one ends
    wanted += [end_step(session, found) for found in opened if found.window not in shown]
    noted = commands(session, shown)
    preview = Windows(session).preview(shown)._replace(blocks=(), not_shown=())
    named = [word for window in shown for word in ("--window", window)]
    return Brief(
        as_of=str(noted[-1]["captured_at"]) if noted else None,
        data=absolute(session.root),
        home=_folder(session),
        head=git.head(),
        earlier=len(session.index.windows()) - sum(map(session.index.knows, set(shown) - set(session.index.emptied()))),
        windows=windows,
        openings=opened,
        steps=tuple(sorted(wanted, key=lambda step: step.rank)) or tuple(beginnings(session)),
        commands=tuple(noted),
        artifacts=tuple(_artifacts(session, shown)),
        sections=tuple(session.registry.ask("handoff_section", session=session, windows=shown)),
        anomalies=tuple(entry.record for entry in Windows(session).open_anomalies(shown)),
        checks=(
            typed("preview", *named),
            *(typed("window-audit", "--window", one) for one in shown),
        ),
        preview=tuple(preview.lines()),
        cards=tuple(text for window in preview.outcomes for text in card.lines(card.card(session, window))),
        read_first=tuple(absolute(home(session) / path) for path in session.settings(Handoff).read_first),
    )


def _choose(session: Session) -> list[str]:
    wanting = {window for window, _ in Windows(session).captures(Windows(session).unfinished(WANTING))}
    wanting |= {str(entry.record.get("window")) for entry in Windows(session).open_anomalies()}
    order = {window: at for at, window in enumerate(session.index.newest_windows(AMONG + len(wanting)))}
    rows = Windows(session).finalized(order)
    # churn measured today must not make an old window displace one that was finalized since
    finalized = {window: at for window, row in rows.items() if (at := instant(row.record.get("finalized_at")))}
    rest = sorted(order.keys() - wanting, key=lambda window: (finalized.get(window, EPOCH), order[window]))
    return sorted((*wanting, *rest[-RECENT:]), key=lambda window: (order.get(window, -1), window))


def _windows(session: Session, shown: Sequence[str], opened: Sequence[Opening]) -> tuple[WindowState, ...]:
    groups = Windows(session).captures(shown)
    rows = Windows(session).finalized(shown)
    own: dict[str, dict[str, list[Capture]]] = {window: {} for window in shown}
    for (window, name), group in groups.items():
        own[window][name] = group
    return tuple(state(session, window, own[window], rows.get(window), opened) for window in shown)


def _artifacts(session: Session, shown: Sequence[str]) -> Iterator[Path]:
    """Existing streams and ledgers, and the artifacts that the evidence of these windows names."""
    yield from (absolute(session.journal.path(stream)) for stream in session.journal.streams())
    yield from (path for ledger in ledgers.LEDGERS if (path := ledgers.path_of(session, ledger)).is_file())
    evidence = [row for row in ledgers.readable(session, ledgers.EVIDENCE) if row.get("window_id") in shown]
    named = dict.fromkeys(row["artifacts_path"] for row in evidence if row.get("artifacts_path"))
    yield from (absolute(home(session) / path) for path in named)


def _folder(session: Session) -> Path:
    """Where the next commands run: the repository at hand, if the settings lie above several."""
    top = git.top()
    return top if top and top.is_relative_to(os.path.realpath(home(session))) else home(session)


def absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
