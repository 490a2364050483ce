"""What a client's own totals of a session have more than its requests, such as compaction, which no row shows.

They are cumulative, and a fork's hold those of its parent until then; both show the same lineage.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from attrs import define, field

from tracker.api import Source
from tracker_telemetry.sessions import copies
from tracker_telemetry.sessions.scan import TOKENS
from tracker_telemetry.sessions.tables import REQUESTS, STANDING

Tokens: TypeAlias = "list[int]"
NAMES = TOKENS[:5]
SUMS = ", ".join(f"sum({name})" for name in NAMES)
NEVER = float("inf")
STATES = f"""
SELECT session, lineage, model, ts, {", ".join(NAMES)} FROM {REQUESTS}
WHERE source = ? AND whole = 1 ORDER BY ts, total
"""
OWN = f"""
SELECT session, model, min(first), {SUMS} FROM (
  SELECT source, session, model, first, {", ".join(NAMES)} FROM summary
  UNION ALL SELECT source, session, model, NULL, {", ".join(NAMES)} FROM lost)
WHERE source = ? GROUP BY 1, 2
"""
UNTIL = f"""
SELECT coalesce(model, ''), {SUMS} FROM {REQUESTS}
WHERE source = ? AND {STANDING} AND session = ? AND ts <= ? GROUP BY 1
"""


class State(NamedTuple):
    """What a client says that a session used of a model until then."""

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
        for session, lineage, model, at, *tokens in self.database.execute(STATES, (self.source,)):
            self._states[session or ""].append(State(lineage, model or "", at or 0.0, tokens))
            self._lineages[lineage].add(session or "")
        if not self._states:
            return
        for session, model, first, *tokens in self.database.execute(OWN, (self.source,)):
            self._own[session, model] = tokens
            self._began[session] = min(self._began.get(session, NEVER), NEVER if first is None else first)
        for (session, parent), until in copies.parents(self.database, self.source).items():
            self._parents[session] = max(self._parents.get(session, (until, parent)), (until, parent))

    def more(self) -> Iterator[tuple[str, str, Tokens]]:
        """Each session and model of which the client knows more than its requests tell."""
        for session, states in self._states.items():
            for model in dict.fromkeys(state.model for state in states):
                known = (
                    self._before(session, model, self._most(session, model), ()),
                    self._own.get((session, model), _NOTHING),
                )
                left = [max(a - b - c, 0) for a, b, c in zip(self._total(session, model, NEVER), *known, strict=True)]
                if any(left):
                    yield session, model, left

    def _total(self, session: str, model: str, until: float, most: Tokens | None = None) -> Tokens:
        """The client's own total: the largest of a lineage. One that begins anew adds up, unless it holds the other."""
        largest: dict[str, Tokens] = {}
        for state in self._states.get(session, ()):
            if state.model == model and state.at <= until and (most is None or _fits(state.tokens, most)):
                largest[state.lineage] = max(largest.get(state.lineage, _NOTHING), state.tokens, key=sum)
        total = _NOTHING
        for tokens in largest.values():
            total = tokens if _fits(total, tokens) else [a + b for a, b in zip(total, tokens, strict=True)]
        return total

    def _before(self, session: str, model: str, most: Tokens, seen: Sequence[str]) -> Tokens:
        """What a fork took over from its parent, which is not more than it has."""
        if session in seen:
            return _NOTHING
        if self._is_anew(session):
            return _NOTHING
        if session in self._parents:
            until, parent = self._parents[session]
            # a total behind the fork may have the time of the request before it
            return self._until(parent, model, until, most, (*seen, session))
        return max(self._of_lineage(session, model, most), key=sum, default=_NOTHING)

    def _is_anew(self, session: str) -> bool:
        """Whether a fork's totals begin with the fork: none is of a lineage that those before it show."""
        own = {state.lineage for state in self._states.get(session, ())}
        seen, before = {session}, set[str]()
        while session in self._parents and (session := self._parents[session][1]) not in seen:
            seen.add(session)
            before |= {state.lineage for state in self._states.get(session, ())}
        return bool(own and before) and own.isdisjoint(before)

    def _most(self, session: str, model: str) -> Tokens:
        """What a session may have taken over: its total without its own requests."""
        own = self._own.get((session, model), _NOTHING)
        return [max(a - b, 0) for a, b in zip(self._total(session, model, NEVER), own, strict=True)]

    def _until(self, session: str, model: str, until: float, most: Tokens, seen: Sequence[str]) -> Tokens:
        """What a session had used: as the client says, or as its requests say."""
        rows = dict(self._requests(session, until)).get(model, _NOTHING)
        known = zip(
            self._total(session, model, until, most), self._before(session, model, most, seen), rows, strict=True
        )
        return [max(a, b + c) for a, b, c in known]

    def _requests(self, session: str, until: float) -> Iterator[tuple[str, Tokens]]:
        for model, *tokens in self.database.execute(UNTIL, (self.source, session, until)):
            yield model, tokens

    def _of_lineage(self, session: str, model: str, most: Tokens) -> Iterator[Tokens]:
        """Totals of others that a fork which shows none of their requests may have taken over."""
        began = self._began.get(session, NEVER)
        order = began, sum(self._total(session, model, NEVER))
        others = {one for state in self._states.get(session, ()) for one in self._lineages[state.lineage]} - {session}
        for other in sorted(others):
            if (self._began.get(other, NEVER), sum(self._total(other, model, NEVER))) >= order:
                continue
            states = self._states[other]
            known = [state.tokens for state in states if state.model == model and state.at <= began]
            known += [tokens for of, tokens in self._requests(other, began) if of == model]
            yield from (tokens for tokens in known if _fits(tokens, most))


def not_in_rows(database: sqlite3.Connection, source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is missing of the requests, by model."""
    more: dict[str, Tokens] = {}
    counts: dict[str, int] = defaultdict(int)
    for _, model, left in Totals(database, source.name).more():
        counts[model] += 1
        more[model] = [a + b for a, b in zip(more.get(model, _NOTHING), left, strict=True)]
    for model, left in sorted(more.items()):
        tokens = ", ".join(f"{name}={count}" for name, count in zip(NAMES, left, strict=True) if count)
        detail = f"{source.title}: {model} in the client's own totals alone, such as compaction: {tokens}"
        yield model, {"kind": "not_in_rows", "count": counts[model], "detail": detail}


_NOTHING = [0] * len(NAMES)


def _fits(one: Tokens, other: Tokens) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
