"""Whose the requests are that several sessions show: a fork copies its parent's.

A copy may name the session that it is from, as the `lineage` of its place. Otherwise it looks like its original, and
what follows distinguishes them, in whatever order the files are read: a client may report the total of a parent before
it goes on, but that of a fork only after requests of its own. If that does not decide, a parent goes on later than its
fork, or never. Of two that do not go on, the parent is the one with subagents, which requests of its own started, or
the one that was seen first.

A rebuilt index begins with what the journal says; otherwise the daily totals there would be of other sessions.

Which session shows whose requests is kept in the journal: if the parent's file is deleted, and the index with it, the
copies still are the parent's, of which the journal has daily totals.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from itertools import groupby, permutations
from operator import itemgetter
from typing import Any, TypeAlias

from attrs import define, field

from tracker.api import Source
from tracker.kernel import Session
from tracker_telemetry.sessions.columns import REPEATED
from tracker_telemetry.sessions.scan import Labels
from tracker_telemetry.sessions.tables import BY_PLACE, IS_KEPT, KEY, REQUESTS, SHARED_COLUMNS, VALUES

Descents: TypeAlias = "dict[tuple[str, str], float]"  # until when a session shows the requests of another
News: TypeAlias = "Mapping[tuple[str, str], float | None]"  # the same; None takes back what was assumed before
NEVER = float("inf")
SHOWN = """
SELECT s.base, s.half, s.place, r.place, r.ts, s.ts FROM shown s JOIN row r USING (base, half, source)
WHERE source = ? ORDER BY 1, 2, 3
"""
PARENTS = """
SELECT c.session, p.session, max(r.ts) FROM shown s JOIN row r USING (base, half, source)
JOIN place c ON c.id = s.place JOIN place p ON p.id = r.place
WHERE source = ? AND c.whole = 0 AND c.session <> p.session GROUP BY 1, 2
"""
IS_SHOWN_ONCE = """
NOT EXISTS (SELECT 1 FROM shown s WHERE s.base = row.base AND s.half = row.half AND s.source = row.source)
"""
# not those that repeat another one; a subagent's, whose lineage is its session, do not show that it went on
OWN = f"""
SELECT session, lineage IS session, ts FROM {REQUESTS} WHERE origin = ? AND whole = 0 AND session IN ({VALUES})
AND ts IS NOT NULL AND {IS_SHOWN_ONCE} AND {IS_KEPT.format("row")} ORDER BY ts
"""
# the copies that are known as such by what their parent shows
DROPPED = f"""
SELECT session, needs, max(ts) FROM {REQUESTS}
WHERE origin = ? AND session IS NOT NULL AND needs IS NOT NULL AND lineage IS NOT NULL AND whole = 0 AND ts IS NOT NULL
AND (base, half, source) IN (SELECT {KEY} FROM dropped) GROUP BY 1, 2
"""
# when a session's own total was first reported: it has the time of the request before it
TOLD = f"""
SELECT session, min(ts) FROM {REQUESTS} WHERE origin = ? AND whole = 1 AND session IN ({VALUES})
AND ts IS NOT NULL GROUP BY 1
"""
FOLDERS = """
SELECT DISTINCT nullif(project, ''), nullif(branch, '') FROM kept
WHERE source = ? AND session = ? AND requests > 0
"""
# a copy may show only a later row of a message: its time is not after that of the total that includes it
ADOPT = """
UPDATE row SET place = ?, ts = min(ts, coalesce((
  SELECT max(until) FROM kept
  WHERE (source, session, day, model) = (?, ?, date(ts, 'unixepoch'), coalesce(row.model, ''))
), ts)) WHERE place = ? AND ts > ? AND ts <= ?
"""
# those that name their session need no time, if the journal has totals that may hold them
ADOPT_NAMED = f"""{ADOPT} AND EXISTS (
  SELECT 1 FROM kept WHERE requests > 0
  AND (source, session, day, model) = (?, ?, date(ts, 'unixepoch'), coalesce(row.model, '')))
"""
# the places of requests whose files are all there
PRESENT = """
SELECT DISTINCT places FROM (
  SELECT json_group_array(place) AS places FROM shown WHERE source = ? GROUP BY base, half, source)
"""


class Place(Labels):
    """What requests share."""

    @property
    def name(self) -> str:
        """That of the session."""
        return self.session or ""

    @property
    def names(self) -> tuple[tuple[bool, str], ...]:
        """The labels, in an order in which what is missing comes last."""
        return tuple((name is None, name or "") for name in self[:-3])

    @property
    def parent(self) -> str | None:
        """The session that a copy names as its original's."""
        return None if self.whole or self.needs is not None or self.lineage == self.name else self.lineage

    def rank(self, sessions: Container[str]) -> tuple[bool, bool, bool]:
        """How likely it is a copy, if these sessions show the request."""
        return self.needs is not None, self.needs in sessions, self.parent is not None


@define
class Group:
    """Requests that the same places show: their keys with the place that counts, and their times in order.

    until: by session, the last time at which it showed one first; for a message that grew, that may be a later one.
    """

    sessions: frozenset[str]
    keys: list[tuple[str, str, int]] = field(factory=list)
    times: list[float] = field(factory=list)
    until: dict[str, float] = field(factory=dict)

    @property
    def last(self) -> float:
        return self.times[-1] if self.times else -NEVER


# --- which session shows whose requests


def known(database: sqlite3.Connection, source: str) -> Descents:
    """What the journal has."""
    rows = database.execute("SELECT session, parent, until FROM descent WHERE source = ?", (source,))
    return {(session, parent): until for session, parent, until in rows}


def put(database: sqlite3.Connection, source: str, descents: News) -> None:
    """Note what the journal has; None takes back."""
    rows = [(source, *pair, until) for pair, until in descents.items()]
    database.executemany("INSERT OR REPLACE INTO descent VALUES (?, ?, ?, ?)", rows)
    database.execute("DELETE FROM descent WHERE until IS NULL")


def parents(database: sqlite3.Connection, source: str) -> Descents:
    """The same for files that are there, and for deleted ones."""
    rows = database.execute(PARENTS, (source,))
    found = {(session, parent): until for session, parent, until in rows if until is not None}
    return _of_deleted(database, source, known(database, source)) | found


def _of_deleted(database: sqlite3.Connection, source: str, descents: Mapping[tuple[str, str], float]) -> Descents:
    """Parents that files do not show; which of two existing sessions is the original, the files decide."""
    places = _places(database, source) if descents else {}
    shown = database.execute(PRESENT, (source,)).fetchall() if descents else []
    present = {pair for (text,) in shown for pair in permutations({places[one].name for one in json.loads(text)}, 2)}
    return {pair: until for pair, until in descents.items() if pair not in present}


def kin(database: sqlite3.Connection, source: str) -> dict[str, str]:
    """For each session, the first of all that share requests with it, also through others, by files and journal."""
    firsts: dict[str, str] = {}

    def first(session: str) -> str:
        while (other := firsts.setdefault(session, session)) != session:
            firsts[session] = session = firsts[other]
        return session

    shown = {(one, other) for one, other, _ in database.execute(PARENTS, (source,))}
    for pair in {*known(database, source), *shown}:
        one, other = sorted(map(first, pair))
        firsts[other] = one
    return {session: first(session) for session in [*firsts]}


def journalled(session: Session, source: Source) -> dict[tuple[str, str], float | None]:
    """What a source's stream of the journal says."""
    found: dict[tuple[str, str], float | None] = {}
    for entry in session.index.entries(source.stream):
        if isinstance(one := entry.record.get("descent"), dict):
            pair, until = (str(one.get("session")), str(one.get("parent"))), one.get("until")
            # another machine's copy of the parent may be older
            found[pair] = until and max(until, found.get(pair) or until)
    return found


def news(before: Descents, found: Descents) -> dict[tuple[str, str], float | None]:
    """What the journal does not have yet, and what turned out to be the other way round."""
    new: dict[tuple[str, str], float | None] = {
        pair: until for pair, until in found.items() if before.get(pair, -NEVER) < until
    }
    return new | {pair: None for pair in before if pair not in found and pair[::-1] in found}


def parents_until(database: sqlite3.Connection, source: str, new: News) -> Mapping[str, Mapping[str, float]]:
    """For each session, those whose requests it shows, and until when, by the journal and what is new."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (session, parent), until in {**known(database, source), **new}.items():
        if until is not None:
            found[session][parent] = until
    return found


def dropped(database: sqlite3.Connection, source: str) -> Descents:
    """Which session shows requests of another one that do not count for it."""
    rows = database.execute(DROPPED, (source,))
    return {(session, parent): until for session, parent, until in rows}


# --- whose they are


def settle(database: sqlite3.Connection, source: str, *, is_anew: bool) -> tuple[set[str], Descents]:
    """Give each request that several sessions show to the one that it came from.

    Returned are the sessions that got or lost some, and which session shows those of which.
    """
    places = _places(database, source)
    groups = _groups(database, source, places)
    names = json.dumps(sorted({name for group in groups.values() for name in group.sessions}))
    own, starters = _own_requests(database, source, names)
    told: dict[str, float] = dict(database.execute(TOLD, (source, names)))
    changed: set[str] = set()
    descents: Descents = {}
    thought = known(database, source)
    named = {(one.name, one.parent) for one in places.values() if one.parent}
    for shown, group in groups.items():
        # copies of copies belong to the one whose own original is not among them; and it names no other one
        ranks = {number: places[number].rank(group.sessions) for number in shown}
        left = [number for number in shown if ranks[number] == min(ranks.values())]
        left = [number for number in left if places[number].name] or left  # one without belongs to a damaged copy
        sessions = _parents_of(frozenset(places[number].name for number in left), named)
        if is_anew:
            sessions = _parents_of(sessions, thought)
        sessions = frozenset(one for one in sessions if told.get(one, NEVER) <= group.last) or sessions
        sessions = _parents_of(_last(sessions, own, starters, groups.values()), thought)
        stands = _standing([number for number in left if places[number].name in sessions], places)
        moved = [(stands, base, half, source) for base, half, place in group.keys if place != stands]
        database.executemany("UPDATE row SET place = ? WHERE base = ? AND half = ? AND source = ?", moved)
        changed |= {places[place].name for _, _, place in group.keys if place != stands}
        if moved:
            changed.add(places[stands].name)
        for copy in () if places[stands].needs else group.sessions - {places[stands].name}:
            # what a session shows of another is recognized by its time if it comes before all of its own
            until, pair = group.until[copy], (copy, places[stands].name)
            if -NEVER < until < min(own[copy][:1], default=NEVER):
                descents[pair] = max(descents.get(pair, until), until)
    return changed, descents


def _own_requests(
    database: sqlite3.Connection, source: str, names: str
) -> tuple[Mapping[str, list[float]], Collection[str]]:
    """The times of the requests that only one of these sessions shows, and which of them started subagents."""
    own: dict[str, list[float]] = defaultdict(list)
    starters: set[str] = set()
    for name, is_subagent, at in database.execute(OWN, (source, names)):
        if is_subagent:
            starters.add(name)
        else:
            own[name].append(at)
    return own, starters


def adopt(
    database: sqlite3.Connection, source: str, sessions: Collection[str], place_of: Callable[..., int]
) -> set[str]:
    """Give these sessions' copies whose originals are deleted to the sessions that they came from.

    Returned are the sessions that lost or got some.
    """
    changed: set[str] = set()
    places = _places(database, source)

    def give(number: int, parent: str, query: str, *values: object) -> None:
        place = places[number]
        project, branch = _folder(database, source, parent) or place[1:3]  # a fork may be of another one
        folders = place.folders if project == place.project else None
        own = place._replace(session=parent, project=project, branch=branch, folders=folders)
        if database.execute(query, (place_of(source, own), source, parent, number, *values)).rowcount:
            changed.update((place.name, parent))

    begin: dict[str, float] = defaultdict(lambda: -NEVER)
    thought = {pair: until for pair, until in known(database, source).items() if pair[0] in sessions}
    found = _of_deleted(database, source, thought)
    left = {pair: until for pair, until in found.items() if not pair[1].startswith(REPEATED)}  # which are nobody's
    for (session, parent), until in sorted(left.items(), key=itemgetter(1, 0)):
        for number, place in places.items():
            # what its subagents made is its own
            if place.name == session != place.lineage and place.needs is None and not place.whole:
                give(number, parent, ADOPT, begin[session], until)
        begin[session] = until
    for number, place in places.items():
        if place.parent and place.name in sessions:
            database.execute(BY_PLACE)
            give(number, place.parent, ADOPT_NAMED, -NEVER, NEVER, source, place.parent)
    return changed


def _folder(database: sqlite3.Connection, source: str, session: str) -> tuple[Any, ...] | None:
    """The project and the branch that the journal has of a session whose file is deleted, if it has one of each."""
    found = database.execute(FOLDERS, (source, session)).fetchall()
    return found[0] if len(found) == 1 else None


def _places(database: sqlite3.Connection, source: str) -> dict[int, Place]:
    rows = database.execute(f"SELECT id, {SHARED_COLUMNS} FROM place WHERE origin = ?", (source,))
    return {number: Place(*labels) for number, *labels in rows}


def _groups(database: sqlite3.Connection, source: str, places: Mapping[int, Place]) -> dict[tuple[int, ...], Group]:
    groups: dict[tuple[int, ...], Group] = {}
    for (base, half), found in groupby(database.execute(SHOWN, (source,)), itemgetter(0, 1)):
        rows = [*found]
        shown = tuple(row[2] for row in rows)
        group = groups.get(shown)
        if group is None:
            group = groups[shown] = Group(frozenset(places[place].name for place in shown))
        group.keys.append((base, half, rows[0][3]))
        if rows[0][4] is not None:
            group.times.append(rows[0][4])
        for _, _, place, _, _, at in rows:
            session = places[place].name
            group.until[session] = max(group.until.get(session, -NEVER), -NEVER if at is None else at)
    for group in groups.values():
        group.times.sort()
    return groups


def _parents_of(sessions: frozenset[str], thought: Container[tuple[str, str]]) -> frozenset[str]:
    """Those that were not forked from another one, as far as is known."""
    return frozenset(one for one in sessions if not any((one, other) in thought for other in sessions)) or sessions


def _standing(numbers: Sequence[int], places: Mapping[int, Place]) -> int:
    """The place of the session that was seen first that names the most."""
    session = places[min(numbers)].name
    same = [number for number in numbers if places[number].name == session]
    return min(same, key=lambda number: (places[number].names, number))


def _last(
    sessions: frozenset[str], own: Mapping[str, list[float]], starters: Collection[str], groups: Collection[Group]
) -> frozenset[str]:
    """Those that went on last after the shared requests, or not at all; among the latter, those with subagents."""

    def went_on(session: str, beside: frozenset[str]) -> tuple[float, bool]:
        """When a session made the first request after those that all show, and whether it started subagents."""
        last = max(one.last for one in groups if beside <= one.sessions)
        others = [one.times for one in groups if session in one.sessions and not beside <= one.sessions]
        starts = ((times, bisect_left(times, last)) for times in (own[session], *others))
        first = min((times[at] for times, at in starts if at < len(times)), default=NEVER)
        return first, first == NEVER and session in starters

    while len(sessions) > 1:
        # those that went on with the same request are compared by what follows it
        times = {name: went_on(name, sessions) for name in sessions}
        last = frozenset(name for name in sessions if times[name] == max(times.values()))
        if last == sessions:
            break
        sessions = last
    return sessions
