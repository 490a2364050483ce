"""What a command works with: where the data is, who is asking, which plugins answer; and how it prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tracker.errors import TrackerError
from tracker.hosting.discovery import DISABLE, cured
from tracker.text.render import escape, folded, json_parts, near, tell

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.contract.features import Cell, Column
    from tracker.contract.sources import Source
    from tracker.hosting.registry import Registry
    from tracker.journal.index import Index
    from tracker.journal.journal import Journal
    from tracker.settings import Kernel, Settings

DATA_DIR = "TRACKER_DATA_DIR"
T = TypeVar("T")


class Session:
    """The global options and what follows from them, made when it is first asked for.

    No attrs class: `tracker --help` makes one, too, and must not pay for the import.
    """

    DEFAULT_ROOT = "data/week0/live"

    def __init__(self) -> None:
        self.data_dir: Path | None = None
        self.agent: str | None = None
        self.json = False
        self.quiet = False
        self.no_color = False
        self.dry_run = False
        self.no_fsync = False
        self.state_dir: Path | None = None
        self.words: tuple[str, ...] = ()  # the arguments as they were given, for the command log
        self.running: Mapping[str, Any] | None = None  # the parameters of a writing command that has not ended
        self.warned: set[str] = set()  # what was said

    @cached_property
    def settings_file(self) -> Settings:
        from tracker.settings import Settings

        path = Settings.find()
        return Settings.check(Settings.read(path), path) if path else Settings()

    def settings(self, kind: type[T]) -> T:
        return self.settings_file.section(kind)

    @cached_property
    def config(self) -> Kernel:
        from tracker.settings import Kernel

        return self.settings(Kernel)

    @cached_property
    def root(self) -> Path:
        from pathlib import Path

        if given := self.data_dir or os.environ.get(DATA_DIR):
            return Path(given)
        known = self.config.data_dir
        return Path(self.DEFAULT_ROOT) if known is None else self.settings_file.base / known

    @cached_property
    def journal(self) -> Journal:
        from tracker.journal.journal import Journal
        from tracker.windows.lanes import keep_states

        fsync = self.config.fsync and not self.no_fsync
        journal = Journal(self.root, fsync=fsync, mends=not self.dry_run, warn=self.warn)
        if context := click.get_current_context(silent=True):
            journal.user = context.command_path
            context.find_root().call_on_close(journal.close)
        journal.listeners.append(partial(keep_states, self))
        if not self.dry_run and not journal.streams():
            journal.listeners.append(self._ignore_in_git)
        return journal

    def _ignore_in_git(self, *_appended: object) -> None:
        """Keep a new data directory out of the repository around it, at its root only records: panes are private."""
        from tracker.settings import Data

        path = self.root.resolve() / ".gitignore"
        if self.settings(Data).track or not any((folder / ".git").exists() for folder in path.parents):
            return
        try:
            with open(path, "x", encoding="ascii", opener=partial(os.open, mode=0o600)) as file:
                file.write("*.jsonl\n*.torn\n.index/\n.lock\nstate/\n" if (self.root / ".git").exists() else "*\n")
            self.note(f"note: {self.root}/.gitignore keeps the records out of git. To commit them, delete that file.")
        except FileExistsError:
            if not {b"*", b"*.jsonl"} & {*path.read_bytes().split()}:
                self.warn(f"git may track your records, which hold panes. Add the line *.jsonl to {path}.")
        except OSError as error:
            self.warn(f"cannot write {path}: {error.strerror}. git may track your records.")

    @property
    def outcome(self) -> str:
        """What was stored until now, to end an error with; empty if that is nothing."""
        journal: Journal | None = vars(self).get("journal")
        return f". {journal.outcome}." if journal and (journal.stored or journal.doubtful) else ""

    @cached_property
    def index(self) -> Index:
        from tracker.journal.index import Index

        index = Index(self.journal)
        if context := click.get_current_context(silent=True):
            context.find_root().call_on_close(index.close)
        return index

    @cached_property
    def registry(self) -> Registry:
        """The installed plugins; one that is broken is named on stderr when it is first needed."""
        from tracker.hosting.registry import discover

        return discover(self.warn)

    @cached_property
    def lane(self) -> str | None:
        """The lane that this command works in; None is the lane without a name."""
        from tracker.journal.records import check_lane

        return check_lane(self.agent if self.agent is not None else os.environ.get("AGENT_ID"))

    @cached_property
    def zone(self) -> tzinfo:
        """The zone of times that are shown, and of times without one."""
        from tracker.text.clock import zone

        return zone(self.config.timezone)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def source(self, name: str, *, kinds: Collection[str] = ()) -> Source:
        """The source of that name; otherwise an error with what is there."""
        if (found := self.registry.find(name)) and found.info and (not kinds or found.info.kind in kinds):
            return found.info  # type: ignore[no-any-return]
        if found and found.error:
            raise TrackerError(f"{name} is not available: {found.error}")
        if any(one.name == name for one in self.registry.disabled):
            raise TrackerError(f"{name} is disabled. Unset {DISABLE}.")
        from tracker.windows.reader import Windows

        for absent in (one for one in Windows(self).missing_plugins() if one.name == name):
            raise TrackerError(f"{absent.problem}. To have it here, {absent.cure}.")
        names = [one.name for one in self.registry.sources.values() if not kinds or one.kind in kinds]
        what = "provider" if tuple(kinds) == ("status",) else "source"
        raise click.UsageError(f"Unknown {what} {name!r}. {near(name, names)}")

    def finish(self) -> None:
        """Tell the features, once, that the running command did what it is for."""
        given, self.running = self.running, None
        if given is not None:
            self.registry.ask("command_finished", session=self, given=given)

    def say(self, text: str) -> None:
        """A result for people, unless `--quiet`."""
        if not self.quiet:
            self.show(text)

    def show(self, text: str, *, has_cures: bool = False) -> None:
        """A result for people, also with `--quiet`; on a terminal folded. has_cures: it holds no text of the user's."""
        text = escape(cured(text, self if has_cures else None))
        click.echo(folded(text) if self.is_terminal else text)

    @property
    def is_terminal(self) -> bool:
        """Whether results are laid out for the eye; FORCE_COLOR asks for that in a pipe, too."""
        return sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))

    def data(self, value: Any) -> None:
        """A result for programs: one JSON document."""
        for part in json_parts(value):
            click.echo(part, nl=False)
        click.echo()

    def table(self, columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]], total: bool = False) -> bool:
        """Show rows as a table that fits the terminal, if a feature can; False in a pipe, where plain text stays.

        total: whether the last row is the sum of the others.
        """
        given = {"session": self, "columns": columns, "rows": rows, "total": total}
        return self.is_terminal and bool(self.registry.first("show_table", **given))

    def warn(self, text: str) -> None:
        """Something that is wrong but stops nothing, said once."""
        if text not in self.warned:
            self.warned.add(text)
            tell(cured(f"warning: {text}", self))

    def note(self, text: str) -> None:
        """Something worth knowing beside the result."""
        if not self.quiet:
            tell(cured(text, self))


def session() -> Session:
    """The session of the running command."""
    return click.get_current_context().ensure_object(Session)
