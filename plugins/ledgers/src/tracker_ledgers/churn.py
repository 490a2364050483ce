"""Churn: the lines that changed between a window's commits, per feature that was finished in it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import evolve, fields, frozen

from tracker.kernel import (
    Capture,
    FinalizeRow,
    Session,
    TrackerError,
    Windows,
    canonical,
    line,
    near,
    plural,
    stamp,
    value,
)
from tracker_ledgers import csv_append, documents, git, ledgers, settings
from tracker_ledgers.churn_view import counted_features, per_feature
from tracker_ledgers.command_log import quoted, taken_at, typed
from tracker_ledgers.diffs import diff, pathspecs

# for a capture's commit that git does not know: another machine made it, or it was squashed
FETCH = "`git fetch` gets commits that were pushed; otherwise COMMIT is the one that has the work now"
STREAM = "churn"
MISSING = "missing-commit-range"
# A capture stored later than this was not live: other commits may have been checked out by then.
LATE = timedelta(minutes=1)
FIGURES = ("files_changed", "insertions", "deletions", "net")


@frozen(kw_only=True)
class Request:
    """What to measure. `paths` and `exclude` are git pathspecs, relative to the working directory."""

    window: str
    provider: str | None = None
    methodology: str | None = None
    commit_start: str | None = None
    commit_end: str | None = None
    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    features: float | None = None
    notes: str | None = None
    ledger_path: Path | None = None

    @property
    def words(self) -> str:
        """The options that say what to measure."""
        return quoted(self._options("commit_start", "commit_end", "paths", "exclude", "features"))

    @property
    def command(self) -> str:
        """The command that measures it."""
        return typed("churn", *self._options(*(one.name for one in fields(Request))))

    def _options(self, *names: str) -> Iterator[str]:
        for name in names:
            given = getattr(self, name)
            for one in given if isinstance(given, tuple) else (given,):
                if one not in (None, ""):
                    yield from (f"--{name.replace('_', '-')}", value(one) if isinstance(one, float | int) else str(one))


@frozen
class NamedCommit:
    """A commit, and who named it.

    at: when the capture that names it was taken, if it was stored later. cure: what helps if git does not know it.
    """

    commit: str
    by: str
    at: datetime | None = None
    cure: str = ""

    def resolve(self) -> str:
        found = git.resolve(self.commit, self.by, self.cure)
        if self.at is not None and git.made_at(found) > self.at.timestamp() and not git.is_shallow():
            return git.of_time(int(self.at.timestamp()))
        return found

    def correction(self, sha: str) -> str:
        """The note on a capture that names a commit made after it."""
        if self.at is None or sha.startswith(self.commit):
            return ""
        return f"{self.by} names {self.commit[:12]}, which was made later: used {sha[:12]}, the commit of that time"


@frozen(kw_only=True)
class Churn:
    """A record that is not stored yet, and what to say about it."""

    record: dict[str, Any]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def row(self) -> dict[str, Any]:
        record = self.record
        known = {name: record.get(name) for name in ledgers.CHURN.columns if name != "date"}
        return {"date": record["captured_at"][:10]} | known


def book(session: Session, request: Request) -> None:
    """Measure a window, append the record and the ledger's row, and say what was measured."""
    measured = measure(session, request)
    if session.dry_run:
        ledgers.check(session, ledgers.CHURN, request.ledger_path)
    else:
        with session.journal.lock(), csv_append.opened(session, ledgers.CHURN, request.ledger_path) as ledger:
            append(session, ledger, measured)
    remark(session, measured)
    if session.dry_run or session.json:
        session.data(measured.record)
    else:
        session.say(sentence(measured.record))


def append(session: Session, ledger: csv_append.OpenLedger, measured: Churn) -> None:
    """Append the row, then the record; a row without its record is reversed."""
    ledger.append(measured.row)
    try:
        session.journal.append(STREAM, [measured.record])
    except TrackerError:
        ledger.append(ledgers.reversing(measured.row, ledgers.UNRECORDED))
        raise


def remark(session: Session, measured: Churn) -> None:
    """Warn and note what a reader of the figures has to know."""
    window, provider = (measured.record[name] for name in ("window", "provider"))
    Windows(session).note_missing(Windows(session).missing_plugins([window]))
    if provider is not None and (why := absent(session, window, provider)):
        session.warn(why)
    for text in measured.warnings:
        session.warn(text)
    for text in measured.notes:
        session.note(f"note: {text}")


def sentence(record: Mapping[str, Any]) -> str:
    """The record as a person reads it, in the words of the preview."""
    head = f"recorded churn for {record['window']}: "
    if record.get("decision"):
        return f"{head}decision={record['decision']}"
    files, added, deleted, net = (value(record[name]) for name in FIGURES)
    each = value(record["normalized_churn"], digits=None if isinstance(record["normalized_churn"], int) else 2)
    return f"{head}files={files}, +{added}/-{deleted} (net={net}), per-feature={each}"


# --- measuring again


def measured_rows(session: Session, windows: Iterable[str]) -> list[Mapping[str, Any]]:
    """The churn rows of windows in which something was measured, oldest first."""
    rows = (entry.record for entry in session.index.entries(STREAM, windows))
    # an import appends older rows after newer ones
    return sorted((row for row in rows if row.get("files_changed") is not None), key=taken_at)


def repeated(session: Session, window: str, provider: str | None, notes: str | None) -> Request:
    """What to measure again: the options of the window's newest row still hold, and a note says so."""
    measured = measured_rows(session, [window])
    own = (row for name in (provider, None) for row in reversed(measured) if row.get("provider") == name)
    last: Mapping[str, Any] = next(own, {})
    named = [name for name in ("commit_start", "commit_end") if name in (last.get("given") or ())]
    usual = session.settings(settings.Churn).exclude
    request = Request(
        window=window,
        provider=provider,
        notes=notes,
        methodology=last.get("methodology"),
        **{name: last.get(name) for name in named},
        paths=_rooted(last.get("paths") or (), ""),
        exclude=_rooted([one for one in last.get("exclude") or () if one not in usual], ""),
        features=last.get("features") if last.get("features_from") == "option" else None,
    )
    if words := request.words:
        session.note(f"note: churn is measured as in the window's last row: {words}")
    return request


# --- who did the work


def captures_of(session: Session, window: str) -> dict[str, list[Capture]]:
    """The captures of a window by provider."""
    return {name: group for (_, name), group in Windows(session).captures([window]).items()}


def absent(session: Session, window: str, provider: str) -> str:
    """A sentence if a provider was not captured in a window in which others were; else empty."""
    captured = sorted(captures_of(session, window))
    if not captured or provider in captured:
        return ""
    return f"{provider} was not captured in {line(window)}, only {' and '.join(captured)}"


def shared(session: Session, window: str, provider: str) -> str:
    """A sentence if others used their quota in the window at the same time: git cannot tell whose lines are whose."""
    groups = captures_of(session, window)
    if provider not in groups:
        return ""
    begin, end = _times(session, window, groups[provider])
    found = [provider]
    for name in sorted(groups.keys() - {provider}):
        start, stop = _times(session, window, groups[name])
        is_apart = begin and start and ((end and end <= start) or (stop and stop <= begin))
        if not is_apart and canonical(groups[name]).capacity(session, session.registry.sources[name]) != 0:
            found.append(name)
    return f"{', '.join(found[:-1])} and {found[-1]} worked in {line(window)} at the same time" if found[1:] else ""


def _times(session: Session, window: str, group: list[Capture]) -> tuple[datetime | None, datetime | None]:
    return Windows(session).spans([window], {(window, ""): group}).get(window, (None, None))


# --- the range


def commit_range(session: Session, request: Request) -> tuple[NamedCommit | None, NamedCommit | None]:
    """Start and end, each from the options, else the finalize row, else where the window's captures were taken."""
    row = Windows(session).finalized([request.window]).get(request.window)
    first, last = _captured_at(session, request)

    def named(option: str, given: str | None, captured: NamedCommit | None) -> NamedCommit | None:
        if given is not None:
            return NamedCommit(given, f"--{option}")
        found = row.text(option.replace("-", "_")) if row else None
        if found:
            clear = typed("complete", "--window", request.window, "--clear", option)
            cure = f" `{clear}` clears it there."
            return NamedCommit(found, f"the finalize row of {request.window}", cure=cure)
        changed: dict[str, Any] = {option.replace("-", "_"): "COMMIT"}
        cure = f" {FETCH}: `{evolve(request, **changed).command}`."
        return captured and evolve(captured, cure=cure)

    return (
        named("commit-start", request.commit_start, first),
        named("commit-end", request.commit_end, last),
    )


def unread(session: Session, window: str) -> str:
    """Why captures of a window are not read here, and what helps; empty if all are."""
    missing = [one for one in Windows(session).missing_plugins([window]) if one.measured]
    problems, cures = (dict.fromkeys(getattr(one, name) for one in missing) for name in ("problem", "cure"))
    return f"{'; '.join(problems)}. To read it, {'; '.join(cures)}" if missing else ""


def range_options(session: Session, window: str) -> list[str]:
    """The options that `churn` needs here: an unknown start, and commits git does not know, as after a squash."""
    start, end = commit_range(session, Request(window=window))
    first = ["--commit-start", "COMMIT"] if start is None or git.is_lost(start.commit) else []
    return [*first, *(["--commit-end", "COMMIT"] if end and git.is_lost(end.commit) else [])]


def _captured_at(session: Session, request: Request) -> tuple[NamedCommit | None, NamedCommit | None]:
    """`git_head` of the provider's canonical BEFORE and AFTER; without a provider, of the window's first and last."""
    groups = captures_of(session, request.window)
    pairs = [canonical(group) for name, group in groups.items() if request.provider in (None, name)]
    befores = sorted((pair.before for pair in pairs if pair.before), key=lambda capture: capture.order)
    afters = sorted((pair.after for pair in pairs if pair.after), key=lambda capture: capture.order)
    return _head(befores, "BEFORE"), _head(reversed(afters), "AFTER")


def _head(found: Iterable[Capture], phase: str) -> NamedCommit | None:
    for capture in found:
        head = capture.record.get("git_head")
        if isinstance(head, str) and head:
            # a commit in the same second as the BEFORE belongs to the work
            at = capture.captured_at - timedelta(microseconds=phase == "BEFORE")
            return NamedCommit(head, f"the {phase} capture", at=at if _is_late(capture) else None)
    return None


def _is_late(capture: Capture) -> bool:
    """Whether its commit may be a later one: its `command_id` begins with the nanoseconds at which it was stored."""
    if capture.record.get("source") == "history":
        # it has the commits of the work, which may be later than its readings
        return False
    stored = re.match("[0-9a-f]{16}", str(capture.record.get("command_id")))
    return stored is not None and int(stored[0], 16) / 1e9 > (capture.captured_at + LATE).timestamp()


# --- the record


def measure(session: Session, request: Request) -> Churn:
    """Measure a window and make its record, without writing."""
    row = Windows(session).finalized([request.window]).get(request.window)
    start, end = commit_range(session, request)
    features, counted = request.features, "option"
    if features is None:
        features, counted = counted_features(row.features if row else {}, request.provider), "finalize"
    figures = {"features": features, "features_from": None if features is None else counted}
    if start is None:
        return _unmeasured(session, request, row, figures)
    git.require_repository()
    specs = pathspecs(request.paths, request.exclude, session.settings(settings.Churn).exclude)
    until = end or NamedCommit("HEAD", "default")
    found, warnings = diff(start.resolve(), until.resolve(), specs, until.cure)
    remarks, notes = [request.notes], []
    if end is None:
        notes.append(f"the window's end commit is not known: measured up to HEAD ({found['commit_end'][:12]})")
    for one, name in ((start, "commit_start"), (end, "commit_end")):
        if one and (text := one.correction(found[name])):
            notes.append(text)
    if prototypes := found["prototypes"]:
        remarks.append(f"left out {plural(len(prototypes), 'prototype commit')} (xproto::)")
        notes.append(f"{remarks[-1]}: {', '.join(sha[:12] for sha in prototypes)}")
    if found["files_changed"] == 0:
        notes.append(_nothing(request, found, end, within=bool(specs)))
    if request.provider is not None and (whose := shared(session, request.window, request.provider)):
        cure = typed("churn", "--window", request.window)
        own = f"{whose}: all lines count as {request.provider}'s"
        notes.append(f"{own}. To count them as the window's instead, run `tracker undo`, then `{cure}`")
    each = {"normalized_churn": per_feature(found["net"], features)}
    record = _record(session, request, row, remarks, found | each | figures)
    return Churn(record=record, warnings=warnings, notes=tuple(notes))


def _rooted(given: Sequence[str], folder: str | None = None) -> tuple[str, ...]:
    """Pathspecs of a folder, by default this one, that mean the same here and at the repository's top."""
    if not (given and (here := git.prefix())):
        return tuple(given)
    place = here if folder is None else folder
    return tuple(one if one.startswith((":", "/")) else f":(top){posixpath.normpath(place + one)}" for one in given)


def _nothing(request: Request, found: Mapping[str, Any], end: NamedCommit | None, *, within: bool) -> str:
    """A note that nothing changed, and how to measure commits after the window's end."""
    base = found["commit_base"] or found["commit_start"]
    text = f"nothing changed between {base[:12]} and {found['commit_end'][:12]}{' in these paths' if within else ''}"
    if end is None or request.commit_end is not None:
        return text
    cure = evolve(request, commit_end="HEAD").command
    return f"{text}, the end that {end.by} names. If you committed later, run `{cure}`"


def _unmeasured(session: Session, request: Request, row: FinalizeRow | None, figures: Mapping[str, Any]) -> Churn:
    if problem := unread(session, request.window):
        # the commit may be in one of those captures
        raise TrackerError(f"No start commit is known for {line(request.window)}: {problem}. Nothing was stored.")
    known = [] if session.index.knows(request.window) else session.index.windows()
    hint = f", and no record names that window. {near(request.window, known)}" if known else ""
    cure = evolve(request, commit_start="COMMIT").command
    recorded = "It would be recorded as" if session.dry_run else "Recorded"
    warning = (
        f"No start commit is known for {line(request.window)}{hint or '.'} {recorded} decision={MISSING}."
        f" Run `{cure}`, or capture BEFORE inside the repository."
    )
    remarks = [request.notes, f"decision={MISSING}"]
    record = _record(session, request, row, remarks, {"decision": MISSING, **figures})
    return Churn(record=record, warnings=(warning,))


def _record(
    session: Session,
    request: Request,
    row: FinalizeRow | None,
    remarks: Iterable[str | None],
    figures: Mapping[str, Any],
) -> dict[str, Any]:
    named = ("commit_start", "commit_end", *FIGURES, "features", "features_from", "normalized_churn", "decision")
    empty = dict.fromkeys(named)
    return stamp(
        window=request.window,
        provider=request.provider,
        # the later row counts, also if the clock of an earlier one was ahead
        captured_at=max([session.now, *map(taken_at, measured_rows(session, [request.window]))]),
        source="churn",
        notes=Windows(session).notes("; ".join(filter(None, remarks))),
        agent_id=session.lane,
        methodology=request.methodology or (row.text("methodology") if row else None),
        **(empty | dict(figures)),
        given=[name for name in ("commit_start", "commit_end") if getattr(request, name) is not None],
        paths=list(_rooted(request.paths)),
        exclude=list(_rooted(request.exclude)),
        settings_exclude=list(session.settings(settings.Churn).exclude),
        ledger_path=documents.place(session, request.ledger_path or ledgers.path_of(session, ledgers.CHURN)),
    )
