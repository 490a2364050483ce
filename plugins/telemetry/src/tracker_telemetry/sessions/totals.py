"""The daily totals of sessions in the journal: what it has of them, what no file shows of that, and what is new.

The journal has it before the store: if a process dies between the two, the next one learns it, and appends nothing.

What is lost of a session's day and model is what the journal has of it more than the rows that were made until the last
request that it counts. Later rows are new and add up; a file that comes back shows the lost ones again. So it is known
from the journal and the files alone. As long as the store lives it only gets less, since its rows outlive their files:
if it has fewer of a session now, another session has the others. Sessions that share requests count together: the
journal may have a request as that of one, and the files that are left show it as that of another.

A message that grew while the store was away is not told from what comes back, and so is taken for it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, TypeAlias

from tracker.api import Source, epoch
from tracker.kernel import Busy, Session, TrackerError, stamp
from tracker_telemetry.sessions import copies, tables
from tracker_telemetry.sessions.scan import TOKENS

Row: TypeAlias = "tuple[Any, ...]"  # the source and `tables.KEPT`
Totals: TypeAlias = "dict[Row, Row]"  # by the labels of a total: source, session, day, model, project, branch
Parents: TypeAlias = "Mapping[str, Mapping[str, float]]"  # of sessions that show others' requests, until when
Groups: TypeAlias = "dict[Row, Totals]"  # by session, or the first of those that share requests, day and model
UNKNOWN = -1  # the place in a journal that may not have all that the store has
KEY, REQUESTS, COUNTS = slice(0, 6), slice(9, 10), slice(9, 10 + len(TOKENS))
PRICED, COST, SINCE, UNTIL, SPEED, REVISION, APART = (place + len(TOKENS) for place in range(10, 17))
MADE = itemgetter(COUNTS, UNTIL)  # how many requests and tokens, and when the last request was made
NEVER = float("inf")
NOTHING = (0,) * (len(TOKENS) + 1)
NO_MONEY = 1e-12  # dollars that are only the noise of a difference


def journalled(session: Session, source: Source) -> Iterator[Row]:
    """What a source's stream of the journal says."""
    for entry in session.index.entries(source.stream):
        usage = entry.record.get("usage")
        if isinstance(usage, dict):
            # older versions do not say when the last request was made, but all were before this
            until = epoch(entry.record.get("captured_at")) if usage.get("until") is None else usage["until"]
            apart = json.dumps(usage["apart"]) if isinstance(usage.get("apart"), dict) else None
            usage = {**usage, "until": until, "apart": apart}
        row = (source.name, *(usage.get(name) for name in tables.KEPT)) if isinstance(usage, dict) else ()
        is_sound = all(isinstance(one, str) for one in row[KEY]) and all(isinstance(one, int) for one in row[COUNTS])
        is_sound &= all(isinstance(one, int | float | None) for one in row[PRICED:SPEED])
        if row and is_sound and isinstance(row[SPEED], str | None) and isinstance(row[REVISION], int | None):
            yield row


def put(database: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    """Note daily totals that the journal has, or that are lost."""
    marks = ",".join("?" * (len(tables.KEPT) + 1))
    database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)


def learn(database: sqlite3.Connection, source: str, rows: Iterable[Row]) -> Groups:
    """Note what the journal has, and return what was known before of days for which it now has something else.

    What it has no longer, since somebody took it back, is appended again.
    """
    before = _groups(database.execute(f"SELECT {tables.KEPT_COLUMNS} FROM kept WHERE source = ?", (source,)))
    now = _standing(rows)
    database.execute("DELETE FROM kept WHERE source = ?", (source,))
    put(database, "kept", (row for own in now.values() for row in own.values()))
    return {
        group: before.get(group, {}) for group, own in now.items() if _counts(own) != _counts(before.get(group, {}))
    }


def _standing(rows: Iterable[Row]) -> Groups:
    """The most complete record of each total: machines with copies of a file write them in any order."""
    found: Groups = defaultdict(dict)
    for row in rows:
        own = found[row[1:4]]
        before = own.get(row[KEY])
        # among those of older versions, the last one counts
        if before is None or row[APART] is before[APART] is None or _rank(row) >= _rank(before):
            own[row[KEY]] = row
    return found


def _rank(row: Row) -> tuple[float, int, int, Row, float]:
    return _until(row), row[REVISION] or 0, len(_apart(row)), row[COUNTS], -(row[SINCE] or 0)


def _apart(row: Row) -> dict[str, float]:
    """The sessions whose requests a total leaves out, and until when its session shows them."""
    return json.loads(row[APART] or "{}")  # type: ignore[no-any-return]


def _unknown(row: Row, parents: Mapping[str, float]) -> set[str]:
    """Those whose requests it may hold."""
    known = _apart(row)
    return {parent for parent, until in parents.items() if until > known.get(parent, 0)}


def settle(
    database: sqlite3.Connection, source: str, sessions: Collection[str], news: Groups, new: copies.News
) -> set[str]:
    """Update what is lost by the rows of these sessions, and by what the journal has now.

    Returned are all that share requests with these.
    """
    if not (news or database.execute("SELECT 1 FROM lost WHERE source = ? LIMIT 1", (source,)).fetchone()):
        return set()
    kin, parents = copies.kin(database, source), copies.parents_until(database, source, new)
    names = {*sessions, *(session for session, *_ in news)}
    firsts = {kin.get(one) for one in names}
    names |= {one for one, first in kin.items() if first in firsts}
    own = source, json.dumps(sorted(names))
    lost, had = (_of(database, table, own) for table in ("lost", "kept"))
    before, anew = _together({**had, **news}, kin), _together({group: had[group] for group in news}, kin).keys()
    lost, had, shown = (_together(found, kin) for found in (lost, had, _groups(database.execute(tables.DAILY, own))))
    for group in {*lost, *anew}:
        known = left = lost.get(group, {})
        if known:
            left = _still(known, _missing(database, before.get(group, {}), shown.get(group, {})))
        if group in anew:
            once = _counted_once(had[group], parents)
            left = max(_missing(database, once, shown.get(group, {})), left, key=_size)
        if left != known:
            key = tables.KEPT_KEY
            database.executemany(f"DELETE FROM lost WHERE ({key}) = (?, ?, ?, ?, ?, ?)", known)
            put(database, "lost", left.values())
    return names


def _together(groups: Groups, kin: Mapping[str, str]) -> Groups:
    """Those of sessions that share requests as one."""
    found: Groups = defaultdict(dict)
    for (session, *rest), totals in groups.items():
        found[(kin.get(session, session), *rest)].update(totals)
    return found


def _counted_once(kept: Totals, parents: Parents) -> Totals:
    """What the journal has of a day and model of sessions that share requests, each once.

    A total that was written when a fork's parent was not known, or was thought to be the fork, has the parent's
    requests, too: it counts for what it has more, unless the parent's own leaves all of its time out.
    """
    found = {key: row for key, row in kept.items() if any(row[COUNTS])}
    for key, row in sorted(found.items()):
        shared = _unknown(row, _parents(row, parents))
        held = {own: other for own, other in found.items() if other[1] in shared}
        others = {own: other for own, other in held.items() if _apart(other).get(row[1], 0) < _until(row)}
        if others and row[APART] is not None:
            del found[key]
            found |= _rest({key: row}, others)
    return found


def _parents(row: Row, parents: Parents) -> dict[str, float]:
    """The sessions whose requests those of a total's session show on its day, and until when."""
    _, session, day, *_ = row
    found = parents.get(session, {}).items()
    return {parent: until for parent, until in found if day <= f"{datetime.fromtimestamp(until, UTC):%Y-%m-%d}"}


def _missing(database: sqlite3.Connection, kept: Totals, shown: Totals) -> Totals:
    """The part of the journal's totals, of a day and model of sessions that share requests, that rows do not show."""
    kept = {key: row for key, row in kept.items() if any(row[COUNTS])}
    if not kept:
        return {}
    until = max(map(_until, kept.values()))
    later = {row[:4] for row in shown.values() if row[UNTIL] is not None and row[UNTIL] > until}
    if later:
        database.execute(tables.BY_PLACE)
    seen = {key: row for key, row in shown.items() if key[:4] not in later}
    for own in later:
        seen |= {row[KEY]: row for row in database.execute(tables.DAILY_UNTIL, (*own, until))}
    return _rest(kept, seen)


def _until(row: Row) -> float:
    """When all requests of a total had been made; a total of an older version may cover its whole day."""
    return NEVER if row[UNTIL] is None else float(row[UNTIL])


def _since(rows: Iterable[Row]) -> float | None:
    """Since when all requests of some totals were made; a total without that time may cover its whole day."""
    return min(row[SINCE] or 0 for row in rows) or None


def _rest(kept: Totals, shown: Totals) -> Totals:
    """What some totals have beyond those that are shown.

    What is shown under another project, such as the hash of its name, is not lost: all projects count together.
    """
    same = {key for key in kept.keys() & shown if MADE(kept[key]) == MADE(shown[key])}
    kept, shown = ({key: row for key, row in totals.items() if key not in same} for totals in (kept, shown))
    if kept and shown:
        # which of these requests are left is not known, nor whether the last one is
        since, until = _since(kept.values()), max(kept.values(), key=_until)[UNTIL]
        kept = {key: (*row[:SINCE], since, until, *row[SPEED:]) for key, row in kept.items()}
    left = {key: _with(row, map(_more, _values(row), _values(shown.get(key)))) for key, row in kept.items()}
    return _cut(left, [*map(_more, _sums(kept), _sums(shown))])


def _still(lost: Totals, missing: Totals) -> Totals:
    """What is still lost of what was lost, if this is missing now."""
    requests = _size(lost, REQUESTS)
    # a message that grew is not a request that came back
    return lost if requests and _size(missing, REQUESTS) >= requests else _cut(missing, _sums(lost))


def _cut(totals: Totals, most: Sequence[float]) -> Totals:
    """Totals cut to no more than this in all, without empty ones."""
    found: Totals = {}
    for key, row in totals.items():
        values = [*map(min, _values(row), most)]
        most = [*map(_more, most, values)]
        if any(values[: len(NOTHING)]):
            found[key] = _with(row, values)
    return found


def _more(one: float, other: float) -> float:
    return max(one - other, 0)


def _values(row: Row | None) -> Sequence[float]:
    """Requests, tokens, requests with a price, and their money."""
    return [value or 0 for value in row[9:SINCE]] if row else (*NOTHING, 0, 0)


def _with(row: Row, values: Iterable[float]) -> Row:
    *counts, priced, cost = values
    if row[PRICED] is None:
        return *row[:9], *counts, None, None if row[COST] is None else cost, *row[SINCE:]
    # the rest of a message that grew is not a request, but has money
    return *row[:9], *counts, priced, cost if priced or cost > NO_MONEY else None, *row[SINCE:]


def _sums(totals: Totals) -> Sequence[float]:
    return [*map(sum, zip(*map(_values, totals.values()), strict=True))] or (*NOTHING, 0, 0)


def _counts(totals: Totals) -> Mapping[Row, Row]:
    return {key: row[COUNTS] for key, row in totals.items() if any(row[COUNTS])}


def _size(totals: Totals, counts: slice = COUNTS) -> int:
    return sum(sum(row[counts]) for row in totals.values())


def _groups(rows: Iterable[Row]) -> Groups:
    found: Groups = defaultdict(dict)
    for row in rows:
        found[row[1:4]][row[KEY]] = row
    return found


def _of(database: sqlite3.Connection, table: str, own: Row) -> Groups:
    query = f"SELECT {tables.KEPT_COLUMNS} FROM {table} WHERE source = ? AND session IN ({tables.VALUES})"
    return _groups(database.execute(query, own))


def grown(database: sqlite3.Connection, source: str, sessions: Collection[str], descents: copies.News) -> list[Row]:
    """The daily totals of sessions that the journal does not have: what rows show, and what is lost."""
    sessions = {*sessions, *(session for session, _ in descents)}
    if not sessions:
        return []
    own, parents = (source, json.dumps(sorted(sessions))), copies.parents_until(database, source, descents)
    found = {row[KEY]: row for row in database.execute(tables.DAILY, own)}
    for totals in _of(database, "lost", own).values():
        for key, row in totals.items():
            found[key] = _sum(row, found[key]) if key in found else row
    kept = {key: row for totals in _of(database, "kept", own).values() for key, row in totals.items()}
    new = [_revised(row, kept.get(key), _parents(row, parents)) for key, row in found.items()]
    # the same requests under another project or branch
    gone = (row for key, row in kept.items() if key not in found and any(row[COUNTS]))
    new += [_revised((*row[:9], *NOTHING, None, None, *row[SINCE:SPEED], None, 0, None), row, {}) for row in gone]
    return [row for row in new if row[KEY] not in kept or _is_news(row, kept[row[KEY]])]


def _revised(row: Row, kept: Row | None, apart: Mapping[str, float]) -> Row:
    """A total that replaces the one in the journal."""
    *row, until, speed, revision, _ = row  # type: ignore[assignment]
    if kept is not None:
        until = None if until is None or kept[UNTIL] is None else max(until, kept[UNTIL])
        revision = kept[REVISION] or 0
    found = *row, until, speed, revision, json.dumps(apart, sort_keys=True)
    is_less = kept is not None and _rank(found) < _rank(kept)
    return *row, until, speed, revision + is_less, found[APART]


def _is_news(row: Row, kept: Row) -> bool:
    """Whether these are other requests than the journal has; a later one may have the figures of one that is gone."""
    is_other = row[COUNTS] != kept[COUNTS] or (row[UNTIL] or 0) > _until(kept)
    return bool(is_other or (row[SINCE] or 0) < (kept[SINCE] or 0) or _unknown(kept, _apart(row)))


def _sum(lost: Row, shown: Row) -> Row:
    """What is lost of a total, and what rows show of it."""
    costs = [row[COST] for row in (lost, shown) if row[COST] is not None]
    since, until = _since((lost, shown)), None if lost[UNTIL] is None else max(lost[UNTIL], shown[UNTIL] or 0)
    counts = (a + b for a, b in zip(lost[COUNTS], shown[COUNTS], strict=True))
    speed = lost[SPEED] if lost[SPEED] in (shown[SPEED], None) else tables.SEVERAL
    return (
        *shown[:9],
        *counts,
        _priced(lost) + _priced(shown),
        sum(costs) if costs else None,
        since,
        until,
        speed,
        0,
        None,
    )


def _priced(row: Row) -> int:
    """How many requests the money covers: all, if an older version did not record it."""
    known: int | None = row[PRICED]
    return known if known is not None else row[REQUESTS][0] if row[COST] is not None else 0


def fields(
    totals: Sequence[Row], descents: Mapping[tuple[str, str], float | None], prices: str
) -> Iterator[dict[str, Any]]:
    """What the records say."""
    for row in totals:
        usage = dict(zip(tables.KEPT, row[1:], strict=True))
        yield {"usage": usage | {"apart": json.loads(row[APART])}, "prices": prices}
    for (name, parent), until in descents.items():
        yield {"descent": {"session": name, "parent": parent, "until": until}}


def append(session: Session, source: Source, found: Iterable[dict[str, Any]], size: int) -> int:
    """Append to the journal, which is known up to `size`, and return up to where it is known then."""
    journal, now = session.journal, session.now
    # most commands that keep totals are in no log, but imported records are recognized by their command
    command = f"{time.time_ns():016x}{os.urandom(4).hex()}"
    records = [
        stamp(window=None, provider=source.name, captured_at=now, source="ingest", command_id=command, **one)
        for one in found
    ]
    try:
        with journal.lock(wait=0):
            before = journal.size(source.stream)
            journal.append(source.stream, records)
            # the next command learns what others appended meanwhile
            return journal.size(source.stream) if before == size else UNKNOWN
    except TrackerError as error:
        # the figures are still right, and the next run keeps them
        if not isinstance(error, Busy):
            session.warn(f"the daily totals of {source.title} were not kept: {error}")
        return UNKNOWN
