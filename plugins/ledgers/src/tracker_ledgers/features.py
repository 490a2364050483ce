"""The feature log: ids reserved before the work, and what was built under them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tracker.api import redact
from tracker.kernel import Session, TrackerError, Windows, line
from tracker_ledgers import csv_append, git, reversal
from tracker_ledgers.ledgers import FEATURES, path_of, readable, rows

FIRST = "001"
PREFIX = "F-"
RESERVED = "reserved"
WHOSE = ("window", "provider")
COMMITS = ("commit_id", "baseline_commit", "implementation_commit", "docs_commit")
ID = re.compile(r"[^\W_][^\s,;\"'`]{0,63}")
SERIES = re.compile(r"(.*?)(\d{1,18})")


def reserve(session: Session, given: Mapping[str, Any], prefix: str | None) -> None:
    """Append a row that takes an id: the one asked for, else the next free one; the id is the command's output."""
    remark = "; ".join(filter(None, (RESERVED, given["notes"])))
    wanted = None if given["feature_id"] is None else check_id(given["feature_id"])

    def row() -> dict[str, Any]:
        taken = logged_ids(session)
        # including ids of other branches or worktrees
        others = dict.fromkeys(str(one.row["feature_id"]) for one in reversal.written(session, FEATURES))
        taken = [*(one for one in others if one not in taken), *taken]
        if wanted in taken:
            raise TrackerError(f"{wanted} is taken. The next free id is {next_id(taken, None)}. Nothing was written.")
        return _row(session, given, wanted or next_id(taken, prefix), remark)

    if session.dry_run:
        made = row()
    else:
        with session.journal.lock(), csv_append.opened(session, FEATURES) as book:
            made = row()
            reversal.append(session, book, made)
    if session.dry_run or session.json:
        session.data(made)
    else:
        session.show(made["feature_id"])


def log(session: Session, given: Mapping[str, Any]) -> None:
    """Append what was built under an id, reserved before or not."""
    feature = check_id(given["feature_id"])
    known = {row.get("feature_id", "").strip(): row for row in rows(path_of(session, FEATURES), FEATURES)}
    # it belongs to the window that it was reserved for
    given = {**given, **{name: given[name] or known.get(feature, {}).get(name) or None for name in WHOSE}}
    row = _row(session, given, feature, given["notes"])
    reversal.record(session, FEATURES, [row])
    if session.dry_run or session.json:
        session.data(row)
    else:
        window = f" for {row['window']}" if row["window"] else ""
        session.say(f"logged {row['feature_id']}{window}")


def check_id(feature: str) -> str:
    """Check that an id fits in a cell, a commit message and a command."""
    if not ID.fullmatch(feature) or not feature.isprintable():
        raise TrackerError(
            f"Invalid feature id {line(feature)[:80]!r}. Expected a letter or digit, then up to 63 characters"
            " without spaces, quotes, commas or semicolons."
        )
    return feature


def logged_ids(session: Session) -> list[str]:
    """The ids of the log, reserved or built, oldest row first."""
    found = (row.get("feature_id", "").strip() for row in rows(path_of(session, FEATURES), FEATURES))
    return list(filter(None, found))


def next_id(taken: Iterable[str], prefix: str | None) -> str:
    """The id after the highest of a series: the prefix's, else that of the newest numbered id."""
    series = [found.groups() for feature in taken if (found := SERIES.fullmatch(feature))]
    if prefix is None:
        prefix = series[-1][0] if series else PREFIX
    digits = [number for head, number in series if head == prefix]
    if not digits:
        return f"{prefix}{FIRST}"
    highest = max(digits, key=int)
    return f"{prefix}{int(highest) + 1:0{len(highest)}d}"


def built(session: Session, windows: Collection[str]) -> Mapping[tuple[str, str], set[str]]:
    """The features that the log lists as built, by window and provider."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in readable(session, FEATURES):
        if row.get("window") in windows and row.get("notes", "").partition(";")[0].strip() != RESERVED:
            found[row["window"], row.get("provider", "")].add(row.get("feature_id", ""))
    return found


def _row(session: Session, given: Mapping[str, Any], feature: str, remark: str | None) -> dict[str, Any]:
    row = dict(given) | {"feature_id": feature, "notes": remark}
    row |= {name: git.lasting(given[name]) for name in COMMITS if given[name]}
    row = {column: redact(row[column]) if isinstance(row[column], str) else row[column] for column in FEATURES.columns}
    date = given["date"] or session.now.date().isoformat()
    return row | {"date": date, "notes": Windows(session).notes(row["notes"])}
