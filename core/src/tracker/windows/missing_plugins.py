"""Records whose plugin is missing. Every view leaves them out and says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from tracker.errors import TrackerError
from tracker.journal.records import ANOMALIES, PHASES, WINDOWS, text
from tracker.text.render import line
from tracker.windows.results import finalized_rows
from tracker.windows.snapshots import SNAPSHOTS

if TYPE_CHECKING:
    from tracker.session import Session


class Absent(NamedTuple):
    """A source whose records no plugin reads.

    name: the `provider` of its records. stream: where they stand. measured: whether its meters were captured, so that
    windows are finalized with it. problem: `toy: recorded here, but no plugin for it is installed`.
    """

    name: str
    stream: str
    measured: bool
    problem: str
    cure: str


def absent(session: Session, windows: Iterable[str] | None = None) -> list[Absent]:
    """The sources that are recorded in some windows and that no plugin reads, by name."""
    wanted, registry = None if windows is None else set(windows), session.registry
    streams, measured = dict[str, str](), set[str]()
    for name, stream, phase in _strangers(session, wanted):
        streams.setdefault(name, stream)
        measured |= {name} if phase in PHASES else set()
    for row in finalized_rows(session.index, windows):
        for name in row.named - registry.sources.keys():
            streams.setdefault(name, WINDOWS)
            measured.add(name)
    disabled, broken = {one.name for one in registry.disabled}, {error.plugin for error in registry.failures}
    found = []
    for name, stream in sorted(streams.items()):
        why = "no plugin for it is installed"
        cure = f"install the plugin that declares {line(name)} (usually tracker-{line(name)})"
        if name in disabled:
            why, cure = "TRACKER_DISABLE_PLUGINS leaves it out", "unset TRACKER_DISABLE_PLUGINS"
        elif name in broken:
            why, cure = "the plugin for it is broken", "mend it: `tracker plugins list` says what is wrong"
        found.append(Absent(name, stream, name in measured, f"{line(name)}: recorded here, but {why}", cure))
    return found


def _strangers(session: Session, windows: set[str] | None) -> Iterator[tuple[str, str, str | None]]:
    """The providers of records that no plugin reads, with the stream, and the phase of a capture."""
    known = session.registry.sources
    own = {ANOMALIES, WINDOWS, SNAPSHOTS.stream, *(source.stream for source in known.values())}
    for stream in session.journal.streams():
        with contextlib.suppress(TrackerError):  # whoever needs an unreadable stream reports it
            for mark in session.index.strangers(stream, known):
                if windows is None or mark.window in windows:
                    yield mark.provider, stream, mark.phase
            # events stand in a stream of their source's own
            first = None if stream in own else next(session.index.entries(stream, windows), None)
            if first is not None and (name := text(first.record.get("provider"))) not in {"", *known}:
                yield name, stream, None


def tell(session: Session, found: Iterable[Absent]) -> None:
    """Say what a view leaves out."""
    for one in found:
        session.note(f"note: {one.problem}; it is left out")
