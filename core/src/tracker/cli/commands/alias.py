"""`tracker alias`: the operator's captures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tracker.cli.command import Command, Group, WritingCommand, run_command
from tracker.cli.text_input import capture_time, input_options, read_text, take_text
from tracker.session import Session, session


def state_dir_option(function: Any) -> Any:
    """`--state-dir`: where the lane's state files live."""

    def keep(context: click.Context, _parameter: click.Parameter, given: Path | None) -> None:
        context.ensure_object(Session).state_dir = given

    return click.option(
        "--state-dir",
        type=click.Path(path_type=Path, file_okay=False),
        callback=keep,
        expose_value=False,
        metavar="DIR",
        help="Where the lanes' state files live [default: state/ in the data directory].",
    )(function)


def waiting_options(function: Any) -> Any:
    """`--wait`, `--stale-ok`."""
    wait = "Wait until the buffer after a reset is over, and for an origin that is not ready."
    for option in (
        click.option("--stale-ok", is_flag=True, help="Take an old reading for an AFTER, too; it is tagged."),
        click.option("--wait", is_flag=True, help=wait),
    ):
        function = option(function)
    return function


class AliasGroup(Group):
    command_class = Command


@click.group("alias", cls=AliasGroup)
def command() -> None:
    """Capture a provider's meters: start, end, cross."""


def _capture(verb: str, phases: tuple[str, ...], about: str) -> None:
    @command.command(
        verb,
        cls=WritingCommand,
        help=about,
        short_help=about.split(".")[0] + ".",
        epilog=f"tracker {verb} {{provider}} pane.txt",
    )
    @click.argument("provider")
    @click.argument("file", required=False, type=click.Path(path_type=Path))
    @input_options
    @click.option(
        "--auto", "automatic", is_flag=True, help="Read the provider's own origins, as `tracker capture` does."
    )
    @waiting_options
    @click.option("--window", metavar="W", help="The window [default: the open one, or the next].")
    @click.option(
        "--source",
        "origin",
        default="alias",
        metavar="S",
        show_default=True,
        help="What the record says as its source.",
    )
    @state_dir_option
    def run(
        provider: str,
        file: Path | None,
        use_stdin: bool,
        path: Path | None,
        notes: str | None,
        captured_at: str | None,
        timezone: str | None,
        force: bool,
        window: str | None,
        origin: str,
        automatic: bool,
        wait: bool,
        stale_ok: bool,
    ) -> None:
        from tracker.windows.store import CaptureRequest, store

        here = session()
        if file is not None and path is not None:
            raise click.UsageError("Two files are given. Name one, as an argument or with --file.")
        path = path or file
        source = here.source(provider, kinds=["status"])
        if automatic:
            if use_stdin or path is not None or captured_at is not None or origin != "alias":
                raise click.UsageError(
                    "--auto reads the meters itself, now: without --stdin, --file, --captured-at, --source"
                )
            given = {"window": window, "notes": notes, "timezone": timezone, "force": force}
            phase = "cross" if len(phases) > 1 else phases[0]
            run_command("capture", provider=provider, phase=phase, wait=wait, stale_ok=stale_ok, **given)
            return
        if wait or stale_ok:
            raise click.UsageError("--wait and --stale-ok go with --auto")
        at = capture_time(captured_at, here.now, timezone or here.config.timezone)
        text = take_text(use_stdin, path)
        reading = read_text(here, source, text, at, timezone)
        store(
            here,
            CaptureRequest(
                source=source,
                phases=phases,
                reading=reading,
                text=text,
                captured_at=at,
                origin=origin,
                window=window,
                notes=notes,
                force=force,
                needs_before=True,
            ),
        )


_capture("start", ("before",), "Store a pane as BEFORE. It opens a window, or joins the one that is open.")
_capture("end", ("after",), "Store a pane as AFTER. It closes the open window, which needs a BEFORE.")
_capture("cross", ("after", "before"), "Store a pane as AFTER and as the next window's BEFORE.")


# `tracker start PROVIDER` and its like, for `tracker alias start PROVIDER`
start, end, cross = (command.commands[name] for name in ("start", "end", "cross"))
