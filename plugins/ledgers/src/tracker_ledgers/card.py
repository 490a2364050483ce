"""The decision card of a window: GO, SOFT GO or NO-GO, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from tracker.api import Check
from tracker.kernel import Capture, FinalizeRow, Session, Windows, canonical, line, number
from tracker_ledgers.churn import captures_of, unread
from tracker_ledgers.command_log import typed
from tracker_ledgers.window_state import (
    Loss,
    came_by_import,
    fallen,
    is_ahead,
    loss,
    pair_step,
    stale,
    unknown,
    unpaired,
)

GOOD = ("pass", "partial")
STATUS = {"GO": 0, "SOFT GO": 3, "NO-GO": 4}


@frozen(kw_only=True)
class Card:
    """The kernel's own checks, which must all hold, and the features' checks, which must not fail."""

    window: str
    needed: tuple[Check, ...]
    wanted: tuple[Check, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.needed + self.wanted

    @property
    def verdict(self) -> str:
        if any(check.state != "ok" for check in self.needed) or any(check.state == "failed" for check in self.wanted):
            return "NO-GO"
        return "GO" if all(check.state == "ok" for check in self.wanted) else "SOFT GO"

    @property
    def completeness(self) -> tuple[int, int]:
        """How many questions have a good answer. Checks of one name are one question."""
        names = {check.name for check in self.checks}
        return len(names.difference(check.name for check in self.checks if check.state != "ok")), len(names)


def card(session: Session, window: str) -> Card:
    if (error := unknown(session, window)) is not None:
        raise error
    answers = session.registry.ask("window_checks", session=session, window=window)
    return Card(
        window=window,
        needed=(*_finalized(session, window), _anomalies(session, window)),
        wanted=tuple(check for answer in answers for check in answer),
    )


def _finalized(session: Session, window: str) -> Iterator[Check]:
    row = Windows(session).finalized([window]).get(window)
    groups = captures_of(session, window)
    fell = fallen(session, Windows(session).open_anomalies([window]))
    # `complete` refuses a window that is open, that lost a capture, or whose capacity meter fell
    if row is None:
        refusal = _refusal(session, window, groups, fell)
        is_refused = refusal is not None
        check = refusal or _missing("The window is not finalized.", _again(window))
        there = " It came by `tracker import`: do this on the machine it came from, or here if you moved here."
        yield evolve(check, text=check.text + there) if came_by_import(session, groups) else check
    else:
        lost = loss(session, row, groups)
        is_refused = bool(lost or fell or unpaired(row, groups))
        yield _of_row(session, row, groups, lost, is_fallen=bool(fell))
    outcome = row.text("outcome") if row else None
    if outcome is None:
        cure = None if is_refused else f"{_again(window)} --outcome pass"
        yield Check(name="outcome", state="missing", text="No outcome is given.", cure=cure)
    else:
        yield Check(
            name="outcome", state="ok" if outcome in GOOD else "failed", text=f"The outcome is {line(outcome)}."
        )


def _again(window: str) -> str:
    return typed("complete", "--window", window)


def _missing(text: str, cure: str | None = None) -> Check:
    return Check(name="finalized", state="missing", text=text, cure=cure)


def _refusal(session: Session, window: str, groups: Mapping[str, list[Capture]], fell: Sequence[str]) -> Check | None:
    """Why `complete` would refuse a window that is not finalized."""
    if problem := unread(session, window):
        return _missing(f"The window cannot be finalized: {problem}.")
    if not groups:
        begin = typed("start", "PROVIDER", "--stdin", "--window", window)
        return _missing("The window cannot be finalized: it holds no captures.", begin)
    if opened := [name for name, group in groups.items() if "AFTER" in canonical(group).missing]:
        group = groups[opened[0]]
        cure = pair_step(session, opened[0], group).command
        if is_ahead(session, group[-1].captured_at.timestamp()):
            return _missing(f"The window is open: its BEFORE of {opened[0]} is dated in the future.", cure)
        return _missing(f"The window is open: it has no AFTER of {', '.join(opened)}.", cure)
    if begun := [name for name, group in groups.items() if canonical(group).missing]:
        cure = pair_step(session, begun[0], groups[begun[0]]).command
        return _missing(f"The window cannot be finalized: it has no BEFORE of {', '.join(begun)}.", cure)
    if fell:
        return _missing(f"The window cannot be finalized: the capacity meter of {', '.join(fell)} fell.")
    return None


def _of_row(
    session: Session, row: FinalizeRow, groups: Mapping[str, list[Capture]], lost: Loss | None, *, is_fallen: bool
) -> Check:
    """Whether a finalized window has changed since."""
    changed = stale(session, row, groups)
    text = f"Captures of {', '.join(changed)} changed after it was finalized." if changed else "It is finalized."
    cure = _again(row.window) if changed and not is_fallen else None
    if absent := sorted(row.providers.keys() - session.registry.sources.keys()):
        text += f" Whether captures of {', '.join(absent)} changed is not known: no plugin reads them here."
    if idle := [name for name in sorted(row.features) if not changed and _is_idle(session, row, name)]:
        text += f" The capacity meter of {', '.join(idle)} did not move, so these features cost nothing."
    split = [name for name, group in groups.items() if len({one.agent_id for one in group}) > 1]
    if split and not changed:
        text += f" Several lanes captured {', '.join(split)}; only the pair with the last AFTER counts."
    if begun := unpaired(row, groups):
        text = f"It was finalized without {', '.join(begun)}, whose pair is not complete."
        cure = pair_step(session, begun[0], groups[begun[0]]).command
    if lost:
        text = f"Since it was finalized, it lost its {lost.what}; {lost.otherwise}."
        cure = lost.cure
    return Check(name="finalized", state="failed" if changed or begun or lost else "ok", text=text, cure=cure)


def _is_idle(session: Session, row: FinalizeRow, name: str) -> bool:
    """Whether a provider finished features, and its meter of capacity did not move."""
    source = session.registry.providers.get(name)
    found = row.result(source, ()) if source else None
    return found is not None and found.reason is None and found.features > 0 and found.capacity == 0


def _anomalies(session: Session, window: str) -> Check:
    opened = Windows(session).open_anomalies([window])
    if not opened:
        return Check(name="anomalies", state="ok", text="No anomaly is open.")
    kinds = line(", ".join(str(entry.record.get("kind")) for entry in opened))
    cure = typed("window-audit", "--window", window)
    text = f"One anomaly is open ({kinds})." if len(opened) == 1 else f"{len(opened)} anomalies are open ({kinds})."
    return Check(name="anomalies", state="failed", text=text, cure=cure)


def lines(found: Card) -> Iterator[str]:
    done, of = found.completeness
    yield f"Decision card: {line(found.window)}"
    yield f"Verdict: {found.verdict}"
    yield f"Completeness: {number(round(100 * done / of))}% ({done}/{of})"
    asked = {check.name for check in found.needed}
    for check in found.needed:
        yield f"  - {check.state:7} {sentence(check)}"
    for check in found.wanted:
        # a remark on a question above: it is not "ok" that a window gives no figure
        word = "note" if check.name in asked and check.state == "ok" else check.state
        yield f"  - {word:7} {sentence(check)}"


def sentence(check: Check) -> str:
    """What a check found, and what to run."""
    text = line(check.text)
    text = f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")
    text += f" (Checked by {line(check.distribution)}.)" if check.distribution else ""
    return f"{text} Run `{line(check.cure)}`." if check.cure and check.state != "ok" else text


def document(found: Card) -> dict[str, Any]:
    done, of = found.completeness
    return {
        "window": found.window,
        "verdict": found.verdict,
        "completeness": {"percent": 100 * done / of, "done": done, "of": of},
        "reasons": [f"{check.name}: {sentence(check)}" for check in found.checks if check.state != "ok"],
        "checks": [
            {"name": check.name, "holds": check.state == "ok", "state": check.state, "says": sentence(check)}
            for check in found.checks
        ],
    }
