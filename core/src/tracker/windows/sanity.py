"""Whether a text holds a reading of its source; where it holds none, why, and whose it looks like."""

from __future__ import annotations

from datetime import datetime

from tracker.contract.readings import Reading
from tracker.contract.sources import Source
from tracker.errors import PluginError, TrackerError
from tracker.session import Session
from tracker.settings.zones import zone


def check_values(
    session: Session, source: Source, reading: Reading, text: str | None, captured_at: datetime, *, force: bool
) -> None:
    """Refuse a reading without any value."""
    if force or _has_value(source, reading):
        return
    tags = reading.errors or ("insufficient-data",)
    why = _why(session, source, tags, text, captured_at)
    raise TrackerError(
        f"this text holds no {source.name} reading ({', '.join(tags)}){f': {why}' if why else ''}; nothing was stored"
        " (--force stores it with its tags)"
    )


def _has_value(source: Source, reading: Reading) -> bool:
    return any(gauge.used is not None for gauge in reading.gauges) if source.meters else bool(reading.fields)


def _why(session: Session, source: Source, tags: tuple[str, ...], text: str | None, captured_at: datetime) -> str:
    if text is not None and not text.strip():
        return "nothing was piped or pasted"
    if text is not None and (owner := _owner(session, source, text, captured_at)):
        return f"this looks like {owner}'s"
    known = dict.fromkeys(tag.partition(":")[0] for tag in tags)
    return "; ".join(source.tags[tag] for tag in known if tag in source.tags)


def _owner(session: Session, source: Source, text: str, captured_at: datetime) -> str | None:
    """Another installed source that reads a value from the text, a provider first."""
    others = [other for other in session.registry.sources.values() if other.kind in ("status", "report")]
    for other in sorted(others, key=lambda other: other.kind != "status"):
        if other.name == source.name:
            continue
        try:
            answer = session.registry.call(
                other.name,
                "parse_status",
                text=text,
                captured_at=captured_at,
                timezone=zone(session.config.timezone),
                scope=None,
                origin=None,
            )
        except PluginError:  # it was not asked for: what is wrong with it is no concern of this command
            continue
        if isinstance(answer, Reading) and _has_value(other, answer):
            return other.name
    return None
