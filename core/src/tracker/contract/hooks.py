"""The whole contract between the core and a plugin: the hooks of sources, then those of features.

A source implements any subset of the hooks beside `source_info` and asks for any subset of their arguments, by name and
without default values. Arguments are only ever added. A source is pure: text and values in, values out; it reads no
clock, no file and no network. If one fails, the core names it in a warning or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    # asking one hook must not load the classes that others return
    from tracker.contract.blocks import Block, PreviewContext
    from tracker.contract.events import Event, StreamFacts, StreamInput
    from tracker.contract.features import (
        Cell,
        Check,
        Column,
        Finding,
        MeterOutlook,
        MeterReading,
        Panel,
        Period,
        UsageEvent,
        Value,
    )
    from tracker.contract.readings import Delta, Reading
    from tracker.contract.sources import Source
    from tracker.feature import Feature
    from tracker.preview import Preview
    from tracker.session import Session
    from tracker.windows.results import Tally

CONTRACT = (1, 2)  # major, minor; the minor grows with every argument, field or function that is added
hookspec = pluggy.HookspecMarker("tracker")
hookimpl = pluggy.HookimplMarker("tracker")


@hookspec(firstresult=True)
def source_info() -> Source:
    """Declare the source: its name, meters, stream and everything that the command line is made from.

    Called once, when the plugin is loaded. Since contract 1.0.
    """


@hookspec(firstresult=True)
def parse_status(
    text: str, captured_at: datetime, timezone: tzinfo, scope: str | None, origin: str | None
) -> Reading | None:
    """Read one captured text: a status pane, a report, an answer of a program.

    text: as it came, at most 8 MB, with any line ends, colours and cursor movements. captured_at: when, in UTC; for
    dates without a year. timezone: the zone of times without one. scope: the declared scope that the user asked for;
    None: find it in the text. origin: the declared origin of the text; None: it was pasted.

    Returns a reading whose `errors` say what could not be read. A text that is not this source's at all gives a reading
    without values that is tagged so, or None. Never a guess: an unknown label is not taken for a known one. Must not
    raise for any text. Since contract 1.0.
    """


@hookspec(firstresult=True)
def compute_delta(before: Reading, after: Reading) -> Delta | None:
    """Say how far each meter moved from the reading `before` to `after`, whose `as_of` are set.

    Returns a change per meter, in the meter's unit; None leaves it to the core, which subtracts, and gives None with a
    reason if a meter was reset in between or fell. Since contract 1.0.
    """


@hookspec(firstresult=True)
def ingest_line(line: bytes, scratch: dict[str, Any]) -> Sequence[Event]:
    """Read one line of a stream of events.

    line: without its end, at most 16 MB. scratch: a dict that lives as long as the stream, empty at first, for formats
    that spread one request over several lines; keep it bounded.

    Returns the events that the line completes: none, one or several. Raises `tracker.api.Rejected` with the reason
    if it cannot read the line; the stream goes on. Since contract 1.0.
    """


@hookspec(firstresult=True)
def end_stream(scratch: dict[str, Any]) -> Sequence[Event]:
    """Finish a stream of events whose last line was read; scratch: the dict that `ingest_line` was given.

    Returns the events that the last lines completed. Since contract 1.2.
    """


@hookspec(firstresult=True)
def render_preview_block(context: PreviewContext) -> Block | None:
    """Contribute one section to the preview, as data; context: the windows that are shown and this source's records.

    Returns a block, or None for nothing to show. Since contract 1.0.
    """


# --- features


@hookspec
def feature_info() -> Feature:
    """Declare the feature: its commands, settings and streams. Called for every command; must be cheap."""


@hookspec(firstresult=True)
def tally(session: Session, source: Source) -> Tally | None:
    """Return what adds up a provider's finalized windows to an efficiency with interval and power."""


@hookspec
def window_facts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], Mapping[str, Value]]:
    """Columns by (window, provider), provider "" for what belongs to none, `W1+W2` for what these windows share."""


@hookspec(firstresult=True)
def window_accounts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], str] | None:
    """The account of each (window, provider) whose captures name one. Figures of two accounts are never added.

    `2 accounts` is the answer for a window that was forced from one account to another: it belongs to neither.
    """


@hookspec
def window_checks(session: Session, window: str) -> Sequence[Check]:
    """What should be true of a window."""


@hookspec
def handoff_section(session: Session, windows: Sequence[str]) -> Block | None:
    """A section of the report that is handed to the next session."""


@hookspec
def panels(session: Session, period: Period) -> Sequence[Panel]:
    """What the feature shows for a period, as tables and charts: for the report, the board and the home screen."""


@hookspec(firstresult=True)
def show_table(
    session: Session, columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], total: bool
) -> bool | None:
    """Show rows as wide as the terminal; True if this feature did. total: the last row is the sum of the others."""


@hookspec(firstresult=True)
def show_preview(session: Session, preview: Preview) -> bool | None:
    """Lay out a preview on the terminal; True if this feature did."""


@hookspec(firstresult=True)
def show_progress(session: Session, size: int, noun: str) -> Any:
    """Return what shows progress over `size` bytes on stderr: `advance(bytes, nouns so far)`, at the end `end()`."""


@hookspec
def data_findings(session: Session) -> Sequence[Finding]:
    """What is wrong with the feature's own files."""


@hookspec
def export_formats() -> Mapping[str, Callable[[Session, str, Path], int]]:
    """Formats of an export by name: each writes one stream into a folder and returns the number of rows."""


@hookspec
def command_finished(session: Session, given: Mapping[str, Any]) -> None:
    """Called once when a writing command has stored its records, or has finished; `given` are its parameters.

    After a capture its lock is still held, so that appending here needs no lock.
    """


@hookspec
def undo_rows(session: Session, command_id: str, records: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Reverse what the feature wrote outside of the journal in a command whose records are taken back.

    Returns a line about each row that was reversed. With `session.dry_run` nothing is written.
    """


@hookspec(firstresult=True)
def ingest_stream(session: Session, source: Source, window: str, given: StreamInput) -> bool | None:
    """Take in a stream of events; True if this feature did it."""


@hookspec(firstresult=True)
def stream_facts(
    session: Session, source: Source, windows: Sequence[str], spans: Mapping[str, tuple[datetime, datetime | None]]
) -> StreamFacts | None:
    """The totals of a stream of events in some windows; spans: from when to when each window was measured."""


@hookspec(firstresult=True)
def meter_readings(
    session: Session, provider: str | None, since: datetime | None, hourly: bool
) -> Sequence[MeterReading] | None:
    """A provider's readings since an instant, by time; `hourly`: only each hour's highest and last, which is quick."""


@hookspec(firstresult=True)
def meter_sampler(session: Session, every: timedelta) -> Callable[[Session], Sequence[str]] | None:
    """Return what adds meters due at this pace to the history, in any thread; each call of it returns what failed."""


@hookspec(firstresult=True)
def meter_outlooks(session: Session, source: Source) -> Sequence[MeterOutlook] | None:
    """What to expect of a provider's meters. Each status asks for it, so it must be quick."""


@hookspec(firstresult=True)
def usage_events(session: Session, since: datetime | None, folder: Path | None) -> Sequence[UsageEvent] | None:
    """The requests in all session logs from an instant on, by their time, and the days with only totals left."""


@hookspec(firstresult=True)
def session_files(source: Source) -> Sequence[str] | None:
    """The files of a source's session logs, compressed ones too, the oldest first."""


@hookspec(firstresult=True)
def screen_text(text: str) -> str | None:
    """The text as a terminal shows it after the cursor movements in it; None if this feature cannot play them."""
