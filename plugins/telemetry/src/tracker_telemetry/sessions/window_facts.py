"""Tokens and money of windows by session logs: of each provider, and per feature."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from tracker.api import Row
from tracker.kernel import FinalizeRow, Session, TrackerError, Windows, plural
from tracker_telemetry import FOLDER
from tracker_telemetry.sessions import store, usage
from tracker_telemetry.sessions.current import current
from tracker_telemetry.sessions.days import Day
from tracker_telemetry.sessions.files import STORE, state_of
from tracker_telemetry.sessions.money import dollars
from tracker_telemetry.sessions.owners import by_model, owners, provider_of
from tracker_telemetry.sessions.scan import TOKENS
from tracker_telemetry.sessions.spans import BETWEEN, Spans

# by window, or several that share requests, and provider
Key: TypeAlias = tuple[str, str]
Facts: TypeAlias = dict[Key, dict[str, Any]]
LogFacts: TypeAlias = tuple[Facts, Mapping[Key, int]]
OUTPUT = TOKENS.index("output_tokens")
PER_FEATURE = "tokens_per_feature", "cost_usd_per_feature"
NAMED = 3  # how many of many windows a sentence names
ONLY_TOTALS = "since only daily totals of {} are left"
OF_ACCOUNTS = "since the requests belong to {}"
LOST = """
SELECT day, session, coalesce(account, ''), model, since, until FROM lost
WHERE source = ? AND requests > 0 AND day <> ''
"""
# a file's last writing is not earlier than its contents
UNREAD = "SELECT 1 FROM file WHERE source = ? AND error IS NOT NULL AND mtime >= ? LIMIT 1"
NANOSECONDS = 10**9
# By session: the state of the files, and what they said.
_ADDED_UP: WeakKeyDictionary[Session, tuple[Any, LogFacts]] = WeakKeyDictionary()


class Part(NamedTuple):
    """What a stream has of a window and provider. uncounted: the requests without a count of their tokens."""

    tokens: int
    cost: float | None
    output: int
    uncounted: int = 0


def facts(session: Session, windows: Sequence[str]) -> Facts:
    """Tokens, requests and money by window and provider, of the session logs as they are now.

    A window's own requests were made in no other at the same time. What several share is listed once under all their
    names (`W0-01+W0-02`), and for each as `shared_requests`, `shared_tokens` and `shared_cost_usd`. If only daily
    totals of some sessions are left (`lost_sessions`), what a window of these days used is not known, unless they are
    of another account than its own requests. Nor is it known if a window has requests of several `accounts`: it
    measures one of them, and session logs name accounts in another way than panes do.
    """
    return _logged(session, windows)[0]


def with_streams(
    session: Session, streams: Mapping[Key, Sequence[Part]], windows: Sequence[str], goes_beyond: Callable[[str], bool]
) -> Facts:
    """What streams and session logs say of windows. goes_beyond: whether a stream has events outside of a window.

    A provider's own logs have all of its requests. A provider without, such as GLM, has its requests in the logs of
    others; these include caches, which many proxies do not report. The streams count in a window if the logs have less
    than half of their output, unless the streams have requests outside of it.
    """
    (logged, before), logs = _logged(session, windows), store.log_sources(session)
    own = {provider_of(session, source) for source in logs}
    fuller = {
        key
        for key, parts in streams.items()
        if key[1] not in own and sum(part.output for part in parts) > 2 * before.get(key, -1)
        if key not in before or not goes_beyond(key[0])
    }
    found = {key: _together(parts) for key, parts in streams.items()} | {
        (label, provider): one
        for (label, provider), one in logged.items()
        if not fuller.issuperset((window, provider) for window in label.split(BETWEEN))
    }
    done = Windows(session).finalized(windows)
    return {key: one | _per_feature(done.get(key[0]), key[1], one) for key, one in found.items()}


def _together(parts: Sequence[Part]) -> dict[str, Any]:
    """The tokens and the money of several streams; a part of them is a minimum and has a name of its own."""
    costs, tokens = [part.cost for part in parts], sum(part.tokens for part in parts)
    if uncounted := sum(part.uncounted for part in parts):
        return {"tokens_at_least": tokens, "uncounted_requests": uncounted}
    money = None if None in costs else sum(cost for cost in costs if cost is not None)
    return {"tokens": tokens, "cost_usd": money}


def _per_feature(row: FinalizeRow | None, provider: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """What a feature of a finalized window took; not known if the window shares requests with others."""
    features = row.features.get(provider, 0) if row is not None else 0
    if not features or "tokens" not in found:
        return {}
    tokens, money = (None, None) if "shared_requests" in found else (found["tokens"], found.get("cost_usd"))
    wholes = zip(PER_FEATURE, (tokens, money), strict=True)
    return {name: None if whole is None else whole / features for name, whole in wholes}


def rows(session: Session, windows: Sequence[str], found: Facts) -> list[Row]:
    """What session logs say of windows, for the handoff, in words; found: that with what streams say."""
    logged = facts(session, windows)
    own = sorted(
        key for key in found if key[0] in windows and key in logged and logged[key].items() <= found[key].items()
    )
    return [used(*key, found[key]) for key in own]


def _logged(session: Session, windows: Sequence[str]) -> LogFacts:
    """The facts, and the output tokens of each window if they are known, with what it shares."""
    sources, wanted = store.log_sources(session), frozenset(windows)
    if not (sources and wanted):
        return {}, {}
    try:
        return current(session, sources, lambda logs, _: _once(session, logs, wanted))
    except TrackerError as error:
        session.warn(f"what windows used is not known: {error}")
        return {}, {}


def _once(session: Session, logs: store.Store, windows: frozenset[str]) -> LogFacts:
    """What session logs say of windows, added up once per command: the report asks three times."""
    files = [session.root / FOLDER / name for name in (STORE, f"{STORE}-wal")]
    files += [session.root / f"{stream}.jsonl" for stream in session.registry.status_streams]
    state = (windows, state_of(files))
    if (known := _ADDED_UP.get(session)) is None or known[0] != state:
        _warn_of_unread(session, logs, windows)
        _ADDED_UP[session] = known = (state, _added_up(session, logs, windows))
    return known[1]


def _warn_of_unread(session: Session, logs: store.Store, windows: frozenset[str]) -> None:
    """Files that could not be read may have more of the windows, if they were written to since the first one began."""
    if logs.database.execute("SELECT 1 FROM file WHERE error IS NOT NULL LIMIT 1").fetchone() is None:
        return
    spans = Spans.of_session(session)
    for source in store.log_sources(session):
        begin, end = spans.span(owners(session, [source]), windows) or (0.0, 0.0)
        asked = source.name, int(begin * NANOSECONDS)
        if begin < end and logs.database.execute(UNREAD, asked).fetchone() is not None:
            session.warn("windows may have used more: some session logs could not be read. `tracker usage` lists them.")


def _added_up(session: Session, logs: store.Store, windows: frozenset[str]) -> LogFacts:
    """The same from the store, which has all of a provider's requests."""
    if logs.database.execute("SELECT 1 FROM row LIMIT 1").fetchone() is None:
        return _lost(session, logs, windows, {}), {}
    sums: dict[tuple[str, str], usage.Sums] = defaultdict(usage.Sums)
    projects: dict[tuple[str, str], set[str]] = defaultdict(set)
    accounts: dict[tuple[str, str], set[str]] = defaultdict(set)
    outputs = Counter[Key]()
    query = usage.Query(by="window", columns=("project", "account"), windows=windows, zone=UTC)
    for (provider, label, project, account, _), one in usage.usage(
        session, logs, store.log_sources(session), query, is_brief=True
    ).rows:
        sums[label, provider].extend(one)
        accounts[label, provider].add(account)
        for window in label.split(BETWEEN):
            projects[window, provider].add(project)
            outputs[window, provider] += one.tokens[OUTPUT]
    found: Facts = {key: _figures(one) for key, one in sums.items()}
    for (window, provider), names in projects.items():
        if window in windows:
            own = found.setdefault((window, provider), _figures(usage.Sums()))
            own |= _shared(sums, window, provider)
            # only a window of one project belongs to it
            if len(names) == 1 and (project := next(iter(names))):
                own["project"] = project
    unknown = {
        (window, provider): {"accounts": count}
        for (window, provider), names in accounts.items()
        if window in windows and (count := len(names - {""})) > 1
    } | _lost(session, logs, windows, accounts)
    # what several share stays as long as one of them is known, which would otherwise seem to have used only its own
    known = {
        (label, provider): one
        for (label, provider), one in found.items()
        if not all((window, provider) in unknown for window in label.split(BETWEEN))
    }
    return known | unknown, {key: count for key, count in outputs.items() if key not in unknown}


def _lost(
    session: Session, logs: store.Store, windows: frozenset[str], accounts: Mapping[tuple[str, str], Collection[str]]
) -> Facts:
    """Windows on days with only totals left, with the number of sessions of these totals.

    Totals of another account, such as those of another machine, do not count if all own requests name theirs.
    """
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    spans: Spans | None = None  # asked for only if something is lost, and once: they look at the captures' files
    for source in store.log_sources(session):
        owner = by_model(session, source)
        for named, name, account, model, since, until in logs.database.execute(LOST, (source.name,)):
            spans = spans or Spans.of_session(session)
            provider, day = owner(model), Day.of(named, since, until)
            for window in windows.intersection(spans.within(provider, day.first, day.last)) if day.name else ():
                own = accounts.get((window, provider), ())
                if not (account and own) or account in own or "" in own:
                    found[window, provider].add(name)
    return {key: {"lost_sessions": len(names)} for key, names in found.items()}


def _figures(one: usage.Sums) -> dict[str, Any]:
    """The tokens of `tracker usage`, and the money; how many requests the money leaves out, if any."""
    figures = {"tokens": one.whole, "requests": one.requests, "cost_usd": one.cost}
    return figures | ({"unpriced_requests": one.unpriced} if one.unpriced else {})


def _shared(sums: Mapping[tuple[str, str], usage.Sums], window: str, provider: str) -> dict[str, Any]:
    """What a window has in common with others."""
    others, shared = set[str](), usage.Sums()
    for (label, name), one in sums.items():
        if name == provider and label != window and window in (members := label.split(BETWEEN)):
            shared.extend(one)
            others.update(members)
    figures = {f"shared_{name}": value for name, value in _figures(shared).items()}
    return {"shared_with": ", ".join(sorted(others - {window})), **figures} if others else {}


def used(window: str, provider: str, found: Mapping[str, Any]) -> Row:
    """The tokens and the money of a window, and of each of its features if it is finalized."""
    for name, one, why in (("lost_sessions", "session", ONLY_TOTALS), ("accounts", "account", OF_ACCOUNTS)):
        if count := found.get(name):
            text = f"{{window}} {{provider}}: tokens not known, {why.format(plural(count, one))}"
            return Row(values={"window": window, "provider": provider, name: count}, text=text)
    if count := found.get("uncounted_requests"):
        text = "{window} {provider}: at least {tokens_at_least} tokens from a proxy's stream alone"
        text += f", which has no count for {plural(count, 'request')}"
        return Row(values={"window": window, "provider": provider, **found}, text=text)
    names = ("tokens", "requests", "cost_usd", "unpriced_requests", "shared_requests", "shared_with", *PER_FEATURE)
    values = {"window": window, "provider": provider, **{name: found[name] for name in names if name in found}}
    return Row(values=values, text="".join(_texts(values)))


def _texts(values: Mapping[str, Any]) -> Iterator[str]:
    """The row in parts; money that leaves requests out is a minimum."""
    bare = values.get("unpriced_requests")
    least = "at least " if bare else ""
    yield f"{_few('window', values, BETWEEN)} {{provider}}: {{tokens}} tokens"
    # a stream has events
    yield f", {plural(values['requests'], 'request')}" if "requests" in values else " from a proxy's stream alone"
    if values["cost_usd"] is not None:
        yield f", {least}{dollars(values['cost_usd'], is_least=bool(bare))}"
    if bare:
        yield f" ({plural(bare, 'request')} without a known price)"
    if values.get("tokens_per_feature") is not None:
        yield "; {tokens_per_feature:.0} tokens"
        if (each := values["cost_usd_per_feature"]) is not None:
            yield f" and {least}{dollars(each, is_least=bool(bare))}"
        yield " per feature"
    if count := values.get("shared_requests"):
        yield f"; {plural(count, 'more request')} shared with {_few('shared_with', values, ', ')}"
        yield ", so what a feature took is not known" if "tokens_per_feature" in values else ""


def _few(name: str, values: Mapping[str, Any], between: str) -> str:
    """The place of windows' names in a text; only the first of many: an endless window shares with all that follow."""
    names = str(values[name]).split(between)
    if len(names) <= NAMED + 1:
        return f"{{{name}}}"
    return f"{between.join(names[:NAMED])} and {len(names) - NAMED} more"
