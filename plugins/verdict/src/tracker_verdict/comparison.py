"""One provider against another, over the windows that can be compared."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from attrs import asdict, evolve, frozen

from tracker.kernel import Session, TrackerError, Windows
from tracker_verdict import pairs
from tracker_verdict.accounts import MIXED, NO_ACCOUNT, accounts, check, columns, one_of, several
from tracker_verdict.estimate import ProviderEstimate, WindowResult, day_of, of_results, since
from tracker_verdict.overlaps import MICROSECOND, microseconds
from tracker_verdict.price import Price, incomparable
from tracker_verdict.regimes import refresh
from tracker_verdict.settings import VerdictSettings
from tracker_verdict.stats.ratio import Comparison
from tracker_verdict.tally import Figures, Results, Tally

NO_PROJECT = ""


@frozen(kw_only=True)
class Side:
    """A provider in a comparison: all of its windows, the estimate of those that are comparable, and those apart.

    times: when the comparable ones were measured, in microseconds, sorted. unknown: how many of them have no known
    project, or several, if they are summed by that.
    """

    figures: Figures
    estimate: ProviderEstimate
    times: Sequence[int]
    apart: Sequence[str]
    unknown: int

    @property
    def name(self) -> str:
        return self.figures.source.name

    @property
    def unit(self) -> str:
        return self.figures.unit


@frozen(kw_only=True)
class Match:
    """Two providers and how they compare; `priced` says whether by money or by the unit that they share.

    row: what was compared, a window or the sum of a day's or a project's windows.
    """

    a: Side
    b: Side
    priced: bool
    days: float
    comparison: Comparison
    row: str = "window"
    certificate: pairs.Certificate | None = None

    @property
    def better(self) -> Side | None:
        return {"a": self.a, "b": self.b, None: None}[self.comparison.favours]

    def other(self, side: Side) -> Side:
        return self.b if side is self.a else self.a


@frozen(kw_only=True)
class Question:
    """What was asked for: the true ratio that planning is about, prices, and what windows are summed by."""

    prices: Mapping[str, Price]
    effect: float
    blocks: str | None = None
    accounts: Sequence[str] = ()


@frozen(kw_only=True)
class Delivery:
    """What finalized windows say: tallies by provider and account, and the project of each window if asked for."""

    windows: Sequence[str]
    is_selection: bool
    tallies: Mapping[str, Mapping[str | None, Tally]]
    projects: Mapping[str, str]


def delivered(session: Session, windows: Sequence[str] | None, *, with_projects: bool = False) -> Delivery:
    """The finalized windows, some or all, added up a few thousand at a time; it also looks at what a point buys."""
    names, projects = list[str](), dict[str, str]()
    tallies: dict[str, dict[str | None, Tally]] = {}
    providers = session.registry.providers
    for part in Windows(session).parts(windows):
        names += part.rows
        # projects cost the session logs' figures of every window
        facts = columns(session, list(part.rows)) if with_projects else {}
        known = accounts(session, list(part.rows))
        for window, row in part.rows.items():
            for name in sorted(row.named & providers.keys()):
                account, own = known.get((window, name)), tallies.setdefault(name, {})
                if account not in own:
                    own[account] = Tally(session, providers[name])
                own[account].add(row, part.groups.get((window, name), ()))
        for (window, _), own_facts in facts.items():
            if (project := own_facts.get("project")) is not None:
                # a window of two projects belongs to neither
                is_one = projects.setdefault(window, project) == project
                projects[window] = project if is_one else NO_PROJECT
    refresh(session, [providers[name] for name in tallies])
    return Delivery(windows=names, is_selection=windows is not None, tallies=tallies, projects=projects)


def matches(session: Session, names: Sequence[str], question: Question, found: Delivery) -> list[Match]:
    """Two providers against each other in some windows; of more than two, each against the best."""
    check({one for own in found.tallies.values() for one in own if one not in (None, MIXED)}, question.accounts)
    known = {
        name: _total(session, name, found.tallies[name], question.accounts)
        for name in session.registry.providers
        if name in found.tallies and (not names or name in names)
    }
    chosen = _chosen(session, known, names, found)
    is_priced = all(name in question.prices for name in chosen)
    if len({known[name].unit for name in chosen}) > 1 and not is_priced:
        raise incomparable([known[name] for name in chosen], question.prices)
    best = chosen[0]
    if len(chosen) > 2:
        best = max(chosen, key=lambda name: _merit(known[name], question.prices[name] if is_priced else None))
    others = [name for name in chosen if name != best]
    block = _block(session, found.projects, question.blocks)
    planned = pairs.planned(session)
    rivals = _rivals(session, (best, others[0]), found.tallies, question.prices)
    return [_match(session, (known[best], known[name]), question, block, planned, rivals) for name in others]


def _rivals(session: Session, pair: tuple[str, str], names: Iterable[str], prices: Mapping[str, Price]) -> int:
    """How many providers can be compared with the best, even if only two are named: all were seen before."""
    meters = {name: session.registry.providers[name].capacity_meter for name in (*pair, *names)}
    units = {name: meter.unit if meter else "" for name, meter in meters.items()}
    others = {name for name in units if name not in pair}
    priced = {name for name in others if prices.keys() >= {*pair, name}}
    alike = {name for name in others if units[name] == units[pair[0]] == units[pair[1]]}
    return 1 + len(priced | alike)


def _total(session: Session, name: str, own: Mapping[str | None, Tally], wanted: Collection[str]) -> Figures:
    """The windows of the one account that was asked for; an error if there are several and none was."""
    if names := several(own):
        problem = f"The windows of {name} belong to {len(names)} accounts ({', '.join(names)}), whose percentages"
        chosen = one_of(names, wanted, f"{problem} cannot be added.")
        return own[None if chosen == NO_ACCOUNT and NO_ACCOUNT not in own else chosen].total(chosen)
    whole = Tally(session, session.registry.providers[name])
    for one in own.values():
        whole.extend(one)
    return whole.total()


def _chosen(session: Session, known: Mapping[str, Figures], names: Sequence[str], found: Delivery) -> list[str]:
    """The providers that were asked for, each with finalized windows."""
    which = " among those that you selected" if found.is_selection else ""
    finish = "Select more, or finish" if found.is_selection else "Finish"
    for name in names:
        session.source(name, kinds=["status"])
        if name not in known:
            raise TrackerError(
                f"{name} has no finalized window{which}. {finish} one with `tracker complete --window W`."
            )
    chosen = list(names) or sorted(known)
    if len(chosen) < 2:
        have = f"only {chosen[0]} has" if chosen else "no provider has"
        absent = [one for one in Windows(session).missing_plugins(found.windows) if one.measured]
        have += " any that can be read" if absent else f" any{which}"
        cure = [f"It leaves out {one.problem}." for one in absent]
        cure = cure or [f"{finish} a window of each with `tracker complete --window W`."]
        raise TrackerError(f"A comparison needs two providers with finalized windows; {have}. {' '.join(cure)}")
    return chosen


def _merit(figures: Figures, price: Price | None) -> tuple[bool, float]:
    """What the best provider has most of."""
    found, scale = figures.efficiency, price.units_per_money if price else 1.0
    # one or two lucky windows are not the best: the others would then never be compared with each other
    return found.ci_kind == "measured", (found.efficiency or 0.0) * scale


def _match(
    session: Session,
    known: tuple[Figures, Figures],
    question: Question,
    block: Callable[[WindowResult], str],
    planned: list[pairs.PlannedPair],
    rivals: int,
) -> Match:
    settings = session.settings(VerdictSettings)
    prices = [question.prices.get(one.source.name) for one in known]
    worth = (prices[0].units_per_money, prices[1].units_per_money) if prices[0] and prices[1] else (1.0, 1.0)
    a, b = (_side(*both, settings.comparable_days, question, block) for both in (known, known[::-1]))
    # e-values need one rule for all looks, so windows are summed only if that was asked for
    is_summed = question.blocks is not None
    return Match(
        a=a,
        b=b,
        priced=None not in prices,
        days=settings.comparable_days,
        row=question.blocks or "window",
        comparison=Comparison(
            a.estimate.spread if is_summed else a.estimate.whole,
            b.estimate.spread if is_summed else b.estimate.whole,
            worth=worth,
            effect=question.effect,
            tau=settings.tau,
            rivals=rivals,
            per_row=max(a.estimate.per_block, b.estimate.per_block) if is_summed else 1.0,
            first=_first(a.times, b.times),
        ),
        certificate=pairs.certificate(planned, known, worth),
    )


def _side(
    figures: Figures, other: Figures, days: float, question: Question, block: Callable[[WindowResult], str]
) -> Side:
    whole, price = figures.efficiency, question.prices.get(figures.source.name)
    kept, apart = comparable(whole.counted(), _times(other.efficiency.counted()), days)
    estimate = of_results(kept, block, effect=question.effect, price=price, asked=question.blocks)
    return Side(
        figures=figures,
        estimate=evolve(estimate, plans=whole.plans, change=since(whole.change, kept)),
        times=_times(kept),
        apart=apart,
        unknown=sum(block(one) == NO_PROJECT for one in kept) if question.blocks == "project" else 0,
    )


def _times(results: Iterable[WindowResult]) -> Sequence[int]:
    """When windows were measured, in microseconds, sorted."""
    return array("q", sorted(microseconds(one.at) for one in results if one.at is not None))


def _first(a: Sequence[int], b: Sequence[int]) -> Literal["a", "b"] | None:
    """The side all of whose windows lie before those of the other. a, b: their times, sorted."""
    if not (a and b):
        return None
    return "a" if a[-1] < b[0] else "b" if b[-1] < a[0] else None


def comparable(own: Iterable[WindowResult], other: Sequence[int], days: float) -> tuple[Results, Sequence[str]]:
    """The windows within `days` of one of the other side, and the rest, which a trend may have moved too far apart.

    other: the times of the other side's windows, sorted.
    """
    reach = timedelta(days=days) // MICROSECOND
    kept, apart = Results(), list[str]()
    for one in own:
        if one.at is not None and other and _distance(microseconds(one.at), other) <= reach:
            kept.add(*one)
        else:
            apart.append(one.window)
    return kept, apart


def _distance(at: int, times: Sequence[int]) -> int:
    """From the nearest of some sorted times."""
    place = bisect_left(times, at)
    return min(abs(at - one) for one in times[max(place - 1, 0) : place + 1])


def _block(session: Session, projects: Mapping[str, str], by: str | None) -> Callable[[WindowResult], str]:
    """What windows are summed by: days, unless projects were asked for."""
    if by != "project":
        return day_of(session)
    if not any(projects.values()):
        raise TrackerError(
            "No window has a known project. Session logs name it: read them with `tracker usage`, or use --blocks day."
        )
    # windows without a project, or with several, may belong to one, so they are summed
    return lambda one: projects.get(one.window, NO_PROJECT)


def document(match: Match) -> dict[str, Any]:
    found, better, sides = match.comparison, match.better, (match.a, match.b)
    return {
        "a": match.a.name,
        "b": match.b.name,
        "priced": match.priced,
        "kind": found.kind,
        "ratio": found.ratio,
        "interval": found.interval,
        "interval_fixed": found.interval_fixed,
        "confidence": found.confidence,
        "evidence": found.evidence,
        "favours": better and better.name,
        "certainty": found.certainty,
        "tau": found.tau,
        "effect": found.effect,
        "first": found.first and getattr(match, found.first).name,
        "gates": [asdict(one) for one in found.gates],
        "verdict": found.verdict or "not enough data",
        "windows_needed": found.windows_needed,
        "comparable": {
            "days": match.days,
            "apart": _apart(*sides),
            **{side.name: [one.window for one in side.estimate.given] for side in sides},
            "left_out": [{"provider": side.name, "window": window} for side in sides for window in side.apart],
        },
        "pairs": match.certificate and _pairs(match, match.certificate),
        "providers": [_side_document(side) for side in sides],
    }


def _apart(a: Side, b: Side) -> float | None:
    """How many days half of the comparable windows are at most from one of the other side."""
    if not (a.times and b.times):
        return None
    found = sorted([_distance(at, b.times) for at in a.times] + [_distance(at, a.times) for at in b.times])
    return found[(len(found) - 1) // 2] * MICROSECOND / timedelta(days=1)


def _pairs(match: Match, found: pairs.Certificate) -> dict[str, Any]:
    return {
        "finished": found.pairs,
        "open": found.open,
        "left_out": found.left_out,
        "evidence": found.evidence,
        "favours": found.favours and getattr(match, found.favours).name,
        **({"strayed": found.strayed} if found.strayed else {}),
    }


def _side_document(side: Side) -> dict[str, Any]:
    excluded = [{"window": window, "reason": reason} for window, reason in side.figures.excluded.items()]
    return {"provider": side.name, "unit": side.unit, **side.estimate.figures(), "excluded": excluded}
