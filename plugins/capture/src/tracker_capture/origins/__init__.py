"""Read a text from where a plugin declared it: files, programs, servers, the status line. No shell is ever started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, TypeVar

import click

from tracker.api import CommandOrigin, ExchangeOrigin, FileOrigin, HttpOrigin, Origin, Reading, Source
from tracker.kernel import TrackerError, near
from tracker_capture.origins.answer import MOST_SECONDS, Answer, OriginError, Query, in_thread, quoted

if TYPE_CHECKING:
    from tracker.kernel import Session

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class NoAnswer(TrackerError):
    """No origin gave a usable reading. `is_lasting` if asking again soon cannot help, `is_absent` if none is set up."""

    def __init__(self, message: str, failed: Sequence[OriginError]) -> None:
        self.is_lasting = all(error.is_lasting for error in failed)
        self.is_absent = all(error.is_absent for error in failed)
        super().__init__(message)


def named(source: Source, name: str | None, *others: str) -> list[Origin]:
    """The source's origin of a name, or all in the declared order. others: what else may be named."""
    found = [origin for origin in source.origins if name in (None, origin.name)]
    if not found:
        names = [*(origin.name for origin in source.origins), *others]
        raise click.UsageError(f"{source.name} has no origin {name!r}. {near(str(name), names)}")
    return found


def first(
    session: Session,
    source: Source,
    origins: Sequence[Origin],
    timezone: str | None = None,
    *,
    accept: Callable[[Answer], Answer] = lambda answer: answer,
    warn: Callable[[str], None] | None = None,
) -> Answer:
    """The first usable answer; `accept` refuses one with an `OriginError`. One without its capacity is the last resort.

    Each failure before it is one warning; together they take `MOST_SECONDS` at most. Without warnings the error says
    why the first one failed that is at hand.
    """
    until, failed, half = time.monotonic() + MOST_SECONDS, list[OriginError](), list[Answer]()
    for place, origin in enumerate(origins, 1):
        try:
            answer = accept(ask(session, source, origin, timezone, until=until))
            gauge = answer.reading.gauge(source.capacity) if source.capacity else None
            if gauge is None or gauge.used is not None:
                return answer
            half.append(answer)
            raise OriginError(f"it has no value for {source.capacity}")
        except OriginError as error:
            failed.append(error)
            if warn and place < len(origins):
                warn(f"{source.name} {origin.name}: {error}; trying {origins[place].name} next")
    if half:
        return half[0]
    tried = list(zip(origins, failed, strict=True))
    told = next((one for one in tried if not (warn or one[1].is_absent)), tried[-1])
    tried.remove(told)
    others = f"Also tried: {', '.join(origin.name for origin, _ in tried)}." if tried else "Nothing is left to try."
    raise NoAnswer(f"{source.name} {told[0].name}: {told[1]}. {others}", failed)


def ask(session: Session, source: Source, origin: Origin, timezone: str | None = None, *, until: float = inf) -> Answer:
    """The reading that one origin gives now, with at least one value."""
    query = Query(session=session, source=source, origin=origin, timezone=timezone, until=until)
    answer = _reader(origin)(query)
    if not answer.has_value:
        text = answer.text or ""
        # in an exchange, the last answer is the wanted one
        said = text.rpartition("\n")[2] if isinstance(origin, ExchangeOrigin) else text
        raise OriginError(_no_value(source, answer.reading, said))
    return answer


def _reader(origin: Origin) -> Callable[[Query], Answer]:
    """What reads that kind of origin; imported only then."""
    if isinstance(origin, FileOrigin):
        from tracker_capture.origins.files import newest

        return newest
    if isinstance(origin, CommandOrigin | ExchangeOrigin):
        from tracker_capture.origins.program import answer

        return answer
    if isinstance(origin, HttpOrigin):
        from tracker_capture.origins.http import response

        return response
    from tracker_capture.statusline import kept

    return kept


def _no_value(source: Source, reading: Reading, text: str) -> str:
    """Why a text gives no value: the reading's tags and their meaning, and how the text begins."""
    tags = reading.errors or ("insufficient-data",)
    meanings = dict.fromkeys(source.tags.get(tag.partition(":")[0]) for tag in tags)
    meant = "; ".join(meaning for meaning in meanings if meaning)
    why = ", ".join(tags)
    if meant:
        why += f" ({meant})"
    if said := quoted(text, first=True):
        why += f"; it said {said}"
    return why


def side_by_side(jobs: Sequence[Callable[[], T]], kept: type[E]) -> Iterator[tuple[int, T | E]]:
    """The place and the result of each job as it comes, each from a thread of its own, so that none waits for another.

    An error of the kept kind is returned instead of a result. Any other is raised at once.
    """
    from concurrent.futures import as_completed

    places = {in_thread(job): place for place, job in enumerate(jobs)}
    for answer in as_completed(places):
        error = answer.exception()
        yield places[answer], error if isinstance(error, kept) else answer.result()
