"""Records whose plugin is missing. Every view leaves them out and says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tracker.errors import TrackerError
from tracker.journal.records import ANOMALIES, PHASES, text
from tracker.text.render import line
from tracker.windows.results import WINDOWS, finalized
from tracker.windows.snapshots import SNAPSHOTS

if TYPE_CHECKING:
    from tracker.session import Session


class Absent(NamedTuple):
    """A source whose records no plugin reads.

    name: the `provider` of its records. stream: where they stand. measured: whether its meters were captured, so that
    windows are finalized with it. reason: `{it}` stands for the name.
    """

    name: str
    stream: str
    measured: bool
    reason: str
    cure: str

    @property
    def problem(self) -> str:
        """`toy: recorded here, but no plugin for it is installed`."""
        return named([self])


def absent(session: Session, windows: Iterable[str] | None = None) -> list[Absent]:
    """The sources that are recorded in some windows and that no plugin reads, by name."""
    wanted, registry = None if windows is None else set(windows), session.registry
    found: dict[str, tuple[str, bool]] = {}
    for stream in session.journal.streams():
        with contextlib.suppress(TrackerError):  # whoever needs an unreadable stream reports it
            for name, is_measured in _strangers(session, stream, wanted):
                found[name] = found.get(name, (stream,))[0], is_measured or found.get(name, ("", False))[1]
    for row in finalized(session.index, wanted).values():
        for name in row.named - registry.sources.keys():
            found[name] = found.get(name, (WINDOWS,))[0], True
    disabled, broken = {one.name for one in registry.disabled}, {error.plugin for error in registry.failures}
    absents = []
    for name, (stream, is_measured) in sorted(found.items()):
        reason = "no plugin for {it} is installed"
        cure = f"install the plugin that declares {line(name)} (usually tracker-{line(name)})"
        if name in disabled:
            reason, cure = "TRACKER_DISABLE_PLUGINS leaves {it} out", "unset TRACKER_DISABLE_PLUGINS"
        elif name in broken:
            reason, cure = "the plugin for {it} is broken", "mend it: `tracker plugins list` says what is wrong"
        absents.append(Absent(name, stream, is_measured, reason, cure))
    return absents


def _strangers(session: Session, stream: str, windows: set[str] | None) -> Iterator[tuple[str, bool]]:
    """The providers of a stream's records that no plugin reads, and whether a record is a capture."""
    known = session.registry.sources
    for mark in session.index.strangers(stream, known):
        if windows is None or mark.window in windows:
            yield mark.provider, mark.phase in PHASES
    if stream in {ANOMALIES, WINDOWS, SNAPSHOTS.stream, *(source.stream for source in known.values())}:
        return
    first = next(session.index.entries(stream, windows), None)  # events stand in a stream of their source's own
    if first is not None and (name := text(first.record.get("provider"))) not in {"", *known}:
        yield name, False


def named(found: Sequence[Absent]) -> str:
    """`these, those: recorded here, but no plugin for them is installed`; of one reason."""
    names = ", ".join(line(one.name) for one in found)
    return f"{names}: recorded here, but {found[0].reason.format(it='it' if len(found) == 1 else 'them')}"


def tell(session: Session, found: Iterable[Absent]) -> None:
    """Say what a view leaves out, once for each reason."""
    reasons: dict[str, list[Absent]] = {}
    for one in found:
        reasons.setdefault(one.reason, []).append(one)
    for group in reasons.values():
        session.note(f"note: {named(group)}; {'it is' if len(group) == 1 else 'they are'} left out")
