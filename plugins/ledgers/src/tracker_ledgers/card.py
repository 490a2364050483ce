"""The decision card of a window: GO, SOFT GO or NO-GO, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from tracker.kernel import (
    Session,
    TrackerError,
    captures,
    finalized,
    is_stale,
    line,
    near,
    number,
    open_anomalies,
    plural,
    status_streams,
)
from tracker_ledgers import ledgers

GOOD = ("pass", "partial")
STATUS = {"GO": 0, "SOFT GO": 3, "NO-GO": 4}


@frozen(kw_only=True)
class Check:
    """One thing that must be there; `needed` ones decide between NO-GO and the rest, the others soften a GO.

    refuses: where it does not hold, something is there that speaks against the window, rather than nothing.
    """

    name: str
    holds: bool
    says: str
    needed: bool
    refuses: bool = False

    @property
    def mark(self) -> str:
        return "ok" if self.holds else "against" if self.refuses else "missing"


@frozen(kw_only=True)
class Card:
    window: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        if not all(check.holds for check in self.checks if check.needed):
            return "NO-GO"
        return "GO" if all(check.holds for check in self.checks) else "SOFT GO"

    @property
    def completeness(self) -> tuple[int, int]:
        """How many of the checks hold."""
        return sum(check.holds for check in self.checks), len(self.checks)


def card(session: Session, window: str) -> Card:
    """Look at everything that the verdict rests on."""
    known = session.index.windows()
    if window not in known:
        raise TrackerError(f"no window {window!r}; {near(window, known) if known else 'there are no records yet'}")
    row = finalized(session.index, [window]).get(window)
    outcome = row.text("outcome") if row else None
    groups = captures(session.index, session.registry, [window])
    stale = (
        [name for name, entry in row.providers.items() if is_stale(entry, groups.get((window, name), []))]
        if row
        else []
    )
    opened = open_anomalies(session.index, status_streams(session), [window])
    churn = sum(entry.record.get("files_changed") is not None for entry in session.index.entries("churn", [window]))
    evidence = sum(found.get("window_id") == window for found in ledgers.readable(session, ledgers.EVIDENCE))
    again = f"`tracker complete --window {window}`"
    finished = f"stale for {', '.join(stale)}; {again} again" if stale else "yes" if row else f"no; {again}"
    kinds = ", ".join(str(entry.record.get("kind")) for entry in opened)
    return Card(
        window=window,
        checks=(
            Check(
                name="finalized", holds=row is not None and not stale, says=finished, needed=True, refuses=bool(stale)
            ),
            Check(
                name="outcome",
                holds=outcome in GOOD,
                says=line(outcome) if outcome else f"not given; {again[:-1]} --outcome pass`",
                needed=True,
                refuses=bool(outcome),
            ),
            Check(
                name="anomalies",
                holds=not opened,
                says=f"{len(opened)} open ({line(kinds)}); `tracker window-audit --window {window}`"
                if opened
                else "none open",
                needed=True,
                refuses=True,
            ),
            Check(
                name="churn",
                holds=churn > 0,
                says=plural(churn, "row") if churn else f"missing; `tracker churn --window {window}`",
                needed=False,
            ),
            Check(
                name="evidence",
                holds=evidence > 0,
                says=plural(evidence, "row") if evidence else "missing; `tracker evidence add`",
                needed=False,
            ),
        ),
    )


def lines(found: Card) -> Iterator[str]:
    """The card as people read it."""
    done, of = found.completeness
    yield f"Decision card: {line(found.window)}"
    yield f"Verdict: {found.verdict}"
    yield f"Completeness: {number(round(100 * done / of))}% ({done}/{of})"
    for check in found.checks:
        yield f"  - {check.mark:7} {check.name}: {check.says}"


def document(found: Card) -> dict[str, Any]:
    """The card as JSON values."""
    done, of = found.completeness
    return {
        "window": found.window,
        "verdict": found.verdict,
        "completeness": {"percent": 100 * done / of, "done": done, "of": of},
        "reasons": [f"{check.name}: {check.says}" for check in found.checks if not check.holds],
        "checks": [{"name": check.name, "holds": check.holds, "says": check.says} for check in found.checks],
    }
