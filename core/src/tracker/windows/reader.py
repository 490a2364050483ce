"""What is recorded about windows, as features read it and add to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tracker.session import Session

if TYPE_CHECKING:
    from tracker.contract.readings import Reading
    from tracker.contract.sources import Source
    from tracker.journal.index import Entry
    from tracker.preview import Preview
    from tracker.windows.captures import Capture
    from tracker.windows.lanes import LaneFile
    from tracker.windows.missing_plugins import Absent
    from tracker.windows.parts import Part
    from tracker.windows.results import Finalized, Tally
    from tracker.windows.window import CaptureRequest

Groups = Mapping[tuple[str, str], "list[Capture]"]


class Windows:
    """The windows of a session: captures, finalize rows, anomalies, and what a capture becomes when it is stored.

    `windows` are ids everywhere; None is every window.
    """

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

    def parts(self, windows: Iterable[str] | None = None) -> Iterator[Part]:
        """Finalize rows and captures, some thousand windows at a time: for what reads a long history."""
        from tracker.windows.parts import parts

        return parts(self.session, windows)

    @staticmethod
    def tally(source: Source) -> Tally:
        """What adds a provider's windows up, one after the other."""
        from tracker.windows.results import Tally

        return Tally(source)

    @staticmethod
    def overlaps(tallies: Iterable[Tally]) -> dict[str, str]:
        """The windows of one account that moved a meter at the same time, with the reason why they do not count."""
        from tracker.windows.columns import Spent

        whole = Spent()
        for tally in tallies:
            whole.extend(tally.spent)
        return whole.overlaps()

    def unfinished(self, newest: int = -1) -> list[str]:
        """The windows that are not finalized, or the newest of them, in natural order."""
        windows = self.session.index.unfinalized(newest)
        done = self.finalized(windows)
        return [window for window in windows if window not in done]

    def spans(
        self, windows: Iterable[str], groups: Groups | None = None
    ) -> dict[str, tuple[datetime, datetime | None]]:
        """From when to when each window was measured; None: not ended yet. `groups` are the captures, if known."""
        from tracker.windows.captures import spans

        windows = list(windows)
        found = spans(self.captures(windows) if groups is None else groups)
        return {window: found[window] for window in windows if window in found}

    def preview(self, windows: Sequence[str]) -> Preview:
        """What `tracker preview` shows."""
        from tracker.preview import assemble

        return assemble(self.session, windows)

    def open_anomalies(self, windows: Iterable[str] | None = None, *, without: str | None = None) -> list[Entry]:
        """The anomalies that nothing closed. without: a record that is about to be taken back."""
        from tracker.windows.rules import open_anomalies

        return open_anomalies(self.session, windows, without=without)

    def anomalies(self, windows: Iterable[str]) -> list[tuple[Entry, Entry | None]]:
        """Every anomaly, each with the row that closed it."""
        from tracker.windows.rules import history

        return history(self.session, windows, removed=True)

    def missing_plugins(self, windows: Iterable[str] | None = None) -> list[Absent]:
        """The sources that are recorded, and whose plugin is missing."""
        from tracker.windows.missing_plugins import absent

        return absent(self.session, windows)

    def note_missing(self, found: Iterable[Absent]) -> None:
        """Say which records a view leaves out, because their plugin is missing."""
        from tracker.windows.missing_plugins import tell

        tell(self.session, found)

    def lane_files(self) -> Iterator[LaneFile]:
        """The state files of every lane, as the journal says that they should be."""
        from tracker.windows.lanes import LaneFile

        for source in self.session.registry.sources.values():
            for lane, mark in self.session.index.lanes(source.stream) if source.kind == "status" else ():
                if mark.provider == source.name:
                    yield LaneFile(self.session, source, lane)

    @staticmethod
    def following(window: str) -> str:
        """The id that follows a window's."""
        from tracker.windows.lanes import next_window

        return next_window(window)

    # --- captures that are made

    def store(self, request: CaptureRequest) -> list[dict[str, Any]]:
        """Check the rules, append, say what was stored; the answer is the records."""
        from tracker.windows.window import store

        return store(self.session, request)

    def reset_before(self, source: Source, reading: Reading, at: datetime) -> datetime | None:
        """The latest reset of the source in whose buffer an instant lies."""
        from tracker.windows.window import reset_before

        return reset_before(self.session, source, reading, at)

    def notes(self, text: str | None) -> str | None:
        """The user's notes as a record holds them: without addresses, the lane at their end."""
        from tracker.windows.window import stamped_notes

        return stamped_notes(text, self.session.lane)

    def parsed(self, reading: Reading, source: Source) -> dict[str, Any]:
        """A reading as the field `parsed` of a record, without what is never stored."""
        from tracker.contract.readings import to_parsed
        from tracker.text.redact import redact_value

        found: Any = redact_value(to_parsed(reading, source), keep_account=self.session.config.keep_account)
        return found  # type: ignore[no-any-return]

    @staticmethod
    def reading(parsed: Mapping[str, Any], source: Source, captured_at: datetime) -> Reading:
        """The reading that the field `parsed` of a record holds."""
        from tracker.contract.readings import from_parsed

        return from_parsed(parsed, source, captured_at)
