"""`tracker watch`: samples in the foreground, at a pace that follows resets and errors."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import define, field

from tracker.api import Source
from tracker.kernel import Session, iso, line
from tracker_capture import samples
from tracker_capture.listing import values
from tracker_capture.origins.answer import Answer

# Near a reset the last reading before it and the first one after it matter.
NEAR_RESET, NEAR_PACE = timedelta(minutes=5), timedelta(minutes=1)
LONGEST_PACE = timedelta(hours=1)
STEP_SECONDS = 0.5
# An unchanged reading extends its run this rarely.
LEAST = timedelta(minutes=5)


@define(kw_only=True)
class Pace:
    """When one provider is asked next."""

    source: Source
    usual: timedelta
    due: datetime
    failures: int = 0
    resets: list[datetime] = field(factory=list)

    def succeeded(self, now: datetime, resets: Sequence[datetime]) -> None:
        self.failures, self.resets = 0, list(resets)
        pace = self.usual
        if any(abs(reset - now) <= NEAR_RESET for reset in self.resets):
            pace = min(pace, NEAR_PACE)
        coming = [reset - NEAR_RESET for reset in self.resets if reset - NEAR_RESET > now]
        self.due = min([now + pace, *coming])

    def failed(self, now: datetime) -> None:
        """Wait twice as long after each failure, such as a server that answers 429."""
        self.failures += 1
        self.due = now + min(self.usual * 2**self.failures, max(LONGEST_PACE, self.usual))


def watch(session: Session, wanted: Sequence[Source], every: timedelta) -> None:
    """Sample until SIGINT or SIGTERM. On a terminal one line is drawn anew, elsewhere each change is a line."""
    paces = [Pace(source=source, usual=every, due=session.now) for source in wanted]
    shown: dict[str, str] = {}
    drawn = ""
    try:
        while True:
            now = session.now
            due = [pace for pace in paces if pace.due <= now]
            if due:
                _ask(session, due, shown)
                text = " | ".join(shown[source.name] for source in wanted if source.name in shown)
                drawn = _show(session, text, drawn)
            time.sleep(STEP_SECONDS)
    except (KeyboardInterrupt, SystemExit):
        if drawn and sys.stdout.isatty():
            session.say("")


def _ask(session: Session, due: Sequence[Pace], shown: dict[str, str]) -> None:
    answers, problems = samples.look(session, [pace.source for pace in due])
    samples.store(session, answers, LEAST)
    found: dict[str, Answer] = {source.name: answer for source, answer in answers}
    for pace in due:
        name = pace.source.name
        answer = found.get(name)
        if answer is None:
            pace.failed(session.now)
            why = next((one for one in problems if one.startswith(f"{name} ")), name)
            session.note(f"note: {why}; asking again at {iso(pace.due.replace(microsecond=0))}")
            shown.setdefault(name, f"{name} n/a")
            continue
        pace.succeeded(session.now, [gauge.reset_at for gauge in answer.reading.gauges if gauge.reset_at])
        shown[name] = f"{name} {values(pace.source, answer.reading)}"


def _show(session: Session, text: str, drawn: str) -> str:
    if sys.stdout.isatty() and not session.quiet:
        sys.stdout.write(f"\r{line(text).ljust(len(drawn))}")
        sys.stdout.flush()
    elif text != drawn:
        session.say(text)
    return text
