"""Meters read by themselves: origins, schedules, the status line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tracker.feature import Command, Feature, hookimpl

if TYPE_CHECKING:
    from tracker.api import Check, MeterReading, Panel, Period
    from tracker.kernel import Session


@hookimpl
def feature_info() -> Feature:
    return Feature(
        name="capture",
        commands={
            "capture": _command(
                "Daily",
                "capture",
                "Read a provider's meters without pasting, and store them.",
            ),
            "sync": _command("Daily", "sync", "Collect readings and tokens from the vendors' session files."),
            "watch": _command("Daily", "watch", "Sample the meters until you stop it, and show them in one line."),
            "meters": _command("Results", "meters", "Show the history of every meter, with its resets."),
            "windows add": _command("Records", "windows:add", "Make a window from the meter history, after the fact."),
            "windows propose": _command(
                "Records", "windows:propose", "Propose windows from commits, session logs and the meter history."
            ),
            "windows accept": _command("Records", "windows:accept", "Store proposed windows."),
            "schedule": _command("Setup", "schedule", "Print a cron, systemd or launchd job that samples the meters."),
            "statusline": _command("Setup", "statusline", "Print meters, resets and the open window in one line."),
        },
        settings={"": "tracker_capture.settings:CaptureSettings", "propose": "tracker_capture.settings:Propose"},
        streams=("readings",),
    )


@hookimpl
def command_finished(session: Session, given: Mapping[str, Any]) -> None:
    """Add what a command captured to the meter history; say of a window that was finalized which BEFORE is in doubt."""
    if given.get("reopen") is False and session.outcome and not session.dry_run:
        for check in window_checks(session, given["window"]):
            session.note(f"note: {check.text} `{check.cure}`")
    provider = given.get("provider") or given.get("name")
    if isinstance(provider, str) and session.outcome and not given.get("sample"):
        from tracker_capture.capture_history import add_newest_capture

        add_newest_capture(session, provider, is_named=given.get("window") is not None)


@hookimpl
def undo_rows(session: Session, records: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Take the readings of captures that were taken back out of the meter history.

    Those of `sync` are read again by the next one: nothing else brings them back.
    """
    from tracker.kernel import plural
    from tracker_capture.capture_history import take_back

    count = take_back(session, records)
    said = [f"its {plural(count, 'reading')} also left the meter history"] if count else []
    if not any(record.get("source") == "sync" for record in records):
        return said
    if not session.dry_run:
        from tracker_capture.session_files import forget

        forget(session)
    return [*said, "the next `tracker sync` rereads all session files that still exist"]


@hookimpl
def meter_readings(
    session: Session, provider: str | None, since: datetime | None, hourly: bool
) -> Sequence[MeterReading]:
    from tracker_capture.meters import readings

    return readings(session, provider, since, hourly)


@hookimpl
def meter_sampler(session: Session, every: timedelta) -> Callable[[Session], Sequence[str]]:
    """What reads the meters that are due."""
    from tracker_capture.samples import sources
    from tracker_capture.watch import Watch

    return Watch(sources(session, None), every, session.now).turn


@hookimpl
def window_accounts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], str]:
    """The account of each provider in each window, if its captures name one."""
    from tracker_capture.accounts import accounts

    return accounts(session, windows)


@hookimpl
def window_facts(session: Session, windows: Sequence[str]) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """The same as a column."""
    return {key: {"account": name} for key, name in window_accounts(session, windows).items()}


@hookimpl
def window_checks(session: Session, window: str) -> Sequence[Check]:
    """Whether a BEFORE lies below what its meter had shown."""
    from tracker_capture.capture_history import checks

    return list(checks(session, window))


@hookimpl
def screen_text(text: str) -> str:
    """Play the cursor movements in a text."""
    from tracker_capture.playback import render

    return render(text)


@hookimpl
def panels(session: Session, period: Period) -> Sequence[Panel]:
    # only for those who ask for it: files are read, and their contents are not recorded
    if "at-hand" in period.names:
        from tracker_capture.at_hand import panel

        return [panel(session, period.provider)]
    if not period.wants("history"):
        return []
    from tracker_capture.panels import panels as found

    return list(found(session, period))


def _command(group: str, place: str, about: str) -> Command:
    module, _, name = place.partition(":")
    return Command(group, about, f"tracker_capture.commands.{module}:{name or 'command'}")
