"""What session logs say of windows: the tokens and the money of each provider, per feature, too."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC
from typing import Any
from weakref import WeakKeyDictionary

from tracker.api import Row
from tracker.kernel import Session, Windows
from tracker_telemetry import FOLDER
from tracker_telemetry.sessions import store, usage

# By session: the state of the files, and what they said.
_ADDED_UP: WeakKeyDictionary[Session, tuple[Any, dict[tuple[str, str], dict[str, Any]]]] = WeakKeyDictionary()


def facts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Tokens, requests and money of what `tracker usage` has read, by window and provider."""
    if (session.root / FOLDER / store.FILE).exists():
        with suppress(sqlite3.DatabaseError):  # a spoilt file, which `tracker usage` makes anew
            return _once(session, frozenset(windows))
    return {}


def rows(session: Session, windows: Sequence[str]) -> list[Row]:
    """The same for the handoff, in words."""
    found = sorted(facts(session, windows).items())
    return [_used(session, window, provider, one) for (window, provider), one in found if one["requests"]]


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
