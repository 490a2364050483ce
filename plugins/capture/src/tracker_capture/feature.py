"""Meters read by themselves: origins, schedules, the status line."""

from __future__ import annotations

from tracker.feature import Command, Feature, hookimpl


@hookimpl
def feature_info() -> Feature:
    """The feature's commands."""
    return Feature(
        name="capture",
        commands={
            "capture": _command(
                "Daily",
                "capture",
                "Read a provider's meters from where its programs keep them, and store them as a snapshot.",
            ),
            "statusline": _command(
                "Setup", "statusline", "Print meters, resets and the open window in one line, for a prompt."
            ),
            "schedule": _command("Setup", "schedule", "Print what makes cron, systemd or launchd sample the meters."),
        },
        settings={"": "tracker_capture.settings:CaptureSettings"},
        streams=("readings",),
    )


@hookimpl
def screen_text(text: str) -> str:
    """Play the cursor movements in a text."""
    from tracker_capture.playback import render

    return render(text)


def _command(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker_capture.commands.{module}:command")
