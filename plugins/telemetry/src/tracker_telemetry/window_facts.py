"""What a stream says of windows to other features: tokens and money per provider, gaps, the largest cost rows."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from tracker.api import Block, Check, Finding, Row, Source
from tracker.kernel import Session, Windows, plural
from tracker_telemetry import FOLDER, prices, totals
from tracker_telemetry.costs import RANKED, Side, figures
from tracker_telemetry.index import ask
from tracker_telemetry.sessions import store, usage
from tracker_telemetry.totals import FILE, groups

TOP = 3  # rows of the handoff
# By session: the state of the files, and what they said.
_ADDED_UP: WeakKeyDictionary[Session, tuple[Any, dict[tuple[str, str], dict[str, Any]]]] = WeakKeyDictionary()


def facts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Tokens and money by window and provider: of each provider its own requests alone."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for source in sources_of(session, windows):
        table = prices.table(session, source)
        sides: dict[tuple[str, str], Side] = defaultdict(Side)
        for window, lane, model, is_routed, *counts in groups(session, source, windows):
            provider = provider_of(session, source, lane, model, is_routed=is_routed)
            if provider is not None:
                sides[window, provider].add(model, counts)
        for key, side in sides.items():
            before = found.get(key, {"tokens": 0, "cost_usd": 0.0})
            costs = before["cost_usd"], side.money(table)
            found[key] = {
                "tokens": before["tokens"] + side.tokens,
                "cost_usd": None if None in costs else sum(costs),
            }
    if (session.root / FOLDER / store.FILE).exists():  # requests that `tracker usage` has read
        with suppress(sqlite3.DatabaseError):  # a spoilt file, which `tracker usage` makes anew
            found |= _once(session, frozenset(windows))
    return found


def _once(session: Session, windows: frozenset[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """What session logs say of windows, added up once for all who ask in one command: the report asks three times."""
    files = [session.root / FOLDER / name for name in (store.FILE, f"{store.FILE}-wal")]
    files += [session.root / f"{stream}.jsonl" for stream in session.registry.status_streams]
    state = (windows, *((one.stat().st_size, one.stat().st_mtime_ns) if one.exists() else None for one in files))
    if (known := _ADDED_UP.get(session)) is None or known[0] != state:
        _ADDED_UP[session] = known = (state, _of_session_logs(session, windows))
    return known[1]


def _of_session_logs(session: Session, windows: frozenset[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The same from session logs, which have all of a provider's requests; those that windows share are nobody's."""
    sums: dict[tuple[str, str], Any] = defaultdict(usage.Sums)
    projects: dict[tuple[str, str], set[str]] = defaultdict(set)
    with store.opened(session) as logs:
        query = usage.Query(by="window", columns=("project",), windows=windows, zone=UTC)
        rows = usage.usage(session, logs, store.log_sources(session), query, is_brief=True).rows
    for (provider, window, project, _), found in rows:
        if window in windows:
            sums[window, provider].add(found.requests, found.tokens, found.cost)
            projects[window, provider].add(project)
    facts: dict[tuple[str, str], dict[str, Any]] = {}
    for key, one in sums.items():
        # the tokens of `tracker usage`: input, output and what was cached
        facts[key] = {
            "tokens": sum(one.tokens[:5]),
            **{name: one.document()[name] for name in ("requests", "cost_usd")},
        }
        # only a window of one project belongs to it
        if len(projects[key]) == 1 and (project := next(iter(projects[key]))):
            facts[key]["project"] = project
    return facts


def provider_of(session: Session, source: Source, lane: str, model: str, *, is_routed: bool) -> str | None:
    """Whose quota a request was made on; None if nothing tells."""
    names = session.registry.providers
    if is_routed:
        return source.routed_label if source.routed_label in names else None
    words = (lane.lower(), *model.lower().replace("/", "-").split("-"))
    return next((name for name in names if name in words and name != source.routed_label), None)


def checks(session: Session, window: str) -> list[Check]:
    """The events that came while a window was not measured: worth a line, but no reason against the window."""
    measured = Windows(session).spans([window])
    found = []
    for source in sources_of(session, [window]) if measured else ():
        if count := totals.facts(session, source, [window], measured).outside.get(window):
            text = f"{plural(count, 'event')} of {source.title} came before its first BEFORE or after its last AFTER"
            found.append(Check(name=source.name, state="ok", text=text))
    return found


def section(session: Session, windows: Sequence[str]) -> Block | None:
    """What the windows used according to session logs, and the largest rows of the cost comparison."""
    used = [_used(session, window, provider, found) for (window, provider), found in _logged(session, windows)]
    rows: list[Row] = list(used)
    for source in sources_of(session, windows):
        names = ("baseline_tokens", f"{source.routed_label}_tokens", "delta")
        columns = ("rid", *names)
        largest = ask(session, source, windows, lambda events: events.rows(RANKED.format(by="rid"), TOP))
        rows += [Row(values={}, text=",".join(columns))] if largest else []
        for row in largest:
            values = dict(zip(columns, (row[0] or None, *figures(row)), strict=True))
            rows.append(Row(values=values, text=",".join(f"{{{name}}}" for name in columns)))
    return Block(title="Tokens and money" if used else "Cost comparison", rows=tuple(rows)) if rows else None


def _logged(session: Session, windows: Sequence[str]) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    return sorted((key, one) for key, one in facts(session, windows).items() if one.get("requests"))


def _used(session: Session, window: str, provider: str, found: Mapping[str, Any]) -> Row:
    """The tokens and the money of a window, and of each of its features if it is finalized."""
    row = Windows(session).finalized([window]).get(window)
    features = row.features.get(provider, 0) if row is not None else 0
    tokens, money = found["tokens"], found["cost_usd"]
    values = {
        "window": window,
        "provider": provider,
        **{name: found[name] for name in ("tokens", "requests", "cost_usd")},
    }
    each = (
        {"tokens_per_feature": tokens / features, "cost_usd_per_feature": money and money / features}
        if features
        else {}
    )
    text = "{window} {provider}: {tokens} tokens, {requests} requests, ${cost_usd:.2}"
    if each:
        text += "; {tokens_per_feature:.0} tokens and ${cost_usd_per_feature:.2} per feature"
    return Row(values=values | each, text=text)


def findings(session: Session) -> list[Finding]:
    """What is wrong with the derived files, which the next question makes anew."""
    path = session.root / FOLDER / FILE
    try:
        orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, orjson.JSONDecodeError) as error:
        cure = f"rm {path}"
        return [Finding(place=str(path), problem=f"it cannot be read: {error}", cure=cure, severity="warning")]
    return []


def sources_of(session: Session, windows: Sequence[str]) -> list[Source]:
    """The telemetry sources that have records of some windows."""
    known: Mapping[str, Source] = session.registry.sources
    streams = [source for source in known.values() if source.kind == "telemetry"]
    return [source for source in streams if session.index.spans(source.stream, set(windows))]
