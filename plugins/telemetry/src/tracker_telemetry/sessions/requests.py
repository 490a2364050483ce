"""The requests of a file by column, on their way into the store: what they cost, and what they add up to."""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Sequence
from itertools import pairwise, repeat
from typing import Any

from attrs import field, frozen

from tracker_telemetry.prices import USUAL
from tracker_telemetry.sessions.days import QUARTER
from tracker_telemetry.sessions.list_prices import ListPrices
from tracker_telemetry.sessions.scan import FileRows, Labels
from tracker_telemetry.sessions.tables import SEVERAL, STANDARD


@frozen(kw_only=True)
class Requests:
    """Columns in the order of `scan.Rows.columns`; `labels` has what their last one, a number, stands for."""

    columns: Sequence[Sequence[Any]]
    labels: Sequence[Labels]
    costs: Sequence[float | None] = field()

    @classmethod
    def of(cls, done: FileRows, prices: ListPrices) -> Requests:
        columns = marshal.loads(done.requests)
        _, _, times, models, speeds, *tokens, _, _, numbers = columns
        costs = prices.costs(models, times, speeds, tokens)
        if any(labels.whole for labels in done.labels):
            costs = [None if done.labels[at].whole else cost for at, cost in zip(numbers, costs, strict=True)]
        return cls(columns=columns, labels=done.labels, costs=costs)

    def rows(self, places: Sequence[int], source: str) -> Iterator[tuple[Any, ...]]:
        """The rows of the table; each of the labels has its place."""
        *own, totals, numbers = self.columns
        return zip(*own, self.costs, totals, map(places.__getitem__, numbers), repeat(source))

    def sums(self) -> Iterator[tuple[Any, ...]]:
        """Number of labels, model, quarter, first and last time, requests, tokens, cost, how many have one, speed."""
        _, _, times, models, speeds, *tokens, _, numbers = self.columns
        quarters = [-1 if at is None else int(at // QUARTER) for at in times]
        keys = [*zip(numbers, models, quarters, strict=True)]
        ends = [at for at, (one, other) in enumerate(pairwise(keys), 1) if one != other]
        for start, stop in pairwise([0, *ends, len(keys)]):
            number, model, quarter = keys[start]
            if not self.labels[number].whole:
                costs = [cost for cost in self.costs[start:stop] if cost is not None]
                dated = [at for at in times[start:stop] if at is not None]
                first, last = (min(dated), max(dated)) if dated else (None, None)
                counts = (sum(column[start:stop]) for column in tokens)
                cost = sum(costs) if costs else None
                own = {STANDARD if one is None or one in USUAL else one for one in speeds[start:stop]}
                speed = own.pop() if len(own) == 1 else SEVERAL
                yield number, model or "", quarter, first, last, stop - start, *counts, cost, len(costs), speed
