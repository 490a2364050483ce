"""What is known of each provider in each window: what its quota cost, and which other window moved the same meter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracker.kernel import ProviderFigures, Session, Windows
from tracker_verdict.overlaps import OVERLAPS, Spent, overlapping
from tracker_verdict.price import prices
from tracker_verdict.settings import VerdictSettings


def facts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The money of each provider in each window, and of each of its features, if the price is in the settings.

    `overlaps` is the other window: the meter then moved for both, so that it is not known what a feature took.
    """
    providers = session.registry.providers
    known = prices(providers, session.settings(VerdictSettings).prices, ())
    rows, found = Windows(session).finalized(windows), dict[tuple[str, str], dict[str, Any]]()
    groups = Windows(session).captures(list(rows)) if rows else {}
    for name, source in providers.items():
        spent, price = Spent(), known.get(name)
        for window, row in rows.items():
            group = groups.get((window, name), ())
            if (result := row.result(source, group)) is None:
                continue
            spent.add(window, result.pair, source.capacity or "")
            estimate = ProviderFigures.of(source, row, group).efficiency
            if price and estimate.n:
                own = found[window, name] = {"money": price.cost(estimate.capacity)}
                if estimate.features:
                    own["money_per_feature"] = own["money"] / estimate.features
        for window, reason in overlapping(session, source, spent).items():
            if window in rows:
                own = found.setdefault((window, name), {})
                own |= {key: None for key in own if key == "money_per_feature"}
                own["overlaps"] = reason.removeprefix(OVERLAPS)
    return found
