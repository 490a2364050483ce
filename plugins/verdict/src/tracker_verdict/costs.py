"""What windows moved the meters of a provider by, and on which plan: what one costs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from tracker.api import Meter, Source, amount
from tracker.kernel import Session, Windows
from tracker_verdict.accounts import MIXED, accounts, alike, plans
from tracker_verdict.overlaps import Ends, overlaps_of
from tracker_verdict.tally import moment

if TYPE_CHECKING:
    from tracker_verdict.regimes import Regime

# When an origin named which plan.
Plans: TypeAlias = list[tuple[datetime, str]]


class MeterMoves(NamedTuple):
    """What the meters moved by in a finalized window of an account; or of several windows, if it overlaps others."""

    account: str | None
    delta: Mapping[str, Any]
    is_shared: bool
    pair: Ends
    at: datetime | None

    def state(self, named: Mapping[str, Plans]) -> Literal["alone", "shared", "outdated"]:
        """Whether it shows what a window costs now: a per cent of another plan belongs to another quota.

        named: the plans that each origin named. Panes and JSON have different words, so each is compared with itself.
        """
        then, after = plans(self.pair), self.pair[1]
        said_since = after and any(named[by][-1][0] > after.captured_at for by, _ in then if by in named)
        if after and not said_since:
            # its origins named no plan since: what other origins named at that time decides
            then |= {*_plans_at(named, after.captured_at)}
        if not all(alike(named[origin][-1][1], plan) for origin, plan in then if origin in named):
            return "outdated"
        return "shared" if self.is_shared else "alone"


def _plans_at(named: Mapping[str, Plans], at: datetime) -> Iterator[tuple[str, str]]:
    """The plan at an instant, by each origin that named the same one before and after it."""
    for origin, said in named.items():
        place = bisect_right(said, at, key=lambda one: one[0])
        if 0 < place < len(said) and said[place - 1][1] == said[place][1]:
            yield origin, said[place][1]


def moved_by(session: Session, source: Source, windows: Sequence[str]) -> list[MeterMoves]:
    """What each finalized window moved; a window from one account to another moves nothing."""
    rows, groups = Windows(session).finalized(windows), Windows(session).captures(windows)
    owners = {window: account for (window, name), account in accounts(session, windows).items() if name == source.name}
    shared = overlaps_of(session, source, rows, groups).shared
    found = []
    for window, row in rows.items():
        owner, delta = owners.get(window), row.providers.get(source.name, {}).get("delta")
        if isinstance(delta, Mapping) and owner != MIXED:
            pair = row.pair(source.name, groups.get((window, source.name), ()))
            found.append(MeterMoves(owner, delta, window in shared, pair, moment(pair, row)))
    return found


def costs_of(moved: Iterable[MeterMoves], meter: Meter, change: Regime | None = None) -> list[float]:
    """What windows cost, sorted; those before a change in today's points."""
    known = [(window, amount(window.delta.get(meter.field_name))) for window in moved]
    return sorted(
        float(cost) * (change.factor(window.at) if change else 1.0) for window, cost in known if cost is not None
    )
