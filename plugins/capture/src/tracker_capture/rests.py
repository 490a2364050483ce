"""What no window holds of the work in a repository, by the moments of requests and commits, in seconds."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import NamedTuple

from attrs import define

from tracker.kernel import Session, Windows
from tracker_capture.elsewhere import are_theirs

# Less than this beside a window is its own last commit.
LEAST_REST = 300.0
# Among the names of providers: whoever made the commits.
COMMITS = ""
# The id of a window that was proposed.
PROPOSED = re.compile(r"H\d{8}-\d{4}")

# When each worked, the earliest first.
Moments = Sequence[tuple[float, str]]


def named(start: float) -> str:
    """The id of the window that begins then."""
    return f"H{datetime.fromtimestamp(start, UTC):%Y%m%d-%H%M}"


class Measurements:
    """When some windows were measured."""

    def __init__(self, spans: Iterable[tuple[float, float]] = ()) -> None:
        known = sorted(spans)
        self.begins, self.ends = [begin for begin, _ in known], [*accumulate((end for _, end in known), max)]

    def meets(self, first: float, last: float) -> bool:
        place = bisect_right(self.begins, last)
        return place > 0 and self.ends[place - 1] >= first

    def parts(self, one: float, other: float) -> bool:
        """Whether a window lies between two moments that none holds."""
        return bisect_right(self.begins, one) < bisect_right(self.begins, other)


class Foreign(NamedTuple):
    """A window of another machine, and when it was measured."""

    provider: str
    window: str
    begin: float
    end: float


def taken_of(
    session: Session, logged: Container[str]
) -> tuple[Mapping[str, Measurements], Measurements, Sequence[Foreign]]:
    """When windows hold a provider's work, or any commit; when accepted ones were measured; and others' windows.

    Accepted ones hold everybody's work, because `accept` told who worked then and is not in it. A window that came by
    an import holds no request that is logged here.
    """
    found, accepted = defaultdict[str, list[tuple[float, float]]](list), []
    came, foreign = session.index.made_elsewhere(), list[Foreign]()
    for (window, provider), group in Windows(session).captures().items():
        is_foreign = provider in logged and are_theirs(group, came)
        for begin, stop in Windows(session).spans((), {(window, provider): group}).values():
            span = begin.timestamp(), (stop or session.now).timestamp()
            found[COMMITS].append(span)
            if is_foreign:
                foreign.append(Foreign(provider, window, *span))
                continue
            found[provider].append(span)
            if PROPOSED.fullmatch(window):
                accepted.append(span)
    held = {name: Measurements([*own, *accepted]) for name, own in found.items()}
    return defaultdict(lambda: Measurements(accepted), held), Measurements(accepted), foreign


@define
class Rest:
    """Work from one pause to the next that no window holds. own: the first and last moment of each."""

    first: float
    last: float
    own: dict[str, tuple[float, float]]

    def has(self, name: str, at: float) -> bool:
        begin, end = self.own.get(name, (math.inf, 0))
        return begin <= at <= end

    def beside(self, windows: Iterable[Foreign]) -> tuple[str, ...]:
        """The windows that were measured during it."""
        return tuple(sorted({one.window for one in windows if one.begin <= self.last and self.first <= one.end}))


def rests(moments: Moments, pause: float, taken: Mapping[str, Measurements], accepted: Measurements) -> list[Rest]:
    """What no window holds of each stretch, if it is longer than a moment, or than `LEAST_REST` beside a window.

    A window splits the work of the providers in it; that of others goes on beside it. Commits alone after an accepted
    window belong to it.
    """
    found: list[Rest] = []
    latest: dict[str, Rest] = {}
    for at, name in moments:
        if taken[name].meets(at, at):
            continue
        for rest in (*filter(None, [latest.get(name)]), *found[-1:]):
            old = rest.own.get(name)
            between = taken[name if old else COMMITS]
            if at - rest.last <= pause and not between.parts(old[1] if old else rest.last, at):
                break
        else:
            rest = Rest(at, at, {})
            found.append(rest)
        rest.last, rest.own[name] = at, (rest.own.get(name, (at, at))[0], at)
        latest[name] = rest
    return [
        rest
        for rest in found
        if rest.last - rest.first >= LEAST_REST
        or (rest.last > rest.first and not taken[COMMITS].meets(rest.first - LEAST_REST, rest.last + LEAST_REST))
        if rest.own.keys() != {COMMITS} or not accepted.meets(rest.first - pause, rest.first)
    ]
