"""A comparison in words: what to do, how sure that is, what would settle it, and what it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from tracker.api import Cell, Column
from tracker.kernel import Session, line, number, plural, rate, value
from tracker_verdict.accounts import first_of
from tracker_verdict.comparison import Match, Side
from tracker_verdict.pairs import Certificate
from tracker_verdict.stats.efficiency import LEAST_WINDOWS

MOST_ODDS = 1_000_000
MOST_RATIO = 1000
# Less than 1.1 to 1 is shown as 1.0, which says nothing.
SAYS = 1.1


SIDES = (
    Column(key="provider", title="Provider", rank=0),
    Column(key="features", title="Features", kind="number", rank=0),
    Column(key="capacity", title="Capacity", kind="number", rank=2),
    Column(key="unit", title="Unit", rank=2),
    Column(key="money", title="Per feature", kind="money", rank=0),
    Column(key="efficiency", title="Per unit", kind="rate"),
    Column(key="low", title="95 % from", kind="rate"),
    Column(key="high", title="95 % to", kind="rate"),
    Column(key="n", title="Windows", kind="count", rank=3),
    Column(key="remarks", title="Remarks", rank=4),
)


def show(session: Session, match: Match) -> None:
    """The comparison; on a terminal with its figures as a table."""
    session.show("\n".join(sentences(match)))
    # compared by money, a unit of one side is not worth a unit of the other
    columns = [one for one in SIDES if match.priced or one.key != "money"]
    if not session.table(columns, [_side_row(side) for side in (match.a, match.b)]):
        session.show("\n".join(f"  {_side(side)}" for side in (match.a, match.b)))
    for side in (match.a, match.b):
        if side.apart:
            session.show(f"  {_apart(match, side)}")


def sentences(match: Match) -> Iterator[str]:
    yield f"{match.a.name} against {match.b.name}, features per {_unit(match)}:"
    yield f"  {action(match)} {today(match)}"
    yield f"  {certainty(match)}"
    if settling := _settling(match):
        yield f"  {settling}"
    yield f"  {_ratio(match)}"
    if match.certificate is not None:
        yield f"  {_pairs(match, match.certificate)}"


def action(match: Match) -> str:
    verdict, better = match.comparison.verdict, match.better
    if verdict is None or better is None:
        return _measure(match)
    worse = match.other(better)
    if verdict == "retire":
        return f"Retire {worse.name}."
    step = f"Move some work from {worse.name} to {better.name}, a step that you can take back."
    return f"{step} {_measure(match)}"


def _measure(match: Match) -> str:
    left = more(match)
    if left is None:
        return f"Measure more {match.row}s of each, alternating; how many is not known."
    if not left:
        return f"Measure more only if a ratio below {number(match.comparison.effect)} matters to you."
    return f"Measure {' to '.join(left)} more {match.row}{'' if left == ['1'] else 's'} of each, alternating."


def more(match: Match) -> list[str] | None:
    """How many more windows, or days, of each side the next decision takes; None: not known.

    What half of all cases take, and what four fifths take, unless that many are there already.
    """
    found = match.comparison
    if (needed := found.rows_needed) is None:
        return None
    have = min(found.a.n, found.b.n)
    left = dict.fromkeys(number(one - have) for one in needed if one > have)
    # with an assumed spread, or with a change between the two sides, the windows that are there prove nothing
    is_vain = found.evidence is None or found.first is not None
    return None if is_vain and not left else [*left]


def today(match: Match) -> str:
    found, better = match.comparison, match.better
    if found.evidence is None:
        return f"Not enough data: {_lacking(match)}."
    if found.evidence < SAYS or better is None:
        return f"Not enough data: today nothing says that either delivers more (evidence {odds(found.evidence)} to 1)."
    start = "Today" if found.verdict else "Not enough data: today"
    says = f"{start} {odds(found.evidence)} to 1 says {better.name} delivers more per {_unit(match)}"
    if found.first is None:
        return f"{says}."
    older = getattr(match, found.first)
    newer = match.other(older)
    return f"{says}, but all of {older.name} was measured before {newer.name}: a change in between would look the same."


def odds(evidence: float) -> str:
    """Cut off, so that no figure looks like a gate that it does not reach; more than a million is as good as that."""
    if evidence > MOST_ODDS:
        return "over 1,000,000"
    return number(math.floor(evidence)) if evidence >= 2 else number(math.floor(10 * evidence) / 10, 1)


def certainty(match: Match) -> str:
    """How sure it is that the better side is better, and under which assumption."""
    found = match.comparison
    lost = [side for side in (match.a, match.b) if side.figures.overlapping and not side.estimate.n]
    if found.kind == "none" and lost:
        named = " and ".join(f"{side.name} {_windows(side.figures.overlapping)}" for side in lost)
        return f"Nothing can be said: overlapping windows on the same meter are left out ({named})."
    if found.kind == "none" and (idle := [one.name for one in (match.a, match.b) if not one.figures.efficiency.n]):
        named = " and none of ".join(idle)
        return f"Nothing can be said: no window of {named} that counts used capacity or delivered a feature."
    if found.kind == "none" and any(side.apart and not side.estimate.n for side in (match.a, match.b)):
        return "Nothing can be said: no windows of the two are close enough in time. Measure some of each, alternating."
    if found.kind == "none":
        return f"Nothing can be said: {_unused(match) or 'a side used no capacity'}."
    if (better := match.better) is None:
        return "Nothing says that either delivers more."
    sure = _percent(found.certainty if better is match.a else 1 - found.certainty)
    says = f"{sure} % sure that {better.name} delivers more"
    if found.kind == "assumed":
        bare = [side.name for side, own in ((match.a, found.a), (match.b, found.b)) if not own.tells_spread]
        return f"The spread of {' and '.join(bare)} is not measured yet: with an assumed one it is {says}."
    share = "half" if found.tau == 0.5 else f"{number(100 * found.tau)} %"
    # without a feature on one side it comes from the counts
    reason = f"if subscriptions typically differ by {share}" if found.ratio else "if features vary as much as assumed"
    return f"{says}, {reason}."


def _percent(share: float) -> str:
    """Whole, but never 100, which nobody is."""
    return ">99" if share > 0.995 else number(100 * share, 0)


def _lacking(match: Match) -> str:
    found = ((match.a.name, match.comparison.a), (match.b.name, match.comparison.b))
    if few := [(name, side.n) for name, side in found if side.n < LEAST_WINDOWS]:
        noun, of, which = "comparable window", "", "a comparison"
        if match.row != "window":
            noun, of, which = match.row, " of comparable windows", f"--blocks {match.row}"
        have = " and ".join(f"{name} has {plural(count, noun)}{of}" for name, count in few)
        return f"{have}, and {which} needs {LEAST_WINDOWS} on each side"
    if unused := _unused(match):
        return unused
    if not match.comparison.features:
        return "neither side delivered a feature"
    row, lopsided = match.row, [name for name, side in found if side.is_lopsided]
    if not lopsided:
        return "the figures are too large or too small"
    return f"one {row} of {' and one of '.join(lopsided)} used most of the capacity; {row}s of similar size say more"


def _unused(match: Match) -> str | None:
    names = [side.name for side in (match.a, match.b) if side.estimate.n and not side.estimate.capacity]
    return f"{' and '.join(names)} used no capacity" if names else None


def _settling(match: Match) -> str | None:
    """What the next decision takes."""
    found = match.comparison
    gate = next((one for one in found.gates if not one.open), None)
    if gate is None or found.kind == "none":
        return None
    step = "Moving work" if gate.name == "reallocate" else "Retiring a side"
    among = f", as a choice among {found.rivals + 1} providers" if gate.name == "retire" and found.rivals > 1 else ""
    takes = f"{step} takes evidence of {number(gate.evidence)} to 1{among}."
    if (left := more(match)) is None:
        return takes
    if not left:
        reached = f"This many {match.row}s would have reached it in four fifths of all cases if the true ratio were"
        return f"{takes} {reached} {number(found.effect)}: it is probably less."
    if len(left) == 1:
        chance = f"{left[0]} more of each reach{'es' if left == ['1'] else ''} it in four fifths of all cases"
    else:
        chance = f"{left[0]} more of each reach it in half of all cases, and {left[1]} in four fifths"
    return f"{takes} If the true ratio is {number(found.effect)}, {chance}."


def limits(match: Match) -> str | None:
    """The interval of the ratio in words; None if there is none."""
    found = match.comparison.interval or match.comparison.interval_fixed
    if found is None:
        return None
    low, high = found
    return f"{limit(low)} to {'no upper limit' if high is None else limit(high)}"


def limit(ratio: float) -> str:
    """An end of an interval; in one that is nearly open, more digits would say nothing."""
    return "0" if ratio < 0.001 else f"over {MOST_RATIO:,}" if ratio > MOST_RATIO else rate(ratio)


def _ratio(match: Match) -> str:
    found, shown = match.comparison, limits(match)
    if shown is None:
        return f"Ratio {value(None)}."
    note = "from an assumed spread" if found.interval is None else "however often you look"
    return f"Ratio {rate(found.ratio)}, {shown} ({number(100 * found.confidence)} %, {note})."


def _pairs(match: Match, found: Certificate) -> str:
    left = f" {plural(found.open, 'pair')} of the plan not finished: finish every one." if found.open else ""
    if found.left_out:
        left += f" {plural(found.left_out, 'finished pair')} left out here."
    if found.evidence is None or found.favours is None:
        return f"No planned pair has two windows that count, each measured on the provider drawn for it.{left}"
    says = f"for {getattr(match, found.favours).name}" if found.evidence >= SAYS else "that either delivers more"
    rests = "whatever the days were like (sign flips)"
    if found.strayed:
        rests = f"if the days were alike: {found.strayed} not measured in the drawn order, or begun before the draw"
    return f"{plural(found.pairs, 'planned pair')}: {odds(found.evidence)} to 1 {says}, {rests}.{left}"


def _side_row(side: Side) -> Mapping[str, Cell]:
    found = side.estimate
    low, high = found.ci or (None, None)
    return {
        "provider": side.name,
        "features": found.features,
        "capacity": found.capacity,
        "unit": side.unit,
        "money": found.money_per_feature,
        "efficiency": found.efficiency,
        "low": low,
        "high": high,
        "n": found.n,
        "remarks": "; ".join(found.caveats) or None,
    }


def _side(side: Side) -> str:
    found = side.estimate
    capacity, efficiency, interval = value(found.capacity, unit=f" {side.unit}"), rate(found.efficiency), ""
    if found.ci is not None:
        ends = "-".join(rate(limit, found.efficiency) for limit in found.ci)
        interval = f", ci={ends}{' assumed' if found.ci_kind == 'assumed' else ''}"
    figures = f"features={value(found.features)}, capacity={capacity}, efficiency={efficiency}{interval}, n={found.n}"
    return f"{side.name}: {figures}" + "".join(f" ({line(one)})" for one in found.remarks)


def _apart(match: Match, side: Side) -> str:
    other, near = match.other(side).name, f"within {number(match.days)} days"
    return f"Not comparable in time: {side.name} {_windows(side.apart)} (no window of {other} that counts {near})."


def _windows(found: Sequence[str]) -> str:
    return first_of(map(line, found), len(found))


def _unit(match: Match) -> str:
    return "dollar" if match.priced else match.a.unit
