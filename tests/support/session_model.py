"""The model of a session: in memory, and simple enough to be right."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import define, field

START = datetime(2026, 1, 10, 8, tzinfo=UTC)
BUFFER = timedelta(minutes=5)
LANES = ("", "", "sub1")
WINDOWS = ("W0-01", "W0-01", "W0-02")  # few, so that captures meet
METERS = {"toy": "fuel", "tally": "calls"}


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@define(eq=False)
class Shot:
    """A capture."""

    provider: str
    window: str
    phase: str
    lane: str
    at: datetime
    used: int
    reset: datetime | None
    place: int
    record_id: str = ""
    is_typed: bool = False
    removed: bool = False

    @property
    def values(self) -> tuple[Any, ...]:
        """What it says; another one that says the same is none other."""
        return self.phase, self.at, self.used, self.reset, self.is_typed

    @property
    def order(self) -> tuple[datetime, int]:
        return self.at, self.place


@define(eq=False)
class Oddity:
    """An anomaly; it is open while its captures stand and no capture or deletion that closed it does."""

    kind: str
    shots: list[Shot]
    provider: str
    window: str
    closed_by: list[Shot | None] = field(factory=list)  # None: a deletion, which always stands

    @property
    def is_open(self) -> bool:
        stands = not any(shot.removed for shot in self.shots)
        return stands and not any(by is None or not by.removed for by in self.closed_by)


def values(pair: tuple[Shot | None, Shot | None]) -> list[Any]:
    return [one and one.values for one in pair]


def pair_of(shots: Iterable[Shot]) -> tuple[Shot | None, Shot | None]:
    """The latest AFTER, and the latest BEFORE that is not later, of its lane where that has one."""
    known = list(shots)
    afters = sorted((one for one in known if one.phase == "after"), key=lambda one: one.order)
    befores = sorted((one for one in known if one.phase == "before"), key=lambda one: one.order)
    if not afters:
        return (befores[-1] if befores else None), None
    earlier = [one for one in befores if one.at <= afters[-1].at]
    own = [one for one in earlier if one.lane == afters[-1].lane]
    return next(reversed(own or earlier), None), afters[-1]


@define
class Model:
    """What a data directory should say."""

    shots: list[Shot] = field(factory=list)
    oddities: list[Oddity] = field(factory=list)
    finalized: dict[str, dict[str, tuple[Shot | None, Shot | None]]] = field(factory=dict)
    removals: list[Shot] = field(factory=list)

    def group(self, provider: str, window: str) -> list[Shot]:
        return [one for one in self.shots if not one.removed and (one.provider, one.window) == (provider, window)]

    def newest(self, provider: str, lane: str) -> Shot | None:
        own = [one for one in self.shots if not one.removed and (one.provider, one.lane) == (provider, lane)]
        return max(own, key=lambda one: one.order, default=None)

    def choose(self, provider: str, lane: str, phase: str, at: datetime) -> str | None:
        """The window of a capture that names none."""
        newest = self.newest(provider, lane)
        if phase == "after":
            return newest.window if newest and newest.phase == "before" else None
        if newest is not None and newest.phase == "before":
            return newest.window
        here, *elsewhere = ([one for name in METERS if (one := self.newest(name, by))] for by in (lane, *LANES))
        # it joins what another provider began since, and its first window goes on with the lane's ids, or with others'
        opened = [one for one in here if one.phase == "before" and (newest is None or one.at > newest.at)]
        begun = opened or ([] if newest else here or [one for some in elsewhere for one in some])
        after = following(newest.window) if newest else "W0-01"
        window = max(begun, key=lambda one: one.at).window if begun else after
        window = self.passing(window, lane, provider, at)
        while self.is_open(provider, window, lane):
            window = self.passing(following(window), lane, provider, at)
        return window

    def is_open(self, provider: str, window: str, lane: str) -> bool:
        """Whether a lane's newest capture in a window is a BEFORE."""
        own = [one for one in self.group(provider, window) if one.lane == lane]
        return bool(own) and max(own, key=lambda one: one.order).phase == "before"

    def passing(self, window: str, lane: str, provider: str, at: datetime) -> str:
        """The window, or the first behind it that is not finalized, another lane's, whoever it captured, or ended."""
        while (
            window in self.finalized
            or lane not in (self.lanes_in(window) or {lane})
            or any((one.lane, one.phase) == (lane, "after") for one in self.group(provider, window))
            or self.is_over(window, lane, at)
        ):
            window = following(window)
        return window

    def is_over(self, window: str, lane: str, at: datetime) -> bool:
        """Whether all in a window had ended when its lane began another one."""
        known = [one for name in METERS for one in self.group(name, window)]
        begun = [one.at for one in self.shots if not one.removed and (one.lane, one.phase) == (lane, "before")]
        newest = max((one for one in begun if one <= at), default=START - timedelta(days=1))
        is_open = any(self.is_open(name, window, lane) for name in METERS)
        return bool(known) and not is_open and max(one.at for one in known) < newest

    def lanes_in(self, window: str) -> set[str]:
        return {one.lane for name in METERS for one in self.group(name, window)}

    def is_late(self, provider: str, at: datetime, reset: datetime | None) -> bool:
        stored = [one.reset for one in self.shots if not one.removed and one.provider == provider]
        return any(found is not None and found <= at < found + BUFFER for found in (*stored, reset))

    def store(self, new: Shot, *, is_late: bool) -> None:
        """Add a capture, with what it shows and what it settles."""
        before_it = [
            one for one in self.oddities if one.is_open and (one.provider, one.window) == (new.provider, new.window)
        ]
        group = self.group(new.provider, new.window)
        self.shots.append(new)
        group.append(new)
        if is_late:
            self.raise_("late-after", [new], new)
        if (turned := turned_pair(new, group)) is not None:
            self.raise_("clock-skew", list(turned), new)
        before, after = pair_of(group)
        if new in (before, after) and fell(before, after):
            self.raise_("negative-delta", [before, after], new)
        for oddity in before_it:
            if any(shot not in (before, after) for shot in oddity.shots):
                oddity.closed_by.append(new)

    def raise_(self, kind: str, shots: list[Any], like: Shot) -> None:
        self.oddities.append(Oddity(kind, shots, like.provider, like.window))

    def delete(self, provider: str, window: str | None, phase: str | None, lane: str, position: int) -> Shot | None:
        standing = [
            one
            for one in self.shots
            if not one.removed
            and one.provider == provider
            and window in (None, one.window)
            and phase in (None, one.phase)
        ]
        own = [one for one in standing if one.lane == lane]
        chosen = sorted(own or (standing if window else []), key=lambda one: one.order, reverse=True)
        if len(chosen) < position:
            return None
        gone = chosen[position - 1]
        for oddity in (one for one in self.oddities if one.is_open and gone in one.shots):
            oddity.closed_by.append(None)
        gone.removed = True
        self.removals.append(gone)
        before, after = pair_of(self.group(provider, gone.window))
        pair = [one for one in (before, after) if one]
        place = provider, gone.window
        for oddity in (one for one in self.oddities if one.is_open and (one.provider, one.window) == place):
            others = [one for one in pair if one not in oddity.shots]
            if others and any(shot not in pair for shot in oddity.shots):
                oddity.closed_by.append(others[-1])
        left = [one for one in self.oddities if one.is_open]
        said = any(one.kind == "negative-delta" and one.shots == [before, after] for one in left)
        if fell(before, after) and not said:
            self.raise_("negative-delta", [before, after], gone)
        return gone

    def complete(self, window: str) -> bool:
        pairs = {name: pair_of(group) for name in METERS if (group := self.group(name, window))}
        ready = pairs and all(before and after and not fell(before, after) for before, after in pairs.values())
        if ready:
            self.finalized[window] = pairs
        return bool(ready)


def following(window: str) -> str:
    return f"W0-{int(window[3:]) + 1:02d}"


def fell(before: Shot | None, after: Shot | None) -> bool:
    return before is not None and after is not None and after.used < before.used


def turned_pair(new: Shot, group: list[Shot]) -> tuple[Shot, Shot] | None:
    """A new AFTER that no BEFORE of its window precedes, with the newest of these; or with the one that it repeats."""
    befores = [one for one in group if one.phase == "before"]
    if new.phase != "after" or not befores:
        return None
    if any(one.at <= new.at for one in befores):
        before, _ = pair_of([*befores, new])
        return (before, new) if before and (before.at, before.used) == (new.at, new.used) else None
    return max(befores, key=lambda one: one.order), new
