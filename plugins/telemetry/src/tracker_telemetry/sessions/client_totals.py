"""What a client's own totals of a session hold beyond its requests, such as compaction, which no row shows.

They are cumulative, and a fork's hold those of its parent until then; both show the same lineage.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

from attrs import define, field

from tracker.api import Source
from tracker_telemetry.sessions import copies
from tracker_telemetry.sessions.genai import SNAPSHOT
from tracker_telemetry.sessions.scan import TOKENS
from tracker_telemetry.sessions.tables import BY_PLACE, REQUESTS, STANDING, TOKEN_COLUMNS

Tokens: TypeAlias = "list[int]"
# What is compared. What was written to the cache is one count: not every client's total has it by duration. If it
# does, the last one is the part for an hour.
COUNTS = (
    *("input_tokens", "cache_read_tokens", "output_tokens"),
    *("cache_write_5m_tokens + cache_write_1h_tokens", "cache_write_1h_tokens"),
)
SIZE = len(COUNTS) - 1
SUMS = ", ".join(f"sum({count})" for count in COUNTS)
_NOTHING, UNLIMITED = [0] * len(COUNTS), [sys.maxsize] * len(COUNTS)
NEVER = float("inf")
Span: TypeAlias = tuple[float, float]  # from an instant on, and before another
EVER: Span = -NEVER, NEVER
STATES = f"""
SELECT session, lineage, model, ts, {", ".join(COUNTS)} FROM {REQUESTS}
WHERE source = ? AND whole = 1 ORDER BY ts, total
"""
OWN = f"""
SELECT session, model, min(first), {SUMS} FROM (
  SELECT source, session, model, first, {TOKEN_COLUMNS} FROM summary
  UNION ALL SELECT source, session, model, NULL, {TOKEN_COLUMNS} FROM lost)
WHERE source = ? GROUP BY 1, 2
"""
UNTIL = f"""
SELECT coalesce(model, ''), {SUMS} FROM {REQUESTS}
WHERE source = ? AND {STANDING} AND session = ? AND ts <= ? GROUP BY 1
"""
EACH = f"""
SELECT model, {", ".join(COUNTS)} FROM {REQUESTS}
WHERE source = ? AND {STANDING} AND session = ? AND ts > ? AND ts <= ? ORDER BY ts
"""


class State(NamedTuple):
    """What a session had used of a model until then, as its client reports it."""

    lineage: str
    model: str
    at: float
    tokens: Tokens


@define
class Totals:
    """A source's sessions: the client's own totals, the requests, and which session was forked from which, when."""

    database: sqlite3.Connection
    source: str
    _states: dict[str, list[State]] = field(factory=lambda: defaultdict(list))
    _lineages: dict[str, set[str]] = field(factory=lambda: defaultdict(set))
    _own: dict[tuple[str, str], Tokens] = field(factory=dict)
    _began: dict[str, float] = field(factory=dict)
    _parents: dict[str, tuple[float, str]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.database.execute("SELECT 1 FROM place WHERE whole = 1 LIMIT 1").fetchone() is None:
            return
        self.database.execute(BY_PLACE)
        for session, lineage, model, at, *tokens in self.database.execute(STATES, (self.source,)):
            self._states[session or ""].append(State(lineage, _plain(model), at or 0.0, tokens))
            self._lineages[lineage].add(session or "")
        if not self._states:
            return
        for session, model, first, *tokens in self.database.execute(OWN, (self.source,)):
            key = session, _plain(model)
            self._own[key] = _sum(tokens, self._own.get(key, _NOTHING))
            self._began[session] = min(self._began.get(session, NEVER), NEVER if first is None else first)
        for (session, parent), until in copies.parents(self.database, self.source).items():
            self._parents[session] = max(self._parents.get(session, (until, parent)), (until, parent))

    def more(self, span: Span) -> Iterator[tuple[str, Tokens, bool]]:
        """Each model of a session of which the client knows more than its requests show, and whether that is certain.

        The session worked within the span. The figure is a maximum if it is not known which of two sessions used it.
        """
        for session, states in self._states.items():
            times = [self._began.get(session, NEVER), *(state.at for state in states)]
            if not (min(times) < span[1] and span[0] <= states[-1].at):
                continue
            for model in dict.fromkeys(state.model for state in states):
                before, is_certain = self._before(session, model)
                known = _sum(before, self._own.get((session, model), _NOTHING))
                left = _less(self._total(session, model), known)
                if _size(left):
                    yield model, left, is_certain

    def _total(self, session: str, model: str) -> Tokens:
        """The client's own total of a session."""
        return _largest(self._of(session, model))

    def _of(self, session: str, model: str) -> list[State]:
        """The client's totals of a session's model, the earliest first."""
        return [state for state in self._states.get(session, ()) if state.model == model]

    def _before(
        self, session: str, model: str, most: Tokens = UNLIMITED, seen: Sequence[str] = ()
    ) -> tuple[Tokens, bool]:
        """What a fork took over from its parent, never more than the fork has, and whether that is certain."""
        if session in seen or self._is_anew(session):
            return _NOTHING, True
        if session in self._parents:
            most = self._most(session, model, most)
            return self._from_parent(session, model, most, (*seen, session))
        others = {one for state in self._states.get(session, ()) for one in self._lineages[state.lineage]}
        own = self._order(session, model)
        # asked first: what a session had used at a time is a query
        if not (earlier := [other for other in sorted(others - {session}) if self._order(other, model) < own]):
            return _NOTHING, True
        most = self._most(session, model, most)
        base = max(self._of_lineage(session, model, most, earlier), key=_size, default=_NOTHING)
        rest = _less(most, base)
        # what these have beyond their requests may be from before the fork
        extra = (_less(self._total(one, model), self._own.get((one, model), _NOTHING)) for one in earlier)
        return base, not any(_size([*map(min, rest, one)]) for one in extra)

    def _order(self, session: str, model: str) -> tuple[float, int]:
        return self._began.get(session, NEVER), _size(self._total(session, model))

    def _is_anew(self, session: str) -> bool:
        """Whether a fork's totals begin with the fork: none has a lineage of the sessions before it."""
        own = {state.lineage for state in self._states.get(session, ())}
        seen, before = {session}, set[str]()
        while session in self._parents and (session := self._parents[session][1]) not in seen:
            seen.add(session)
            before |= {state.lineage for state in self._states.get(session, ())}
        return bool(own and before) and own.isdisjoint(before)

    def _most(self, session: str, model: str, most: Tokens) -> Tokens:
        """What a session can have taken over at most: its total without its own requests, at first and at last."""
        if states := self._of(session, model):
            first, own = states[0], self._own.get((session, model), _NOTHING)
            then = _less(first.tokens, self._requests(session, model, first.at))
            return [*map(min, most, then, _less(self._total(session, model), own))]
        return _NOTHING if most is UNLIMITED else most

    def _from_parent(self, session: str, model: str, most: Tokens, seen: Sequence[str]) -> tuple[Tokens, bool]:
        """What a session's parent had used at the fork: as the client says, or as its requests say."""
        until, parent = self._parents[session]
        # a fork from an earlier point also takes over what its parent used later; one after the fork may have the time
        # of a request before it
        began = self._began.get(session, NEVER)
        last = until if began == NEVER else max(until, began)
        before, _ = self._before(parent, model, most, seen)
        rows = _sum(before, self._requests(parent, model, until))
        states = self._of(parent, model)
        told = [state.tokens for state in states if state.at <= last and _fits(state.tokens, most)]
        # of several totals with the time of the last request before the fork, all but the first may be from after it
        size = next((number for number, state in enumerate(states, 1) if state.at >= until), len(states))
        sure = [state for state in states[:size] if state.tokens in told]
        at = max((state.at for state in sure), default=0.0)
        known = _largest(sure), _sum(_largest(sure), _less(rows, _sum(before, self._requests(parent, model, at))))
        base = [*map(max, rows, *(tokens for tokens in known if _fits(tokens, most)))]
        rest = _less(most, base)
        steps = [*accumulate(self._each(parent, model, until, last), _sum)]
        if any(tokens[:SIZE] == most[:SIZE] for tokens in (base, *told, *(_sum(base, step) for step in steps))):
            return most, True
        is_later = bool(steps and _fits(steps[0], rest))
        if (further := next((state for state in states if state not in sure), None)) is None:
            return base, not is_later
        # what the parent's next total has beyond its requests may be from before the fork
        beyond = _less(base, _sum(before, self._requests(parent, model, max(at, until))))
        # subagents may have gone on until then
        end = next((state.at for state in states if state.at > further.at), NEVER)
        own = (_sum(before, self._requests(parent, model, one)) for one in (further.at, end))
        new, least = (_less(_less(further.tokens, one), beyond) for one in own)
        if rest[:SIZE] in (new[:SIZE], least[:SIZE]):
            return most, True
        return base, not (is_later or _size([*map(min, rest, new)]))

    def _each(self, session: str, model: str, since: float, until: float) -> list[Tokens]:
        """Each request of a time."""
        rows = self.database.execute(EACH, (self.source, session, since, until))
        return [tokens for name, *tokens in rows if _plain(name) == model]

    def _requests(self, session: str, model: str, until: float) -> Tokens:
        total = _NOTHING
        for name, *tokens in self.database.execute(UNTIL, (self.source, session, until)):
            total = _sum(total, tokens) if _plain(name) == model else total
        return total

    def _of_lineage(self, session: str, model: str, most: Tokens, others: Collection[str]) -> Iterator[Tokens]:
        """The totals of others that a fork may have taken over although it shows none of their requests."""
        began = self._began.get(session, NEVER)
        for other in others:
            known = [state.tokens for state in self._of(other, model) if state.at <= began]
            known.append(self._requests(other, model, began))
            yield from (tokens for tokens in known if _fits(tokens, most))


def not_in_rows(database: sqlite3.Connection, source: Source, span: Span) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the requests of a time's sessions do not show, by model."""
    more: dict[str, Tokens] = {}
    counts: dict[str, int] = defaultdict(int)
    unsure = set[str]()
    for model, left, is_certain in Totals(database, source.name).more(span):
        counts[model] += 1
        left[SIZE] = min(left[SIZE - 1 :])
        more[model] = _sum(more.get(model, _NOTHING), left)
        unsure.update(() if is_certain else (model,))
    for model, (plain, read, output, written, long) in sorted(more.items()):
        left = [plain, read, written - long, long, output]
        tokens = ", ".join(f"{name}={count}" for name, count in zip(TOKENS, left, strict=False) if count)
        what = f"(such as compaction): {'at most ' if model in unsure else ''}{tokens}"
        detail = f"{source.title}: {model} in the client's own totals alone {what}"
        yield model, {"kind": "not_in_rows", "count": counts[model], "detail": detail}


def _plain(model: str | None) -> str:
    """A model's name without the date of a snapshot: a total has the name that was asked for, a request the other."""
    return SNAPSHOT.sub("", model or "")


def _largest(states: Iterable[State]) -> Tokens:
    """The largest total of a lineage. One that starts over adds up, unless it holds the other."""
    largest: dict[str, Tokens] = {}
    for state in states:
        largest[state.lineage] = max(largest.get(state.lineage, _NOTHING), state.tokens, key=_size)
    total = _NOTHING
    for tokens in largest.values():
        total = tokens if _fits(total, tokens) else _sum(total, tokens)
    return total


def _size(tokens: Tokens) -> int:
    return sum(tokens[:SIZE])


def _sum(one: Tokens, other: Tokens) -> Tokens:
    return [a + b for a, b in zip(one, other, strict=True)]


def _less(one: Tokens, other: Tokens) -> Tokens:
    return [max(a - b, 0) for a, b in zip(one, other, strict=True)]


def _fits(one: Tokens, other: Tokens) -> bool:
    return all(a <= b for a, b in zip(one[:SIZE], other[:SIZE], strict=True))
