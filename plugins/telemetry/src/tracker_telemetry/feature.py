"""Streams taken in exactly once, what they add up to, costs and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.api import Block, Check, Panel, Period, Source, StreamFacts, StreamInput, UsageEvent
    from tracker.kernel import Session


@hookimpl
def feature_info() -> Feature:
    """The feature's commands."""
    return Feature(
        name="telemetry",
        commands={
            "cost-compare": Command(
                "Results",
                "Compare tokens and money of routed requests with the others.",
                "tracker_telemetry.commands.cost_compare:command",
            ),
            "usage": Command(
                "Daily",
                "Show what your agents' requests used, from their session logs.",
                "tracker_telemetry.commands.usage:command",
            ),
        },
        settings={"privacy": "tracker_telemetry.sessions.settings:Privacy"},
    )


@hookimpl
def ingest_stream(session: Session, source: Source, window: str, given: StreamInput) -> bool:
    from tracker_telemetry.intake import ingest_stream as ingest

    ingest(session, source, window, given)
    return True


@hookimpl
def stream_facts(
    session: Session, source: Source, windows: Sequence[str], spans: Mapping[str, tuple[datetime, datetime | None]]
) -> StreamFacts:
    from tracker_telemetry.totals import facts

    return facts(session, source, windows, spans)


@hookimpl
def usage_events(session: Session, since: datetime | None, folder: Path | None) -> Sequence[UsageEvent]:
    from tracker_telemetry.sessions.current import events

    return events(session, since, folder)


@hookimpl
def session_files(source: Source) -> Sequence[str]:
    from tracker_telemetry.sessions.files import files

    return [one.path for one in files(source)]


@hookimpl
def window_facts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    from tracker_telemetry import window_facts

    return window_facts.facts(session, windows)


@hookimpl
def window_checks(session: Session, window: str) -> Sequence[Check]:
    from tracker_telemetry import window_facts

    return window_facts.checks(session, window)


@hookimpl
def handoff_section(session: Session, windows: Sequence[str]) -> Block | None:
    from tracker_telemetry import window_facts

    return window_facts.section(session, windows)


@hookimpl
def show_progress(session: Session, size: int, noun: str) -> Any:
    from tracker_telemetry.progress import Progress

    return Progress.of(session, size, noun)


@hookimpl
def panels(session: Session, period: Period) -> Sequence[Panel]:
    if period.names == ("today",):
        from tracker_telemetry.sessions.today import panel

        return [panel(session, period)]
    if period.names == ("preview",):
        from tracker_telemetry.sessions.window_panel import panel as of_windows

        return [of_windows(session, period.windows)]
    from tracker_telemetry.sessions.panels import panels as of_logs
    from tracker_telemetry.window_facts import panels as of_streams

    return [*of_logs(session, period), *(of_streams(session, period) if period.wants("routing") else ())]
