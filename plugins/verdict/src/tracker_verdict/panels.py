"""What the report says first: which subscription delivers more, per unit and for the money, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, product

from attrs import evolve

from tracker.api import Cell, Chart, Column, Panel, Period
from tracker.kernel import Session, TrackerError, number, plural
from tracker_verdict import advice
from tracker_verdict.accounts import NO_ACCOUNT, several
from tracker_verdict.comparison import Delivery, Match, Question, delivered, matches
from tracker_verdict.outlook import Outlook, outlooks
from tracker_verdict.price import prices
from tracker_verdict.prospect import NEEDED, Prospect
from tracker_verdict.settings import effect_in_use

NAME = "comparison"
MOST_CHOICES = 6  # of accounts
NO_PRICES = "No subscription price is set, so nothing is compared by money: `tracker init` asks for prices."
COLUMNS = (
    Column(key="pair", title="Comparison", rank=0),
    Column(key="ratio", title="Ratio", kind="rate", rank=0),
    Column(key="interval", title="95 % interval"),
    Column(key="favours", title="Leans to"),
    Column(key="evidence", title="Evidence to 1", rank=2),
    Column(key="needed", title="More windows of each", rank=3),
)
CHART = Chart(
    kind="intervals", title="Ratio of features (1 is equal)", x="pair", y="ratio", low="low", high="high", at=1
)


def panels(session: Session, period: Period) -> Iterator[Panel]:
    if period.wants(NAME):
        yield comparison(session, period)
    if period.wants(FORECAST) and ((found := forecast(session, period.provider)).rows or found.missing):
        yield found


def comparison(session: Session, period: Period) -> Panel:
    """The comparisons by money, if prices are set, and by the shared unit."""
    known, effect = prices(session), effect_in_use(session)
    rows = delivered(session, period.windows)
    rows = evolve(rows, is_selection=len(period.windows) < len(session.index.windows()))
    found: list[tuple[Match, str]] = []
    reasons: dict[str, dict[str, None]] = {}
    # this provider also selects the other side's windows
    chosen = f", in windows of {period.provider}" if period.provider is not None else ""
    choices = _accounts(rows)
    for named in choices:
        whose = "".join(f", {name} account {account}" for name, account in named.items())
        label = whose + chosen
        for given in (known, {}) if known else ({},):
            question = Question(prices=given, effect=effect, accounts=tuple(named.values()))
            try:
                found += [(one, label) for one in matches(session, (), question, rows)]
            except TrackerError as error:
                reasons.setdefault(str(error), {})[whose and f" ({whose[2:]})"] = None
                for names in _of_one_unit(session, rows) if not given else ():
                    with suppress(TrackerError):
                        found += [(one, label) for one in matches(session, names, question, rows)]
    if period.provider is not None:
        found = [one for one in found if period.provider in (one[0].a.name, one[0].b.name)]
    # a reason for every choice is given once, without naming any
    told = [f"{why}{one}" for why, of in reasons.items() for one in (of if len(of) < len(choices) else [""])]
    return Panel(
        name=NAME,
        title="Comparison",
        place=5,
        headlines=list(_headlines(found)) or (told if rows.windows else ()),
        about=_about(found) if found else "",
        columns=COLUMNS,
        rows=[_row(match, label) for match, label in found],
        charts=_charts([match for match, _ in found]),
        missing=(told or ([] if known else [NO_PRICES])) if found else (),
    )


def _charts(found: Sequence[Match]) -> Sequence[Chart]:
    """The ratios. An upper limit far above all of them would press dots and 1 to one edge: the scale ends before it."""
    ratios = [one.comparison.ratio for one in found if one.comparison.ratio]
    most = 10 * math.ceil(max(ratios, default=0))
    highs = [high for one in found for _, high in [one.comparison.interval or one.comparison.interval_fixed or (0, 0)]]
    is_wide = any(high is not None and high > most for high in highs)
    title = f"Ratio of features (1 is equal, the scale ends at {most})"
    return (evolve(CHART, title=title, top=float(most)) if is_wide else CHART,) if ratios else ()


def _about(found: Sequence[tuple[Match, str]]) -> str:
    sides = [side for match, _ in found for side in (match.a, match.b)]
    changes = [(side.name, side.estimate.change) for side in sides]
    older = dict.fromkeys(f" {name}: {change.sentence}." for name, change in changes if change)
    about = "Which provider delivers more, over the windows that are close enough in time to compare."
    return about + "".join(older)


def _accounts(found: Delivery) -> list[dict[str, str]]:
    """Each choice of one account of every provider whose windows are of several: what is compared is of one each."""
    known = {provider: names for provider, own in sorted(found.tallies.items()) if (names := several(own))}
    return [dict(zip(known, one, strict=True)) for one in islice(product(*known.values()), MOST_CHOICES)]


def _of_one_unit(session: Session, found: Delivery) -> list[list[str]]:
    """The providers of some windows that share a unit, if there are several units."""
    units: dict[str, list[str]] = {}
    for name, source in session.registry.providers.items():
        if source.capacity_meter is not None and name in found.tallies:
            units.setdefault(source.capacity_meter.unit, []).append(name)
    return [names for names in units.values() if len(names) > 1] if len(units) > 1 else []


def _headlines(found: list[tuple[Match, str]]) -> Iterator[str]:
    for place, (match, label) in enumerate(found):
        what = "money" if match.priced else f"quota ({match.a.unit})"
        decision = f" {advice.action(match)}" if not place else ""
        said = f"{advice.today(match)} {advice.certainty(match)}"
        yield f"{match.a.name} and {match.b.name}, for the {what}{label}:{decision} {said}"


def _row(match: Match, label: str) -> Mapping[str, Cell]:
    found, better = match.comparison, match.better
    low, high = found.interval or found.interval_fixed or (None, None)
    limits, more = advice.limits(match), advice.more(match)
    needed = None if more is None else " to ".join(more) or "0"
    return {
        "pair": f"{match.a.name} / {match.b.name}, per {'dollar' if match.priced else match.a.unit}{label}",
        "ratio": found.ratio,
        "low": low,
        "high": high,
        "interval": f"{limits} (assumed)" if limits and found.interval is None else limits,
        "favours": better.name if better else None,
        "evidence": None if found.evidence is None else advice.odds(found.evidence),
        "needed": "none" if found.verdict == "retire" and needed is None else needed,
    }


# --- what is to come

FORECAST = "forecast"
FORECAST_COLUMNS = (
    Column(key="name", title="Meter", rank=0),
    Column(key="used", title="Used", kind="percent"),
    Column(key="expected", title="At the reset", kind="percent", rank=0),
    Column(key="low", title="80 % from", kind="percent"),
    Column(key="high", title="80 % to", kind="percent"),
    Column(key="chance", title="Chance to fill", kind="percent"),
    Column(key="reset_at", title="Reset", kind="instant", rank=2),
)
BAND = Chart(kind="intervals", title="Used at the reset, %", x="name", y="expected", low="low", high="high", top=100)


def forecast(session: Session, provider: str | None) -> Panel:
    """How full each meter is at its reset, as `plan` says it; those of one provider, or all."""
    read = [
        (source.name, one)
        for source in session.registry.providers.values()
        if provider in (None, source.name)
        for one in outlooks(session, source, 1)
        if one.used is not None
    ]
    rows, unknown = list[Mapping[str, Cell]](), list[str]()
    for provider_name, one in read:
        name = f"{provider_name} {one.meter}{f' account {one.account or NO_ACCOUNT}' if one.several else ''}"
        if one.prospect is not None and one.prospect.is_probable:
            rows.append({"name": name, **_forecast_row(one, one.prospect)})
        elif why := _unknown(one):
            unknown.append(f"{name}: {why}.")
    about = "How full each meter will be at its reset, if the week goes on as past weeks did; 100 % is full."
    about += "".join(f" {name} {one.meter}: {one.change.sentence}." for name, one in read if one.change)
    return Panel(
        name=FORECAST,
        title="Forecast",
        place=8,
        about=about if rows else "",
        columns=FORECAST_COLUMNS,
        rows=rows,
        charts=(BAND,) if rows else (),
        missing=unknown,
    )


def _unknown(one: Outlook) -> str | None:
    """Why a meter has no forecast; the linear pace, if it is for too few weeks."""
    found = one.prospect
    if found is not None and found.rest is not None:
        few = f"{plural(found.weeks, 'week')} of history, {NEEDED} are needed for a forecast"
        return f"{few}; linear pace: {number(found.linear or 0.0, 0)}% at the reset"
    why = one.why if found is None else found.why
    return why and f"no forecast: {why}"


def _forecast_row(one: Outlook, found: Prospect) -> Mapping[str, Cell]:
    points = {"expected": found.rest, "low": found.low, "high": found.high}
    used = one.used or 0.0
    shares = {name: round(min(used + (rest or 0.0), 100.0), 1) for name, rest in points.items()}
    return {"used": used, "reset_at": one.reset_at, **shares, "chance": found.chance}
