"""`tracker plan` in words and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tracker.api import MeterOutlook, Source
from tracker.kernel import Session, iso, number, plural, value
from tracker_verdict import prospect
from tracker_verdict.accounts import NO_ACCOUNT
from tracker_verdict.current_meters import PERCENT
from tracker_verdict.outlook import GO, STOP, TIGHT, UNKNOWN, Outlook, left_out
from tracker_verdict.prospect import local_time, per_cent
from tracker_verdict.settings import VerdictSettings
from tracker_verdict.weeks import FULL, WEEK

ONE_MODEL = "this is the meter of one model: it stops work with that model alone and does not count for the verdict"


def overall(found: Sequence[Outlook]) -> str:
    """The verdict of the worst meter, except that of a single model, as in the gate. Never GO with a meter unknown.

    Without the capacity meter only a STOP is known.
    """
    said = {one.verdict for one in found if one.is_of_all}
    known = next((one.verdict for one in found if one.is_capacity), UNKNOWN)
    if STOP in said:
        return STOP
    if known == UNKNOWN:
        return UNKNOWN
    if TIGHT in said:
        return TIGHT
    return UNKNOWN if _unknown(found) else known


def _unknown(found: Sequence[Outlook]) -> list[Outlook]:
    """The meters other than the capacity meter that could stop work and are unknown.

    A meter without a bar never says anything, and one that was not shown for a week may be gone.
    """
    last = max((one.taken_at for one in found if one.is_capacity and one.taken_at), default=None)
    return [
        one
        for one in found
        if one.verdict == UNKNOWN and one.is_of_all and not one.is_capacity and one.unit == PERCENT
        if last is not None and one.taken_at is not None and last - one.taken_at < WEEK
    ]


def lines(session: Session, source: Source, found: list[Outlook], windows_left: int) -> Iterator[str]:
    now, local, reserve = session.now, session.zone, session.settings(VerdictSettings).reserve_pp
    for one in found:
        doubt = f", {one.doubt}" if one.doubt else ""
        reset = f", reset {local_time(one.reset_at, now, local)}" if one.reset_at else doubt
        at = f" at {local_time(one.at, now, local)}" if one.at else ""
        name = f" account {one.account or NO_ACCOUNT}" if one.several else ""
        used = value(one.used, unit="% used" if one.unit == PERCENT else f" {one.unit}")
        if one.unit != PERCENT and one.limit is not None:
            used = f"{value(one.used)} of {number(one.limit)} {one.unit} used"
        yield f"{source.name} {one.meter}{name}: {used}{at}{reset}"
        if one.prospect is not None:
            yield from prospect.lines(one.prospect, local)
        if one.change is not None:
            yield f"  {one.change.sentence}"
        if one.cost is None or one.fits is None or one.probability is None:
            # the line of a full meter is there already
            yield from [f"  {one.verdict}: {one.why}"] if one.why else []
            continue
        least, usual, most = (number(cost) for cost in one.cost)
        spread = f"{least} to {most}, mean " if one.costs > 1 else ""
        more = f"; {rest}" if (rest := left_out(one)) else ""
        yield f"  a usual window costs {usual} {one.unit} ({spread}of {plural(one.costs, 'window')}{more})"
        leave = "leaves" if one.fits[1] == 1 else "leave"
        kept = reserve if one.limit is None else reserve * one.limit / FULL
        yield f"  {_room(*one.fits)} and {leave} {number(kept)} {one.unit}"
        said = f": {one.verdict}" if one.verdict != UNKNOWN else f", but not decided: {one.why}"
        yield f"  {plural(windows_left, 'planned window')}: {per_cent(one.probability)}% likely to fit{said}"
        if one.verdict in (STOP, TIGHT) and not one.is_of_all:
            yield f"  {ONE_MODEL}"
        if one.assumption:
            yield f"  {one.assumption}"
    for of, said in verdicts(found, windows_left):
        yield f"{source.name}{of} verdict: {said}"


def verdicts(found: Sequence[Outlook], windows_left: int) -> Iterator[tuple[str, str]]:
    """Whose verdict, if there are several accounts, and which: also which meter keeps it unknown, or a gate's stop."""
    for account, own in _by_account(found).items():
        verdict, remark = overall(own), ""
        capacity = next((one for one in own if one.is_capacity), None)
        ahead = capacity.prospect if capacity else None
        if capacity and verdict == UNKNOWN and capacity.verdict != UNKNOWN:
            names = " and ".join(dict.fromkeys(one.meter for one in _unknown(own)))
            remark = f": {names} not known, {capacity.meter} alone says {capacity.verdict}"
        elif capacity and ahead and ahead.is_risky and verdict in (GO, TIGHT):
            # planned windows fit, but the gate asks about the whole week
            how = ahead.word if ahead.chance is None else f"{ahead.chance}% likely"
            planned = plural(windows_left, "window")
            remark = f" for {planned}; {capacity.meter} is {how} to be full before the reset, so `tracker gate` stops"
        yield f" account {account}" if account else "", f"{verdict}{remark}"


def _by_account(found: Sequence[Outlook]) -> dict[str, Sequence[Outlook]]:
    """The meters of each account, by its name; of a single one under an empty name."""
    names = sorted({one.account or NO_ACCOUNT for one in found if one.several})
    if not names:
        return {"": found}
    return {name: [one for one in found if (one.account or NO_ACCOUNT) == name] for name in names}


def brief(session: Session, source: Source, found: Sequence[Outlook]) -> Iterator[MeterOutlook]:
    """What is worth saying of each meter beside its value."""
    local = session.zone
    for one in found:
        ahead = one.prospect
        has_words = ahead is not None and (ahead.is_full or ahead.linear)
        parts = [text.strip() for text in prospect.lines(ahead, local, is_brief=True)] if ahead and has_words else []
        if one.fits is not None:
            parts.append(_room(*one.fits))
        if parts and one.change is not None:
            parts.append(one.change.rule)
        if parts:
            figures = {
                "windows_that_fit": one.fits,
                "forecast": ahead and ahead.shown(),
                "expected": ahead and ahead.expected,
            }
            yield MeterOutlook(source.name, one.meter, one.account, "; ".join(parts), figures)


def _room(low: int, usual: int | None, high: int | None) -> str:
    """How many fit, in words; the verdict goes by the probability."""
    if usual is None:
        return f"{low} or more windows fit (no window moved it)"
    more = f"{usual} more {'window fits' if usual == 1 else 'windows fit'}"
    if high is None:
        return more + (f" ({low} or more: the cheapest window cost nothing)" if usual else "")
    return more + (f" ({low} to {high})" if low != high else "")


def document(session: Session, source: Source, found: list[Outlook], windows_left: int) -> dict[str, Any]:
    own = {account: overall(meters) for account, meters in _by_account(found).items() if account}
    return {
        "provider": source.name,
        "reserve_pp": session.settings(VerdictSettings).reserve_pp,
        "windows_planned": windows_left,
        "verdict": overall(found),
        **({"verdict_of_account": own} if own else {}),
        "meters": [_values(one) for one in found],
    }


def _values(one: Outlook) -> dict[str, Any]:
    sizes = ("least", "usual", "most")
    return {
        "meter": one.meter,
        "account": one.account,
        "capacity": one.is_capacity,
        "used": one.used,
        "unit": one.unit,
        "limit": one.limit,
        "used_pct": one.percent,
        "captured_at": one.taken_at and iso(one.taken_at),
        "reset_at": one.reset_at and iso(one.reset_at),
        "windows_measured": one.costs,
        "windows_left_out": one.left_out,
        "windows_of_another_plan": one.outdated,
        "cost": one.cost and dict(zip(sizes, one.cost, strict=True)),
        "windows_that_fit": one.fits and dict(zip(sizes, one.fits, strict=True)),
        "probability": one.probability,
        "spread": None if one.probability is None else "assumed" if one.assumption else "measured",
        "verdict": one.verdict,
        "why": one.why or one.doubt,
        "forecast": one.prospect and one.prospect.shown(),
        **({"change": one.change.document()} if one.change else {}),
    }
