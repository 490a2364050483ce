"""Readings at hand: the newest one in files that are here already. No program or server is asked."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

from tracker.api import Cell, Column, FileOrigin, Panel, StatusLineOrigin
from tracker.kernel import Session, line
from tracker_capture.origins import ask
from tracker_capture.origins.answer import OriginError, not_ahead

NAME = "at-hand"
# For each provider. A home screen does not wait for thousands of files without a reading.
SECONDS = 0.3


def panel(session: Session, provider: str | None) -> Panel:
    """A row for each origin with a reading: when it is from, and its folder or title."""
    columns = (Column(key="provider", title="Provider"), Column(key="at", title="At", kind="instant"))
    found = _rows(session, provider)
    return Panel(name=NAME, title="At hand", columns=(*columns, Column(key="place", title="Where")), rows=list(found))


def _rows(session: Session, provider: str | None) -> Iterator[Mapping[str, Cell]]:
    for name, source in session.registry.providers.items():
        if provider not in (None, name):
            continue
        until = time.monotonic() + SECONDS
        for origin in source.origins:
            if isinstance(origin, FileOrigin):
                place = os.environ.get(origin.variable or "") or origin.folder
            elif isinstance(origin, StatusLineOrigin):
                place = origin.title
            else:
                continue
            with suppress(OriginError):
                answer = not_ahead(ask(session, source, origin, until=until))
                # an answer whose meters were all reset since is out of date: no capture takes it, nor one of the future
                if answer.last_reset is None or answer.last_reset > session.now:
                    yield {"provider": name, "at": answer.as_of, "place": line(place)}
