"""Windows of two directories that differ: the same work that both continued, or different work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from shlex import quote

from attrs import define, field

from tracker.kernel import Session, TrackerError

# windows whose records are compared at once
PART = 2000
# the most windows that a message names
MOST = 20
FINALIZED = "windows"


@define
class Differences:
    """changed: the same work; both have a finalize row of it, or captures, and only the finalizing differs.

    forked: the same work, which each side ended. clashes: different work. kept: different work too, but one side took
    its captures out and has other records of the window.
    """

    changed: list[str] = field(factory=list)
    forked: list[str] = field(factory=list)
    clashes: list[str] = field(factory=list)
    kept: list[str] = field(factory=list)


def changed(session: Session, there: Session, folder: Path) -> list[str]:
    """The windows of one work that each side finalized, or captured a provider for, without the other.

    Windows of different work, or that each ended, are refused.
    """
    found = _differences(session, there)
    if found.clashes or found.kept:
        raise _refusal(there, folder, found)
    if forked := found.forked:
        raise TrackerError(
            f"{listed(forked)} began as the same work here and in {folder}, and each side captured its own AFTER."
            " Expected one AFTER. Nothing was stored. On the machine whose AFTER should not count, type"
            f" `tracker complete --reopen --window {quote(forked[0])}` if it is finalized, then `tracker alias delete"
            f" PROVIDER --phase after --window {quote(forked[0])} --keep-readings`. Keep the BEFORE, which both"
            " sides have, and import again. With --force the later AFTER and `complete` count, for good: `tracker undo`"
            " cannot take back an import."
        )
    return found.changed


def _differences(session: Session, there: Session) -> Differences:
    """The windows that both have and that differ, by how they do."""
    mine = set(session.index.windows())
    common = iter([one for one in there.index.windows() if one in mine])
    found = Differences()
    while some := list(islice(common, PART)):
        (ours, our_ids), (theirs, their_ids) = (_ids(one, session, some) for one in (session, there))
        for window in some:
            own, other = ours[window], theirs[window]
            we_know, they_know = our_ids[window], their_ids[window]
            both = own.keys() & other.keys()
            apart = {key for key in both if own[key] - they_know and other[key] - we_know}
            joint = {key for key in both if own[key] & they_know or other[key] & we_know}
            if apart and ("" in joint or (joint and apart == {""})):
                found.changed.append(window)
            elif apart:
                (found.forked if apart & joint else found.clashes).append(window)
            elif (
                bool(own) != bool(other)
                and we_know
                and they_know
                and we_know.isdisjoint(they_know)
                and _has_more(there if own else session, window)
            ):
                found.kept.append(window)
    return found


def _has_more(session: Session, window: str) -> bool:
    """Whether a window holds more than captures and records about them."""
    captures = {FINALIZED, "anomalies", *session.registry.status_streams}
    others = [stream for stream in session.journal.streams() if stream not in captures]
    return any(True for stream in others for _ in session.index.entries(stream, [window]))


def _refusal(there: Session, folder: Path, found: Differences) -> TrackerError:
    clashes, named = found.clashes, found.clashes or found.kept
    refused = {*clashes, *found.kept, *found.forked}
    others = [window for window in there.index.windows() if window not in refused]
    why = "each side has records that the other lacks, and in one window some would hide the others"
    if not clashes:
        why = "one side took its captures out, and its churn, evidence or events would count as the other side's"
    said = f"{listed(named)} {'are' if named[1:] else 'is'} used for different work here and in {folder}: {why}."
    said += " Nothing was stored."
    if others:
        wanted = " ".join(f"--window {quote(one)}" for one in others) if len(others) <= MOST else "--window ID"
        export = f"tracker --data-dir {quote(str(folder))} export --format jsonl --out OUT {wanted}"
        said += f" `{export}` exports the rest for `tracker import OUT`."
    if clashes:
        said += (
            " To have both here, store one again under a new id where it was made (`tracker windows add ID --from TIME"
            " --to TIME`) with its churn, evidence and events, and take its old captures out (`tracker alias delete"
            f" PROVIDER --window {quote(clashes[0])} --keep-readings`)."
        )
    return TrackerError(
        f"{said} With --force the latest captures and the latest `complete` count, for good: `tracker undo` cannot take"
        " back an import."
    )


def listed(windows: Sequence[str]) -> str:
    more = f" and {len(windows) - MOST} more" if len(windows) > MOST else ""
    return ", ".join(windows[:MOST]) + more


def _ids(
    there: Session, session: Session, windows: Sequence[str]
) -> tuple[Mapping[str, Mapping[str, set[str]]], Mapping[str, set[str]]]:
    """Per window: the ids of standing captures by provider, with finalize rows under ''; and all ids."""
    standing: dict[str, dict[str, set[str]]] = {window: {} for window in windows}
    known: dict[str, set[str]] = {window: set() for window in windows}
    for stream in (FINALIZED, *session.registry.status_streams):
        for entry in there.index.entries(stream, windows, removed=True):
            known[str(entry.record.get("window"))].add(entry.record_id)
        for entry in there.index.entries(stream, windows):
            provider = "" if stream == FINALIZED else str(entry.record.get("provider"))
            standing[str(entry.record.get("window"))].setdefault(provider, set()).add(entry.record_id)
    return standing, known
