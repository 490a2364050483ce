"""What is recorded about windows, as features read it and add to it."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple

from tracker.contract.readings import EPOCH, Reading, amount, from_parsed, instant, to_parsed
from tracker.contract.sources import Source
from tracker.errors import TrackerError
from tracker.journal.records import ANOMALIES, PHASES, WINDOWS, text
from tracker.session import Session
from tracker.text.pane import each_text, redact
from tracker.text.render import line, near
from tracker.windows.anomalies import falls, history
from tracker.windows.captures import KEPT, Pair, canonical, capacity_delta, captures, measure, spans
from tracker.windows.lanes import LaneFile, next_window, stamped_notes
from tracker.windows.window import reset_before, store, window_of

if TYPE_CHECKING:
    from tracker.journal.index import Entry
    from tracker.preview import Preview
    from tracker.windows.captures import Capture, Groups, Span

BROKEN = "the plugin for it is broken", "fix it: `tracker plugins list` says what is wrong"
DISABLED = "TRACKER_DISABLE_PLUGINS disables its plugin", "unset TRACKER_DISABLE_PLUGINS"
PART = 2000  # windows whose records are held at once, which takes 20 MB


class Result(NamedTuple):
    """What a provider delivered in a window. reason: why that does not count, if it does not."""

    features: float
    capacity: float
    pair: Pair
    reason: str | None


class FinalizeRow:
    """The finalize row of a window that counts, its fields checked, since a file may be edited."""

    def __init__(self, window: str, record_id: str, record: Mapping[str, Any]) -> None:
        self.window, self.record_id, self.record = window, record_id, record

    @cached_property
    def features(self) -> dict[str, float]:
        """Features per provider; providers whose features were not given are left out."""
        return {name: known for name, n in self._table("features").items() if (known := amount(n)) is not None}

    @cached_property
    def providers(self) -> dict[str, Mapping[str, Any]]:
        return {name: entry for name, entry in self._table("providers").items() if isinstance(entry, dict)}

    @property
    def named(self) -> set[str]:
        """The providers that were measured, or that finished features."""
        return {*self.providers, *(name for name, count in self.features.items() if count)}

    @property
    def quality(self) -> float | None:
        known = (amount(self.record.get(key)) for key in ("quality_score", "quality"))
        return next((float(one) for one in known if one is not None), None)

    def result(self, source: Source, group: "Iterable[Capture]") -> Result | None:
        """What a provider delivered, by its captures; None if the window says nothing of it."""
        entry, features = self.providers.get(source.name), self.features.get(source.name)
        pair, reason = self.pair(source.name, group), None
        if entry is None and not features and pair.missing:
            return None
        capacity = capacity_delta(source, entry.get("delta")) if entry is not None else None
        if entry is None:
            reason = "not-captured" if features else "not-finalized"
        elif capacity is None:
            errors = entry.get("errors")
            tags = [str(tag) for tag in errors] if isinstance(errors, list) else []
            about = [tag for tag in tags if tag.partition(":")[2] in ("", source.capacity)]
            reason = intern((about or ["capacity-missing"])[-1])
        elif features is None:
            reason = "features-missing"
        return Result(features or 0, capacity or 0, pair, pair.mixed or reason)

    def pair(self, provider: str, group: "Iterable[Capture]") -> Pair:
        """The captures that a provider was measured with, if they stand; else those that count now."""
        known, ids = {one.record_id: one for one in group}, self.providers.get(provider, {}).get("records")
        used = Pair(*(known.get(text(ids.get(phase))) for phase in PHASES)) if isinstance(ids, Mapping) else Pair()
        return used if all(used) else canonical(known.values())

    def is_stale(self, provider: str, group: "Iterable[Capture]") -> bool:
        """Whether others count than were finalized, or a pair that was not; a row without instants cannot tell."""
        row, now = self.providers.get(provider), canonical(group)
        if row is None or not isinstance(times := row.get("captured_at"), Mapping):
            return row is None and not now.missing
        if [*map(instant, map(times.get, PHASES))] != [one and one.captured_at for one in now]:
            return True
        # the same values of one instant, captured once more, are no others; schema 1.0.0 kept fewer of them
        return "records" in row and [*map(row.get, PHASES)] != [one and one.record.get("parsed") for one in now]

    def text(self, name: str) -> str | None:
        return text(self.record.get(name)) or None

    def _table(self, name: str) -> dict[str, Any]:
        found = self.record.get(name)
        return found if isinstance(found, dict) else {}


class Part(NamedTuple):
    """Some windows, the finalize rows that count in their order, and their captures."""

    windows: Sequence[str]
    rows: dict[str, FinalizeRow]
    groups: "Groups"


class Absent(NamedTuple):
    """A source whose records no plugin reads: every view leaves them out and says so.

    measured: whether windows are finalized with it. problem: `toy: recorded here, but no plugin for it is installed`.
    """

    name: str
    stream: str
    measured: bool
    problem: str
    cure: str


class Windows:
    """The windows of a session; `windows` are ids everywhere, None is every window."""

    # the id that follows; the window of a capture that names none; the reading in a record's field `parsed`
    following, of, reading = staticmethod(next_window), staticmethod(window_of), staticmethod(from_parsed)
    store, reset_before = staticmethod(store), staticmethod(reset_before)

    def __init__(self, session: Session) -> None:
        self.session = session

    def captures(self, windows: Iterable[str] | None = None) -> "dict[tuple[str, str], list[Capture]]":
        """The standing captures by window and provider, oldest first."""
        return captures(self.session.index, self.session.registry.sources, windows)

    def finalized(self, windows: Iterable[str] | None = None) -> dict[str, FinalizeRow]:
        """The latest finalize row of each window that has one; of two of one instant the later line."""
        wanted = None if windows is None else set(windows)

        def read() -> dict[tuple[str, str], tuple[datetime, FinalizeRow]]:
            found: dict[tuple[str, str], tuple[datetime, FinalizeRow]] = {}
            for _, _, own, record in self.session.index.entries(WINDOWS, wanted):
                at = instant(record.get("finalized_at") or record.get("captured_at")) or EPOCH
                known = found.get((window := text(record.get("window")), ""))
                if window and (known is None or at >= known[0]):
                    found[window, ""] = at, FinalizeRow(window, own, record)
            return found

        found = self.session.index.once([WINDOWS], wanted, None, read) if wanted and len(wanted) in KEPT else read()
        return {window: row for (window, _), (_, row) in found.items()}

    def parts(self, windows: Iterable[str] | None = None, *, with_open: bool = False) -> Iterator[Part]:
        """Finalized windows with their captures, some thousand at a time: for what reads a long history.

        windows: all by default, with progress if they are many. with_open: also those that are not finalized.
        """
        index, registry = self.session.index, self.session.registry
        if windows is None:
            for stream in {WINDOWS, *registry.status_streams}:
                index.renew_edited(stream)
            windows = index.windows()
        named = windows if isinstance(windows, Sequence) else list(windows)
        given = {"session": self.session, "size": len(named), "noun": "windows"}
        shown = registry.first("show_progress", **given) if len(named) > PART else None
        try:
            for start in range(0, len(named), PART):
                some = named[start : start + PART]
                known = self.finalized(some)
                # the names in the rows are texts of their own, which a million of them would hold beside these
                rows = {one: FinalizeRow(one, known[one].record_id, known[one].record) for one in some if one in known}
                yield Part(some, rows, self.captures(some if with_open else rows))
                if shown is not None:
                    shown.advance(len(some), start + len(some))
        finally:
            if shown is not None:
                shown.end()

    def unfinished(self, newest: int = -1) -> list[str]:
        """The windows that are not finalized, or the newest of them, in natural order."""
        windows = self.session.index.unfinalized(newest)
        done = self.finalized(windows)
        return [window for window in windows if window not in done]

    def spans(self, windows: Iterable[str], groups: "Groups | None" = None) -> "dict[str, Span]":
        """From when to when each window was measured; None: not ended yet. `groups` are the captures, if known."""
        return spans(self.captures(windows) if groups is None else groups)

    def no_window(self, window: str) -> TrackerError:
        """The error for a window without records. All names are read only for it."""
        known = self.session.index.windows()
        what = near(window, known) if known else f"{self.session.root} holds no windows."
        return TrackerError(f"Unknown window {window!r}. {what}")

    def preview(self, windows: Sequence[str] | None) -> "Preview":
        from tracker.preview import assemble

        return assemble(self.session, windows)

    def anomalies(self, windows: Iterable[str]) -> "list[tuple[Entry, Entry | None]]":
        """Every anomaly, each with the row that closed it."""
        return history(self.session, windows, removed=True)

    def open_anomalies(self, windows: Iterable[str] | None = None, *, turned: Set[str] = frozenset()) -> "list[Entry]":
        """The anomalies that nothing closed and whose records stand. turned: about to be taken back, or put back."""
        return [entry for entry, closed in history(self.session, windows, turned=turned) if closed is None]

    def falls(self, source: Source, pair: Pair, like: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Anomalies of the meters that fell between two captures, as rows that are like another record."""
        return falls(source, pair, measure(self.session.registry, source, pair), like)

    def lane_files(self) -> Iterator[LaneFile]:
        """The state files of every lane, as the journal says that they should be."""
        for source in self.session.registry.sources.values():
            for lane, mark in self.session.index.lanes(source.stream) if source.kind == "status" else ():
                if mark.provider == source.name:
                    yield LaneFile(self.session, source, lane)

    # --- records whose plugin is missing

    def missing_plugins(self, windows: Iterable[str] | None = None) -> list[Absent]:
        """The recorded sources that no plugin reads, by name."""
        # in their order: records that lie together are read together
        wanted, registry = None if windows is None else list(windows), self.session.registry
        known = registry.sources.keys()
        found = dict.fromkeys(self._strangers(None if wanted is None else set(wanted)))
        named = iter(self.session.index.finalized() if wanted is None else wanted)
        while some := list(islice(named, PART)):
            for row in self.finalized(some).values():
                found |= {(name, WINDOWS, PHASES[0]): None for name in row.named - known}
        measured = {name for name, _, phase in found if phase in PHASES}
        streams = {name: stream for name, stream, _ in reversed(found)}  # of a name's streams the first
        reasons = {one.name: BROKEN for one in registry.plugins if one.error}
        reasons |= {one.name: DISABLED for one in registry.disabled}
        missing = []
        for name, stream in sorted(streams.items()):
            first, here = f"tracker-{name.partition('-')[0]}", {one.distribution for one in registry.plugins}
            usual = f"tracker-{name}" if first in here else first
            cure = f"install the plugin that declares {line(name)} (usually {line(usual)})"
            why, cure = reasons.get(name, ("no plugin for it is installed", cure))
            missing.append(Absent(name, stream, name in measured, f"{line(name)}: recorded here, but {why}", cure))
        return missing

    def _strangers(self, windows: set[str] | None) -> Iterator[tuple[str, str, str | None]]:
        """The providers of records that no plugin reads, with the stream, and the phase of a capture."""
        index, known = self.session.index, self.session.registry.sources
        own = {ANOMALIES, WINDOWS, "snapshots", *(source.stream for source in known.values())}
        for stream in self.session.journal.streams():
            with contextlib.suppress(TrackerError):  # whoever needs an unreadable stream reports it
                for mark in index.strangers(stream, known):
                    if windows is None or mark.window in windows:
                        yield mark.provider, stream, mark.phase
                # events are in a stream of their source's own
                first = None if stream in own else next(index.entries(stream, windows), None)
                if first is not None and (name := text(first.record.get("provider"))) not in {"", *known}:
                    yield name, stream, None

    def note_missing(self, found: Iterable[Absent]) -> None:
        """Say which records a view leaves out, because their plugin is missing."""
        for one in found:
            self.session.note(f"note: {one.problem}; it is left out")

    def notes(self, text: str | None) -> str | None:
        """The user's notes as a record holds them: without addresses, the lane at their end."""
        return stamped_notes(text, self.session.lane)

    def parsed(self, reading: Reading, source: Source) -> dict[str, Any]:
        """A reading as the field `parsed` of a record, without what is never stored."""
        change = partial(redact, keep_account=self.session.config.keep_account)
        return {name: each_text(one, change) for name, one in to_parsed(reading, source).items()}
