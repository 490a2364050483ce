"""The values that features give to the kernel and to each other; `hooks.py` has the hooks."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from attrs import field, frozen

from tracker.contract import Struct, checks

Value: TypeAlias = bool | int | float | str | None
Cell: TypeAlias = bool | int | float | str | datetime | None
SEVERITY = checks.one_of("error", "warning", "note")


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Check(Struct):
    """One thing that should be true of a window: its name, whether it is, why not, and the command that fixes it.

    state: `missing` is not there yet, `failed` says that the window cannot be relied on. distribution: set by the core
    for a check that is not the project's own.
    """

    name: str = field(validator=checks.LINE)
    state: Literal["ok", "missing", "failed"] = field(validator=checks.one_of("ok", "missing", "failed"))
    text: str = field(converter=checks.one_line, validator=checks.LINE)
    cure: str | None = field(default=None, validator=checks.MAYBE_LINE)
    distribution: str = ""


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Finding(Struct):
    """Something that is wrong with the data or the set-up.

    check: its kind, one word. place: the file or the part. cure: the command to type. severity: `error` if something
    recorded is not read as it was written. fix: repairs it by appending or by setting something aside.
    """

    place: str = field(converter=checks.one_line, validator=checks.LINE)
    problem: str = field(converter=checks.one_line, validator=checks.LINE)
    cure: str | None = field(default=None, converter=checks.one_line, validator=checks.MAYBE_LINE)
    severity: Literal["error", "warning", "note"] = field(default="error", validator=SEVERITY)
    check: str = field(default="data", validator=checks.LINE)
    fix: Callable[[], object] | None = field(default=None, validator=checks.maybe("a function", callable))
    distribution: str = ""


class MeterReading(NamedTuple):
    """What a meter showed from `at` to `until` without a change; a tuple, because there are many.

    account: a hash, None if the reading does not name it. is_scheduled: whether it was taken regardless of work.
    client: the version of the vendor's program. limit: the whole quota of a count, if the vendor shows it.
    """

    provider: str
    meter: str
    account: str | None
    origin: str
    at: datetime
    until: datetime
    used: float
    reset_at: datetime | None
    is_scheduled: bool = False
    plan: str | None = None
    client: str | None = None
    limit: float | None = None


@frozen(slots=False, eq=False, repr=False)
class MeterOutlook(Struct):
    """What to expect of a meter until its reset: a line for people, and the same as JSON values."""

    provider: str = field(validator=checks.LINE)
    meter: str = field(validator=checks.LINE)
    account: str | None = field(validator=checks.MAYBE_LINE)
    text: str = field(converter=checks.one_line, validator=checks.LINE)
    figures: Mapping[str, Any] = field(validator=checks.JSON_OBJECT)


class UsageEvent(NamedTuple):
    """One request that a `client` (its version) wrote down, at `at` in epoch seconds; a tuple: there are millions.

    tokens: all but cache reads. fresh, cached: dollars at list price for these and for cache reads; None without a
    price. prices: per token of input, cache reads, 5-minute and 1-hour cache writes, output. in_folder: in the one
    asked for. since: if only a day's total is left, the day's start; `at` is the last request. account: as logged.
    """

    at: float
    provider: str
    session: str
    project: str
    branch: str
    model: str
    tokens: int
    cached_tokens: int
    fresh: float | None
    cached: float | None
    prices: tuple[float, float, float, float, float] | None = None
    in_folder: bool = False
    client: str = ""
    account: str = ""
    since: float | None = None


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Period(Struct):
    """Windows, and a time unless None. names: the panels wanted; () is all. in_windows: only work in them counts."""

    windows: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    names: tuple[str, ...] = ()
    provider: str | None = None
    in_windows: bool = False

    def wants(self, *names: str) -> bool:
        """Whether one of these panels is wanted; one that is not needs no work and no import."""
        return not self.names or any(name in self.names for name in names)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Column(Struct):
    """A column of a panel. key: of its value in each row. title: its head, with the unit if it has one.

    kind: how a value reads; `share` is a percentage of a whole, for which a terminal draws a bar. rank: a narrow view
    leaves out the columns with the highest rank first, never those of 0. low, high: the keys of a range that is marked
    on the bar, such as what is expected.
    """

    key: str = field(validator=checks.TEXT)
    title: str = field(validator=checks.TEXT)
    kind: Literal["text", "count", "number", "rate", "percent", "share", "money", "instant"] = "text"
    rank: int = field(default=1, validator=checks.WHOLE)
    low: str | None = field(default=None, validator=checks.MAYBE_TEXT)
    high: str | None = field(default=None, validator=checks.MAYBE_TEXT)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Chart(Struct):
    """A picture of a panel's rows. x, y, by, low, high, mark: keys of columns.

    kind: `bars` is a bar of length `y` for each row, named by `x`, with the range from `low` to `high` on it; `columns`
    is the same with time in `x`, stacked if `by` tells series apart; `steps` is a line that keeps each value until the
    next, and a band from the last one to `low` and `high` of a row without `y`; `intervals` is a dot at `y` from `low`
    to `high`. mark: a column whose true values are marked, such as resets. top: the end of the scale, such as 100 for
    percent. at: the value of a line across the bars, such as 1 for ratios.
    """

    kind: Literal["bars", "columns", "steps", "intervals"]
    title: str = field(validator=checks.TEXT)
    x: str = field(validator=checks.TEXT)
    y: str = field(validator=checks.TEXT)
    by: str | None = field(default=None, validator=checks.MAYBE_TEXT)
    low: str | None = field(default=None, validator=checks.MAYBE_TEXT)
    high: str | None = field(default=None, validator=checks.MAYBE_TEXT)
    mark: str | None = field(default=None, validator=checks.MAYBE_TEXT)
    top: float | None = field(default=None, validator=checks.FINITE)
    at: float | None = field(default=None, validator=checks.FINITE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Panel(Struct):
    """One part of a view.

    place: its position, smallest first. headlines: sentences for the head of the view. about: what the rows are. rows:
    values by column; None is not known. The first rows matter most: a view that is full leaves out the last ones and
    says so. missing: what is not in the rows, a sentence each. distribution: set by the core for a panel that is not
    the project's own.
    """

    name: str = field(validator=checks.TEXT)
    title: str = field(validator=checks.TEXT)
    place: int = field(default=50, validator=checks.WHOLE)
    headlines: Sequence[str] = field(default=(), validator=checks.SENTENCES)
    about: str = field(default="", validator=checks.TEXT)
    columns: Sequence[Column] = field(default=(), validator=checks.tuple_of(Column, distinct="key", outer=Sequence))
    rows: Sequence[Mapping[str, Cell]] = field(default=(), validator=checks.tuple_of(Mapping, outer=Sequence))
    charts: Sequence[Chart] = field(default=(), validator=checks.tuple_of(Chart, outer=Sequence))
    missing: Sequence[str] = field(default=(), validator=checks.SENTENCES)
    distribution: str = ""
