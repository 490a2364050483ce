"""The scoreboard: a row per group of windows, with what went in and what came out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import evolve

from tracker.api import Column, Source
from tracker.kernel import (
    Capture,
    FinalizeRow,
    Session,
    Windows,
    canonical,
    csv_line,
    escape,
    plural,
    rate,
    value,
)
from tracker_verdict.accounts import NO_ACCOUNT, columns, note_excluded, several
from tracker_verdict.estimate import ProviderEstimate
from tracker_verdict.overlaps import Overlaps, overlapping
from tracker_verdict.price import Price
from tracker_verdict.sums import BETWEEN, Numbers, Sums, Totals

# of every scoreboard
COLUMNS = (
    Column(key="group", title="Group", rank=0),
    Column(key="provider", title="Provider", rank=0),
    Column(key="windows", title="Windows", kind="count", rank=5),
    Column(key="features", title="Features", kind="number"),
    Column(key="capacity", title="Capacity", kind="number"),
    Column(key="unit", title="Unit"),
    Column(key="efficiency", title="Efficiency", kind="rate", rank=0),
    Column(key="ci_low", title="95 % low", kind="rate", rank=2),
    Column(key="ci_high", title="95 % high", kind="rate", rank=2),
    Column(key="n", title="N", kind="count", rank=5),
    Column(key="churn_per_feature", title="Churn per feature", kind="number", rank=5),
    Column(key="tokens", title="Tokens", kind="count", rank=5),
    Column(key="money", title="Plan, $", kind="money", rank=5),
    Column(key="money_per_feature", title="Plan per feature, $", kind="money", rank=5),
)
# if session logs are read
LOGGED = (
    Column(key="cost_usd", title="List price, $", kind="money", rank=5),
    Column(key="tokens_per_feature", title="Tokens per feature", kind="number", rank=5),
    Column(key="cost_usd_per_feature", title="List price per feature, $", kind="money", rank=5),
)
# if a group has some: what the tokens and the money leave out, even of windows that count, and what windows used that
# do not count; what intervals are measured between, if not single windows; and how many of today's points an older one
# counts as, if what a point buys changed
RARE = (
    Column(key="unpriced_requests", title="Unpriced requests", kind="count", rank=5),
    Column(key="shared_requests", title="Shared requests", kind="count", rank=5),
    Column(key="lost_sessions", title="Lost sessions", kind="count", rank=5),
    Column(key="unknown_windows", title="Windows without tokens", kind="count", rank=5),
    Column(key="left_out_tokens", title="Tokens of windows left out", kind="count", rank=5),
    Column(key="spread_over", title="Spread over", rank=5),
    Column(key="older_points", title="Older points", kind="number", rank=5),
)
KNOWN = {one.key: one for one in (*COLUMNS, *LOGGED, *RARE)}
DIGITS = {"churn_per_feature": 2, "tokens_per_feature": 0}
UNNAMED = "(none)"
# the columns as JSON values: an interval only if it is measured; churn, tokens and money only if they are known
Line: TypeAlias = Mapping[str, Any]
# the name of a group, its windows, and those that overlap
Group: TypeAlias = tuple[str, Sums, Overlaps]


def scoreboard(
    session: Session, by: str, known_prices: Mapping[str, Price], windows: Sequence[str] | None
) -> list[Line]:
    """Every group of the finalized windows, by group and provider; notes what plugins are missing. None: all."""
    # by provider, then by account and group
    found: dict[str, dict[tuple[str | None, str], Sums]] = {}
    shared: dict[str, dict[str, Numbers]] = {}
    is_logged, providers, names = False, session.registry.providers, list[str]()
    for part in Windows(session).parts(windows):
        names += part.rows
        said = columns(session, list(part.rows))
        known = {key: _numbers(own) for key, own in said.items()}
        is_logged |= any("requests" in one for one in known.values())  # session logs know the requests of windows
        for (window, provider), numbers in known.items():
            if BETWEEN in window:
                shared.setdefault(provider, {})[window] = numbers
        for window, row in part.rows.items():
            for source in (providers[name] for name in sorted(row.named & providers.keys())):
                place, group = (window, source.name), part.groups.get((window, source.name), [])
                key = said.get(place, {}).get("account"), _group(by, source, row, group)
                own = found.setdefault(source.name, {})
                if key not in own:
                    own[key] = Sums(session, source)
                own[key].add(row, group, known.get(place, {}), known.get((window, ""), {}))
    Windows(session).note_missing(Windows(session).missing_plugins(names))
    sums = [one for own in found.values() for one in _by_group(session, own)]
    for _, one, _ in sums:
        one.share(shared.get(one.tally.source.name, {}))
    lines = sorted(_lines(session, sums, known_prices, is_logged=is_logged), key=_order)
    bare = {one.key for one in RARE if not any(_says(line, one.key) for line in lines)}
    return [{name: one for name, one in line.items() if name not in bare} for line in lines]


def _says(line: Line, name: str) -> bool:
    """Whether a rare column has something to say in a row; if no tokens are known at all, the tokens say so."""
    return bool(line[name]) and (name != "unknown_windows" or line["tokens"] is not None)


def _order(line: Line) -> tuple[bool, str, str]:
    """By group and provider; what has no name is last, also if an account is named."""
    name = str(line["group"])
    return name == UNNAMED or name.startswith(f"{UNNAMED} ("), name, str(line["provider"])


def _note_left_out(session: Session, provider: str, group: str, one: Totals, n: int) -> None:
    """Say what the tokens and the money of a group leave out; groups of several providers may have one name."""
    notes = []
    if one.sums["lost_sessions"]:
        notes.append("some windows have only daily totals left: not in tokens and money.")
    if one.sums["accounts"]:
        notes.append("some windows have several accounts' requests: not in tokens and money.")
    if count := one.shared["requests"]:
        notes.append(f"{plural(count, 'more request')} may belong to other windows: not counted.")
    if 0 < (known := one.windows["tokens"]) < n:
        notes.append(f"tokens are known for {known} of {n} windows.")
    if 0 < (priced := one.windows["cost_usd"]) < known:
        notes.append(f"money at list prices is known for {priced} of {n} windows.")
    if count := one.left_out["tokens"]:
        notes.append(f"windows that do not count used another {count:,} tokens.")
    where = group if group.startswith(provider) else f"{provider} {group}"
    for note in notes:
        session.note(f"note: {escape(where)}: {note}")


def _lines(
    session: Session, sums: Sequence[Group], known_prices: Mapping[str, Price], *, is_logged: bool
) -> Iterator[Line]:
    """A line for each group, all with the same columns."""
    others, noted = sorted({name for _, one, _ in sums for name in one.others.columns}), set[str]()
    for name, one, overlaps in sums:
        figures = one.tally.total(one.account, overlaps=overlaps)
        note_excluded(session, figures)
        provider, estimate, totals = figures.source.name, figures.efficiency, one.totals(overlaps)
        _note_left_out(session, provider, name, totals, estimate.n)
        if estimate.change and provider not in noted:
            noted.add(provider)
            session.note(f"note: {provider}: {estimate.change.sentence}")
        low, high = estimate.ci if estimate.ci_kind == "measured" and estimate.ci else (None, None)
        price, cost = known_prices.get(provider), totals.sums.get("cost_usd")
        money = price.cost(estimate.capacity) if price and estimate.n else None
        used = {
            "cost_usd": None if cost is None else round(cost, 9),  # as `tracker usage` has it
            "tokens_per_feature": totals.per_feature("tokens"),
            "cost_usd_per_feature": totals.per_feature("cost_usd"),
        }
        yield {
            "group": name,
            "provider": provider,
            "windows": one.windows,
            **figures.totals,
            "unit": figures.unit,
            "efficiency": estimate.efficiency,
            "ci_low": low,
            "ci_high": high,
            "n": estimate.n,
            "churn_per_feature": totals.per_feature("churn"),
            "tokens": totals.sums.get("tokens"),
            "money": money,
            "money_per_feature": money / estimate.features if money is not None and estimate.features else None,
            **{name: totals.others.get(name) for name in others},
            **(used if is_logged else {}),
            **_rare(totals, estimate),
        }


def _rare(one: Totals, estimate: ProviderEstimate) -> Line:
    return {
        "unpriced_requests": one.sums["unpriced_requests"],
        "shared_requests": one.shared["requests"],
        "lost_sessions": one.sums["lost_sessions"],
        "unknown_windows": estimate.n - one.windows["tokens"],
        "left_out_tokens": one.left_out["tokens"],
        "spread_over": plural(estimate.spread.n, estimate.blocks) if estimate.blocks else None,
        "older_points": estimate.change.ratio[0] if estimate.change else None,
    }


def _numbers(found: Mapping[str, Any]) -> Numbers:
    return {name: one for name, one in found.items() if isinstance(one, int | float) and not isinstance(one, bool)}


def _by_group(session: Session, own: Mapping[tuple[str | None, str], Sums]) -> Iterator[Group]:
    """A provider's groups, of each account apart if two are named, with the provider's windows that overlap."""
    # also between windows of different groups, and with windows that nobody asked about
    tallies = [one.tally for one in own.values()]
    overlaps = overlapping(session, tallies[0].source, *(one.spent for one in tallies))
    is_apart = bool(several(account for account, _ in own))
    groups: dict[str, Sums] = {}
    for (account, group), one in own.items():
        one.account = account or NO_ACCOUNT if is_apart else ""
        name = f"{group} ({one.account})" if is_apart else group
        if name in groups:
            groups[name].extend(one)
        else:
            groups[name] = one
    for name, one in groups.items():
        yield name, one, overlaps


def _group(by: str, source: Source, row: FinalizeRow, group: Sequence[Capture]) -> str:
    if by == "provider":
        return source.name
    if by == "lane":
        after = canonical(group).after
        return (after.agent_id if after else None) or UNNAMED
    return row.text(by) or UNNAMED


def names(found: list[Line]) -> list[str]:
    """The columns: those of every scoreboard, and those that features add."""
    return list(found[0]) if found else [one.key for one in COLUMNS]


def texts(found: Line) -> list[str]:
    """The columns as people read them."""
    least = _least(found)
    return [
        f"at least {rate(least[name])}" if name in least else _text(name, one, found["efficiency"])
        for name, one in found.items()
    ]


def _text(name: str, one: Any, size: float | None) -> str:
    kind = KNOWN[name].kind if name in KNOWN else "number"
    if kind == "rate":
        return rate(one, size)
    # what is under half a cent is not nothing
    if kind == "money" and one is not None and abs(one) < 0.005:
        return rate(one)
    return value(one, digits=2 if kind == "money" else DIGITS.get(name))


def table(found: list[Line]) -> tuple[list[Column], list[dict[str, Any]]]:
    """The columns for a terminal, in the order in which a narrow one keeps them."""
    last = None
    if all(line["group"] == line["provider"] for line in found):
        last = "group"
    elif all(str(line["group"]).startswith(f"{line['provider']} (") for line in found):
        # the groups are its accounts
        last = "provider"
    shown = [KNOWN.get(name) or _added(name) for name in names(found)]
    shown = [evolve(one, rank=9) if one.key == last else one for one in shown]
    return shown, [{**line, **{name: _marked(one) for name, one in _least(line).items()}} for line in found]


def _added(name: str) -> Column:
    return Column(key=name, title=name.replace("_", " ").capitalize(), kind="number", rank=5)


def _least(line: Line) -> Mapping[str, float]:
    """Money that leaves requests out: it was at least that."""
    money = {name: line.get(name) for name in ("cost_usd", "cost_usd_per_feature")}
    is_least = bool(line.get("unpriced_requests"))
    return {name: _floored(one) for name, one in money.items() if is_least and one is not None}


def _marked(usd: float) -> str:
    return f"≥${rate(usd)}" if 0 < usd < 0.01 else f"≥${usd:,.2f}"


def _floored(usd: float) -> float:
    """In whole cents, or with two digits if it has none."""
    size = 10.0 ** (2 if usd >= 0.01 or usd <= 0 else 1 - math.floor(math.log10(usd)))
    return math.floor(round(usd * size, 7)) / size


def as_text(found: list[Line]) -> Iterator[str]:
    table = [names(found), *(texts(line) for line in found)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def as_markdown(found: list[Line]) -> Iterator[str]:
    head = names(found)
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for line in found:
        yield f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts(line))} |"


def as_csv(found: list[Line]) -> Iterator[str]:
    """RFC 4180, a header and a row per line; empty if a figure is not known."""
    for row in (names(found), *(line.values() for line in found)):
        yield csv_line(list(row)).decode().rstrip("\n")
