"""Joint figures of windows: the sums of each provider, open windows, reports against meters."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import product
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

from tracker.contract import checks
from tracker.contract.readings import EPOCH, amount, instant
from tracker.contract.sources import Comparison, Source
from tracker.hosting.guard import UNLIMITED, guarded
from tracker.session import Session
from tracker.windows.captures import MIXED, Capture, Groups, canonical, capacity_delta, measure
from tracker.windows.reader import FinalizeRow

UNNAMED = "(not named)"
FIGURES = ("n", "features", "capacity", "efficiency", "ci", "ci_kind", "power")  # of every estimate


class Estimate(Protocol):
    """The joint figures of a provider's windows; those that cost much are computed when they are read.

    n: the windows that count. efficiency: features per unit of capacity.
    ci: its interval at 95 %; ci_kind: where the spread comes from. power: that of telling a difference from none.
    """

    @property
    def n(self) -> int: ...
    @property
    def features(self) -> float: ...
    @property
    def capacity(self) -> float: ...
    @property
    def efficiency(self) -> float | None: ...
    @property
    def ci(self) -> tuple[float, float] | None: ...
    @property
    def ci_kind(self) -> Literal["measured", "assumed", "none"]: ...
    @property
    def power(self) -> float | None: ...
    @property
    def remarks(self) -> Sequence[str]:
        """What the preview says after the figures, such as the money per feature; must not cost much."""

    def figures(self) -> dict[str, Any]:
        """What `preview --json` prints of it, as JSON values."""


@runtime_checkable
class Tally(Protocol):
    """What adds up a provider's finalized windows one by one, because a million of them do not fit into memory."""

    def add(self, row: FinalizeRow, group: Iterable[Capture]) -> None:
        """Add a window by its finalize row and the provider's captures in it."""

    def extend(self, other: Self) -> None:
        """Add the windows of another one."""

    def total(self, account: str = "") -> "ProviderFigures":
        """Their joint figures. account: the one that they were measured on, if there are several."""


class Totals:
    """A provider's windows as bare sums, overlaps included: its `Tally` and its estimate, if no feature has better."""

    ci, power, remarks = None, None, ()
    ci_kind: Literal["none"] = "none"

    def __init__(self, source: Source) -> None:
        self.source, self.excluded, self.stale = source, dict[str, str](), list[str]()
        self.n, self.features, self.capacity = 0, 0.0, 0.0

    def add(self, row: FinalizeRow, group: Iterable[Capture]) -> None:
        if (found := row.result(self.source, group)) is None:
            return
        if found.reason is not None:
            self.excluded[row.window] = found.reason
        elif found.features or found.capacity:
            self.n += 1
            self.features += found.features
            self.capacity += found.capacity
        self.stale += [row.window] if row.is_stale(self.source.name, group) else []

    def extend(self, other: "Totals") -> None:
        self.n += other.n
        self.features += other.features
        self.capacity += other.capacity
        self.excluded |= other.excluded
        self.stale += other.stale

    def total(self, account: str = "") -> "ProviderFigures":
        unit = self.source.capacity_meter.unit if self.source.capacity_meter else ""
        return ProviderFigures(self.source, unit, self, self.excluded, self.stale, account)

    @property
    def efficiency(self) -> float | None:
        return self.features / self.capacity if self.capacity else None

    def figures(self) -> dict[str, Any]:
        return dict.fromkeys(("efficiency_quality", "se", "fieller", "n_eff", "windows_needed"))


class ProviderFigures(NamedTuple):
    """A provider over the finalized windows that are shown.

    excluded: windows left out, with the reason. stale: windows whose captures changed after they were finalized.
    account: the one that the windows were measured on, if others have windows as well.
    """

    source: Source
    unit: str
    efficiency: Estimate
    excluded: Mapping[str, str] = {}
    stale: Sequence[str] = ()
    account: str = ""

    @property
    def totals(self) -> dict[str, float | None]:
        """Features and capacity; both null if every window was left out, since 0 would be a measurement."""
        found = self.efficiency
        is_measured = found.n or not self.excluded
        return {name: getattr(found, name) if is_measured else None for name in ("features", "capacity")}

    def document(self) -> dict[str, Any]:
        """What `preview --json` prints of it: what every estimate says, and the figures of this one."""
        one = self.efficiency
        with guarded(type(one).__module__.partition(".")[0], "give its figures", UNLIMITED):
            if not isinstance(own := one.figures(), Mapping) or not checks.is_json(own):
                raise TypeError(f"figures returned {own!r:.80}. Expected a mapping from texts to JSON values.")
        return {
            "provider": self.source.name,
            **({"account": self.account} if self.account else {}),
            "unit": self.unit,
            **{name: getattr(one, name) for name in FIGURES},
            **own,
            **self.totals,
            "excluded": [{"window": window, "reason": reason} for window, reason in self.excluded.items()],
            "stale": list(self.stale),
        }


class OpenFigures(NamedTuple):
    """A provider in a window that is not finalized: what its meters say so far."""

    provider: str
    errors: tuple[str, ...]
    window: str
    capacity: float | None
    unit: str


class Tallies:
    """Figures of every provider in finalized windows, separate for each account.

    is_alone: of one window. is_plain: as bare sums, without the feature that knows better.
    """

    STEP = "add up the windows"

    def __init__(self, session: Session, is_alone: bool, is_plain: bool) -> None:
        self.session, self._is_alone, self._is_plain = session, is_alone, is_plain
        self._tallies: dict[tuple[str, str], Tally] = {}

    def add(self, rows: Mapping[str, FinalizeRow], groups: Groups) -> None:
        registry, asked = self.session.registry, [] if self._is_alone else list(rows)
        known = registry.first("window_accounts", session=self.session, windows=asked) if asked else {}
        if known is None:  # without the feature that knows their names
            known = {
                key: one.pair(key[1], groups[key]).account or UNNAMED for key in groups if (one := rows.get(key[0]))
            }
        found = dict.fromkeys((window, name) for window, row in rows.items() for name in row.named)
        # those that were captured after the window was finalized
        late = {key: rows[key[0]] for key in groups if key not in found and key[0] in rows}
        found |= {key: None for key, row in late.items() if row.is_stale(key[1], groups[key])}
        keys = {key: (key[1], known.get(key, UNNAMED)) for key in found if key[1] in registry.providers}
        for key in set(keys.values()) - self._tallies.keys():
            source = registry.providers[key[0]]
            own = None if self._is_plain else registry.first("tally", session=self.session, source=source)
            self._tallies[key] = own or Totals(source)
        with self._guarded():
            for (window, name), key in keys.items():
                self._tallies[key].add(rows[window], groups.get((window, name), ()))

    def _guarded(self) -> AbstractContextManager[object]:
        """A guard for a million calls, which takes as long as they take."""
        package = type(next(iter(self._tallies.values()), self)).__module__.partition(".")[0]
        return guarded(package, self.STEP, UNLIMITED)

    def figures(self) -> list[ProviderFigures]:
        """By provider, then by account."""
        found = []
        with self._guarded():
            for name in sorted({name for name, _ in self._tallies}):
                own = {account: tally for (known, account), tally in self._tallies.items() if known == name}
                if len(own.keys() - {UNNAMED, MIXED}) < 2:
                    first, *others = own.values()
                    for one in others:
                        first.extend(one)
                    own = {"": first}
                found += [tally.total(account) for account, tally in sorted(own.items())]
            for figures in found:
                _check(figures)
        return found


def _check(found: object) -> None:
    """Refuse what no view can show."""
    if not isinstance(found, ProviderFigures):
        raise TypeError(f"total returned {type(found).__name__}. Expected ProviderFigures.")
    if not (isinstance(found.excluded, Mapping) and isinstance(found.stale, list | tuple) and found.source):
        raise TypeError("total returned ProviderFigures with a wrong source, excluded or stale.")
    one, is_amount = found.efficiency, checks.number_from(0)
    low, high = (one.ci or (0, 0)) if one.ci_kind == "measured" else (0, 0)
    fits = {
        "n": type(one.n) is int and one.n >= 0,
        "features": is_amount(one.features),
        "capacity": is_amount(one.capacity),
        "efficiency": one.efficiency is None or is_amount(one.efficiency),
        "ci": is_amount(low) and checks.number_from(low)(high),
        "ci_kind": one.ci_kind in ("measured", "assumed", "none"),
        "power": one.ci_kind != "measured" or one.power is None or checks.number_from(0, 1.001)(one.power),
        "remarks": isinstance(one.remarks, list | tuple) and all(isinstance(text, str) for text in one.remarks),
    }
    for name in (name for name, is_right in fits.items() if not is_right):
        raise ValueError(f"An Estimate's {name} is {getattr(one, name)!r:.80}. See docs/reference/plugins.md.")


def open_figures(session: Session, windows: Iterable[str], groups: Groups) -> Iterator[OpenFigures]:
    """What the meters of windows that are not finalized say so far."""
    providers = session.registry.providers
    for window, name in product(windows, sorted(providers)):
        if (window, name) in groups and (meter := providers[name].capacity_meter) is not None:
            measured = measure(session.registry, providers[name], canonical(groups[window, name]))
            capacity = capacity_delta(providers[name], measured.delta)
            yield OpenFigures(name, measured.errors, window, capacity, meter.unit)


class Divergence(NamedTuple):
    """A report against the meter that it estimates, in used percent: if the two differ, one of them is wrong."""

    source: Source
    compared: Comparison
    reported: float
    shown: float
    threshold: float

    @property
    def is_divergent(self) -> bool:
        return abs(self.reported - self.shown) > self.threshold

    def document(self) -> dict[str, Any]:
        """What `preview --json` prints of it."""
        figures = {"reported": self.reported, "shown": self.shown, "divergent": self.is_divergent}
        compared = {name: getattr(self.compared, name) for name in ("scope", "provider", "meter")}
        return {"source": self.source.name, **compared, **figures}


# by provider and meter: which capture it is from, the value, and the end of its period
Newest = dict[tuple[str, str], tuple[tuple[datetime, int], float, datetime | None]]


def newest(session: Session, groups: Groups, known: Newest) -> Newest:
    """The newest values of the meters that sources are compared with, of some captures and of what was known."""
    for one in (one for source in session.registry.sources.values() for one in source.comparisons):
        for capture in (capture for (_, name), own in groups.items() if name == one.provider for capture in own):
            gauge, before = capture.reading.gauge(one.meter), known.get((one.provider, one.meter))
            if gauge is not None and gauge.used is not None and (before is None or capture.order >= before[0]):
                known[one.provider, one.meter] = capture.order, gauge.used, gauge.reset_at
    return known


def divergences(session: Session, windows: Sequence[str], meters: Newest) -> Iterator[Divergence]:
    """The newest report against the newest meter of the same period, for every comparison that a source declares."""
    for source in session.registry.sources.values():
        for one in (one for one in source.comparisons if (one.provider, one.meter) in meters):
            _, shown, end = meters[one.provider, one.meter]
            meter = session.registry.sources[one.provider].meter(one.meter)
            begun = end - meter.longest if end and meter and meter.longest else None
            reported = [
                (at, entry.offset, figure)
                for entry in session.index.entries(source.stream, windows)
                if isinstance(parsed := entry.record.get("parsed"), Mapping) and parsed.get("scope") == one.scope
                if (figure := amount(parsed.get(one.figure))) is not None
                if (at := instant(parsed.get("as_of")) or instant(entry.record.get("captured_at")) or EPOCH)
                and (not begun or not end or (begun <= at < end and begun < (instant(parsed.get("reset")) or end)))
            ]
            if reported:
                yield Divergence(source, one, max(reported)[-1], shown, session.config.divergence_pp)
