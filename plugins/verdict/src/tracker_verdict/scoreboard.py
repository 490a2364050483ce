"""The scoreboard: a row per group of windows, with what went in and what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from tracker.api import Column, Source
from tracker.kernel import Capture, Finalized, ProviderFigures, Session, Windows, canonical, csv_line, rate, value
from tracker_verdict.accounts import columns, note_excluded, split
from tracker_verdict.price import Price, prices
from tracker_verdict.settings import VerdictSettings

By: TypeAlias = Literal["provider", "methodology", "lane", "outcome"]
FIGURES = ("group", "provider", "windows", "features", "capacity", "unit", "efficiency", "ci_low", "ci_high", "n")
COLUMNS = (*FIGURES, "churn_per_feature", "tokens", "money", "money_per_feature")
UNNAMED = "(none)"


@frozen(kw_only=True)
class Line:
    """One group and provider. ci only if it is measured; churn, tokens and money only if they are known.

    others: the columns that features add to windows, summed.
    """

    group: str
    figures: ProviderFigures
    windows: int
    churn_per_feature: float | None
    tokens: float | None
    money: float | None
    others: Mapping[str, float | None] = field(factory=dict)

    def values(self) -> dict[str, Any]:
        """The columns as JSON values."""
        estimate = self.figures.efficiency
        low, high = estimate.ci if estimate.ci_kind == "measured" and estimate.ci else (None, None)
        per_feature = self.money / estimate.features if self.money is not None and estimate.features else None
        found = (
            self.group,
            self.figures.source.name,
            self.windows,
            *self.figures.totals.values(),
            self.figures.unit,
            estimate.efficiency,
            low,
            high,
            estimate.n,
            self.churn_per_feature,
            self.tokens,
            self.money,
            per_feature,
        )
        return dict(zip(COLUMNS, found, strict=True)) | dict(self.others)


def scoreboard(
    session: Session, by: By, known_prices: Mapping[str, Price], rows: Mapping[str, Finalized]
) -> list[Line]:
    """Every group of some finalized windows, by group and provider."""
    groups = Windows(session).captures(list(rows))
    said = columns(session, list(rows))
    known = {
        key: {name: one for name, one in own.items() if isinstance(one, int | float) and not isinstance(one, bool)}
        for key, own in said.items()
    }
    others = sorted({name for (_, provider), one in known.items() if not provider for name in one})
    is_logged = any("requests" in one for one in known.values())  # session logs know the requests of windows
    lines = []
    for source in session.registry.providers.values():
        parts: dict[str, dict[str, Finalized]] = {}
        shared: dict[str, str] = {}
        for account, own_rows in split(said, source.name, rows).items():
            # also of windows that are in different groups
            shared |= ProviderFigures.overlaps(source, own_rows, groups)
            for window, row in own_rows.items():
                name = _group(by, source, window, row, groups) + (f" ({account})" if account else "")
                parts.setdefault(name, {})[window] = row
        for name, part in parts.items():
            alone = {window: row for window, row in part.items() if window not in shared}
            figures = ProviderFigures.of(session, source, alone, groups)
            reasons = [{"window": window, "reason": shared[window]} for window in sorted(part.keys() & shared.keys())]
            figures = figures._replace(excluded=(*figures.excluded, *reasons))
            note_excluded(session, figures)
            estimate = figures.efficiency
            price = known_prices.get(source.name)
            own = {window: known.get((window, source.name), {}) for window in part}
            # `churn` is net lines per feature, so that windows with more features weigh more
            net = {
                window: one["churn"] * part[window].features.get(source.name, 0)
                for window, one in own.items()
                if "churn" in one
            }
            added = {name: [known.get((window, ""), {}).get(name) for window in part] for name in others}
            tokens = [one["tokens"] for one in own.values() if "tokens" in one]
            built = sum(part[window].features.get(source.name, 0) for window in net)
            lines.append(
                Line(
                    group=name,
                    figures=figures,
                    windows=len(part),
                    churn_per_feature=sum(net.values()) / built if built else None,
                    tokens=sum(tokens) if tokens else None,
                    money=price.cost(estimate.capacity) if price and estimate.n else None,
                    others={name: _sum(each) for name, each in added.items()}
                    | (_used(own, part, source.name) if is_logged else {}),
                )
            )
    return sorted(lines, key=lambda line: (line.group == UNNAMED, line.group, line.figures.source.name))


def _used(own: Mapping[str, Mapping[str, float]], part: Mapping[str, Finalized], name: str) -> dict[str, float | None]:
    """What the requests of the windows cost at list price, and the tokens and the money of each feature."""
    features = sum(part[window].features.get(name, 0) for window, one in own.items() if "tokens" in one)
    tokens, cost = (_sum([one.get(column) for one in own.values()]) for column in ("tokens", "cost_usd"))
    each = [None if one is None or not features else one / features for one in (tokens, cost)]
    return {"cost_usd": cost, "tokens_per_feature": each[0], "cost_usd_per_feature": each[1]}


def _sum(found: Sequence[float | None]) -> float | None:
    known = [one for one in found if one is not None]
    return sum(known) if known else None


def _group(by: By, source: Source, window: str, row: Finalized, groups: Mapping[tuple[str, str], list[Capture]]) -> str:
    if by == "provider":
        return source.name
    if by == "lane":
        after = canonical(groups.get((window, source.name), [])).after
        return (after.agent_id if after else None) or UNNAMED
    return row.text(by) or UNNAMED


def money(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, float]]:
    """What each provider's quota of each window cost, and each of its features, if the price is in the settings."""
    providers = session.registry.providers
    known = prices(providers, session.settings(VerdictSettings).prices, ())
    if not known:
        return {}
    rows, found = Windows(session).finalized(windows), {}
    groups = Windows(session).captures(list(rows))
    for window, row in rows.items():
        for name, price in known.items():
            estimate = ProviderFigures.of(session, providers[name], {window: row}, groups).efficiency
            if estimate.n:
                cost = price.cost(estimate.capacity)
                found[window, name] = {"money": cost}
                if estimate.features:
                    found[window, name]["money_per_feature"] = cost / estimate.features
    return found


def texts(line: Line) -> list[str]:
    """The columns as people read them."""
    found = line.values()
    size = found["efficiency"]
    small = {name: rate(found[name], size) for name in ("efficiency", "ci_low", "ci_high") if found[name] is not None}
    digits = {"churn_per_feature": 2, "tokens_per_feature": 0}
    digits |= dict.fromkeys(("money", "money_per_feature", "cost_usd", "cost_usd_per_feature"), 2)
    return [small.get(name) or value(one, digits=digits.get(name)) for name, one in found.items()]


def names(found: list[Line]) -> Sequence[str]:
    """The columns: those of every scoreboard, and those that features add."""
    return list(found[0].values()) if found else COLUMNS


def table(found: list[Line]) -> tuple[list[Column], list[dict[str, Any]]]:
    """The columns for a terminal, in the order in which a narrow one keeps them."""
    kinds = {"unit": "text", "group": "text", "provider": "text", "tokens": "count", "windows": "count", "n": "count"}
    kinds |= dict.fromkeys(("efficiency", "ci_low", "ci_high"), "rate")
    first = {"provider": 0, "efficiency": 0, "features": 1, "capacity": 1, "unit": 1, "ci_low": 2, "ci_high": 2}
    is_same = all(line.group == line.figures.source.name for line in found)
    columns = [
        Column(
            key=name,
            title=name.replace("_", " ").replace("ci ", "95 % ").capitalize(),
            kind=kinds.get(name, "number"),  # type: ignore[arg-type]
            rank=first.get(name, 5 if name != "group" else 9 if is_same else 0),
        )
        for name in names(found)
    ]
    return columns, [line.values() for line in found]


def as_text(found: list[Line]) -> Iterator[str]:
    """An aligned table."""
    table = [names(found), *(texts(line) for line in found)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def as_markdown(found: list[Line]) -> Iterator[str]:
    """A Markdown table."""
    head = names(found)
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for line in found:
        yield f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts(line))} |"


def as_csv(found: list[Line]) -> Iterator[str]:
    """RFC 4180, a header and a row per line; empty if a figure is not known."""
    for row in (names(found), *(line.values().values() for line in found)):
        yield csv_line(list(row)).decode().rstrip("\n")
