"""What a new BEFORE does to captures that stand already: worth a note, since nothing of it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracker.contract.sources import Source
from tracker.session import Session
from tracker.settings.zones import zone
from tracker.text.clock import Clock
from tracker.text.render import line, value
from tracker.windows import lanes
from tracker.windows.captures import Capture, canonical


def on_the_window(session: Session, source: Source, new: Capture, group: Sequence[Capture]) -> Iterator[str]:
    """`group`: what stands of the provider in the new one's window."""
    own = [capture for capture in group if capture.agent_id == new.agent_id]
    clock = Clock(session.now, zone(session.config.timezone))
    old = canonical(own)
    lane = f" --agent {new.agent_id}" if new.agent_id else ""
    delete = f"`tracker alias delete {source.name} --phase before --window {new.window}{lane}`"
    if old.after is not None and old.before is not None and new.captured_at > old.after.captured_at:
        end = f"`tracker alias end {source.name} --stdin --window {new.window}{lane}`"
        yield (
            f"note: this BEFORE is later than the AFTER of {clock.at(old.after.captured_at)} in {new.window}, so it"
            f" does not count until an AFTER follows: {end}, or {delete} takes it back"
        )
    elif old.before is not None and canonical([*own, new]).before is new:
        was = f"the BEFORE of {clock.at(old.before.captured_at)}{_meters(source, old.before, new)}"
        yield f"note: this replaces {was}; {delete} takes it back"


def left_open(session: Session, source: Source, window: str) -> Iterator[str]:
    """The lane's open window that a BEFORE in another one leaves behind."""
    left = lanes.open_window(session.index, source.stream, session.lane, source.name)
    if left is not None and left != window:
        lane = f" --agent {session.lane}" if session.lane else ""
        end = f"`tracker alias end {source.name} --stdin --window {line(left)}{lane}`"
        yield f"note: {line(left)} stays open for {source.name} in this lane; {end} ends it"


def _meters(source: Source, old: Capture, new: Capture) -> str:
    """` (weekly 20% -> 50%)`: the meters that both have."""
    pairs = []
    for gauge in new.reading.gauges:
        meter, was = source.meter(gauge.meter), old.reading.gauge(gauge.meter)
        if meter is not None and was is not None:
            unit = "%" if meter.unit == "pp" else f" {meter.unit}"
            pairs.append(f"{meter.key} {value(was.used, unit=unit)} -> {value(gauge.used, unit=unit)}")
    return f" ({', '.join(pairs)})" if pairs else ""
