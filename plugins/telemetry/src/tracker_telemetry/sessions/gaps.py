"""What is missing in the figures of session logs, for programs and in words."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, groupby, takewhile
from operator import itemgetter
from typing import Any

from tracker.api import Source
from tracker.kernel import Registry, Session, line, number, plural
from tracker_telemetry.prices import FILE, USUAL, user_file
from tracker_telemetry.sessions import genai
from tracker_telemetry.sessions.client_totals import EVER, Span, not_in_rows
from tracker_telemetry.sessions.files import PACKED, files, unlisted
from tracker_telemetry.sessions.lines import is_whole
from tracker_telemetry.sessions.owners import by_model
from tracker_telemetry.sessions.scan import UNPACKER
from tracker_telemetry.sessions.scratch import NOTES, noted
from tracker_telemetry.sessions.spans import OUTSIDE, UNKNOWN
from tracker_telemetry.sessions.store import file_key

MOST_FILES = 3  # that are named
# Sessions with requests of a time that no existing file holds, and when the first was made.
GONE = """
SELECT count(DISTINCT session), min(first) FROM summary
WHERE source = :source AND (:is_all OR last >= :since AND first < :until)
AND session IN (SELECT coalesce(session, '') FROM place WHERE id IN (SELECT value FROM json_each(:gone)))
AND session NOT IN (SELECT coalesce(session, '') FROM place WHERE id IN (SELECT value FROM json_each(:here)))
"""
NO_MODEL = "(no model)"
AT_SPEED = " at speed "
ONLY_TOTALS = " with only daily totals left"
PLAIN = re.compile(r"[\w.:@+-]+", re.ASCII)  # a name that needs no escape in TOML or on a terminal
# What is counted, and the sentence, for how many of it and what else is known.
SAID = {
    "unreadable": ("line", "{} could not be read: {}"),
    "partial": ("last line", "{} incomplete, and the rest may still come: {}"),
    "unread_files": ("file", "{} could not be read: {}"),
    "unread_folders": ("folder", "{} could not be read: {}"),
    "unknown": ("row", "{} of a newer client may hold tokens that are not counted: {}"),
    "not_in_rows": ("session", "{} used more than the rows show: {}"),
    "without_plugin": ("session", "{} left out: {}"),
    "shared": ("request", "{} in several windows at once: {}"),
    "accounts": (
        "account",
        "{1} has requests of {0} but measures one of them, so `tracker windows` leaves its requests out; give each"
        " account its own windows, in a lane named after its branch or project",
    ),
    "left_out": ("request", "{} left out, since {}"),
    "undated": ("request", "{} in no period, since {}"),
    "gone": ("session", "the files of {} are gone, but what they held is counted: {}"),
    "deleted": (
        "session",
        "the files of {} are deleted, or on another machine; their daily totals are counted, but not what only a"
        " client's own total held: {}",
    ),
}
# A session of a deleted file, and the day of its totals: the source's title, the session, the day in UTC, and whether
# it may be another day here.
Gone = tuple[str, str, str, bool]
# Requests in question: whose, the day or what else is known instead of the time, how many.
Rest = tuple[str, str, int]
NO_TIME, ONLY_DAYS = "no time can be read", "only the day is known"
INSTEAD = {"": NO_TIME, UNKNOWN: "the window is not known"}


def sentences(missing: Iterable[Mapping[str, Any]], *, are_private: bool) -> Iterator[str]:
    """What is missing, in words; the path of the user's own prices only if nobody else reads it."""
    counts = {line(one["detail"]): plural(one["count"], "request") for one in missing if one["kind"] == "unpriced"}
    if nameless := counts.pop(NO_MODEL, None):
        yield f"no price can be known for {nameless} without a model name"
    if counts:
        models = ", ".join(f"{model} ({count})" for model, count in counts.items())
        place = user_file() if are_private else f"the {FILE} of your own settings"
        yield f"no price is known for {models}; add your own to {place}"
    for one in missing:
        count, detail = one["count"], line(one["detail"])
        match one["kind"]:
            case "unpriced":
                pass
            case kind if kind in SAID:
                noun, text = SAID[kind]
                yield text.format(plural(count, noun), detail)
            case "extras":
                title, _, name = detail.partition(": ")
                yield f"the money leaves out {number(count)} {name} of {title}"
            case "no_price_list":
                yield detail
            case kind:
                yield f"{number(count)} {kind.replace('_', ' ')}: {detail}"


def example(missing: Iterable[Mapping[str, Any]]) -> str | None:
    """An entry of the user's own prices that fits the first model without one, in words and lines."""
    for detail in (str(one["detail"]) for one in missing if one["kind"] == "unpriced"):
        name, _, speeds = detail.removesuffix(ONLY_TOTALS).partition(AT_SPEED)
        # as the table looks it up
        model, speed = name.rpartition("/")[2], speeds.partition(", ")[0]
        if PLAIN.fullmatch(model) and (not speed or PLAIN.fullmatch(speed)):
            entry = ["[[model]]", f'name = "{model}"', "input = 1.00", "output = 4.00"]
            entry += [f'speed = "{speed}"'] if speed else []
            lines = "\n".join(f"  {one}" for one in entry)
            return f"an entry for {FILE}; replace its prices (US dollars per million tokens):\n{lines}"
    return None


def unpriced(database: sqlite3.Connection, counts: Iterable[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """The requests of each model without a price, or without one for their speed."""
    models: dict[str, int] = defaultdict(int)
    for model, count in counts:
        if count:
            models[model] += count
    speeds: dict[str, set[str]] = defaultdict(set)
    for model, speed in database.execute("SELECT model, coalesce(speed, '') FROM rate WHERE units IS NULL"):
        speeds[model].add(speed)
    for model, count in sorted(models.items()):
        lacking = speeds[model]
        at = ""
        if lacking and lacking.isdisjoint(USUAL):
            at = f"{AT_SPEED}{', '.join(sorted(lacking))}"
        elif model and not lacking and genai.price(model):
            # totals in the journal may have had another price than the usual one
            at = ONLY_TOTALS
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
    cure = f"name each lane after its {tells} to tell them apart"
    for names, count in sorted(found.items()):
        yield {"kind": "shared", "count": count, "detail": f"{names}; {cure}"}


def accounts(known: Iterable[tuple[str, str, str]]) -> Iterator[dict[str, Any]]:
    """The windows with requests of several accounts, of which each measures one; from provider, window and account."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for provider, window, account in known:
        found[provider, window].add(account)
    for (provider, window), names in sorted(found.items()):
        if len(names) > 1 and window not in (OUTSIDE, UNKNOWN):
            yield {"kind": "accounts", "count": len(names), "detail": f"{provider} {window}"}


def deleted(gone: Iterable[Collection[Gone]]) -> Iterator[dict[str, Any]]:
    """The sessions that count by their totals in the journal."""
    found: dict[str, set[Gone]] = defaultdict(set)
    for one in {one for some in gone for one in some}:
        found[one[0]].add(one)
    for title, some in sorted(found.items()):
        _, sessions, days, differ = zip(*some, strict=True)
        first = min(filter(None, days), default="an unknown day")
        which = ", each on its UTC day, which may differ from yours" if any(differ) else ""
        yield {"kind": "deleted", "count": len({*sessions}), "detail": f"{title}, the first from {first}{which}"}


def untimed(left: Iterable[Rest], undated: Iterable[int]) -> Iterator[dict[str, Any]]:
    """The requests whose time is not known: those left out, by provider, and those in no period."""
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
    here = {one.distribution for one in session.registry.plugins}
    for stream in session.journal.streams():
        if stream in own:
            continue
        records = (entry.record for entry in session.index.entries(stream))
        kept = takewhile(lambda one: "usage" in one or "descent" in one, records)  # streams of other kinds are not read
        totals = (one["usage"] for one in kept if isinstance(one.get("usage"), dict))
        names = {name for one in totals if isinstance(name := one.get("session"), str)}
        if names:
            # `acme_sessions` comes with tracker-acme, or with tracker-acme-sessions if that is there without it
            heads = [*accumulate(stream.split("_"), "{}-{}".format, initial="tracker")][1:]
            usual = next((name for name in heads if name not in here), heads[-1])
            why = f"no plugin for it is installed (usually {usual})"
            why = "TRACKER_DISABLE_PLUGINS disables its plugin" if stream in disabled else why
            yield {"kind": "without_plugin", "count": len(names), "detail": f"{stream} is recorded here, but {why}"}


def of_files(
    session: Session, database: sqlite3.Connection, sources: Sequence[Source], provider: str | None, span: Span
) -> Iterator[dict[str, Any]]:
    """What could not be read, whenever it was made, and the sessions of a time whose files are gone.

    Also what only a client's own totals of such sessions have of a provider's models.
    """
    for source in sources:
        own, known = (source.name,), {file_key(one.path): one.path for one in files(source)}
        # a file and its copy in an archive are one
        query = "SELECT bad, name FROM file WHERE source = ? AND bad > 0 GROUP BY bad, stop, iif(end = '', name, end)"
        if bad := database.execute(query, own).fetchall():
            detail = f"{source.title}: {_names(known, [name for _, name in bad])}"
            yield {"kind": "unreadable", "count": sum(count for count, _ in bad), "detail": detail}
        for kind in NOTES:
            yield from _noted(database, source, kind)
        query = "SELECT error, name FROM file WHERE source = ? AND error IS NOT NULL ORDER BY 1"
        for error, some in groupby(database.execute(query, own), itemgetter(0)):
            names = [name for _, name in some]
            why = f"compressed files need {Registry.installation(UNPACKER)}" if error == UNPACKER else error
            detail = f"{source.title}: {why}: {_names(known, names)}"
            yield {"kind": "unread_files", "count": len(names), "detail": detail}
        query = "SELECT name, stop FROM file WHERE source = ? AND stop < size AND error IS NULL"
        if names := [name for name, stop in database.execute(query, own) if _is_partial(known.get(name), stop)]:
            yield {"kind": "partial", "count": len(names), "detail": f"{source.title}: {_names(known, names)}"}
        yield from _gone(database, source, known, span)
        for error, count in sorted(Counter(unlisted(source)).items()):
            yield {"kind": "unread_folders", "count": count, "detail": f"{source.title}: {error}"}
        owner = by_model(session, source)
        yield from (one for model, one in not_in_rows(database, source, span) if provider in (None, owner(model)))


def _is_partial(path: str | None, stop: int) -> bool:
    """Whether a file ends within a line; one that only lacks its end is read."""
    if path is None or path.endswith(PACKED):
        return False
    try:
        with open(path, "rb") as file:
            file.seek(stop)
            # a power cut leaves zeros
            return any(line and not is_whole(line) for line in file.read().strip(b"\0").split(b"\r"))
    except OSError:
        return False


def _gone(
    database: sqlite3.Connection, source: Source, known: Container[bytes], span: Span
) -> Iterator[dict[str, Any]]:
    """The sessions whose files are gone but whose requests the store has."""
    places: dict[bool, set[int]] = {True: set(), False: set()}
    for name, some in database.execute("SELECT name, places FROM file WHERE source = ?", (source.name,)):
        places[name in known].update(json.loads(some))
    here, gone = (json.dumps([*places[is_here]]) for is_here in (True, False))
    since, until = span
    given = {"source": source.name, "here": here, "gone": gone, "since": since, "until": until}
    [(count, first)] = database.execute(GONE, {**given, "is_all": span == EVER})
    if count:
        day = datetime.fromtimestamp(first, UTC).date() if first is not None else "an unknown day"
        yield {"kind": "gone", "count": count, "detail": f"{source.title}, the first from {day}"}


def _names(known: Mapping[bytes, str], keys: Sequence[bytes]) -> str:
    """The names of files by their keys in the store, which do not contain them."""
    names = sorted(os.path.basename(known.get(key, "a file that is gone")) for key in keys)
    more = [f"{len(names) - MOST_FILES} more"] if len(names) > MOST_FILES else []
    return ", ".join([*names[:MOST_FILES], *more])


def _noted(database: sqlite3.Connection, source: Source, kind: str) -> Iterator[dict[str, Any]]:
    """What the plugin noted in the state of its files, by name; notes by message count once over all files."""
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
