"""The command line: commands by their names, each imported only when it runs."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from typing import Any, NoReturn, cast

import click

from tracker import __version__
from tracker.cli.command import OPTIONS
from tracker.cli.command import Command as SharedCommand
from tracker.errors import Interruption, PluginError, TrackerError
from tracker.feature import GROUPS
from tracker.hosting import discovery
from tracker.hosting.discovery import ALSO, OWN_COMMANDS, commands
from tracker.session import Session
from tracker.text.render import near, tell

HOME = "home"  # what `tracker` alone runs, if a feature has it
# what a full disk gives after `>`, and the like; errors of the program's own files have their names
UNPRINTABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
UNREAD = 128 + signal.SIGPIPE  # as a shell reports a program that ended because nobody reads its pipe


def open_streams() -> None:
    """Open the null device for each closed standard stream: no file that is opened later may take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free descriptor: this one
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    if sys.stdout.errors in ("strict", "surrogateescape"):  # what the terminal's encoding lacks is escaped
        cast(Any, sys.stdout).reconfigure(errors="backslashreplace")


def give_up_output() -> None:
    """Discard what is still to be printed, so that the end of the program does not complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def find(name: str) -> click.Command:
    """The command of that name; an error says which distribution brings one that is not installed."""
    if name in OWN_COMMANDS:
        return cast(click.Command, discovery.attribute(OWN_COMMANDS[name].place))
    if name not in commands():
        raise TrackerError(f"No command {name!r} is installed. {discovery.owner('commands', name)}".rstrip())
    place = commands()[name].place
    feature = next(one for one in discovery.installed() if one.info and name in one.info.commands)
    with feature.watched(f"load its command {name!r}", discovery.warn):
        if not isinstance(found := discovery.attribute(place), click.Command):
            raise TypeError(f"{place} is a {type(found).__name__}. Expected a click command.")
        return found


def _columns() -> int:
    """How wide the terminal is. click would ask `shutil`, whose import costs 2.5 ms of each help page."""
    try:
        return int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size(1).columns or 80
    except (ValueError, OSError):
        return 80


class Group(click.Group, SharedCommand):
    """A group of commands that says what was meant. A feature adds one to any group by declaring it as `GROUP NAME`."""

    command_class = SharedCommand

    @property
    def prefix(self) -> str:
        return f"{self.name} "

    def list_commands(self, ctx: click.Context) -> list[str]:
        known = {name.removeprefix(self.prefix): name for name in commands() if name.startswith(self.prefix)}
        # a command of a group that is not a command itself is listed with both of its words
        return [*super().list_commands(ctx), *(name for name in known if name.rpartition(" ")[0] not in known)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if found := super().get_command(ctx, name):
            return found
        full = self.prefix + ALSO.get(name, name)
        if full in commands():
            return find(full)
        missing = (cure := discovery.owner("commands", full)) and f"The command {full} is not available. {cure}"
        if not self.prefix and any(one.startswith(f"{name} ") for one in commands()):
            return Rest(name=name, help=missing)
        if missing:
            raise click.UsageError(missing, ctx)
        return None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:  # what click's own answers
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"Unknown command {args[0]!r}. {near(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


class Rest(Group):
    """What other features add to a group whose own one is not in use."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if self.help and {*args}.isdisjoint([*self.list_commands(ctx), *ctx.help_option_names]):
            raise click.UsageError(self.help, ctx)
        return super().parse_args(ctx, args)


class Root(Group):
    """The table as a click group; errors of any command become one line and an exit status."""

    prefix = ""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(Session).words = tuple(args)
        ctx.terminal_width = max(min(_columns(), 80) - 2, 40)
        try:
            return super().parse_args(ctx, args)
        except BrokenPipeError:  # of a page of help
            give_up_output()
            sys.exit(UNREAD)

    def invoke(self, ctx: click.Context) -> None:
        session = ctx.ensure_object(Session)
        try:
            os.getcwd()
            super().invoke(ctx)  # what a command returns is no exit status: `ctx.exit(status)` is
            sys.stdout.flush()
        except KeyboardInterrupt:
            raise Interruption(f"interrupted{session.outcome}", signal.SIGINT) from None
        except BrokenPipeError:
            give_up_output()
            sys.exit(UNREAD)
        except OSError as error:
            if (error.errno, error.filename) == (errno.ENOENT, None):  # of no file: what all others are found from
                raise TrackerError("The working directory is gone. Change to a folder that exists.") from error
            if error.errno not in UNPRINTABLE or error.filename is not None:
                raise
            give_up_output()
            raise TrackerError(f"The result cannot be printed: {error.strerror}{session.outcome}") from error
        except TrackerError as error:
            # the system failed after a record was stored, and the record stays
            if isinstance(error.__cause__, OSError) and session.outcome not in str(error):
                error.args = (f"{str(error).removesuffix('.')}{session.outcome}",)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        known = commands()
        for name in self.list_commands(ctx):
            groups.setdefault(known[name].group, []).append((name, known[name].about))
        for group, rows in groups.items():
            if rows:
                room = max(len(name) for name, _ in rows)
                with formatter.section(group):
                    for name, about in sorted(rows, key=lambda row: row[0].title() not in GROUPS):  # `setup` in Setup
                        # click looks for places to break a line at, which takes a twentieth of a start for all of them
                        if len(about) + room + 4 <= formatter.width:
                            formatter.write(f"  {name:<{room}}  {about}\n")
                        else:
                            formatter.write_dl([(f"{name:<{room}}", about)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        known, names = commands(), [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        own = click.Command.shell_complete(self, ctx, incomplete)  # the group's own imports every command
        return [*(CompletionItem(name, help=known[name].about) for name in names), *own]

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        run, here = cast(Any, super().main), extra.setdefault("obj", Session())
        if not standalone_mode:
            return run(*args, standalone_mode=False, **extra)
        open_streams()
        try:
            sys.exit(run(*args, standalone_mode=False, **extra) or 0)
        except click.exceptions.NoArgsIsHelpError as error:
            print(error.format_message(), file=sys.stderr)  # a group without a command: its help is the message
            sys.exit(error.exit_code)
        except click.ClickException as error:
            if isinstance(error, click.UsageError) and error.ctx is not None:
                print(error.ctx.get_usage(), file=sys.stderr)
                print(f"Try '{error.ctx.command_path} --help' for help.", file=sys.stderr)
            text, off = error.format_message(), os.environ.get(discovery.DISABLE)
            if off and (isinstance(error, click.NoSuchOption) or text.startswith("Unknown command ")):
                text = f"{text} {discovery.DISABLE} leaves out {off}: unset it to have all commands and options."
            _stop(here, text, error.exit_code)
        except TrackerError as error:
            if isinstance(error, PluginError) and os.environ.get(discovery.TRACE) == "1":
                raise
            _stop(here, str(error), error.status)
        except (click.Abort, KeyboardInterrupt):
            _stop(here, "interrupted", 130)
        except SystemExit as error:
            if isinstance(error.code, str):  # of a feature's `sys.exit`, which Python would print as it is
                _stop(here, error.code, 1)
            raise
        except BaseException as error:
            if (fault := discovery.culprit(error)) is None and isinstance(error, OSError):
                _stop(here, f"{error.strerror or error} {error.filename or ''}", 1)
            if fault is None or os.environ.get(discovery.TRACE) == "1":
                raise
            _stop(here, f"{str(fault).rstrip('.')}. {discovery.TRACE}=1 shows where.", 1)
        finally:
            gc.freeze()  # the interpreter looks for cycles in all classes when it ends, which costs a tenth of a start


def _stop(session: Session, message: str, status: int) -> NoReturn:
    tell(discovery.cured(f"error: {' '.join(message.split())}", session))
    sys.exit(status)


@click.group(
    cls=Root, params=[*OPTIONS], context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True
)
@click.version_option(__version__, prog_name="tracker")
@click.pass_context
def main(context: click.Context) -> None:
    """Measure what coding subscriptions are worth: meters before and after, features finished, per unit of quota."""
    if context.invoked_subcommand is None and HOME in commands():
        context.invoke(find(HOME))
    elif context.invoked_subcommand is None:
        click.echo(context.get_help())
