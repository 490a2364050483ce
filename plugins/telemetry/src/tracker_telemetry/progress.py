"""The progress of long work, on stderr: a line that is redrawn on a terminal, or occasional lines in a pipe."""

from __future__ import annotations

import contextlib
import sys
import time

from attrs import define, field

from tracker.kernel import Session

SECONDS, PIPE_SECONDS = 1.0, 5.0  # between two drawings, and between two lines in a pipe
WIDTH = 24  # characters of the bar
CLEAR = "\r\x1b[K"


@define
class Progress:
    """A bar with rate and time left if the size is known, else a counter; nothing with --quiet."""

    size: int = 0  # bytes, 0 where unknown
    is_shown: bool = True
    is_terminal: bool = True
    noun: str = "events"
    _bytes: int = 0
    _events: int = 0
    _began: float = field(factory=time.monotonic)
    _drawn: float = field(factory=time.monotonic)
    _is_drawn: bool = False

    @classmethod
    def of(cls, session: Session, size: int, noun: str = "events") -> Progress:
        is_terminal = sys.stderr.isatty()
        # a stream without an end would fill a service's log
        return cls(size, not (session.quiet or session.dry_run) and (is_terminal or size > 0), is_terminal, noun)

    def advance(self, size: int, events: int) -> None:
        """Note how many more bytes were read, and how many events there are now."""
        self._bytes, self._events = self._bytes + size, events
        now = time.monotonic()
        if self.is_shown and now - self._drawn >= (SECONDS if self.is_terminal else PIPE_SECONDS):
            self._drawn = now
            text = self.text(now - self._began)
            self._write(CLEAR + text if self.is_terminal else f"{text}\n")
            self._is_drawn = self.is_terminal

    def text(self, seconds: float) -> str:
        """The line after some seconds."""
        events = f"{self._events:,} {self.noun}, {self._events / max(seconds, 0.001):,.0f}/s"
        if not self.size:
            return events
        share = min(self._bytes / self.size, 1)
        left = seconds / share * (1 - share) if share else 0
        bar = "#" * round(WIDTH * share)
        return f"[{bar:-<{WIDTH}}] {share:4.0%}  {events}, {left // 60:.0f}:{left % 60:02.0f} left"

    def end(self) -> None:
        """Clear the line for what is printed next."""
        if self._is_drawn:
            self._write(CLEAR)
            self._is_drawn = False

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal was closed
            sys.stderr.write(text)
            sys.stderr.flush()
