"""What every command shares: the global options, before or after its name, and those that plugins add."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from tracker.errors import TrackerError
from tracker.session import Session
from tracker.text.render import escape, near

EVENTS_STAY = " Events cannot be taken back: ingest them again with the right --window, and count only that window"


def _keep(context: click.Context, parameter: click.Parameter, given: Any) -> None:
    name = str(parameter.name)
    if given is not None and given is not False:
        if name.endswith("_dir"):
            from pathlib import Path

            given = Path(given)
        setattr(context.ensure_object(Session), name, given)


def _option(*names: str, about: str, **more: Any) -> click.Option:
    """An option whose value becomes the session's attribute of its name, before others are read."""
    return click.Option(names, help=about, expose_value=False, callback=_keep, is_eager=True, **more)


OPTIONS = (  # that every command takes
    _option("--data-dir", about="The data directory.", type=click.Path(), metavar="DIR"),
    _option("--agent", about="The lane to work in [default: $AGENT_ID].", metavar="ID"),
    _option("--json", about="Print JSON.", is_flag=True),
    _option("--quiet", "-q", about="Print only the data.", is_flag=True),
    _option("--no-color", about="Print no colours (also: NO_COLOR).", is_flag=True),
)


class Command(click.Command):
    """A command or a group: it takes the global options after its name, too, lists them apart, and shows an example.

    Without arguments, options with `multiple` take several values in a row: `--paths a b` as `--paths a --paths b`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not any(isinstance(one, click.Argument) for one in self.params):
            flags = {name for one in self.params if getattr(one, "multiple", False) for name in one.opts}
            args = list(_repeated(args, flags))
        takes_all, ctx.allow_extra_args = ctx.allow_extra_args, True
        try:
            rest = super().parse_args(ctx, args)
        except click.MissingParameter as error:
            text = error.format_message()  # a type may say what was expected
            raise click.UsageError(f"{text} {self._cure(ctx)}" if text.endswith("'.") else text, ctx) from error
        except click.NoSuchOption as error:
            name, known = error.option_name, [one for each in self.get_params(ctx) for one in each.opts if "-" in one]
            fitting = [one for one in known if one.endswith(f"-{name.lstrip('-')}")]
            hint = f"Did you mean {' or '.join(fitting)}?" if fitting[1:] else near(name, known)
            raise click.NoSuchOption(name, f"No such option {name!r}. {hint}", ctx=ctx) from error
        if rest and not takes_all and not ctx.resilient_parsing:
            raise click.UsageError(f"Unexpected argument {rest[0]!r}. {self._cure(ctx, rest[0])}", ctx)
        return rest

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        # a group without a subcommand does something by itself only if it says so
        if getattr(self, "invoke_without_command", True):
            taken = {name for parameter in own for name in parameter.opts}
            own = [*own, *(option for option in OPTIONS if taken.isdisjoint(option.opts))]
        return own

    def get_help(self, ctx: click.Context) -> str:
        return escape(super().get_help(ctx))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        if self.epilog:
            with formatter.section("Example"):
                # a line that is broken can still be copied
                text = click.wrap_text(self._example(ctx), formatter.width - 2, "  ", "    ")
                formatter.write(text.replace("\n", " \\\n") + "\n")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Nothing: the epilog is the example, which comes before the options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options, then those that every command takes, and `--help`."""
        shared = {option.name for option in OPTIONS}
        sections: dict[str, list[tuple[str, str]]] = {"Options": [], "Global options": []}
        for parameter in sorted(self.get_params(ctx), key=lambda one: "--help" in one.opts):
            if (shown := parameter.get_help_record(ctx)) and (shown[1] or isinstance(parameter, click.Option)):
                is_global = parameter.name in shared or "--help" in parameter.opts
                sections["Global options" if is_global else "Options"].append(shown)
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def _example(self, ctx: click.Context) -> str:
        """A command line that works, with the name of an installed source in it."""
        if not self.epilog or "{" not in self.epilog:
            return self.epilog or f"{ctx.command_path} --help"
        sources = ctx.ensure_object(Session).registry.sources.values()
        provider = next((one.name for one in sources if one.is_provider), "PROVIDER")
        stream = next((one.name for one in sources if one.is_stream and not one.origins), "SOURCE")
        return self.epilog.format(provider=provider, stream=stream)

    def _cure(self, ctx: click.Context, word: str = "") -> str:
        """What to type instead: the option that a word was meant for, else the example."""
        known = {name for one in self.get_params(ctx) for name in one.opts}
        if f"--{word}" in known:
            return f"Did you mean --{word}?"
        is_source = word in ctx.ensure_object(Session).registry.sources
        option = "--provider" if is_source else "--window" if word[-1:].isdigit() else ""
        is_free = option in known and not ctx.params.get(option[2:])
        return f"Did you mean {option} {word}?" if is_free else f"Example: `{self._example(ctx)}`."


def _repeated(args: Iterable[str], flags: set[str]) -> Iterator[str]:
    """`--paths a b --x` as `--paths a --paths b --x`; a value that begins with a dash is given as `--paths=-a`."""
    current = before = None
    for word in args:
        if word.startswith("-") and word != "-":
            current = word if word in flags else None
        elif current and current != before:
            yield current
        yield word
        before = word


class WritingCommand(Command):
    """A command that writes: `--dry-run` prints the records instead; an invalid lane is refused at once.

    One that came to its end is noted in the command log, unless it says `is_noted = False`.
    """

    is_noted = True

    def invoke(self, ctx: click.Context) -> Any:
        session = ctx.ensure_object(Session)
        from tracker.journal.records import COMMAND

        session.lane  # noqa: B018
        new = [] if session.dry_run else _new_windows(session, ctx.params)
        if new and sys.stdin.isatty() and sys.stderr.isatty():
            for text, _ in new:
                # a note that asks back is likelier to be about a slip
                if not click.confirm(f"{text} Go on?", default=not text.endswith("?"), err=True):
                    raise TrackerError("Nothing was stored.")
            new = []
        running = COMMAND.set(f"{time.time_ns():016x}{os.urandom(4).hex()}")
        session.running = ctx.params if self.is_noted else None
        try:
            answer = super().invoke(ctx)
            is_undoable = session.outcome
            session.finish()
        finally:
            COMMAND.reset(running)
        for text, cure in new:
            session.note(f"note: {text}{cure if is_undoable else ''}")
        return answer

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        states = "The folder of the lanes' state files [default: state/ in the data directory]."
        hasty = "Do not wait for the disk: a power cut may cost the last records."
        return [
            *super().get_params(ctx),
            _option("--state-dir", about=states, type=click.Path(file_okay=False), metavar="DIR"),
            _option("--dry-run", about="Print the records and write nothing.", is_flag=True),
            _option("--no-fsync", about=hasty, is_flag=True),
        ]


def _new_windows(session: Session, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The note on each named window without records: a slip in an id is found at once."""
    from tracker.windows.lanes import doubt

    named = given.get("window") or given.get("window_id") or given.get("windows") or ()
    names = ([named] if isinstance(named, str) else named) if named and session.root.is_dir() else ()
    found = [one for each in names if (one := doubt(session.index, each, given))]
    source = session.registry.source(str(given.get("name"))) if found else None
    return [(text, EVENTS_STAY if source and source.is_stream else cure) for text, cure in found]
