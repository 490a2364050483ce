"""What windows delivered and used, as columns of numbers: a million windows fit into memory, their objects do not."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tracker.contract.features import WindowResult
from tracker.contract.readings import EPOCH, compact
from tracker.windows.captures import Pair

# columns of times hold microseconds
NO_TIME, MICROSECOND = -1 << 63, timedelta(microseconds=1)


class Results(Sequence[WindowResult]):
    """What windows delivered, as columns: a million of them take 40 MB."""

    def __init__(self) -> None:
        self._windows: list[str] = []
        self._features, self._capacity, self._quality, self._at = array("d"), array("d"), array("d"), array("q")

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(len(self))[place]]
        quality, at = self._quality[place], self._at[place]
        return WindowResult(
            window=self._windows[place],
            features=compact(self._features[place]),
            capacity=compact(self._capacity[place]),
            quality=None if math.isnan(quality) else quality,
            at=None if at == NO_TIME else EPOCH + at * MICROSECOND,
        )

    def add(self, window: str, features: float, capacity: float, quality: float | None, at: datetime | None) -> None:
        self._windows.append(window)
        self._features.append(features)
        self._capacity.append(capacity)
        self._quality.append(math.nan if quality is None else quality)
        self._at.append(NO_TIME if at is None else (at - EPOCH) // MICROSECOND)

    def extend(self, other: Results) -> None:
        for name, column in vars(self).items():
            column.extend(getattr(other, name))


class Spent:
    """When windows moved a meter, and from which value to which, as columns."""

    def __init__(self) -> None:
        self._windows: list[str] = []
        self._start, self._end, self._old, self._new = array("q"), array("q"), array("d"), array("d")

    def add(self, window: str, pair: Pair, meter: str) -> None:
        before, after = pair
        if before is None or after is None or after.phase is None:
            return
        self._windows.append(window)
        for capture, times, values in ((before, self._start, self._old), (after, self._end, self._new)):
            gauge = capture.reading.gauge(meter)
            times.append((capture.captured_at - EPOCH) // MICROSECOND)
            values.append(math.nan if gauge is None or gauge.used is None else gauge.used)

    def extend(self, other: Spent) -> None:
        for name, column in vars(self).items():
            column.extend(getattr(other, name))

    def overlaps(self) -> dict[str, str]:
        """The windows that moved the meter at the same time, with the reason: each delta holds the work of both."""
        found: dict[str, str] = {}
        running: list[int] = []
        for one in sorted(range(len(self._windows)), key=self._start.__getitem__):
            start, window = self._start[one], self._windows[one]
            running = [other for other in running if self._end[other] > start]
            for other in running:
                last = min(one, other, key=self._end.__getitem__)
                if start < self._end[last] and self._old[one] != self._new[last]:
                    name = self._windows[other]
                    found |= {name: f"overlaps {window}", window: f"overlaps {name}"}
            running.append(one)
        return found
