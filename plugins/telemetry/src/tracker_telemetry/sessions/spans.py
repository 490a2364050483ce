"""Which windows a request was made in: by its time and provider, and by the lane if several windows ran at once."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate, chain
from operator import attrgetter
from typing import NamedTuple
from weakref import WeakKeyDictionary

from attrs import evolve, frozen

from tracker.kernel import Capture, Session, Windows, canonical
from tracker_telemetry.sessions.columns import LATEST
from tracker_telemetry.sessions.days import Day
from tracker_telemetry.sessions.files import State, state_of

# By session: the state of the captures' files, and what they said.
_KNOWN: WeakKeyDictionary[Session, tuple[State, Spans]] = WeakKeyDictionary()
OUTSIDE, UNKNOWN = "(no window)", "(window not known)"
USUAL = "main"  # the usual name of a lane that is not named after a branch
NO_LANE = re.compile(r"[^A-Za-z0-9_.-]")  # in the name of a branch or a project
BETWEEN = "+"  # the names of windows that share requests; no name contains it


class Span(NamedTuple):
    """A window of a provider, and the lanes and the commands of its captures.

    elsewhere: if it came by an import, until when it is known that it is another machine's.
    """

    begin: float
    end: float
    window: str
    lanes: frozenset[str]
    commands: frozenset[str]
    elsewhere: float | None = None


@frozen(kw_only=True)
class Spans:
    """Which window a provider's request belongs to, by its time.

    _ends: the latest end of each span and of all that begin before it.
    """

    _spans: dict[str, list[Span]]
    _ends: dict[str, list[float]]

    @classmethod
    def of_session(cls, session: Session) -> Spans:
        """Those of all windows, made once for all who ask in one command: a long list asks for each thousand of it."""
        state = state_of(session.root / f"{stream}.jsonl" for stream in session.registry.status_streams)
        if (known := _KNOWN.get(session)) is None or known[0] != state:
            _KNOWN[session] = known = (state, cls.made(session))
        return known[1]

    @classmethod
    def made(cls, session: Session) -> Spans:
        """The same from the captures."""
        found: dict[str, list[Span]] = defaultdict(list)
        groups = Windows(session).captures(session.index.windows())
        for (window, provider), group in groups.items():
            pair = canonical(group)
            if pair.before is not None:
                end = _seen(pair.after) if pair.after is not None else float("inf")
                lanes = frozenset(one.agent_id for one in group if one.agent_id)
                commands = frozenset(str(one.record.get("command_id")) for one in group)
                found[provider].append(Span(_seen(pair.before), end, window, lanes, commands))
        for spans in found.values():
            spans.sort(key=lambda span: span[:3])
        ends = {name: list(accumulate((span.end for span in own), max)) for name, own in found.items()}
        return cls(spans=found, ends=ends)

    def told(self, read: Mapping[str, float]) -> Spans:
        """The same, where it is known of imported commands until when the files here are none of their machine's."""

        def until(span: Span) -> float | None:
            return min(map(read.__getitem__, span.commands)) if span.commands <= read.keys() else None

        own = {name: [one._replace(elsewhere=until(one)) for one in known] for name, known in self._spans.items()}
        return evolve(self, spans=own) if read else self

    def rows(self, *, with_commands: bool) -> list[tuple[object, ...]]:
        """All that is known, in an order of its own."""
        return [
            (name, *span[:3], sorted(span.lanes), sorted(span.commands) if with_commands else ())
            for name, own in sorted(self._spans.items())
            for span in own
        ]

    def span(self, providers: Iterable[str], windows: frozenset[str] | None) -> tuple[float, float] | None:
        """From the first begin to the last end of some windows; None for all."""
        if windows is None:
            return None
        spans = chain.from_iterable(self._spans.get(name, ()) for name in providers)
        found = [span for span in spans if span.window in windows]
        latest = max((span.end for span in found), default=0.0)
        return min((span.begin for span in found), default=1.0), min(latest, LATEST)

    def lasting(self, since: float) -> set[str]:
        """The windows that may have requests from an instant or later."""
        return {span.window for own in self._spans.values() for span in own if span.end >= since}

    def within(self, provider: str, first: float, last: float) -> list[str]:
        """The windows that a request at the first instant or later, and before the last, may belong to."""
        return [span.window for span in self._spans.get(provider, ()) if span.begin < last and span.end >= first]

    def of(self, provider: str, at: float | Day | None, names: Sequence[str], known: Collection[str] = ()) -> str:
        """The window; of several at once the one whose lane has one of the names, else all: the request is shared.

        Windows known to be another machine's are left out. The lane of a window that came by an import counts only if
        none of this machine's own windows ran.

        The branch `main` counts only if the other lanes also have names of branches or projects, which are `known`.

        A day is not enough: it is all that is known of a deleted file's requests, or of another machine's.
        """
        spans = self._spans.get(provider)
        if spans is None:
            return OUTSIDE
        if at is None or isinstance(at, Day):
            return UNKNOWN
        found: list[Span] = []
        # a log writes a request and the meters after it with one time: a window begun by these is without the request
        place = bisect_left(spans, at, key=attrgetter("begin"))
        while place and self._ends[provider][place - 1] >= at:
            place -= 1
            if spans[place].end >= at:
                found.insert(0, spans[place])
        found = [span for span in found if (span.elsewhere or 0.0) < at]
        wanted, came = as_lanes(names), {span.elsewhere is not None for span in found}
        own = [span for span in found if not span.lanes.isdisjoint(wanted)]
        if len(came) > 1 and any(span.elsewhere is not None for span in own):
            own = []
        if USUAL in wanted and any(span.lanes.isdisjoint(known) for span in found if span not in own):
            own = []
        return BETWEEN.join(span.window for span in (own if len(own) == 1 else found)) or OUTSIDE

    def last(self, labels: Collection[str], count: int) -> list[str]:
        """The labels with one of the last N windows among these; a label may name several that share requests."""
        begins = {span.window: span.begin for own in self._spans.values() for span in own}
        known = {window for label in labels for window in label.split(BETWEEN)} - {OUTSIDE, UNKNOWN}
        chosen = sorted(known, key=lambda window: (begins[window], window))[-count:]
        return [label for label in labels if not set(chosen).isdisjoint(label.split(BETWEEN))]


def _seen(capture: Capture) -> float:
    """The instant that a capture's reading is from, which may be a day before it was pasted."""
    return (capture.reading.as_of or capture.captured_at).timestamp()


def as_lanes(names: Iterable[str]) -> set[str]:
    """Names of branches and projects as lanes have them: a dash for what a lane's name cannot hold."""
    return {lane for name in names for lane in (name, NO_LANE.sub("-", name))}
