"""What is recorded about windows, as features read it and add to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tracker.contract import readings
from tracker.errors import TrackerError
from tracker.journal.records import ANOMALIES, PHASES, WINDOWS, text
from tracker.session import Session
from tracker.text.render import line

if TYPE_CHECKING:
    from datetime import datetime

    from tracker.contract.sources import Source
    from tracker.journal.index import Entry
    from tracker.preview import Preview
    from tracker.windows.captures import Capture, Groups, Span
    from tracker.windows.lanes import LaneFile
    from tracker.windows.results import Finalized, Part
    from tracker.windows.window import CaptureRequest


class Absent(NamedTuple):
    """A source whose records no plugin reads: every view leaves them out and says so.

    name: the `provider` of its records. stream: where they stand. measured: whether its meters were captured, so that
    windows are finalized with it. problem: `toy: recorded here, but no plugin for it is installed`.
    """

    name: str
    stream: str
    measured: bool
    problem: str
    cure: str


class Windows:
    """The windows of a session; `windows` are ids everywhere, None is every window."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def captures(self, windows: Iterable[str] | None = None) -> dict[tuple[str, str], list[Capture]]:
        """The standing captures by window and provider, oldest first."""
        from tracker.windows.captures import captures

        return captures(self.session.index, self.session.registry.sources, windows)

    def finalized(self, windows: Iterable[str] | None = None) -> dict[str, Finalized]:
        """The finalize row that counts, of each window that has one."""
        from tracker.windows.results import finalized

        return finalized(self.session.index, windows)

    def finalized_parts(self, windows: Iterable[str] | None = None) -> Iterator[Part]:
        """Finalized windows with their captures, some thousand at a time: for what reads a long history."""
        from tracker.windows.results import parts

        return parts(self.session, windows, with_open=False)

    def unfinished(self, newest: int = -1) -> list[str]:
        """The windows that are not finalized, or the newest of them, in natural order."""
        windows = self.session.index.unfinalized(newest)
        done = self.finalized(windows)
        return [window for window in windows if window not in done]

    def spans(self, windows: Iterable[str], groups: Groups | None = None) -> dict[str, Span]:
        """From when to when each window was measured; None: not ended yet. `groups` are the captures, if known."""
        from tracker.windows.captures import spans

        windows = list(windows)
        found = spans(self.captures(windows) if groups is None else groups)
        return {window: found[window] for window in windows if window in found}

    def no_window(self, window: str) -> TrackerError:
        """What to say of a window that has no records. All names are read for the error alone."""
        from tracker.text.render import near

        known = self.session.index.windows()
        what = near(window, known) if known else f"{self.session.root} holds no records."
        return TrackerError(f"Unknown window {line(window)!r}. {what}")

    def preview(self, windows: Sequence[str]) -> Preview:
        """What `tracker preview` shows."""
        from tracker.preview import assemble

        return assemble(self.session, windows)

    def anomalies(self, windows: Iterable[str]) -> list[tuple[Entry, Entry | None]]:
        """Every anomaly, each with the row that closed it."""
        from tracker.windows.anomalies import history

        return history(self.session, windows, removed=True)

    def open_anomalies(self, windows: Iterable[str] | None = None, *, without: str | None = None) -> list[Entry]:
        """The anomalies that nothing closed and whose records stand. without: one that is about to be taken back."""
        from tracker.windows.anomalies import history

        return [entry for entry, closed in history(self.session, windows, without=without) if closed is None]

    def lane_files(self) -> Iterator[LaneFile]:
        """The state files of every lane, as the journal says that they should be."""
        from tracker.windows.lanes import LaneFile

        for source in self.session.registry.sources.values():
            for lane, mark in self.session.index.lanes(source.stream) if source.kind == "status" else ():
                if mark.provider == source.name:
                    yield LaneFile(self.session, source, lane)

    @staticmethod
    def following(window: str) -> str:
        from tracker.windows.lanes import next_window

        return next_window(window)

    # --- records whose plugin is missing

    def missing_plugins(self, windows: Iterable[str] | None = None) -> list[Absent]:
        """The sources that are recorded and that no plugin reads, by name."""
        from tracker.windows.results import finalized_rows

        # in their order: what stands together is read together
        wanted, registry = None if windows is None else list(windows), self.session.registry
        found, known = list(self._strangers(None if wanted is None else set(wanted))), registry.sources.keys()
        finalized = {name for row in finalized_rows(self.session.index, wanted) for name in row.named - known}
        found += [(name, WINDOWS, PHASES[0]) for name in finalized]
        measured = {name for name, _, phase in found if phase in PHASES}
        # of a name's streams the first
        streams = {name: stream for name, stream, _ in reversed(found)}
        disabled, broken = {one.name for one in registry.disabled}, {error.plugin for error in registry.failures}
        missing = []
        for name, stream in sorted(streams.items()):
            why = "no plugin for it is installed"
            cure = f"install the plugin that declares {line(name)} (usually tracker-{line(name)})"
            if name in disabled:
                why, cure = "TRACKER_DISABLE_PLUGINS leaves it out", "unset TRACKER_DISABLE_PLUGINS"
            elif name in broken:
                why, cure = "the plugin for it is broken", "mend it: `tracker plugins list` says what is wrong"
            missing.append(Absent(name, stream, name in measured, f"{line(name)}: recorded here, but {why}", cure))
        return missing

    def _strangers(self, windows: set[str] | None) -> Iterator[tuple[str, str, str | None]]:
        """The providers of records that no plugin reads, with the stream, and the phase of a capture."""
        index, known = self.session.index, self.session.registry.sources
        own = {ANOMALIES, WINDOWS, "snapshots", *(source.stream for source in known.values())}
        for stream in self.session.journal.streams():
            # whoever needs an unreadable stream reports it
            with contextlib.suppress(TrackerError):
                for mark in index.strangers(stream, known):
                    if windows is None or mark.window in windows:
                        yield mark.provider, stream, mark.phase
                # events stand in a stream of their source's own
                first = None if stream in own else next(index.entries(stream, windows), None)
                if first is not None and (name := text(first.record.get("provider"))) not in {"", *known}:
                    yield name, stream, None

    def note_missing(self, found: Iterable[Absent]) -> None:
        """Say which records a view leaves out, because their plugin is missing."""
        for one in found:
            self.session.note(f"note: {one.problem}; it is left out")

    # --- captures that are made

    def store(self, request: CaptureRequest) -> list[dict[str, Any]]:
        """Check the rules, append, say what was stored; the answer is the records."""
        from tracker.windows.window import store

        return store(self.session, request)

    def reset_before(self, source: Source, reading: readings.Reading, at: datetime) -> datetime | None:
        """The latest reset of the source in whose buffer an instant lies."""
        from tracker.windows.window import reset_before

        return reset_before(self.session, source, reading, at)

    def notes(self, text: str | None) -> str | None:
        """The user's notes as a record holds them: without addresses, the lane at their end."""
        from tracker.windows.window import stamped_notes

        return stamped_notes(text, self.session.lane)

    def parsed(self, reading: readings.Reading, source: Source) -> dict[str, Any]:
        """A reading as the field `parsed` of a record, without what is never stored."""
        from tracker.text.pane import each_text, redact

        change = partial(redact, keep_account=self.session.config.keep_account)
        found: dict[str, Any] = each_text(readings.to_parsed(reading, source), change)
        return found

    @staticmethod
    def reading(parsed: Mapping[str, Any], source: Source, captured_at: datetime) -> readings.Reading:
        """The reading that the field `parsed` of a record holds."""
        return readings.from_parsed(parsed, source, captured_at)
