"""What the report says first: which subscription delivers more, per unit and for the money, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tracker.api import Cell, Chart, Column, Panel, Period
from tracker.kernel import Session, TrackerError
from tracker_verdict import advice, estimate
from tracker_verdict.comparison import Match, Question, matches
from tracker_verdict.price import prices
from tracker_verdict.settings import VerdictSettings

NAME = "comparison"
COLUMNS = (
    Column(key="pair", title="Comparison", rank=0),
    Column(key="ratio", title="Ratio", kind="rate", rank=0),
    Column(key="low", title="95 % from", kind="rate"),
    Column(key="high", title="95 % to", kind="rate"),
    Column(key="favours", title="Delivers more"),
    Column(key="evidence", title="Evidence to 1", kind="number", rank=2),
    Column(key="needed", title="Windows needed", rank=3),
)
CHART = Chart(kind="intervals", title="Ratio of features (1 is equal)", x="pair", y="ratio", low="low", high="high")


def panel(session: Session, period: Period) -> Panel:
    """The comparisons by money, if prices are set, and by the shared unit."""
    known = prices(session.registry.providers, session.settings(VerdictSettings).prices, ())
    rows = session.finalized(period.windows)
    found: list[Match] = []
    reasons: list[str] = []
    for given in (known, {}) if known else ({},):
        try:
            found += matches(session, (), Question(prices=given, effect=estimate.effect(session)), rows)
        except TrackerError as error:
            reasons.append(str(error))
    return Panel(
        name=NAME,
        title="Comparison",
        place=5,
        headlines=list(_headlines(found)) or (reasons if rows else ()),
        about="Which provider delivers more, over the windows that lie close enough in time to be compared."
        if found
        else "",
        columns=COLUMNS,
        rows=[_row(match) for match in found],
        charts=(CHART,) if any(match.comparison.ratio for match in found) else (),
        missing=reasons if found else (),
    )


def _headlines(found: list[Match]) -> Iterator[str]:
    for place, match in enumerate(found):
        names = f"{match.a.name} and {match.b.name}, {_unit(match)}"
        decision = f" {advice.action(match)}" if not place else ""
        yield f"{names}:{decision} {advice.today(match)} {advice.certainty(match)}"


def _unit(match: Match) -> str:
    return f"for the {'money' if match.priced else f'quota ({match.a.unit})'}"


def _row(match: Match) -> Mapping[str, Cell]:
    found, better = match.comparison, match.better
    low, high = found.interval or found.interval_fixed or (None, None)
    needed = found.windows_needed
    return {
        "pair": f"{match.a.name} / {match.b.name}, per {'dollar' if match.priced else match.a.unit}",
        "ratio": found.ratio,
        "low": low,
        "high": high,
        "favours": better.name if better else None,
        "evidence": found.evidence,
        "needed": " to ".join(dict.fromkeys(map(str, needed))) if needed else "none" if found.verdict else None,
    }
