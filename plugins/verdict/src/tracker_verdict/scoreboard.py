"""The scoreboard: a row per group of windows, with what went in and what came out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

from attrs import frozen

from tracker.api import Source
from tracker.kernel import (
    Finalized,
    Groups,
    ProviderFigures,
    Session,
    canonical,
    captures,
    cell,
    figures_of,
    finalized,
    value,
)
from tracker_telemetry.totals import totals
from tracker_verdict.worth import Worth

By: TypeAlias = Literal["provider", "methodology", "lane", "outcome"]
FIGURES = ("group", "provider", "windows", "features", "capacity", "unit", "efficiency", "ci_low", "ci_high", "n")
COLUMNS = (*FIGURES, "churn_per_feature", "tokens", "money", "money_per_feature")
UNNAMED = "(none)"


@frozen(kw_only=True)
class Line:
    """One group and provider. ci only where it is measured; churn, tokens and money only where they are known."""

    group: str
    figures: ProviderFigures
    windows: int
    churn_per_feature: float | None
    tokens: int | None
    money: float | None

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
        return dict(zip(COLUMNS, found, strict=True))


def scoreboard(session: Session, by: By, worths: Mapping[str, Worth]) -> list[Line]:
    """Every group of finalized windows, by group and provider."""
    rows = finalized(session.index)
    groups = captures(session.index, session.registry, list(rows))
    churn = _churn(session, rows)
    found = []
    for source in session.registry.providers.values():
        parts: dict[str, dict[str, Finalized]] = {}
        for window, row in rows.items():
            if source.name in row.providers or row.features.get(source.name):
                parts.setdefault(_group(by, source, window, row, groups), {})[window] = row
        for name, part in parts.items():
            figures = figures_of(session, source, part, groups)
            estimate = figures.efficiency
            worth = worths.get(source.name)
            net = {window: churn[window, source.name] for window in part if (window, source.name) in churn}
            built = sum(part[window].features.get(source.name, 0) for window in net)
            found.append(
                Line(
                    group=name,
                    figures=figures,
                    windows=len(part),
                    churn_per_feature=sum(net.values()) / built if built else None,
                    tokens=_tokens(session, source, list(part)),
                    money=worth.cost(estimate.capacity) if worth and estimate.n else None,
                )
            )
    return sorted(found, key=lambda line: (line.group == UNNAMED, line.group, line.figures.source.name))


def _group(by: By, source: Source, window: str, row: Finalized, groups: Groups) -> str:
    if by == "provider":
        return source.name
    if by == "lane":
        after = canonical(groups.get((window, source.name), [])).after
        return (after.agent_id if after else None) or UNNAMED
    return row.text(by) or UNNAMED


def _churn(session: Session, rows: Mapping[str, Finalized]) -> dict[tuple[str, str], float]:
    """The net lines of the newest churn row per window and provider."""
    found = {}
    for entry in session.index.entries("churn", list(rows)):
        net = entry.record.get("net")
        if isinstance(net, int | float) and not isinstance(net, bool):
            found[str(entry.record.get("window")), str(entry.record.get("provider"))] = float(net)
    return found


def _tokens(session: Session, source: Source, windows: list[str]) -> int | None:
    """The tokens that telemetry routed to this provider; other providers' are not known."""
    for stream in session.registry.sources.values():
        if stream.kind == "telemetry" and stream.routed_label == source.name:
            return sum(one.input_tokens + one.output_tokens for one in [totals(session, stream, windows)]) or None
    return None


def texts(line: Line) -> list[str]:
    """The columns as people read them."""
    found = line.values()
    digits = {"efficiency": 2, "ci_low": 2, "ci_high": 2, "churn_per_feature": 2, "money": 2, "money_per_feature": 2}
    return [value(found[name], digits=digits.get(name)) for name in COLUMNS]


def as_text(found: list[Line]) -> Iterator[str]:
    """An aligned table."""
    table = [COLUMNS, *(texts(line) for line in found)]
    widths = [max(len(row[at]) for row in table) for at in range(len(COLUMNS))]
    for row in table:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def as_markdown(found: list[Line]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'|'.join(' --- ' for _ in COLUMNS)}|"
    for line in found:
        yield f"| {' | '.join(text.replace('|', chr(92) + '|') for text in texts(line))} |"


def as_csv(found: list[Line]) -> Iterator[str]:
    """RFC 4180, a header and a row per line; empty where a figure is not known."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in found:
        writer.writerow([cell(one) for one in line.values().values()])
    yield from out.getvalue().splitlines()
