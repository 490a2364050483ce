"""The scoreboard: a row per group of windows, with what went in and what came out."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from tracker.api import Column, Source
from tracker.kernel import (
    Capture,
    Finalized,
    ProviderFigures,
    Session,
    Windows,
    canonical,
    csv_line,
    escape,
    plural,
    rate,
    value,
)
from tracker_verdict.accounts import MIXED, NO_ACCOUNT, columns, note_excluded
from tracker_verdict.estimate import ProviderEstimate
from tracker_verdict.overlaps import Overlaps, Spent, overlapping
from tracker_verdict.price import Price
from tracker_verdict.tally import Tally

By: TypeAlias = Literal["provider", "methodology", "lane", "outcome"]
LIST_PRICE = ("cost_usd", "cost_usd_per_feature")
MONEY = ("money", "money_per_feature", *LIST_PRICE)
# those of every scoreboard
COLUMNS = (
    *("group", "provider", "windows", "features", "capacity", "unit", "efficiency", "ci_low", "ci_high", "n"),
    *("churn_per_feature", "tokens", "money", "money_per_feature"),
)
UNNAMED = "(none)"
CHURN = ("churn", "files")
PER_FEATURE = ("churn", "tokens", "cost_usd")
# what the tokens and the money leave out, if there are any
BESIDE = ("unpriced_requests", "shared_requests", "lost_sessions")
SPREAD = "spread_over"  # what intervals are measured between, if that of any is not single windows
OLDER = "older_points"  # what a point of before a change counts, if one of what a point buys is known
BETWEEN = "+"  # the names of windows that share requests, in what features say of windows
Numbers: TypeAlias = Mapping[str, float]
# the columns as JSON values: an interval only if it is measured; churn, tokens and money only if they are known
Line: TypeAlias = Mapping[str, Any]


class Sums:
    """The windows of one group and provider, added one by one."""

    def __init__(self, session: Session, source: Source) -> None:
        self.tally, self.windows = Tally(session, source), 0
        # the one that the windows were measured on, if there are several
        self.account = ""
        # what is known of the provider, and of no provider
        self.own, self.others = Counter[str](), Counter[str]()
        # of each of the tally's results what is shown per feature, NaN if it is not known
        self.each = {name: array("d") for name in PER_FEATURE}
        # what windows have in common, and the windows of which that may be
        self.common, self.sharing = list[tuple[set[str], Numbers]](), set[str]()

    def add(self, row: Finalized, group: Sequence[Capture], own: Numbers, others: Numbers) -> None:
        features, counted = row.features.get(self.tally.source.name, 0), len(self.tally.results)
        self.tally.add(row, group)
        self.windows += 1
        # `churn` is net lines per feature, so that windows with more features weigh more
        own = {name: one * features if name == "churn" else one for name, one in own.items()}
        self.own.update(own)
        for name, column in self.each.items() if len(self.tally.results) > counted else ():
            column.append(own.get(name, math.nan))
        # what is known of the provider stands for it; churn of a window as a whole is no provider's
        self.others.update({name: own.get(name, one) for name, one in others.items() if name not in CHURN})
        if "shared_requests" in own:
            self.sharing.add(row.window)

    def share(self, known: Mapping[str, Numbers]) -> None:
        """Count once what these windows alone have in common; what they share with others is not known to be theirs."""
        self.common = [
            (windows, numbers)
            for names, numbers in known.items()
            if not self.sharing.isdisjoint(windows := {*names.split(BETWEEN)})
        ]
        for windows, numbers in self.common:
            if windows <= self.sharing:
                self.own.update(numbers)

    @property
    def shared(self) -> Counter[str]:
        """What these windows share with others."""
        found = Counter[str]()
        for windows, numbers in self.common:
            if not windows <= self.sharing:
                found.update(numbers)
        return found

    def extend(self, more: Sums) -> None:
        self.tally.extend(more.tally)
        self.windows += more.windows
        self.own.update(more.own)
        self.others.update(more.others)
        for name, column in self.each.items():
            column.extend(more.each[name])
        self.sharing |= more.sharing

    def per_feature(self, overlaps: Overlaps) -> dict[str, float | None]:
        """What a feature took in the windows that count and of which that is known; None if others may share it."""
        sums, features = defaultdict[str, float](float), defaultdict[str, float](float)
        counted, unknown = set[str](), set[str]()
        for place, one in enumerate(self.tally.results):
            if one.window in overlaps.shared or not (one.features or one.capacity):
                continue
            if one.window in self.sharing:
                counted.add(one.window)
            for name, column in self.each.items():
                if not math.isnan(column[place]):
                    sums[name] += column[place]
                    features[name] += one.features
        for windows, numbers in self.common:
            if windows <= counted:
                for name in self.each:
                    sums[name] += numbers.get(name, 0)
            elif not windows.isdisjoint(counted):
                unknown |= numbers.keys()
        return {
            name: sums[name] / features[name] if features[name] and name not in unknown else None for name in self.each
        }

    def beside(self) -> dict[str, int]:
        """What the tokens or the money leave out."""
        found = (self.own["unpriced_requests"], self.shared["requests"], self.own["lost_sessions"])
        return dict(zip(BESIDE, found, strict=True))


# the name of a group, its windows, and those that overlap
Group: TypeAlias = tuple[str, Sums, Overlaps]


def scoreboard(
    session: Session, by: By, known_prices: Mapping[str, Price], windows: Sequence[str] | None
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
            for source in (providers[name] for name in row.named & providers.keys()):
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
    bare = {name for name in (SPREAD, OLDER) if not any(line[name] for line in lines)}
    return [{name: one for name, one in line.items() if name not in bare} for line in lines] if bare else lines


def _order(line: Line) -> tuple[bool, str, str]:
    """By group and provider; what has no name is last, also if an account is named."""
    name = str(line["group"])
    return name == UNNAMED or name.startswith(f"{UNNAMED} ("), name, str(line["provider"])


def _note_left_out(session: Session, name: str, one: Sums) -> None:
    """Say what the tokens and the money of a group leave out."""
    if one.own["lost_sessions"]:
        session.note(f"note: {escape(name)}: of some windows only daily totals are left: not in tokens and money.")
    if one.own["accounts"]:
        session.note(f"note: {escape(name)}: some windows have several accounts' requests: not in tokens and money.")
    if count := one.shared["requests"]:
        session.note(f"note: {escape(name)}: {plural(count, 'more request')} may be of other windows: not counted.")


def _lines(
    session: Session, sums: Sequence[Group], known_prices: Mapping[str, Price], *, is_logged: bool
) -> Iterator[Line]:
    """A line for each group, all with the same columns."""
    others = sorted({name for _, one, _ in sums for name in one.others})
    beside, noted = [name for name in BESIDE if any(one.beside()[name] for _, one, _ in sums)], set[str]()
    for name, one, overlaps in sums:
        figures = one.tally.total(one.account, overlaps=overlaps)
        note_excluded(session, figures)
        _note_left_out(session, name, one)
        estimate, price = figures.efficiency, known_prices.get(figures.source.name)
        low, high = estimate.ci if estimate.ci_kind == "measured" and estimate.ci else (None, None)
        money = price.cost(estimate.capacity) if price and estimate.n else None
        per_feature, cost = one.per_feature(overlaps), one.own.get("cost_usd")
        used = {
            "cost_usd": None if cost is None else round(cost, 9),  # as `tracker usage` has it
            "tokens_per_feature": per_feature["tokens"],
            "cost_usd_per_feature": per_feature["cost_usd"],
        }
        yield {
            "group": name,
            "provider": figures.source.name,
            "windows": one.windows,
            **figures.totals,
            "unit": figures.unit,
            "efficiency": estimate.efficiency,
            "ci_low": low,
            "ci_high": high,
            "n": estimate.n,
            "churn_per_feature": per_feature["churn"],
            "tokens": one.own.get("tokens"),
            "money": money,
            "money_per_feature": money / estimate.features if money is not None and estimate.features else None,
            **{name: one.others.get(name) for name in others},
            **(used if is_logged else {}),
            **{name: one.beside()[name] for name in beside},
            SPREAD: _spread(figures),
            OLDER: _older(session, figures, noted),
        }


def _spread(figures: ProviderFigures) -> str | None:
    """What the interval is measured between, if that is not single windows: `6 days`."""
    found = figures.efficiency
    return plural(found.spread.n, found.blocks) if isinstance(found, ProviderEstimate) and found.blocks else None


def _older(session: Session, figures: ProviderFigures, noted: set[str]) -> float | None:
    """What a point of before a change counts, if there are some; of each provider it is noted once."""
    found, name = figures.efficiency, figures.source.name
    if not isinstance(found, ProviderEstimate) or found.change is None:
        return None
    if name not in noted:
        noted.add(name)
        session.note(f"note: {name}: {found.change.sentence}")
    return found.change.ratio[0]


def _numbers(found: Mapping[str, Any]) -> Numbers:
    return {name: one for name, one in found.items() if isinstance(one, int | float) and not isinstance(one, bool)}


def _by_group(session: Session, own: Mapping[tuple[str | None, str], Sums]) -> Iterator[Group]:
    """A provider's groups, of each account apart if two are named, with the provider's windows that overlap."""
    several = len({account for account, _ in own} - {None, MIXED}) > 1
    groups: dict[str, list[Sums]] = {}
    for (account, group), one in own.items():
        one.account = account or NO_ACCOUNT if several else ""
        groups.setdefault(f"{group} ({one.account})" if several else group, []).append(one)
    # also of windows that are in different groups, or that nobody asked about
    tallies = [one.tally for one in own.values()]
    overlaps = overlapping(session, tallies[0].source, Spent.of(*(one.spent for one in tallies)))
    for name, (first, *others) in groups.items():
        for one in others:
            first.extend(one)
        yield name, first, overlaps


def _group(by: By, source: Source, row: Finalized, group: Sequence[Capture]) -> str:
    if by == "provider":
        return source.name
    if by == "lane":
        after = canonical(group).after
        return (after.agent_id if after else None) or UNNAMED
    return row.text(by) or UNNAMED


def texts(found: Line) -> list[str]:
    """The columns as people read them."""
    size = found["efficiency"]
    small = {name: rate(found[name], size) for name in ("efficiency", "ci_low", "ci_high") if found[name] is not None}
    digits = {"churn_per_feature": 2, "tokens_per_feature": 0}
    digits |= dict.fromkeys(MONEY, 2)
    # what is under half a cent is not nothing
    small |= {name: rate(found[name]) for name in MONEY if 0 < abs(found.get(name) or 0) < 0.005}
    shown = {name: small.get(name) or value(one, digits=digits.get(name)) for name, one in found.items()}
    shown |= {name: f"at least {rate(one)}" for name, one in _least(found).items()}
    return list(shown.values())


def names(found: list[Line]) -> Sequence[str]:
    """The columns: those of every scoreboard, and those that features add."""
    return list(found[0]) if found else COLUMNS


def table(found: list[Line]) -> tuple[list[Column], list[dict[str, Any]]]:
    """The columns for a terminal, in the order in which a narrow one keeps them."""
    kinds = {
        SPREAD: "text",
        "unit": "text",
        "group": "text",
        "provider": "text",
        "tokens": "count",
        "windows": "count",
        "n": "count",
    }
    kinds |= dict.fromkeys(("efficiency", "ci_low", "ci_high"), "rate")
    kinds |= dict.fromkeys(MONEY, "money") | dict.fromkeys(BESIDE, "count")
    first = {"provider": 0, "efficiency": 0, "features": 1, "capacity": 1, "unit": 1, "ci_low": 2, "ci_high": 2}
    is_same = all(line["group"] == line["provider"] for line in found)
    if not is_same and all(str(line["group"]).startswith(f"{line['provider']} (") for line in found):
        first["provider"] = 9  # the groups are its accounts
    columns = [
        Column(
            key=name,
            title=_title(name),
            kind=kinds.get(name, "number"),  # type: ignore[arg-type]
            rank=first.get(name, 5 if name != "group" else 9 if is_same else 0),
        )
        for name in names(found)
    ]
    return columns, [{**line, **{name: _marked(one) for name, one in _least(line).items()}} for line in found]


def _title(name: str) -> str:
    """The head of a column; money is of the subscription's price or at list prices."""
    plain = name.replace("cost_usd", "list price").replace("money", "plan").replace("_", " ").replace("ci ", "95 % ")
    return f"{plain.capitalize()}{', $' if name in MONEY else ''}"


def _least(line: Line) -> Mapping[str, float]:
    """Money that leaves requests out: it was at least that."""
    money = {name: line.get(name) for name in LIST_PRICE if line.get("unpriced_requests")}
    return {name: _floored(one) for name, one in money.items() if one is not None}


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
