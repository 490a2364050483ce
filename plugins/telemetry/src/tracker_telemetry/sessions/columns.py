"""The fields of many events by column, checked together: that takes a fifth of the time of checking each event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import Any

from tracker.api import Event, check_event, epoch

LATEST = 1e11  # no request is from a later second
# tags that say when an event counts: if a session is known that did not show it before, or unless that one showed it
# before the instant in `rid`
NEEDS, UNLESS, TOTAL = "if-session:", "unless-session:", "session-total"
# unless that session's last request before the instant in `rid` used the same tokens, with the same running total
REPEATED = "unless-repeated:"
FIELDS = Event.__annotations__.keys()


def columns_of(events: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """The fields of events by name."""
    found = _columns(events)
    if not found.keys() <= FIELDS:
        raise TypeError("an unknown key")
    return found


def _columns(events: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    """Most events of a client have the same fields."""
    names = tuple(events[0])
    if len(names) > 1 and {*map(len, events)} == {len(names)}:
        with suppress(KeyError):
            return dict(zip(names, zip(*map(itemgetter(*names), events), strict=True), strict=True))
    return {name: [event.get(name) for event in events] for name in {*chain.from_iterable(events)}}


def fault_of(events: Sequence[Any]) -> TypeError | None:
    """The first fault of some events: a forbidden value, or a missing key, which identifies copies of a request."""
    try:
        for event in events:
            check_event(event)
            if not event.get("key"):
                return TypeError("an event of a session file has no key. Expected the request's own id.")
    except TypeError as error:
        return error
    return None


def seconds(times: Sequence[Any]) -> Sequence[float | None]:
    """Times as epoch seconds; a text is ISO 8601, or counts as None."""
    if str in {*map(type, times)}:
        times = [epoch(at) if isinstance(at, str) else at for at in times]
    for at in times:
        if at is not None and not 0 <= at < LATEST:
            raise TypeError(f"an event's ts is {at!r}. Expected seconds since 1970, or ISO 8601.")
    return times


def counts(found: Sequence[Any]) -> Sequence[int]:
    """Counts of tokens; None is 0."""
    kinds = {*map(type, found)}
    if kinds != {int}:
        found = [0 if value is None else value for value in found]
        kinds = {*map(type, found)}
    if kinds != {int} or min(found) < 0:
        raise TypeError("a count of tokens is below 0 or not a number")
    return found


def tagged(tags: Sequence[Sequence[str] | None]) -> tuple[list[bool], list[str | None]]:
    """What each event's tags say: whether it is a client's own total, and the session that it may be a copy of."""
    marks = [[tag for tag in own or () if tag.startswith((NEEDS, UNLESS, REPEATED))] for own in tags]
    needs = [own[0].removeprefix(NEEDS).removeprefix(UNLESS) if own else None for own in marks]
    return [TOTAL in (own or ()) for own in tags], needs
