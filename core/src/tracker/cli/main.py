"""The command line: a table of commands, each imported only when it runs."""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tracker import __version__
from tracker.cli import streams as standard_streams
from tracker.cli.command import Group, shared_options
from tracker.errors import Interrupted, TrackerError
from tracker.feature import GROUPS, Command
from tracker.session import Session
from tracker.text.render import escape

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _own(group: str, module: str, about: str) -> Command:
    return Command(group, about, f"tracker.cli.commands.{module}:command")


KERNEL = {
    "start": Command("Daily", "Capture a provider's meters before the work.", "tracker.cli.commands.alias:start"),
    "end": Command("Daily", "Capture a provider's meters after the work.", "tracker.cli.commands.alias:end"),
    "cross": Command(
        "Daily", "End a window and begin the next one with one capture.", "tracker.cli.commands.alias:cross"
    ),
    "complete": _own("Daily", "complete", "Finalize a window: its features, quality and outcome."),
    "preview": _own("Daily", "preview", "Show what the windows delivered per unit of quota."),
    "alias": _own("Records", "alias", "Capture a provider's meters: start, end, cross."),
    "ingest": _own("Records", "ingest", "Take in one text or stream of any source."),
}
# what `tracker` alone runs, if a feature has it
HOME = "home"
# what a full disk behind `>` gives, and alike; errors of the program's own files have their names
UNPRINTABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
# the number of the signal, since its module costs 2 ms
SIGINT = 2
ALSO = {"window-finalize": "complete"}


@cache
def commands() -> dict[str, Command]:
    """Every command by name: the kernel's and those of the installed features."""
    from tracker.hosting import discovery

    return KERNEL | discovery.commands()


def subcommands(group: str) -> list[str]:
    """The names that features add to a group, declared as `GROUP NAME`."""
    return sorted(name.partition(" ")[2] for name in commands() if name.startswith(f"{group} "))


def find(name: str) -> click.Command:
    """The command of that name; an error says which distribution brings one that is not installed."""
    known = KERNEL.get(name) or commands().get(name)
    if known is None:
        from tracker.hosting.discovery import owner

        raise TrackerError(f"No command {name!r} is installed. {owner('commands', name) or ''}".rstrip())
    module, _, attribute = known.place.partition(":")
    command: click.Command = getattr(import_module(module), attribute)
    return command


class Root(Group):
    """The table as a click group; errors of any command become one line and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in commands() if " " not in name]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        name = ALSO.get(name, name)
        if name in KERNEL or (name in commands() and " " not in name):
            return find(name)
        if subcommands(name):
            # The group's own feature is not installed, but another one adds commands to it.
            return Group(name=name)
        from tracker.hosting.discovery import owner

        if cure := owner("commands", name):
            raise click.UsageError(f"The command {name} is not available. {cure}", ctx)
        return None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(Session).words = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        session = ctx.ensure_object(Session)
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted{session.outcome}", SIGINT) from None
        except OSError as error:
            if error.errno not in UNPRINTABLE or error.filename is not None:
                raise
            standard_streams.give_up_output()
            raise TrackerError(f"The result cannot be printed: {error.strerror}{session.outcome}") from error
        except TrackerError as error:
            outcome = session.outcome
            # the system failed behind a stored record, and the record stays
            if isinstance(error.__cause__, OSError) and outcome not in str(error):
                error.args = (f"{str(error).removesuffix('.')}{outcome}",)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        for name in self.list_commands(ctx):
            command = commands()[name]
            groups.setdefault(command.group, []).append((name, command.about))
        for group, rows in groups.items():
            if rows:
                with formatter.section(group):
                    formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        named = [
            (name, one.about) for name, one in commands().items() if name.startswith(incomplete) and " " not in name
        ]
        found = [CompletionItem(name, help=about) for name, about in named]
        return found + click.Command.shell_complete(self, ctx, incomplete)  # the group's own imports every command

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        run: Callable[..., Any] = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **extra)
        standard_streams.make_sure()
        gc.set_threshold(200_000, 20, 20)  # events are many and no cycles: a tenth of the time of a large stream
        try:
            sys.exit(run(*args, standalone_mode=False, **extra) or 0)
        except (click.ClickException, TrackerError) as error:
            _fail(error)
        except (click.Abort, KeyboardInterrupt):
            _stop("interrupted", 130)
        except BrokenPipeError:
            standard_streams.give_up_output()  # nobody reads
            sys.exit(1)
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            _stop(f"{error.strerror or error}{where}", 1)
        finally:
            gc.freeze()  # the interpreter looks for cycles in all classes when it ends, which costs a tenth of a start


def _fail(error: click.ClickException | TrackerError) -> NoReturn:
    if isinstance(error, TrackerError):
        _stop(str(error), error.status)
    if isinstance(error, click.UsageError) and type(error) is not click.UsageError and "NoArgs" in type(error).__name__:
        print(error.format_message(), file=sys.stderr)  # a group without a command: its help is the message
        sys.exit(error.exit_code)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        print(error.ctx.get_usage(), file=sys.stderr)
        print(f"Try '{error.ctx.command_path} --help' for help.", file=sys.stderr)
    _stop(error.format_message(), error.exit_code)


def _stop(message: str, status: int) -> NoReturn:
    print(f"error: {escape(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(status)


@click.group(
    cls=Root,
    params=list(shared_options()),
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="tracker")
@click.pass_context
def main(context: click.Context) -> None:
    """Measure what coding subscriptions are worth: meters before and after, features finished, per unit of quota."""
    if context.invoked_subcommand is not None:
        return
    if HOME in commands():
        context.invoke(find(HOME))
    else:
        click.echo(context.get_help())


if __name__ == "__main__":
    main(prog_name="python -m tracker.cli")
