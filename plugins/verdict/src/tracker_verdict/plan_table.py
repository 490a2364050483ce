"""`tracker plan` as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from tracker.api import Cell, Column, Source
from tracker.kernel import Session, number
from tracker_verdict.accounts import NO_ACCOUNT
from tracker_verdict.current_meters import PERCENT
from tracker_verdict.outlook import STOP, TIGHT, Outlook, left_out
from tracker_verdict.plan_text import ONE_MODEL, verdicts
from tracker_verdict.prospect import per_cent
from tracker_verdict.settings import VerdictSettings


def show(session: Session, plans: Sequence[tuple[Source, list[Outlook]]], windows_left: int) -> bool:
    """A row for each meter, and the verdicts; False if there is no terminal."""
    fit = "fits" if windows_left == 1 else "fit"
    several = any(one.several for _, found in plans for one in found)
    columns = (
        Column(key="name", title="Meter", rank=0),
        *([Column(key="account", title="Account", rank=0)] if several else []),
        Column(key="used", title="Used", kind="share", rank=0, low="low", high="high"),
        Column(
            key="planned",
            title=f"{windows_left} more {fit}",
            kind="percent",
            rank=1 if several else 0,
        ),
        Column(key="verdict", title="Verdict", rank=0),
        Column(key="fits", title="Windows that fit", rank=1),
        Column(key="full", title="Full before reset", rank=2),
        Column(key="expected", title="At reset", rank=3),
        Column(key="cost", title="A window costs", rank=4),
        Column(key="unused", title="Unused", kind="percent", rank=5),
        Column(key="reset_at", title="Reset", kind="instant", rank=6),
        Column(key="taken_at", title="Read", kind="instant", rank=7),
    )
    if not session.table(columns, [_row(source, one) for source, found in plans for one in found]):
        return False
    # a remark about several meters is printed once
    remarks: dict[str, list[str]] = {}
    for source, found in plans:
        for one in found:
            for said in _said(one, session.zone):
                remarks.setdefault(said, []).append(_name(source, one))
    for said, names in remarks.items():
        session.show(f"{', '.join(names)}: {said}", has_cures=True)
    reserve = session.settings(VerdictSettings).reserve_pp
    session.show(f"\nThe windows that fit leave {number(reserve)}% of each meter as a reserve.")
    for source, found in plans:
        for of, said in verdicts(found, windows_left):
            session.show(f"{source.name}{of}: {said}")
    return True


def _said(one: Outlook, local: tzinfo) -> Iterator[str]:
    """What has no column."""
    if one.unit != PERCENT and one.used is not None:
        of = f" of {number(one.limit)}" if one.limit is not None else ""
        yield f"{number(one.used)}{of} {one.unit} used"
    yield from [one.why] if one.why else []
    if one.prospect is not None and one.prospect.why is not None:
        # a forecast may rest on an older reading than a verdict
        yield one.prospect.why if one.prospect.is_full else f"no forecast: {one.prospect.why}"
    if one.costs and (rest := left_out(one)):
        yield rest
    yield from [one.assumption] if one.assumption else []
    yield from [one.change.sentence] if one.change else []
    yield from [ONE_MODEL] if not one.is_of_all and one.verdict in (STOP, TIGHT) else []
    if one.prospect is not None and one.prospect.is_probable and one.prospect.full_at is not None:
        yield f"full around {one.prospect.full_at.astimezone(local):%a %H:%M}"


def _name(source: Source, one: Outlook) -> str:
    account = f" {one.account or NO_ACCOUNT}" if one.several else ""
    return f"{source.name} {one.meter}{account}"


def _row(source: Source, one: Outlook) -> dict[str, Cell]:
    known = one.prospect
    low, high = (known.expected if known else None) or (None, None)
    return {
        "name": f"{source.name} {one.meter}",
        "account": (one.account or NO_ACCOUNT) if one.several else None,
        # for a bar, the share of a count: none if its limit is not known, or if the value is from before a reset
        "used": None if one.is_over else one.used if one.unit == PERCENT else one.percent and round(one.percent),
        "low": low,
        "high": high,
        "expected": None if low is None or high is None else f"{number(low, 0)} to {number(high, 0)}%",
        "full": _chance(one),
        "unused": None if known is None or not known.is_probable or known.unused is None else round(known.unused),
        "cost": _cost(one),
        "fits": _fits(one),
        "planned": None if one.probability is None else per_cent(one.probability),
        "verdict": one.verdict,
        "reset_at": one.reset_at,
        "taken_at": one.taken_at,
    }


def _cost(one: Outlook) -> str | None:
    """In as few digits as a table needs."""
    if one.cost is None:
        return None
    least, usual, most = (number(cost, 0) if cost >= 3 else number(round(cost, 1)) for cost in one.cost)
    return f"{usual} {one.unit} ({least} to {most})"


def _chance(one: Outlook) -> str | None:
    """A probability only after the weeks that it needs."""
    found = one.prospect
    if found is None or found.probability is None:
        return None
    return found.word if found.chance is None else f"{found.chance}%"


def _fits(one: Outlook) -> str | None:
    if one.fits is None:
        return None
    least, usual, most = one.fits
    if usual is None:
        return f"{least} or more"
    if most is None:
        return f"{usual} ({least} or more)"
    return str(usual) if most == least else f"{usual} ({least} to {most})"
