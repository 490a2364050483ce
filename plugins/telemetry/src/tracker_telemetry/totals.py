"""What a source's events of some windows add up to; kept beside the index, so that it is computed once."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from tracker.api import EventTotals, LogOrigin, Quantiles, Source, StreamFacts
from tracker.kernel import Session, TrackerError, line, plural, replace_file
from tracker_telemetry import DAY, FOLDER, blake2b

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tracker_telemetry.sessions.list_prices import ListPrices

FILE = "telemetry-totals.json"
MOST, FORM = 200, 3  # how many answers are kept, and in which form
Spans: TypeAlias = "Mapping[str, tuple[datetime, datetime | None]]"

# one grouping at a time: each holds all latencies
TOTALS = """
SELECT name, struct_pack(events, routed, errors, input_tokens, output_tokens,
  latency_ms := struct_pack(n, p50 := quantiles[1], p95 := quantiles[2]))
FROM (SELECT {by} AS name, count(*) AS events, count(*) FILTER (routed) AS routed, count(*) FILTER (NOT ok) AS errors,
  sum(input)::BIGINT AS input_tokens, sum(output)::BIGINT AS output_tokens, count(latency) AS n,
  quantile_cont(latency, [0.5, 0.95]) AS quantiles FROM standing GROUP BY 1 ORDER BY 1)
"""

# events of a window that others also hold: of those that were written last, equal ones one for one
ELSEWHERE = """
WITH dated AS (SELECT *, coalesce(ts, 0) AS time FROM standing),
own AS (SELECT time, rid, lane, model, routed, ok, input, output, count(*) AS n FROM dated WHERE win = $1 GROUP BY ALL),
other AS (SELECT win, own.*, count(*) AS count, max(place) AS place
  FROM dated NATURAL JOIN own WHERE win NOT IN ($1, '') GROUP BY ALL)
SELECT win, sum(least(count, n))::BIGINT FROM other GROUP BY win ORDER BY max(place) DESC LIMIT 5
"""


def only_source(session: Session) -> Source:
    """The one source of a stream, such as a proxy's, that has events; the user chooses among several."""
    telemetry = [source for source in session.registry.sources.values() if source.kind == "telemetry"]
    known = [source for source in telemetry if not any(isinstance(one, LogOrigin) for one in source.origins)]
    if not known:
        raise TrackerError("No proxy's stream is in use. Install tracker-proxy, or unset TRACKER_DISABLE_PLUGINS.")
    used = [source for source in known if source.stream in session.journal.streams()] or known
    if len(used) > 1:
        names = ", ".join(one.name for one in used)
        raise TrackerError(f"There are several telemetry sources: {names}. Name one with --source.")
    return used[0]


def facts(session: Session, source: Source, windows: Sequence[str], spans: Spans) -> StreamFacts:
    """What the stream says in some windows: the totals, and the events outside of each window's span."""
    found = _kept(session, source, windows, spans)
    notes = tuple(
        f"note: outside window: {plural(count, 'event')} of {line(source.title)} in {line(window)} came"
        f" before its first BEFORE or after its last AFTER; still counted in all figures"
        for window, count in found["outside"].items()
    )
    return StreamFacts(totals=_totals_of(found["totals"]), notes=notes, outside=found["outside"])


def groups(session: Session, source: Source, windows: Sequence[str], prices: ListPrices) -> list[list[Any]]:
    """By window, lane and whether they were routed: model, time, and the sums of tokens in the order of price kinds."""
    known = _kept(session, source, windows, {}, DAY, ())
    grain = prices.grain({row[3] for row in known["groups"]}, known["longest"])
    return (known if grain == (DAY, ()) else _kept(session, source, windows, {}, *grain))["groups"]  # type: ignore[no-any-return]


def elsewhere_notes(session: Session, source: Source, window: str) -> list[str]:
    """Notes on events that another window also has: nothing else shows that they count twice."""
    from tracker_telemetry.index import ask

    others = {name for name in session.index.windows() if name != window}
    if not session.index.spans(source.stream, others):
        return []
    found = ask(session, source, None, lambda events: events.execute(ELSEWHERE, [window]).fetchall())
    return [
        f"note: {plural(count, 'event')} of {line(window)} {'is' if count == 1 else 'are'} also stored in"
        f" {line(other)}; `tracker cost-compare` without --window counts both"
        for other, count in found
    ]


def _kept(session: Session, source: Source, windows: Sequence[str], spans: Spans, *grain: Any) -> dict[str, Any]:
    """The answer that was kept, as long as the rows are those that it was made of; else a new one. grain: of groups."""
    places = session.index.spans(source.stream, windows)
    if not places:
        return {"totals": {}, "outside": {}, "groups": [], "longest": 0}
    times = {window: (start.timestamp(), end.timestamp() if end else None) for window, (start, end) in spans.items()}
    glance = session.journal.glance(source.stream, places[-1][1])
    of = glance.inode, str(session.index.path and session.index.path.name), glance.head.hex(), glance.tail.hex()
    name = _digest((FORM, grain, source.stream, list(windows), times, places, *of))
    path = session.root / FOLDER / FILE
    answers: dict[str, Any] = {}
    with contextlib.suppress(OSError, TypeError, ValueError):
        answers = dict(orjson.loads(path.read_bytes() if path.is_file() else b"{}"))
    match answers.get(name):
        # a damaged byte must not become a figure
        case [digest, dict(found)] if digest == _digest(found):
            return found
    from tracker_telemetry.index import ask

    new: dict[str, Any] = ask(session, source, windows, lambda events: _answer(events, times, *grain))
    if not session.dry_run and path.parent.is_dir() and not path.parent.is_symlink():
        with contextlib.suppress(OSError, TrackerError):
            replace_file(path, orjson.dumps({**dict(list(answers.items())[1 - MOST :]), name: [_digest(new), new]}))
            path.chmod(0o600)
    return new


def _digest(found: object) -> str:
    return blake2b(orjson.dumps(found), digest_size=16).hexdigest()


def _answer(events: DuckDBPyConnection, times: Mapping[str, tuple[float, float | None]], *grain: Any) -> Any:
    from tracker_telemetry.costs import CONTEXT, sums
    from tracker_telemetry.index import MORE_MEMORY

    events.execute(f"SET memory_limit = '{MORE_MEMORY}'")
    if grain:
        [(longest,)] = events.execute(f"SELECT coalesce(max({CONTEXT}), 0) FROM standing").fetchall()
        by_group = events.execute(f"SELECT win, lane, routed, {sums(*grain)} FROM standing GROUP BY ALL").fetchall()
        return {"groups": by_group, "longest": longest}
    whole, lanes, models = (dict(events.execute(TOTALS.format(by=by)).fetchall()) for by in ("''", "lane", "model"))
    outside = {}
    for window, (start, end) in times.items():
        query = "SELECT count(*) FROM standing WHERE win = ? AND (ts < ? OR ts > ?)"
        [(count,)] = events.execute(query, [window, start, end]).fetchall()
        if count:
            outside[window] = count
    return {"totals": {**whole[""], "lanes": lanes, "models": models} if whole else {}, "outside": outside}


def _totals_of(found: Mapping[str, Any]) -> EventTotals:
    if not found:
        return EventTotals()
    parts = {name: {one: _totals_of(part) for one, part in found.get(name, {}).items()} for name in ("lanes", "models")}
    return EventTotals(**{**found, **parts, "latency_ms": Quantiles(**found["latency_ms"])})
