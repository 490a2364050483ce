"""Read session files: the lines that can matter are found by a search for bytes, and a plugin reads those."""

from __future__ import annotations

import codecs
import io
import marshal
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, count, groupby
from operator import attrgetter
from typing import Any, NamedTuple

from tracker.api import Rejected, redact
from tracker.kernel import PluginError, Registry
from tracker_telemetry.lines import EVENT_LIMIT, MOST_HANGS
from tracker_telemetry.sessions.columns import LATEST, columns_of, counts, fault_of, seconds, tagged
from tracker_telemetry.sessions.files import PACKED, PackedFile, Print, end_of
from tracker_telemetry.sessions.lines import BROKEN, glued, is_whole, lines_with, mended
from tracker_telemetry.sessions.scratch import NOTES, are_notes, as_json, begun, with_end

Ingest = Callable[[bytes, dict[str, Any]], Sequence[Any]]
End = Callable[[dict[str, Any]], Sequence[Any]]
TOKENS = (
    *("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("output_tokens", "reasoning_tokens"),
)
UNPACKER = "zstandard"  # reads compressed files; an extra
BATCH = 500  # lines whose events are checked together
BLOCK = 1 << 18  # bytes that are read at once: what a processor's cache holds
LARGEST = 10**12  # no request has more tokens
UNLIKE = "lines like it are not counted"
LEFT_OPEN = "requests left open at the end of its files are not counted"
UTF16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"{\0", b"\0{"  # how such a file begins
TIME = 2  # its column
ALONE = "."  # the second half of a key that has none


class Job(NamedTuple):
    """A file to read: from where on, in which state the plugin was left there, and if it still holds what was read."""

    source: str
    path: str
    words: tuple[bytes, ...]
    offset: int
    state: str
    now: Print
    is_whole: bool


class Labels(NamedTuple):
    """What many requests of a file share. `whole`: not a request, but a client's own total, of a `lineage`.

    folders: hashes, by which projects of one name are told apart; the store has them.
    """

    session: str | None
    project: str | None
    branch: str | None
    account: str | None
    client: str | None
    plan: str | None
    folders: str | None
    whole: bool
    needs: str | None
    lineage: str | None


NAMES = Labels._fields[:-4]  # those that an event has under this name


class FileRows(NamedTuple):
    """What a file gave: its requests by column, for the store; bad lines; where to go on.

    requests: how many, and their columns, packed by marshal, which takes a third of the time that pickled rows take.
    fault: what the plugin did wrong first, and what that costs.
    """

    job: Job
    offset: int
    state: str
    size: int = 0
    requests: bytes = b""
    labels: Sequence[Labels] = ()
    bad: int = 0
    end: str = ""
    error: str | None = None
    fault: str | None = None


class Rules(NamedTuple):
    """How lines become rows: the hooks of each source, and whether projects are hashed."""

    ingests: Mapping[str, Ingest]
    ends: Mapping[str, End]
    is_hashed: bool


rules: list[Rules] = []  # one; set before worker processes are forked
hangs = defaultdict[str, list[PluginError]](list)  # lines on which a source's plugin hung


def runs(jobs: Iterable[Job], size: int) -> list[list[Job]]:
    """The files of each source, so many together."""
    own = [[*found] for _, found in groupby(jobs, attrgetter("source"))]
    return [one[at : at + size] for one in own for at in range(0, len(one), size)]


def read(jobs: Sequence[Job]) -> list[FileRows]:
    """Read what files of a source got since the last time; a plugin that cannot go on costs the file.

    Guarded together: a guard takes as long as twenty lines.
    """
    done: list[FileRows] = []
    while len(done) < len(jobs):
        try:
            with Registry.guarded(jobs[0].source, "ingest_line") as timer:
                for job in jobs[len(done) :]:
                    done.append(_read(job, timer))
        except PluginError as error:
            job, text = jobs[len(done)], redact(str(error))
            done.append(FileRows(job, job.offset, job.state, error=text, fault=f"{text.rstrip('.')}; {UNLIKE}"))
    return done


def _give_up(source: str) -> None:
    if len(hangs[source]) >= MOST_HANGS:
        raise hangs[source][0]


def _read(job: Job, timer: Any) -> FileRows:
    _give_up(job.source)
    rows = Rows(rules[-1], job, timer)
    stop, error = job.offset, None
    try:
        with open(job.path, "rb", buffering=0) as file:
            is_packed = job.path.endswith(PACKED)
            stop = rows.read(PackedFile(file) if is_packed else file)
            end = "" if is_packed or not rows.kept else end_of(job.path, stop)
    except ImportError:
        return FileRows(job, job.offset, job.state, error=UNPACKER)
    except PluginError:
        raise
    except Exception as found:  # noqa: BLE001  also what zstandard raises for a damaged file
        end, error = "", _reason(found)
    rows.settle()
    size, columns = len(rows.found), [*zip(*rows.found.values(), strict=True)]
    # marshal tracks each value that something else also holds: that takes four times as long
    rows.found.clear()
    requests = marshal.dumps(columns)
    return FileRows(job, stop, rows.kept or "{}", size, requests, [*rows.labels], rows.bad, end, error, rows.fault)


def _reason(error: Exception) -> str:
    """Why a file cannot be read, without its name, which tells the working directory."""
    if isinstance(error, OSError) and error.strerror:
        return f"[Errno {error.errno}] {error.strerror}"
    return str(error) or type(error).__name__


class Rows:
    """The rows of one file: of one key the one with the most output."""

    def __init__(self, given: Rules, job: Job, timer: Any) -> None:
        self.rules, self.job, self.ingest, self.timer = given, job, given.ingests[job.source], timer
        self.state: dict[str, Any] = begun(job.state)
        self.kept = job.state
        self.bad = 0
        self.fault: str | None = None
        self.waiting: list[Sequence[Any]] = []  # the events of lines, to be checked together
        # by key: its halves, time, model, speed, tokens, their total, and the number of the labels
        self.found: dict[str, tuple[Any, ...]] = {}
        self.labels: dict[Labels, int] = {}

    def read(self, file: io.FileIO | PackedFile) -> int:
        """Take the lines from the job's offset on; returned is where the last whole one ends."""
        offset = 0
        if not isinstance(file, PackedFile):
            offset = file.seek(self.job.offset)
        # reused: new memory for each block takes longer than reading it
        buffer, rest = bytearray(BLOCK), 0
        while size := file.readinto(memoryview(buffer)[rest:]):
            end = rest + size
            self.timer.restart()
            # what comes after the end was not read
            if not offset and buffer.startswith(UTF16, 0, end):
                raise ValueError("the file is UTF-16, not UTF-8")
            stop = buffer.rfind(b"\n", rest, end) + 1
            self.take(lines_with(buffer, self.job.words, stop))
            offset += stop
            rest = end - stop
            buffer[:rest] = buffer[stop:end]
            if rest == len(buffer):
                buffer += bytes(rest)
        self.kept = self._stored()
        # its end may still come: read it again next time; old programs end lines with CR alone
        tail = [line for line in bytes(buffer[:rest]).split(b"\r") if line and is_whole(line)]
        finish = self.rules.ends.get(self.job.source)
        if tail or finish:
            self.settle()
            bad = self.bad
            self.take(tail)
            self.settle()
            if finish:
                self._finish(finish)
            self.bad = bad
            self._note_end()
        return offset

    def _finish(self, finish: End) -> None:
        """Take the requests that the last lines leave open; if more lines follow, these give them again."""
        try:
            if not isinstance(found := finish(self.state), list | tuple):
                raise TypeError(f"returned a {type(found).__name__}. Expected a list of events")
            self.waiting.append(found)
        except self.timer.FAULTS as error:
            self._blame(error, LEFT_OPEN, "end_stream")
        self.settle(LEFT_OPEN, "end_stream")

    def _note_end(self) -> None:
        """Let the notes of the end be shown, if they can be stored."""
        try:
            self.kept = self.kept and with_end(self.kept, self.state)
        except Exception as error:  # noqa: BLE001
            self._blame(TypeError(f"the scratch cannot be stored: {error}"), "its notes are not shown", "end_stream")

    def take(self, lines: Sequence[bytes]) -> None:
        """Ask the plugin for the events of lines."""
        ingest, state, waiting, faults = self.ingest, self.state, self.waiting, self.timer.FAULTS
        for line in lines:
            try:
                events = ingest(line, state)
            except faults as error:  # a plugin's fault costs a line, not the file
                events = self._mended(line, error)
            if events:
                waiting.append(events)
            elif events is None:
                self.bad += 1
                self._blame(TypeError("returned a NoneType. Expected a list of events"), UNLIKE)
        if len(waiting) >= BATCH:
            self.settle()

    def settle(self, cost: str = UNLIKE, hook: str = "ingest_line") -> None:
        """Keep the rows of what was taken. They are checked all at once, and if a value is wrong, line by line.

        A value that no event may have is the plugin's fault; a text that cannot be kept may be the file's.
        """
        waiting, self.waiting = self.waiting, []
        try:
            self._add([*chain.from_iterable(waiting)])
        except Exception:  # noqa: BLE001
            for events in waiting:
                try:
                    self._add(events)
                except Exception as error:  # noqa: BLE001
                    self.bad += 1
                    if isinstance(found := fault_of(events) or error, TypeError):
                        self._blame(found, cost, hook)

    def _mended(self, line: bytes, error: BaseException) -> Sequence[Any]:
        """The events of a line that the plugin could not read: mended, or of the whole rows on it."""
        events: list[Any] = []
        try:
            if isinstance(error, Rejected) and (found := mended(line)) is not None:
                whole = self.ingest(found, self.state)
                # a request with a damaged key would count again
                if not any(BROKEN in str(event.get("key")) for event in whole):
                    return whole
            elif isinstance(error, Rejected):
                for row in (rows := glued(line)):
                    events += self.ingest(row, self.state)
                if rows and b"".join(rows) == line:  # only the end of a line was lost
                    return events
        except self.timer.FAULTS as other:
            error = other
        self.bad += 1
        if not isinstance(error, Rejected):
            self._blame(error, UNLIKE)
        return events

    def _blame(self, error: BaseException, cost: str, hook: str = "ingest_line") -> None:
        """Note what a plugin did wrong; one that does not come to the end of several lines is given up."""
        self.timer.restart()
        found = PluginError(self.job.source, hook, error)
        self.fault = self.fault or f"{redact(str(found)).rstrip('.')}; {cost}"
        if isinstance(error, ImportError):  # until what it needs is installed, no line can be read
            raise found
        if not isinstance(error, Exception | SystemExit):
            hangs[self.job.source].append(found)
            _give_up(self.job.source)

    def _add(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Keep events: checked by column, in a fifth of the time that each by itself takes."""
        if not events:
            return
        columns = columns_of(events)
        nothing, zeros = [None] * len(events), [0] * len(events)

        def column(name: str) -> Sequence[Any]:
            return columns.get(name, nothing)

        keys, times, models, speeds = column("key"), seconds(column("ts")), column("model"), column("speed")
        if not all(keys):
            raise TypeError("an event without a key")
        plain, read, short, long, output, reasoning = (counts(columns.get(name, zeros)) for name in TOKENS)
        if "cache_write_tokens" in columns:  # the client does not say for how long
            short = [a + b for a, b in zip(short, counts(columns["cache_write_tokens"]), strict=True)]
        totals = [a + b + c + d + e for a, b, c, d, e in zip(plain, read, short, long, output, strict=True)]
        if max(*totals, *reasoning) > LARGEST:
            raise TypeError("a count of tokens is too large")
        # anything but text raises, and so does half a surrogate
        if len("".join([*keys, *filter(None, models), *filter(None, speeds)]).encode()) > EVENT_LIMIT:
            raise ValueError("a name is too long")
        wholes, needs = tagged(columns["tags"]) if "tags" in columns else ([False] * len(events), nothing)
        numbers = self._numbers([*zip(*map(column, NAMES), nothing, wholes, needs, column("rid"), strict=True)])
        parts = [key.rpartition("/") if "/" in key else (key, "", ALONE) for key in keys]
        bases, _, halves = zip(*parts, strict=True)
        tokens = plain, read, short, long, output, reasoning
        self._keep(keys, zip(bases, halves, times, models, speeds, *tokens, totals, numbers, strict=True))

    def _keep(self, keys: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows; for each key the last one with the highest rank counts: a plugin that knows more gives it again.

        Its time is that at which it was shown first, as `tables.PUT` has it.
        """
        for key, row in zip(keys, rows, strict=True):
            before = self.found.setdefault(key, row)
            if before is not row:
                first = min((at for at in (before[TIME], row[TIME]) if at is not None), default=None)
                best = row if _rank(row) >= _rank(before) else before
                self.found[key] = (*best[:TIME], first, *best[TIME + 1 :])

    def _numbers(self, shared: Sequence[tuple[Any, ...]]) -> list[int]:
        """The number of each event's labels, of all that it shares with others."""
        new = [Labels._make(one) for one in dict.fromkeys(shared) if one not in self.labels]
        for one in new:
            if len("".join(label or "" for label in (*one[:-3], one.lineage)).encode()) > EVENT_LIMIT:
                raise ValueError("a name is too long")
        self.labels.update(zip(new, count(len(self.labels))))
        return [*map(self.labels.__getitem__, shared)]  # type: ignore[arg-type]

    def _stored(self) -> str:
        """The state as the store has it, without notes that count nothing; empty if the store cannot have it."""
        for name in [name for name in NOTES if name in self.state and not are_notes(self.state[name])]:
            del self.state[name]
            self._blame(TypeError(f"scratch[{name!r}] is not a dict of names and counts"), "it is not shown")
        try:
            return as_json(self.state, is_hashed=self.rules.is_hashed)
        except Exception as error:  # noqa: BLE001
            reason = TypeError(f"the scratch cannot be stored: {error}")
            self._blame(reason, "growing files are read from the start each time")
            return ""


def _rank(row: Sequence[Any]) -> tuple[Any, ...]:
    """Which of a request's rows stands, as `tables.RANK` has it."""
    _, _, at, model, speed, _, read, short, long, output, reasoning, total, _ = row
    is_named = model is not None and BROKEN not in model
    size = output, total, long, reasoning
    return *size, is_named, -LATEST if at is None else -at, model or "", speed or "", read, short


def size_of(job: Job) -> int:
    """Bytes that are still to be read of a file."""
    return max(job.now.size - job.offset, 0)


def workers() -> int:
    """Processes that read side by side."""
    return min(os.cpu_count() or 1, 4)
