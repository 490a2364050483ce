"""One provider against another: the ratio, how sure it is, and what it may decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from tracker.kernel import (
    ProviderFigures,
    Session,
    TrackerError,
    captures,
    command_line,
    finalized,
    finalized_figures,
    near,
    number,
    stamp,
    value,
)
from tracker_verdict.stats.compare import NOT_ENOUGH, Comparison, compare
from tracker_verdict.stats.efficiency import Efficiency
from tracker_verdict.stats.gates import Gate
from tracker_verdict.worth import EXAMPLE, Worth

LOOKS = "looks"


@frozen(kw_only=True)
class Match:
    """Two providers and how they compare; `priced` says whether by money or by the unit that they share."""

    a: ProviderFigures
    b: ProviderFigures
    priced: bool
    comparison: Comparison


def figures(session: Session) -> dict[str, ProviderFigures]:
    """Every provider over all finalized windows."""
    rows = finalized(session.index)
    groups = captures(session.index, session.registry, list(rows))
    return {found.source.name: found for found in finalized_figures(session, rows, groups)}


def choose(session: Session, known: Mapping[str, ProviderFigures], names: Sequence[str]) -> list[str]:
    """The providers that were asked for, each with finalized windows."""
    providers = session.registry.providers
    for name in names:
        if name not in providers:
            raise TrackerError(f"no provider {name!r}; {near(name, providers)}")
        if name not in known:
            raise TrackerError(f"{name} has no finalized window; finish one with `tracker complete --window W`")
    chosen = list(names) or sorted(known)
    if len(chosen) < 2:
        have = f"only {chosen[0]} has" if chosen else "no provider has"
        raise TrackerError(f"a comparison needs two providers with finalized windows; {have} any")
    return chosen


def matches(
    session: Session, names: Sequence[str], worths: Mapping[str, Worth], *, effect: float, review: bool
) -> list[Match]:
    """Two providers against each other; of more than two each other one against the best."""
    known = figures(session)
    chosen = choose(session, known, names)
    pairs = [(chosen[0], chosen[1])] if len(chosen) == 2 else _against_best(chosen, known, worths)
    return [_match(session, known[a], known[b], worths, effect=effect, review=review) for a, b in pairs]


def _against_best(
    chosen: Sequence[str], known: Mapping[str, ProviderFigures], worths: Mapping[str, Worth]
) -> list[tuple[str, str]]:
    units = {known[name].unit for name in chosen}
    is_priced = all(name in worths for name in chosen)
    if len(units) > 1 and not is_priced:
        raise _incomparable([known[name] for name in chosen], worths)

    def merit(name: str) -> float:
        scale = worths[name].units_per_money if is_priced else 1.0
        return (known[name].efficiency.efficiency or 0.0) * scale

    best = max(chosen, key=merit)
    return [(best, name) for name in chosen if name != best]


def _match(
    session: Session,
    a: ProviderFigures,
    b: ProviderFigures,
    worths: Mapping[str, Worth],
    *,
    effect: float,
    review: bool,
) -> Match:
    names = (a.source.name, b.source.name)
    priced = all(name in worths for name in names)
    if not priced and a.unit != b.unit:
        raise _incomparable([a, b], worths)
    worth = (worths[names[0]].units_per_money, worths[names[1]].units_per_money) if priced else (1.0, 1.0)
    looks = 1 + sum(sorted(names) == entry.record.get("pair") for entry in session.index.entries(LOOKS))
    comparison = compare(_measured(a), _measured(b), worth=worth, effect=effect, review=review, looks=looks)
    return Match(a=a, b=b, priced=priced, comparison=comparison)


def _measured(figures: ProviderFigures) -> Efficiency:
    assert isinstance(figures.efficiency, Efficiency)  # this feature's own estimate
    return figures.efficiency


def _incomparable(found: Sequence[ProviderFigures], worths: Mapping[str, Worth]) -> TrackerError:
    units = ", ".join(f"{one.source.name} in {one.unit}" for one in found)
    missing = [one for one in found if one.source.name not in worths]
    examples = " ".join(
        f"--price {one.source.name}={EXAMPLE if one.unit == 'pp' else f'30/mo:2400{one.unit}'}" for one in missing
    )
    return TrackerError(
        f"different units cannot be compared without prices ({units}); give them with {examples},"
        " or under [prices] in tracker.toml"
    )


def note_looks(session: Session, found: Sequence[Match]) -> None:
    """Remember that these pairs were looked at: every look is one more chance to be wrong."""
    if session.dry_run:
        return
    records = [
        stamp(
            window=None,
            provider=None,
            captured_at=session.now,
            source="compare",
            agent_id=session.lane,
            pair=sorted((match.a.source.name, match.b.source.name)),
            certainty=match.comparison.certainty,
            review=match.comparison.review,
        )
        for match in found
    ]
    try:
        with session.journal.lock(command_line()):
            session.journal.append(LOOKS, records)
    except TrackerError as error:
        session.warn(f"this look could not be counted: {error}")


# --- as text and JSON


def lines(match: Match) -> Iterator[str]:
    """The comparison in words."""
    a, b, found = match.a.source.name, match.b.source.name, match.comparison
    per = "the money" if match.priced else f"one {match.a.unit}"
    yield f"{a} against {b}: features for {per}"
    for side in (match.a, match.b):
        estimate = side.efficiency
        shown = value(estimate.efficiency, digits=2)
        capacity = value(estimate.capacity, unit=f" {side.unit}")
        head = f"features={value(estimate.features)}, capacity={capacity}"
        yield f"  {side.source.name}: {head}, efficiency={shown}, n={estimate.n}"
    yield f"  ratio: {value(found.ratio, digits=2)}{_interval(found)}"
    yield f"  certainty that {a} beats {b}: {number(100 * found.certainty, 1)}%{_assumed(found)}"
    for gate in found.gates:
        state = "open" if gate.open else f"closed ({_wanting(match, gate)})"
        yield f"  gate {gate.name} ({number(100 * gate.certainty)}%): {state}"
    yield f"  verdict: {verdict(match)}"
    if not found.review and found.looks is not None:
        times = "the first look" if found.looks == 1 else f"look {found.looks}"
        yield (
            f"  this is {times} at this pair: a gate that is watched after every window opens wrongly more often than"
            " it says; decide at a review date fixed beforehand (--review)"
        )


def _interval(found: Comparison) -> str:
    if found.interval is None:
        return ""
    low, high = found.interval
    upper = "no upper limit" if high is None else number(high, 2)
    return f" ({number(low, 2)} to {upper}, {number(100 * found.confidence)}%)"


def _assumed(found: Comparison) -> str:
    return " (assumed spread: too few windows, or features, on a side)" if found.kind == "assumed" else ""


def _wanting(match: Match, gate: Gate) -> str:
    """What keeps a gate closed, and how many more windows would likely open it."""
    a, b, found = match.a.efficiency, match.b.efficiency, match.comparison
    better = max(found.certainty, 1 - found.certainty)
    fewest = min(a.n, b.n)
    parts = []
    if fewest < gate.windows:
        parts.append(f"needs {gate.windows} windows on each side")
    elif found.kind == "assumed":
        parts.append("the spread of a side is only assumed")
    if better < gate.certainty:
        parts.append(f"certainty {number(100 * better, 1)}% is below {number(100 * gate.certainty)}%")
    if gate.windows_needed is not None and gate.windows_needed > fewest:
        more = gate.windows_needed - fewest
        parts.append(f"about {more} more each at a ratio of {number(found.effect)}")
    return "; ".join(parts)


def verdict(match: Match) -> str:
    """The verdict in words."""
    found = match.comparison
    if found.verdict == NOT_ENOUGH:
        needed = found.windows_needed
        more = None if needed is None else max(needed - min(match.a.efficiency.n, match.b.efficiency.n), 1)
        return NOT_ENOUGH + ("" if more is None else f": about {more} more windows each")
    better, worse = (match.a, match.b) if found.favours == "a" else (match.b, match.a)
    if found.verdict == "retire":
        return f"retire {worse.source.name}: {better.source.name} delivers more"
    return f"reallocate work from {worse.source.name} to {better.source.name}, a small step that can be taken back"


def document(match: Match) -> dict[str, Any]:
    """The comparison as JSON values."""
    found = match.comparison
    return {
        "a": match.a.source.name,
        "b": match.b.source.name,
        "priced": match.priced,
        "kind": found.kind,
        "ratio": found.ratio,
        "interval": None if found.interval is None else list(found.interval),
        "p1": found.p1,
        "p2": found.p2,
        "certainty": found.certainty,
        "confidence": found.confidence,
        "effect": found.effect,
        "gates": [
            {
                "name": gate.name,
                "certainty": gate.certainty,
                "windows": gate.windows,
                "open": gate.open,
                "power": gate.power,
                "windows_needed": gate.windows_needed,
            }
            for gate in found.gates
        ],
        "verdict": verdict(match),
        "windows_needed": found.windows_needed,
        "review": found.review,
        "looks": found.looks,
        "providers": [
            {"provider": side.source.name, "unit": side.unit, **side.efficiency.figures()}
            for side in (match.a, match.b)
        ],
    }
