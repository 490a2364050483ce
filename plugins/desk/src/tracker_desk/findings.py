"""What `tracker doctor` reports: findings, whether they were repaired, and at most a few of one kind."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

from attrs import evolve

from tracker.api import Finding
from tracker.kernel import Session, TrackerError, plural

Level: TypeAlias = Literal["error", "warning", "note"]
# how a cure begins that can be typed as it is
PROGRAMS = ("tracker ", "chmod ", "rm ", "mv ", "export ", "printf ")
REPAIR, RESTORE = "tracker doctor --fix", "tracker doctor --restore"
# findings of one kind in one place that are shown one by one
SHOWN = 20


def finding(
    level: Level, check: str, place: object, problem: str, cure: str, fix: Callable[[], object] | None = None
) -> Finding:
    return Finding(severity=level, check=check, place=str(place), problem=problem, cure=cure, fix=fix)


def document(one: Finding, *, is_fixed: bool = False, failure: str | None = None) -> dict[str, Any]:
    """A finding as JSON values, and whether it was repaired; `failure` says why it could not be."""
    cure = one.cure or "see the reason"
    return {
        "level": one.severity,
        "check": one.check,
        "where": one.place,
        "what": f"{one.problem} (found by {one.distribution})" if one.distribution else one.problem,
        "cure": f"{cure}; the repair failed: {failure}" if failure else cure,
        "command": None if is_fixed else _command(one, failure),
        "fixable": one.fix is not None,
        "fixed": is_fixed,
    }


def _command(one: Finding, failure: str | None) -> str | None:
    """What to type; None if nothing has to be done or no command does it."""
    if one.fix is not None and failure is None:
        return REPAIR
    # a repair that failed would fail again
    cure = one.cure if one.cure and not (failure and one.cure == REPAIR) else ""
    if cure.startswith(PROGRAMS):
        return cure
    quoted = re.search(r"`((?:tracker|npm|uv|pip|sed|ls) [^`]*)`", cure)
    return quoted[1] if quoted else None


def repaired(session: Session, one: Finding) -> dict[str, Any]:
    """Repair a finding if that only appends or sets something aside. A plugin that fails does not stop the others."""
    if one.fix is None:
        return document(one)
    names = {plugin.distribution: plugin.name for plugin in session.registry.features}
    whose = names.get(one.distribution, one.distribution)
    guard = session.registry.guarded(whose, "repair") if whose else contextlib.nullcontext()
    try:
        with guard:
            one.fix()
    except (TrackerError, OSError) as error:
        return document(one, failure=str(error))
    return document(one, is_fixed=True)


def limited(found: Iterable[Finding], place: str) -> Iterator[Finding]:
    """The first findings of each kind, then the number of the rest; repairing one repairs all of its kind."""
    counts = Counter[tuple[Level, str]]()
    last: dict[tuple[Level, str], Finding] = {}
    for one in found:
        kind = one.severity, one.check
        counts[kind] += 1
        last[kind] = one
        if counts[kind] <= SHOWN:
            yield one
    for kind, count in counts.items():
        if count > SHOWN:
            more = f"{count - SHOWN} more findings of the kind {kind[1]}"
            yield evolve(last[kind], place=place, problem=more, cure="see those above")


@contextlib.contextmanager
def unreadable(found: list[Finding], place: str, path: Path | None = None) -> Iterator[None]:
    """Turn a failure of a check into a finding; `path` is what the check reads."""
    try:
        yield
    except (TrackerError, OSError) as error:
        cure = f"correct the cause; `ls -l {shlex.quote(str(path))}` shows the file" if path else "correct the cause"
        found.append(finding("error", "unreadable", place, str(error), cure))


def verdict(levels: Counter[str]) -> str:
    parts = [plural(levels[level], level) for level in ("error", "warning", "note") if levels[level]]
    if not parts:
        return "Verdict: everything is as it should be."
    advice = " Start with the errors." if levels["error"] else " No record is lost." if levels["warning"] else ""
    return f"Verdict: {', '.join(parts)}.{advice}"


def advice(commands: Iterable[str | None], data_dir: str | None) -> list[str]:
    """The commands of the findings, each once, with the data directory that was named."""
    named = f"tracker --data-dir {shlex.quote(data_dir)} " if data_dir else "tracker "
    return list(dict.fromkeys(re.sub(r"^tracker ", lambda _: named, one) for one in commands if one))
