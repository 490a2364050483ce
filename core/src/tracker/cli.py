"""The command line: a table of commands, each imported only when it runs."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tracker import __version__, standard_streams
from tracker.command import Group, shared_options
from tracker.errors import TrackerError
from tracker.session import Session
from tracker.texts.render import escape

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "alias": "Capture a provider's meters: start, end, cross; delete takes one back.",
    "capture": "Read a provider's meters from where its programs keep them, and store them as a snapshot.",
    "ingest": "Take in one text or stream of any source.",
    "override": "Store meter values that you read yourself.",
    "complete": "Finalize a window: its features, quality and outcome.",
    "preview": "Show what the windows delivered per unit of quota.",
    "cost-compare": "Compare the tokens and the money of routed requests with the others', per feature.",
    "compare": "Compare providers by what they deliver for the quota, or for the money.",
    "scoreboard": "Show features, capacity, efficiency, churn, tokens and money per group of windows.",
    "decision-card": "Say GO, SOFT GO or NO-GO for a window, with the reasons.",
    "plan": "Say how many windows of the usual size still fit before each reset, and when to stop.",
    "churn": "Measure the lines that changed in a window, per feature.",
    "evidence": "Record what proves a capability: a run, its result, its artifact.",
    "feature": "Reserve feature ids, and log what was built.",
    "checkpoint": "Close a session: token ledger, churn, handoff.",
    "handoff": "Write the brief with which the next person continues.",
    "uat": "Run the acceptance checks of a window, then show its preview.",
    "window-audit": "Show everything that stands, or was taken back, in a window.",
    "plugins": "List the sources that are installed, and what is wrong with any.",
    "status": "Show what is open in each lane, its last meters and what is due next.",
    "statusline": "Print meters, resets and the open window in one line, for a prompt.",
    "schedule": "Print what makes cron, systemd or launchd capture at the right moments.",
    "doctor": "Check every stream, the lanes' state, the ledgers and the files.",
    "export": "Write the records as JSON lines, CSV or Parquet.",
    "import": "Take in another tracker directory's records; what is here already stays as it is.",
    "init": "Write a commented tracker.toml into this folder, after asking.",
    "config": "Show the settings and where each comes from; change one.",
    "shell-init": "Print the short functions of every source for a shell to read.",
    "completion": "Print the completion for a shell to read.",
    "demo": "Run the main job on bundled captures, in a temporary folder.",
}
ALSO = {"window-finalize": "complete"}
MODULES = {"import": "import_"}  # a word of Python's own


class Root(Group):
    """The table as a click group; errors of any command become one line and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        name = ALSO.get(name, name)
        if name not in COMMANDS:
            return None
        module = MODULES.get(name, name.replace("-", "_"))
        command: click.Command = import_module(f"tracker.commands.{module}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(Session).words = tuple(args)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        commands = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)  # the group's own imports every command

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        run: Callable[..., Any] = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **extra)
        standard_streams.make_sure()
        gc.set_threshold(200_000, 20, 20)  # events are many and no cycles: a tenth of the time of a large stream
        try:
            if "_TRACKER_COMPLETE" in os.environ:
                from tracker.shell.completing import answer

                answer(self)
                sys.exit()
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
            _leave_threads()


def _leave_threads() -> None:
    """Let no thread that a plugin left running keep the program from ending."""
    isolation, ending = sys.modules.get("tracker.hosting.isolation"), sys.exc_info()[1]
    if isolation is not None and isinstance(ending, SystemExit):
        isolation.leave_strays(ending.code)


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


@click.group(cls=Root, params=list(shared_options()), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tracker")
def main() -> None:
    """Measure what coding subscriptions are worth: meters before and after, features finished, per unit of quota."""


if __name__ == "__main__":
    main(prog_name="python -m tracker.cli")
