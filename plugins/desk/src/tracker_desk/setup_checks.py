"""What `tracker doctor` finds in the set-up: clock, origins, old panes, open windows and anomalies."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta

from tracker.api import Finding, HttpOrigin, Source
from tracker.kernel import Session, TrackerError, Windows, line, span, zone
from tracker_desk import status_text
from tracker_desk.config_values import DERIVED, PRICES, example, held, wrong_prices
from tracker_desk.edits import environment
from tracker_desk.findings import Level, finding
from tracker_desk.machine import missing
from tracker_desk.status import Lane, Status, lane_option, look

OLD = timedelta(days=8)
FORGOTTEN = timedelta(days=2)
# the newest windows whose anomalies are named
LATEST = 20


def setup_findings(session: Session) -> Iterator[Finding]:
    """Problems of the set-up; none concerns the records."""
    yield from _clock(session)
    yield from _prices(session)
    yield from _folder(session)
    yield from _keys(session)
    yield from _entries(session)
    try:
        status = look(session, with_outlooks=False)
    except TrackerError:
        # a stream that cannot be read has a finding of its own
        return
    for name in sorted({lane.mark.provider for lane in status.lanes}):
        source = session.registry.sources.get(name)
        if source is not None:
            yield from _origins(session, source, status)
    for lane in status.lanes:
        # what no plugin reads has a finding of its own, and no command ends it
        yield from _lane(session, lane) if lane.source is not None else ()
    yield from _anomalies(session, status)


def _clock(session: Session) -> Iterator[Finding]:
    if session.config.timezone is None:
        try:
            zone(None)
        except TrackerError as error:
            yield finding("warning", "clock", "TZ", str(error), "tracker config set timezone Europe/Berlin")


def _prices(session: Session) -> Iterator[Finding]:
    """Prices in another unit than their provider's, which no command counts."""
    for source, problem in wrong_prices(session, session.settings_file.values.get(PRICES, {})):
        place, cure = (
            session.settings_file.place(PRICES),
            f"tracker config set {PRICES}.{source.name} {example(source)}",
        )
        yield finding("warning", "settings", place, problem.rstrip("."), f"with your price: `{cure}`")


def _folder(session: Session) -> Iterator[Finding]:
    """A data directory that git would track: panes are private."""
    root = session.root.resolve()
    program = shutil.which("git")
    if program is None or not any((folder / ".git").exists() for folder in root.parents):
        return
    # the first record brings a .gitignore
    if not session.journal.streams():
        return
    is_tracked = held(session)["data.track"].value
    # the repository may be hostile: read no index, and run nothing that its settings name
    words = ["-C", str(root), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    command = [program, *words, "check-ignore", "--no-index", "--quiet", ".index/any" if is_tracked else "any.jsonl"]
    if subprocess.run(command, capture_output=True, timeout=20, check=False, env=environment()).returncode == 1:
        path = root / ".gitignore"
        # keep what is there: a .gitignore that somebody wrote, and other files around the records
        line = r"'*.jsonl\n' >>" if path.exists() or (root / ".git").exists() else r"'*\n' >"
        cure, problem = f"printf {line} {shlex.quote(str(path))}", "is in a git repository that would track your panes"
        if is_tracked:
            forget = f"git -C {shlex.quote(str(root))} rm -rfq --cached --ignore-unmatch .index .lock state"
            cure = f"printf {DERIVED} >> {shlex.quote(str(path))} && {forget}"
            problem = "lets git track derived files, which change with every look and conflict in merges"
        yield finding("warning", "folder", root, problem, cure)


def _keys(session: Session) -> Iterator[Finding]:
    """Keys that were pasted with a space or a line break; they are never shown."""
    origins = [one for source in session.registry.sources.values() for one in source.origins]
    for name in dict.fromkeys(one.key for one in origins if isinstance(one, HttpOrigin)):
        key = os.environ.get(name)
        if key and re.search(r"[\s\x00-\x1f]", key):
            cure = f'export {name}="$(printf %s "${name}" | tr -d "[:space:]")"'
            yield finding("warning", "key", name, "contains white space, and keys never do", cure)


def _entries(session: Session) -> Iterator[Finding]:
    """Entries that `tracker setup` wrote for another installation, as after a move or an upgrade."""
    from tracker_desk.setup import outdated

    for edit in outdated(session):
        problem = f"the entry that setup added for the {edit.title.lower()} calls another installation"
        yield finding("warning", "setup", edit.place, problem, "tracker setup")


def _origins(session: Session, source: Source, status: Status) -> Iterator[Finding]:
    """A provider without a readable origin here: each capture has to be pasted."""
    reasons = [reason for origin in source.origins if (reason := missing(origin))]
    if reasons and len(reasons) == len(source.origins):
        cure = next((f"{origin.cure}, or paste it: " for origin in source.origins if origin.cure), "paste it: ")
        opened = [lane for lane in status.lanes if lane.mark.provider == source.name and lane.is_open]
        command = f"tracker start {source.name}"
        if opened:
            # a second start would replace the BEFORE, even that of another machine, which ends it
            is_ours = opened[0].due.command is not None
            command = f"tracker end {source.name}" if is_ours else f"{command} --window W"
            command += lane_option(session, opened[0].agent_id)
        cure += f"`{command}`"
        problem = f"cannot be read automatically: {'; '.join(dict.fromkeys(reasons))}"
        yield finding("note", "origin", source.name, problem, cure)


def _lane(session: Session, lane: Lane) -> Iterator[Finding]:
    name, place = lane.mark.provider, status_text.lane_name(lane)
    agent = lane_option(session, lane.agent_id)
    age = session.now - lane.taken
    # None if another machine or a missing plugin has to end it
    command = lane.due.command if lane.is_open else None
    if command and age > FORGOTTEN:
        problem = f"{line(lane.mark.window)} has been open for {span(age)}"
        yield finding("warning", "open", place, problem, command)
    elif command and session.now - lane.as_of > OLD:
        problem = f"the BEFORE of {line(lane.mark.window)} shows values that are {span(session.now - lane.as_of)} old"
        yield finding("warning", "old", place, problem, f"tracker start {name} --stdin{agent}")
    for left in lane.also_open:
        why = f": {line(left.due.reason)}" if left.due.action is None else ""
        yield finding("warning", "open", place, f"{line(left.mark.window)} was never ended{why}", left.command)


def _anomalies(session: Session, status: Status) -> Iterator[Finding]:
    """Open anomalies of the latest windows; a finalized one was judged with them."""
    latest, unfinished = set(session.index.newest_windows(LATEST)), set(Windows(session).unfinished())
    for entry in status.anomalies:
        window, name, kind = (str(entry.record.get(key)) for key in ("window", "provider", "kind"))
        # records of a provider that is not installed have one finding of their own
        if window in latest and name in session.registry.sources:
            problem = line(f"{name} {kind}: {entry.record.get('cause')}")
            cure = shlex.join(["tracker", "window-audit", "--window", window])
            level: Level = "warning" if window in unfinished else "note"
            yield finding(level, "anomaly", line(window), problem, cure)
