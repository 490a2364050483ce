"""The whole contract between the core and a plugin.

A plugin implements any subset of the hooks beside `source_info` and asks for any subset of their arguments, by name and
without default values. Arguments are only ever added. A plugin is pure: text and values in, values out; it reads no
clock, no file and no network. The core turns what goes wrong in one into a warning that names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from tracker.contract.blocks import Block, PreviewContext
    from tracker.contract.events import Event
    from tracker.contract.readings import Delta, Reading
    from tracker.contract.sources import Source

CONTRACT = (1, 2)  # major, minor; the minor grows with every argument, field or function that is added
PROJECT = "tracker"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


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

    text: as it came, at most 8 MB, with any line ends, colours and cursor movements.
    captured_at: when it was captured, UTC; for dates without a year and for relative times.
    timezone: the zone of the text's times if it names none.
    scope: the report that the user asked for, one of the declared scopes; None: read it from the text.
    origin: the name of the declared origin that the text comes from; None: it was pasted or piped.

    Returns a reading whose `errors` say what could not be read. A text that is not this source's at all gives a reading
    without values that is tagged so, or None. Never a guess: an unknown label is not taken for a known one. Must not
    raise for any text. Since contract 1.0.
    """


@hookspec(firstresult=True)
def compute_delta(before: Reading, after: Reading) -> Delta | None:
    """Say how far each meter moved between two readings of one source.

    before, after: readings as `parse_status` made them, or as they were stored; their `as_of` is always set.

    Returns a change per meter, in the meter's unit; None leaves it to the core, which subtracts, and gives None with a
    reason if a meter was reset in between or fell. Since contract 1.0.
    """


@hookspec(firstresult=True)
def ingest_line(line: bytes, scratch: dict[str, Any]) -> Sequence[Event]:
    """Read one line of a stream of events.

    line: without its end, at most 1 MB. scratch: a dict that lives as long as the stream, empty at first, for formats
    that spread one request over several lines; keep it bounded.

    Returns the events that the line completes: none, one or several. Raises `tracker.api.Rejected` with the reason
    if it cannot read the line; the stream goes on. Since contract 1.0.
    """


@hookspec(firstresult=True)
def end_stream(scratch: dict[str, Any]) -> Sequence[Event]:
    """Finish a stream of events whose last line was read.

    scratch: the dict that `ingest_line` was given for the stream's lines.

    Returns the events that the last lines completed. Since contract 1.2.
    """


@hookspec(firstresult=True)
def render_preview_block(context: PreviewContext) -> Block | None:
    """Contribute one section to the preview, as data.

    context: the windows that are shown and this source's records in them.

    Returns a block, or None for nothing to show. Since contract 1.0.
    """
