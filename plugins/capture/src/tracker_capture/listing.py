"""Which origins exist here, and what each would answer now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from attrs import frozen

from tracker.api import Origin, Source
from tracker.kernel import STDIN, Session, span, to_parsed, value
from tracker_capture.answers import Answer, OriginError
from tracker_capture.asking import ask


@frozen(kw_only=True)
class Found:
    """An origin, and its answer or why there is none."""

    source: Source
    origin: Origin
    answer: Answer | None
    why: str | None = None

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "source": self.source.name,
            "origin": self.origin.name,
            "title": self.origin.title,
            "age_s": self.answer and self.answer.age,
            "parsed": self.answer and to_parsed(self.answer.reading, self.source),
            "why_not": self.why,
        }

    def line(self) -> str:
        head = f"{self.source.name} {self.origin.name} ({self.origin.title}): "
        if self.answer is None:
            return f"{head}no reading: {self.why}"
        gauges = [(self.source.meter(gauge.meter), gauge) for gauge in self.answer.reading.gauges]
        values = [
            f"{gauge.meter}={value(gauge.used, unit='%' if meter.unit == 'pp' else f' {meter.unit}')}"
            for meter, gauge in gauges
            if meter is not None
        ]
        return f"{head}{' '.join(values)}, {span(timedelta(seconds=self.answer.age))} old"


def look(session: Session, sources: Iterable[Source], origin: str | None, timezone: str | None) -> Iterator[Found]:
    """Ask every origin, one after the other."""
    for source in sources:
        for one in source.origins:
            if origin in (None, one.name):
                try:
                    yield Found(source=source, origin=one, answer=ask(session, source, one, timezone))
                except OriginError as error:
                    yield Found(source=source, origin=one, answer=None, why=str(error))


def show(session: Session, sources: Iterable[Source], origin: str | None, timezone: str | None) -> None:
    """Print each as soon as it answered, or all as one document."""
    found = look(session, sources, origin, timezone)
    if session.json:
        session.data([one.document() for one in found])
        return
    for one in found:
        session.say(one.line())
    session.note(f"note: every provider's pane can also be piped: tracker capture PROVIDER --from {STDIN}")
