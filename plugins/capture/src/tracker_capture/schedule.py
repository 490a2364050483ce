"""Jobs that let cron, systemd or launchd sample the meters. They are only printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import click

from tracker.api import CommandOrigin, ExchangeOrigin, FileOrigin, HttpOrigin, Source
from tracker.kernel import Session, TrackerError, escape

DURATION = re.compile(r"([1-9]\d{0,3})(m|h|d)")
MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
LABEL = "tracker-sample"
MOST_OF_A_COMMAND = 998  # bytes that Debian's cron takes
SYSTEM = ("/usr/local/bin", "/usr/bin", "/bin")

CRON = """\
# {about}
{when} {command}
"""
SYSTEMD = """\
# ~/.config/systemd/user/{label}.service
# {about}
[Unit]
Description=Sample the meters of coding subscriptions

[Service]
Type=oneshot
WorkingDirectory={folder}
{environment}ExecStart={command}

# ~/.config/systemd/user/{label}.timer; then: systemctl --user enable --now {label}.timer
[Unit]
Description=When to run {label}

[Timer]
OnActiveSec=1min
OnUnitActiveSec={minutes}min

[Install]
WantedBy=timers.target
"""


def interval(text: str) -> int:
    """The minutes of `15m`, `2h` or `1d`."""
    found = DURATION.fullmatch(text.strip().lower())
    if found is None or int(found[1]) * MINUTES[found[2]] > 7 * 24 * 60:
        raise click.BadParameter(f"Invalid interval {text!r}. Expected 15m, 2h or 1d.", param_hint="--every")
    return int(found[1]) * MINUTES[found[2]]


def text(session: Session, provider: str | None, sources: Sequence[Source], minutes: int, form: str) -> str:
    """One job that samples the provider, or all of them, every few minutes."""
    root = str(session.root.absolute())
    argv = [sys.executable, "-m", "tracker.cli", "--data-dir", root, "--quiet", "capture"]
    argv += ["--sample", provider or "--all"]
    environment, folder = _environment(sources), str(Path.cwd())
    for one in (*argv, folder, *environment.values()):
        if escape(one) != one or "\n" in one:
            raise TrackerError(f"{one[:80]!r} contains control characters, which a schedule cannot hold.")
    if form == "cron":
        return _cron(argv, folder, environment, minutes, _folders(sources))
    # there may also be jobs of other providers and folders
    label = "-".join((LABEL, *([provider] if provider else []), f"{crc32(root.encode()):08x}"))
    if form == "systemd":
        return _systemd(label, argv, folder, environment, minutes)
    import plistlib

    job = {
        "Label": label.replace("-", "."),
        "ProgramArguments": argv,
        "WorkingDirectory": folder,
        "EnvironmentVariables": environment,
        "StartInterval": minutes * 60,
    }
    return plistlib.dumps(job, sort_keys=False).decode()


def keys(sources: Sequence[Source]) -> list[str]:
    """The origins that need a key in the job's environment. Keys are never printed."""
    return [
        f"{source.name} {one.name} needs the key in the job's environment (docs/how-to/capture-without-pasting.md)"
        for source in sources
        for one in source.origins
        if isinstance(one, HttpOrigin)
    ]


def _environment(sources: Sequence[Source]) -> dict[str, str]:
    """What is missing in a schedule's bare environment: the PATH, and the folders of session files. Never a key."""
    origins = [one for source in sources for one in source.origins]
    names = ["PATH", *(one.variable for one in origins if isinstance(one, FileOrigin) and one.variable)]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


ABOUT = "samples for the meter history; printed by `tracker schedule print`, which installs nothing"


def _folders(sources: Sequence[Source]) -> str:
    """A PATH of only the folders with the origins' programs, and the system's."""
    origins = [one for source in sources for one in source.origins]
    names = [one.argv[0] for one in origins if isinstance(one, CommandOrigin | ExchangeOrigin)]
    found = [str(Path(path).parent) for path in map(shutil.which, names) if path]
    return os.pathsep.join(dict.fromkeys((*found, *SYSTEM)))


def _cron(argv: Sequence[str], folder: str, environment: dict[str, str], minutes: int, folders: str) -> str:
    when, size = _cron_interval(minutes), 0
    # a long PATH has the folders of another system, or one for each project
    for known in (environment, environment | {"PATH": folders}):
        words = [f"{name}={shlex.quote(value)}" for name, value in known.items()]
        # An unescaped % ends a crontab's command.
        command = f"cd {shlex.quote(folder)} && {' '.join([*words, shlex.join(argv)])}".replace("%", r"\%")
        if (size := len(command.encode())) <= MOST_OF_A_COMMAND:
            return CRON.format(about=ABOUT, when=when, command=command)
    raise TrackerError(f"cron takes at most {MOST_OF_A_COMMAND} bytes; this command has {size}. Use --format systemd.")


def _cron_interval(minutes: int) -> str:
    if minutes < 60 and 60 % minutes == 0:
        return f"*/{minutes} * * * *"
    if minutes < 24 * 60 and minutes % 60 == 0 and 24 * 60 % minutes == 0:
        return f"0 */{minutes // 60} * * *"
    if minutes == 24 * 60:
        return "0 0 * * *"
    raise TrackerError(
        f"cron cannot run every {minutes} min. Use an interval that divides an hour or a day, or --format systemd."
    )


def _systemd(label: str, argv: Sequence[str], folder: str, environment: dict[str, str], minutes: int) -> str:
    assigned = "".join(f"Environment={_word(f'{name}={value}')}\n" for name, value in environment.items())
    command = " ".join(_word(word).replace("$", "$$") for word in argv)
    return SYSTEMD.format(
        about=ABOUT,
        label=label,
        folder=folder.replace("%", "%%"),
        environment=assigned,
        command=command,
        minutes=minutes,
    )


def _word(word: str) -> str:
    """A word of a unit file: quoted, with its specifiers escaped."""
    escaped = word.replace("\\", r"\\").replace('"', r"\"").replace("%", "%%")
    return f'"{escaped}"'
