"""Types and options that commands share, and the text that they take in."""

import math
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click

from tracker.errors import TrackerError
from tracker.session import Session
from tracker.text import clock
from tracker.text.render import line

LIMIT = 8 << 20  # bytes of one pane or report
NAMED = 5  # windows that a note names


class Number(click.ParamType[float]):
    """A number within limits, `int` or `float`; `full` is what `100%` means, if it may be written so."""

    def __init__(self, kind: type[float], *, min: float = 0, max: float = 1e12, full: float | None = None) -> None:
        self.kind, self.least, self.most, self.full = kind, min, max, full
        self.name = "whole number" if kind is int else "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            is_share = self.full is not None and str(value).endswith("%")
            found = float(value[:-1]) / 100 * (self.full or 1) if is_share else self.kind(value)
        except ValueError:
            found = math.nan
        if not self.least <= found <= self.most:  # nan is in no range
            limits = f"from {self.least:g} to {self.full or self.most:.15g}"
            self.fail(f"Invalid {self.name} {value!r:.60}. Expected one {limits}.", param, ctx)
        return found


def provider_option(*, required: bool = False, about: str = "Who did the work.") -> Callable[[Any], Any]:
    """`--provider P`, one of those that are installed."""

    def known(context: click.Context, _parameter: click.Parameter, given: str | None) -> str | None:
        return None if given is None else context.ensure_object(Session).source(given, kinds=("status",)).name

    return click.option("--provider", callback=known, required=required, metavar="P", help=about)


class Window(click.ParamType[str]):
    """A window's id. If it is missing, the newest one that is not finalized is named."""

    name = "window"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from tracker.journal.records import check_window

        return check_window(value)

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str | None:
        assert ctx is not None
        with suppress(TrackerError):
            index = ctx.ensure_object(Session).index
            # one that was finalized just now is newer than one that was begun since
            found = index.unfinalized(1) or index.newest_windows(1)
            return f"Expected one such as {line(found[-1])}." if found else None
        return None


def window_option(**settings: Any) -> Callable[[Any], Any]:
    """`--window W`, refused if it cannot be an id."""
    known: dict[str, Any] = {"metavar": "W", "help": "The window.", "type": Window()} | settings
    return click.option("--window", *known.pop("names", ()), **known)


def moment(context: click.Context, parameter: click.Parameter, given: str | None) -> datetime | None:
    """The callback of an option that takes a time, such as `yesterday 14:00`; `--until` means a day to its end."""
    if given is None:
        return None
    session, name, is_end = context.ensure_object(Session), context.params.get("timezone"), parameter.name == "until"
    found = clock.moment(given, session.now, lambda: clock.zone(name) if name else session.zone, is_end=is_end)
    if found is None:
        raise click.BadParameter(f"Invalid time {given!r}. {clock.EXPECTED}", param=parameter)
    if text := clock.doubt(found):
        session.note(f"note: {text}")
    return found.astimezone(UTC)


class Selection(NamedTuple):
    """Which windows are wanted; None leaves a filter out. provider: captured in them. lane: of a pair that counts."""

    named: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    last: int | None = None
    lane: str | None = None
    provider: str | None = None
    is_open: bool = False

    def windows(self, session: Session) -> list[str] | None:
        """Their ids, as they were named, or in natural order; None if nothing was selected: every window is wanted."""
        from tracker.contract.readings import EPOCH
        from tracker.windows.captures import canonical, captures, spans
        from tracker.windows.reader import Windows

        for window in self.named:
            if not session.index.knows(window) or window in session.index.emptied():
                raise Windows(session).no_window(window)
        if self._replace(named=()) == Selection():
            return list(dict.fromkeys(self.named)) or None
        if self == Selection(last=self.last):
            return session.index.windows(self.last or -1)
        own: dict[str, dict[str, Any]] = {name: {} for name in self.named or session.index.windows()}
        for (window, provider), group in captures(session.index, session.registry.sources, list(own)).items():
            own[window][provider] = group
        done = Windows(session).finalized() if self.is_open else {}
        found, times = dict[str, list[str]](), dict[str, datetime]()
        for window, groups in own.items():
            begin, end = spans({(window, name): group for name, group in groups.items()}).get(window, (None, None))
            pairs = {name: canonical(group) for name, group in groups.items()}
            lanes = {name: next(filter(None, reversed(pair))).agent_id or "" for name, pair in pairs.items()}
            named = lanes.values() if self.provider is None else [lanes.get(self.provider)]
            if (
                (self.since is None or ((last := end or begin) is not None and last >= self.since))
                and (self.until is None or (begin is not None and begin <= self.until))
                and (self.lane is None or self.lane in named)
                and (self.provider is None or self.provider in groups)
                and not (self.is_open and (window in done or {one.missing for one in pairs.values()} == {()}))
            ):
                beside = [name for name, lane in lanes.items() if self.lane not in (None, lane)]
                found[window] = beside or [name for name in lanes if self.provider not in (None, name)]
                times[window] = end or begin or EPOCH
        newest = {*sorted(found, key=times.__getitem__)[-(self.last or 0) :]}
        chosen = [window for window in found if window in newest]
        if others := [f"{name} {line(window)}" for window in chosen for name in found[window]]:
            more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
            session.note(f"note: whole windows are selected. Also in them: {', '.join(others[:NAMED])}{more}")
        return chosen


def selection(last: str = "The last N windows.", of: str = "Only windows of this provider.") -> Callable[[Any], Any]:
    """The options that select windows, the same in every command; it gets them as `selection`."""
    options = (
        window_option(names=("named",), multiple=True, metavar="W ...", help="Only these windows [default: all]."),
        click.option("--since", metavar="TIME", callback=moment, help="From this time on, such as `7d`."),
        click.option("--until", metavar="TIME", callback=moment, help="Up to this time, or to the end of a day."),
        click.option("--last", type=Number(int, min=1), metavar="N", help=last),
        click.option("--lane", metavar="LANE", help="Only windows of this lane; '' is the lane without a name."),
        provider_option(about=of),
        click.option("--open", "is_open", is_flag=True, help="Only windows that lack a BEFORE or an AFTER."),
    )

    def with_selection(function: Any) -> Any:
        @wraps(function)
        def command(*arguments: Any, **given: Any) -> Any:
            chosen = Selection(**{name: given.pop(name) for name in Selection._fields})
            if chosen.since and chosen.until and chosen.since > chosen.until:
                raise click.UsageError("--since is later than --until. Expected the earlier time with --since.")
            return function(*arguments, selection=chosen, **given)

        for option in reversed(options):
            option(command)
        return command

    return with_selection


def take_text(use_stdin: bool = True, path: Path | None = None) -> str:
    """The text of standard input or a file; invalid bytes are replaced, because panes come from anywhere."""
    if use_stdin and path is not None:
        raise click.UsageError("Two texts are given. Name a file, or use --stdin.")
    if path is not None:
        try:
            with path.open("rb") as file:
                data = file.read(LIMIT + 1)
        except OSError as error:
            raise TrackerError(f"Cannot read {path}: {error.strerror}. Nothing was stored.") from error
    else:
        if sys.stdin.isatty():
            print("paste the text, then press Ctrl-D:", file=sys.stderr)
        data = sys.stdin.buffer.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise TrackerError(f"The text is too long. Expected at most {LIMIT >> 20} MB. Nothing was stored.")
    # of UTF-16, as PowerShell writes it, and of UTF-32 zeros are left: no address or key is found between them
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    return data.decode(encoding, errors="replace").replace("\0", "")
