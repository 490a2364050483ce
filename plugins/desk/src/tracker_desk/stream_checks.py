"""What `tracker doctor` looks at in a stream: encoding, JSON, fields, ids, order, tombstones, the last line."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
from attrs import define, field

from tracker.api import Finding, instant
from tracker.kernel import Journal, Session, plural, record_id
from tracker.kernel import line as shown
from tracker_desk.findings import REPAIR, RESTORE, Level, finding
from tracker_desk.ids import Ids
from tracker_desk.progress import Advance
from tracker_desk.torn_lines import identity, lacking, set_aside, whole_records

TEXTS = ("window", "provider", "notes", "agent_id", "record_id", "schema_version", "tool_version", "source")
# what fields hold, if they are there
KINDS = (*((name, str) for name in TEXTS), ("parsed", dict), ("providers", dict), ("records", list))
KNOWN_SCHEMAS = ("1.0.0", Journal.schema_version)
LEFT_OUT = "every command skips it; store what it held again"
# the line stays: nothing is rewritten
END_WARNINGS = f"{LEFT_OUT}; `tracker doctor --fix` ends its warnings"
# clocks of machines may differ by this much
FUTURE = timedelta(minutes=2)
BY_HAND = "no command writes such a record: a program or a person changed the file"


@define
class StreamCheck:
    """One stream: its counts, and the findings of one pass through it.

    ids: the stream's ids, filled on the way. targets: what tombstones take back, with their line. behind: lines that
    hold whole records beside torn or other whole ones: number, offset, the records' ids. broken: the offsets of lines
    that are not records and have no copy in `*.torn`. copied: how many have one.
    """

    session: Session
    stream: str
    ids: Ids
    records: int = 0
    lines: int = 0
    removed: int = 0
    targets: list[tuple[int, str]] = field(factory=list)
    behind: list[tuple[int, int, list[str]]] = field(factory=list)
    broken: list[int] = field(factory=list)
    copied: int = 0
    _latest: datetime | None = None
    _out_of_order: int = 0

    @property
    def name(self) -> str:
        return f"{self.stream}.jsonl"

    def run(self, advance: Advance) -> Iterator[Finding]:
        aside = self.session.journal.aside(self.stream)
        for offset, line in self.session.journal.lines(self.stream):
            advance(len(line or b"") + 1)
            self.lines += 1
            record = None if line is None else Journal.decode(line)
            if line and record is None and line in aside:
                self.copied += 1
                continue
            if line is None or record is None:
                yield from self._no_record(offset, line)
                continue
            self.records += 1
            yield from self._strictness(line)
            own_id = record_id(self.stream, line, record)
            yield from self._identity(line, record, own_id)
            taken = instant(record.get("captured_at"))
            yield from self._fields(record, taken)
            if taken is not None:
                yield from self._time(taken, own_id)
            if "tombstone" in record:
                self.removed += 1
                if isinstance(record["tombstone"], str):
                    self.targets.append((self.lines, record["tombstone"]))
                else:
                    yield self._found("warning", "tombstone", "takes back nothing: its target is not an id", BY_HAND)
        if self._out_of_order:
            what = f"{plural(self._out_of_order, 'record')} captured before an earlier line"
            yield finding("note", "order", self.name, what, "nothing to do: the capture time decides")
        yield from self._behind()
        yield from self._tail()

    def dangling(self) -> Iterator[Finding]:
        """Tombstones of records that the stream does not hold."""
        for number, target in self.targets:
            if target not in self.ids:
                what = f"takes back {shown(target)[:80]}, which is not there"
                cure = f"nothing to do, unless that record is still to be imported; {self._look(number)}"
                yield finding("warning", "tombstone", f"{self.name} line {number}", what, cure)

    def _found(
        self, level: Level, check: str, what: str, cure: str, fix: Callable[[], object] | None = None
    ) -> Finding:
        """A finding about the line that was just read."""
        if level != "note" and "`" not in cure:
            cure = f"{cure}; {self._look(self.lines)}"
        return finding(level, check, f"{self.name} line {self.lines}", what, cure, fix)

    def _look(self, number: int) -> str:
        return f"`sed -n {number}p {shlex.quote(str(self.session.journal.path(self.stream)))}` shows the line"

    def _no_record(self, offset: int, line: bytes | None) -> Iterator[Finding]:
        if line is None:
            yield self._found("error", "json", "a line of more than 16 MB", LEFT_OUT)
        elif not line.strip():
            yield self._found("note", "json", "an empty line", "nothing to do: it is skipped")
        elif whole := whole_records(line):
            self.behind.append((self.lines, offset, [identity(self.stream, one) for one in whole]))
        else:
            self.broken.append(offset)
            yield self._found("error", *_why(line), END_WARNINGS, self._set_aside)

    def _set_aside(self) -> None:
        """All broken lines: only the first ones are findings of their own."""
        set_aside(self.session.journal, self.stream, self.broken)
        self.broken.clear()

    def _strictness(self, line: bytes) -> Iterator[Finding]:
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError as error:
            what = f"is not strict JSON ({error}); NaN and infinity are read as null"
            yield self._found("note", "json", what, "nothing to do")

    def _identity(self, line: bytes, record: dict[str, Any], own_id: str) -> Iterator[Finding]:
        is_same = self.ids.add(own_id, line)
        if is_same:
            yield self._found("note", "duplicate", "repeats an earlier line", "nothing to do: it counts once")
        elif is_same is not None:
            what = f"has the id {shown(own_id)[:80]} of an earlier record, which counts instead"
            yield self._found("error", "duplicate", what, BY_HAND)
        if "nonce" in record and record.get("schema_version") == Journal.schema_version and own_id != _identify(record):
            yield self._found("warning", "changed", "does not match its own id", BY_HAND)

    def _fields(self, record: Mapping[str, Any], taken: datetime | None) -> Iterator[Finding]:
        wrong = [name for name, kind in KINDS if record.get(name) is not None and not isinstance(record[name], kind)]
        if record.get("phase") not in (None, "before", "after"):
            wrong.append("phase")
        if taken is None:
            wrong.append("captured_at")
        if wrong:
            what = f"has no usable {', '.join(wrong)}"
            yield self._found(
                "warning", "schema", what, "what depends on it is left out; store it again with valid values"
            )
        version = record.get("schema_version")
        if isinstance(version, str) and version not in KNOWN_SCHEMAS:
            what = f"has the schema {shown(version)[:40]}; this program knows {' and '.join(KNOWN_SCHEMAS)}"
            yield self._found("warning", "schema", what, "upgrade tracker-core: fields it does not know are kept")

    def _time(self, taken: datetime, own_id: str) -> Iterator[Finding]:
        # an anomaly is as old as the capture that it is about, which is named itself
        is_ahead = taken > self.session.now + FUTURE and self.stream != "anomalies"
        if is_ahead and own_id not in self.session.index.tombstoned(self.stream):
            cure = "set the clock; if the capture is wrong, `tracker undo --list` shows how to take it back"
            yield self._found("warning", "future", f"was captured in the future, at {taken.isoformat()}", cure)
        if self._latest is not None and taken < self._latest:
            self._out_of_order += 1
        self._latest = max(taken, self._latest or taken)

    def _behind(self) -> Iterator[Finding]:
        """Lines that one writer left unfinished and another one continued."""
        for number, offset, own_ids in self.behind:
            many = f"{len(own_ids)} whole records" if own_ids[1:] else "a whole record beside a torn one"
            place, what = f"{self.name} line {number}", f"holds {many}"
            if any(own_id not in self.ids for own_id in own_ids):
                yield finding("error", "json", place, what, RESTORE)
                continue
            self.broken.append(offset)
            what += f"; {'each' if own_ids[1:] else 'the whole one'} is also on a line of its own"
            yield finding("warning", "json", place, what, REPAIR, self._set_aside)
        if self.copied:
            what = f"holds {plural(self.copied, 'line')} without a record; {self.name}.torn has copies"
            cure = "nothing to do; a copy of the data may have what they held"
            yield finding("note", "json", self.name, what, cure)

    def _tail(self) -> Iterator[Finding]:
        journal, path = self.session.journal, self.session.journal.path(self.stream)
        rest = path.stat().st_size - journal.size(self.stream)
        if rest:
            what = f"ends in a torn line of {rest} bytes, as after a crash"
            yield finding("warning", "torn", self.name, what, REPAIR, partial(journal.mend, self.stream))
        aside = path.with_name(path.name + ".torn")
        if aside.exists():
            what, cure = f"holds {aside.stat().st_size} bytes that were set aside", RESTORE
            if not lacking(self.session, self.stream):
                what, cure = f"{what}; no whole record among them is missing", "nothing to do"
            yield finding("note", "torn", aside.name, what, cure)


def _why(line: bytes) -> tuple[str, str]:
    """Why a line is not a record."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return "encoding", f"is not UTF-8 ({error.reason} at byte {error.start})"
    try:
        found = orjson.loads(line)
    except (orjson.JSONDecodeError, RecursionError) as error:
        return "json", f"is not JSON ({shown(error)[:100]})"
    return "json", "is not a JSON object" if not isinstance(found, dict) else "is nested too deeply"


def _identify(record: Mapping[str, Any]) -> str:
    """The id that the record's content gives; values that JSON cannot express (NaN) count as null."""
    own = {key: value for key, value in record.items() if key != "record_id"}
    return hashlib.blake2b(orjson.dumps(own, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
