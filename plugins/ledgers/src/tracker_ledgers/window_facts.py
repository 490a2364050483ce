"""What the ledgers tell other features about windows: churn, features, evidence, the token ledger's largest rows."""

from __future__ import annotations

import os
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracker.api import Block, Check, Row
from tracker.kernel import Session, Windows, line, plural
from tracker_ledgers import ledgers, reversal
from tracker_ledgers.churn import FETCH, Request, commit_range, measured_rows, range_options, unread
from tracker_ledgers.churn_view import current
from tracker_ledgers.command_log import typed
from tracker_ledgers.evidence import FAIL, PASS, PLACEHOLDER, SKIP, is_named
from tracker_ledgers.features import built

PREVIEW = "uat-preview"  # the capability of `uat`'s own look at the preview

TOP = 3
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def facts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Net churn per feature, files and logged features by window and provider; the newest churn row counts."""
    found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    # whoever disables the view wants none of its columns either
    is_left_out = any(one.name == "churn" for one in session.registry.disabled)
    records = [] if is_left_out else measured_rows(session, windows)
    rows = Windows(session).finalized({str(record.get("window")) for record in records}) if records else {}
    for record in records:
        key = (str(record.get("window")), str(record.get("provider") or ""))
        now = current(record, rows[key[0]].features if key[0] in rows else {})
        found[key] |= {"churn": now.get("normalized_churn"), "files": now.get("files_changed")}
    for key, features in built(session, set(windows)).items():
        found[key]["features_logged"] = len(features)
    return dict(found)


def checks(session: Session, window: str) -> list[Check]:
    return [_churn(session, window), evidence(session, window)]


def section(session: Session) -> Block | None:
    """The largest rows of the token ledger; rows without a number, as people may write, are left out."""
    known = [(tokens, row) for row in ledgers.readable(session, ledgers.TOKENS) if (tokens := _tokens(row)) is not None]
    largest = [row for _, row in sorted(known, key=lambda found: -found[0])[:TOP]]
    names = ("date", "session_id", "task", "tokens_actual", "tokens_planned", "notes")
    rows = tuple(Row(values={name: row[name] for name in names if row.get(name)}) for row in largest)
    return Block(title="Token ledger", rows=rows) if rows else None


def _churn(session: Session, window: str) -> Check:
    files = [found["files"] for found in facts(session, [window]).values() if "files" in found]
    if files:
        rows = len(measured_rows(session, [window]))
        about = [plural(rows, "row")]
        if rows > len(files):
            about.append("the newest of each provider counts")
        if not any(files):
            about.append("no file changed")
        return Check(name="churn", state="ok", text=f"Churn is measured ({', '.join(about)}).")
    text, options = "No churn is measured.", range_options(session, window)
    if options and commit_range(session, Request(window=window))[0] is None:
        if problem := unread(session, window):
            return Check(name="churn", state="missing", text=f"No churn is measured: {problem}.")
        is_captured = bool(Windows(session).captures([window]))
        why = "no BEFORE names a commit, as outside a git repository" if is_captured else "it holds no captures"
        text = (
            f"No churn is measured: {why}. In the repository of the work, COMMIT is the last one before it."
            " Without a repository this stays missing."
        )
    elif options:
        text = f"{text} Git does not know its commits here. {FETCH}."
    return Check(name="churn", state="missing", text=text, cure=typed("churn", "--window", window, *options))


def evidence(session: Session, window: str) -> Check:
    """A fail newer than its capability's last pass counts against the window; a skip counts for nothing."""
    if problem := ledgers.damage(session, ledgers.EVIDENCE):
        text = f"The evidence cannot be read and may hold a failure. {problem}"
        return Check(name="evidence", state="failed", text=text, cure="tracker doctor")
    rows = [row for row in ledgers.readable(session, ledgers.EVIDENCE) if row.get("window_id") == window]
    named = [row for row in rows if is_named(row)]
    newest = {_capability(row): row for row in named if _result(row) in (PASS, FAIL)}
    failed = [row for row in newest.values() if _result(row) == FAIL]
    passed = [row for row in named if _result(row) == PASS]
    # records in order do not prove that what was built works
    tests = [row for row in passed if row["capability_id"].strip() != PREVIEW]
    unnamed = len(rows) - len(named)
    verb = "does" if unnamed == 1 else "do"
    more = f" {plural(unnamed, 'row')} without a capability {verb} not count." if unnamed else ""
    if other := next((row["result"] for row in named if _result(row) not in (PASS, FAIL, SKIP)), None):
        more += f" A result such as {line(other)!r} does not count. Expected {PASS}, {FAIL} or {SKIP}."
    add = ["evidence", "add", "--window-id", window]
    uat = typed("uat", "--window", window, "--record")
    if failed:
        return _failed(failed, named, more, add, uat)
    if found := _unread(session, window, rows, add):
        return found
    if tests:
        return Check(name="evidence", state="ok", text=f"Evidence passed ({plural(len(tests), 'row')}).{more}")
    if passed:
        text = f"No test has passed; only the preview was checked.{more}"
        cure = typed(*add, "--capability", PLACEHOLDER, "--result", PASS)
        return Check(name="evidence", state="missing", text=text, cure=cure)
    return Check(name="evidence", state="missing", text=f"No evidence has passed.{more}", cure=uat)


def _unread(session: Session, window: str, rows: Sequence[Mapping[str, str]], add: Sequence[str]) -> Check | None:
    """Failures that commands recorded and the file here lacks: another folder, branch or program has its own file."""
    here, read = ledgers.path_of(session, ledgers.EVIDENCE), [ledgers.content(ledgers.EVIDENCE, row) for row in rows]
    recorded = [one for one in reversal.written(session, ledgers.EVIDENCE, window) if one.row["capability_id"]]
    absent = [one for one in recorded if ledgers.content(ledgers.EVIDENCE, one.row) not in read]
    newest = {_capability(one.row): one for one in recorded if _result(one.row) in (PASS, FAIL)}
    if lost := next((one for one in newest.values() if one in absent and _result(one.row) == FAIL), None):
        # the path of another machine's file means nothing here
        place = f"on another machine, whose {here.name} has it" if lost.is_imported else f"in {line(str(lost.path))}"
        text = f"The evidence file read here lacks {_named(lost.row)}, which failed: this was recorded {place}."
        text += " Repeat it, and record the result if it passes."
        return Check(
            name="evidence", state="failed", text=text, cure=typed(*add, *_options(lost.row), "--result", PASS)
        )
    elsewhere = (one.path for one in absent if not one.is_imported and str(one.path) != os.path.realpath(here))
    if rows or (path := next(filter(Path.is_file, elsewhere), None)) is None:
        return None
    text = f"The evidence file read here has nothing on this window: its evidence is in {line(str(path))}."
    cure = f"cd {shlex.quote(str(path.parent))} && {typed('decision-card', '--window', window)}"
    return Check(name="evidence", state="missing", text=text, cure=cure)


def _failed(
    failed: Sequence[Mapping[str, str]], named: Sequence[Mapping[str, str]], more: str, add: Sequence[str], uat: str
) -> Check:
    # the next `uat` does not repeat what failed in an older run or was recorded by a person
    runs = [row.get("test_run_id") for row in named if row["capability_id"].strip() == PREVIEW]
    others = [row for row in failed if row.get("test_run_id") not in runs[-1:]]
    what = ", ".join(dict.fromkeys(_named(row) for row in failed))
    text = f"Evidence failed, and no later run passed: {what}.{more}"
    if not others:
        return Check(name="evidence", state="failed", text=text, cure=uat)
    # a row alone would be a claim without a run
    if len(others) < len(failed):
        text += f" `{uat}` repeats what it ran."
    text += f" Repeat {_named(others[0])}, and record the result if it passes."
    cure = typed(*add, *_options(others[0]), "--result", PASS)
    return Check(name="evidence", state="failed", text=text, cure=cure)


def _result(row: Mapping[str, str]) -> str:
    """`pass`, `fail` or `skip`, even if a person typed `failed` or `Passing`."""
    return row.get("result", "").strip().lower()[:4]


def _capability(row: Mapping[str, str]) -> tuple[str, str]:
    """What a row proves. Rows of an older `uat` differ by their runner."""
    name = row["capability_id"].strip()
    return name, row.get("runner", "") if name == "uat" else ""


def _options(row: Mapping[str, str]) -> list[str]:
    name, runner = _capability(row)
    return ["--capability", name, *(["--runner", runner] if runner else [])]


def _named(row: Mapping[str, str]) -> str:
    name = row["capability_id"]
    return line(f"{name} ({row['test_run_id']})" if row.get("test_run_id") else name)


def _tokens(row: Mapping[str, str]) -> float | None:
    text = row.get("tokens_actual", "").strip()
    return float(text) if NUMBER.fullmatch(text) else None
