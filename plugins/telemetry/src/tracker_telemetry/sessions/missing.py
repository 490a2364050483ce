"""What the figures of session logs lack, for programs and in words."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from tracker.api import Source
from tracker.kernel import Registry, Session, line, number, plural
from tracker_telemetry.prices import FILE, USUAL, user_file
from tracker_telemetry.sessions import genai
from tracker_telemetry.sessions.client_totals import not_in_rows
from tracker_telemetry.sessions.files import files, unlisted
from tracker_telemetry.sessions.owners import by_model
from tracker_telemetry.sessions.scan import UNPACKER
from tracker_telemetry.sessions.scratch import NOTES, noted
from tracker_telemetry.sessions.spans import UNKNOWN
from tracker_telemetry.sessions.store import file_key

MOST_FILES = 3  # that are named
NO_MODEL = "(no model)"
# A session of a deleted file, and the day of which its totals stand: the source's title, the session, the day in UTC,
# and whether that may be another one here.
Gone = tuple[str, str, str, bool]
# Requests that may be asked for: whose, the day or what else is known instead of the time, how many.
Left = tuple[str, str, int]
NO_TIME, ONLY_DAYS = "no time can be read", "only the day is known"
INSTEAD = {"": NO_TIME, UNKNOWN: "the window is not known"}


def sentences(missing: Iterable[Mapping[str, Any]], *, are_private: bool) -> Iterator[str]:
    """What is missing in words; where the user's own prices belong only where nobody else reads it."""
    counts = {line(one["detail"]): plural(one["count"], "request") for one in missing if one["kind"] == "unpriced"}
    if nameless := counts.pop(NO_MODEL, None):
        yield f"no price can be known for {nameless} without the name of a model"
    if counts:
        models = ", ".join(f"{model} ({count})" for model, count in counts.items())
        place = user_file() if are_private else f"the {FILE} of your own settings"
        yield f"no price is known for {models}; your own belong in {place}"
    for one in missing:
        count, detail = one["count"], line(one["detail"])
        match one["kind"]:
            case "unpriced":
                pass
            case "unreadable":
                yield f"{plural(count, 'line')} could not be read: {detail}"
            case "deleted":
                what = f"the files of {plural(count, 'session')} are deleted, or on another machine"
                yield f"{what}; their totals by day are counted: {detail}"
            case "unread_files" | "unread_folders" as kind:
                yield f"{plural(count, kind.removeprefix('unread_')[:-1])} could not be read: {detail}"
            case "unknown":
                yield f"{plural(count, 'row')} may hold tokens that are not counted, of a newer client: {detail}"
            case "extras":
                title, _, name = detail.partition(": ")
                yield f"the money leaves out {number(count)} {name} of {title}"
            case "not_in_rows":
                yield f"{plural(count, 'session')} used more than the rows show: {detail}"
            case "left_out" | "undated" as kind:
                where = "left out" if kind == "left_out" else "in no period"
                yield f"{plural(count, 'request')} {where}, of which {detail}"
            case "no_price_list":
                yield detail
            case "without_plugin":
                yield f"{plural(count, 'session')} left out: {detail}"
            case "shared":
                yield f"{plural(count, 'request')} shared {detail}"
            case kind:
                yield f"{number(count)} {kind.replace('_', ' ')}: {detail}"


def unpriced(database: sqlite3.Connection, models: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """The requests of each model without a price, or without one for their speed."""
    speeds: dict[str, set[str]] = defaultdict(set)
    for model, speed in database.execute("SELECT model, coalesce(speed, '') FROM rate WHERE units IS NULL"):
        speeds[model].add(speed)
    for model, count in sorted(models.items()):
        lacking = speeds[model]
        at = ""
        if lacking and lacking.isdisjoint(USUAL):
            at = f" at speed {', '.join(sorted(lacking))}"
        elif model and not lacking and genai.price(model):
            # the usual price may not be that of totals of the journal
            at = " where only daily totals are left"
        yield {"kind": "unpriced", "count": count, "detail": f"{model or NO_MODEL}{at}"}
    if models and not genai.is_installed():
        cure = Registry.installation("genai-prices")
        yield {"kind": "no_price_list", "count": 1, "detail": f"genai-prices has list prices: {cure}"}


def shared(windows: Iterable[Mapping[str, int]], *, is_hashed: bool) -> Iterator[dict[str, Any]]:
    """The requests that lie in several windows at once, by the names of those; no lane is named after a hash."""
    found = Counter[str]()
    for one in windows:
        found.update(one)
    tells = "branch" if is_hashed else "branch or project"
    cure = f"give each lane the name of its {tells} to tell them apart"
    for names, count in sorted(found.items()):
        yield {"kind": "shared", "count": count, "detail": f"within {names} at once; {cure}"}


def deleted(gone: Iterable[Collection[Gone]]) -> Iterator[dict[str, Any]]:
    """The sessions that count by the totals that the journal kept of them."""
    found: dict[str, set[Gone]] = defaultdict(set)
    for one in {one for some in gone for one in some}:
        found[one[0]].add(one)
    for title, some in sorted(found.items()):
        _, sessions, days, differ = zip(*some, strict=True)
        first = min(filter(None, days), default="a day that is not known")
        which = ", each on its day in UTC, where that may be another one" if any(differ) else ""
        yield {"kind": "deleted", "count": len({*sessions}), "detail": f"{title}, the first of {first}{which}"}


def untimed(left: Iterable[Left], undated: Iterable[int]) -> Iterator[dict[str, Any]]:
    """The requests whose time is not known: of each provider those that were left out, and those in no period."""
    counts = Counter[str]()
    for provider, known, count in left:
        counts[f"{INSTEAD.get(known, ONLY_DAYS)}: {provider}"] += count
    for detail, count in sorted(counts.items()):
        yield {"kind": "left_out", "count": count, "detail": detail}
    if count := sum(undated):
        yield {"kind": "undated", "count": count, "detail": NO_TIME}


def without_plugin(session: Session) -> Iterator[dict[str, Any]]:
    """The sessions whose totals the journal has, of clients whose plugin is not in use."""
    own = {source.stream for source in session.registry.sources.values()}
    disabled = {one.name.replace("-", "_") for one in session.registry.disabled}
    for stream in session.journal.streams():
        if stream in own:
            continue
        records = (entry.record for entry in session.index.entries(stream))
        kept = takewhile(lambda one: "usage" in one or "descent" in one, records)  # streams of other kinds are not read
        totals = (one["usage"] for one in kept if isinstance(one.get("usage"), dict))
        names = {name for one in totals if isinstance(name := one.get("session"), str)}
        if names:
            why = f"no plugin for it is installed (usually tracker-{stream.partition('_')[0]})"
            why = "TRACKER_DISABLE_PLUGINS names its plugin" if stream in disabled else why
            yield {"kind": "without_plugin", "count": len(names), "detail": f"{stream} is recorded here, but {why}"}


def of_files(
    session: Session, database: sqlite3.Connection, sources: Sequence[Source], provider: str | None
) -> Iterator[dict[str, Any]]:
    """What could not be read, whenever it was made, and what only a client's own totals have of a provider's models."""
    for source in sources:
        own = (source.name,)
        # a file and its copy in an archive are one
        query = "SELECT bad, name FROM file WHERE source = ? AND bad > 0 GROUP BY bad, stop, iif(end = '', name, end)"
        if bad := database.execute(query, own).fetchall():
            detail = f"{source.title}: {_names(source, [name for _, name in bad])}"
            yield {"kind": "unreadable", "count": sum(count for count, _ in bad), "detail": detail}
        for kind in NOTES:
            yield from _noted(database, source, kind)
        query = "SELECT error, count(*) FROM file WHERE source = ? AND error IS NOT NULL GROUP BY 1 ORDER BY 1"
        for error, count in database.execute(query, own):
            why = f"compressed files need {Registry.installation(UNPACKER)}" if error == UNPACKER else error
            yield {"kind": "unread_files", "count": count, "detail": f"{source.title}: {why}"}
        for error, count in sorted(Counter(unlisted(source)).items()):
            yield {"kind": "unread_folders", "count": count, "detail": f"{source.title}: {error}"}
        owner = by_model(session, source)
        yield from (one for model, one in not_in_rows(database, source) if provider in (None, owner(model)))


def _names(source: Source, keys: Sequence[bytes]) -> str:
    """The names of files by what the store knows them by, which does not tell them."""
    known = {file_key(one.path): os.path.basename(one.path) for one in files(source)}
    names = sorted(known.get(key, "a file that is gone") for key in keys)
    more = [f"{len(names) - MOST_FILES} more"] if len(names) > MOST_FILES else []
    return ", ".join([*names[:MOST_FILES], *more])


def _noted(database: sqlite3.Connection, source: Source, kind: str) -> Iterator[dict[str, Any]]:
    """What the plugin noted in the state of its files, by name: what it notes by message counts once over all files."""
    counts: dict[str, int] = defaultdict(int)
    largest: dict[tuple[str, str], int] = {}
    query = "SELECT state FROM file WHERE source = ? AND instr(state, ?) GROUP BY stop, state"
    for (state,) in database.execute(query, (source.name, f'"{kind}"')):
        for name, count in noted(state, kind).items():
            if isinstance(count, dict):
                for key, own in count.items():
                    largest[name, key] = max(own, largest.get((name, key), 0))
            else:
                counts[name] += count
    for (name, _), count in largest.items():
        counts[name] += count
    for name, count in sorted(counts.items()):
        yield {"kind": kind, "count": count, "detail": f"{source.title}: {name}"}
