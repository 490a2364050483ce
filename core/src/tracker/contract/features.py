"""The values that features give to the kernel and to each other; `hooks.py` has the hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias

from attrs import field, frozen

from tracker.contract import Struct, checks

if TYPE_CHECKING:
    from tracker.contract.events import EventTotals
    from tracker.windows.captures import Capture
    from tracker.windows.reader import Finalized
    from tracker.windows.results import ProviderFigures

Value: TypeAlias = "bool | int | float | str | None"


class Estimate(Protocol):
    """What a provider's windows say together; figures that cost much to compute are computed when they are read.

    n: the windows that count. efficiency: features per unit of capacity.
    ci: its interval at 95 %; ci_kind: where the spread comes from. power: that of telling a difference from nothing.
    """

    @property
    def n(self) -> int: ...
    @property
    def features(self) -> float: ...
    @property
    def capacity(self) -> float: ...
    @property
    def efficiency(self) -> float | None: ...
    @property
    def ci(self) -> tuple[float, float] | None: ...
    @property
    def ci_kind(self) -> Literal["measured", "assumed", "none"]: ...
    @property
    def power(self) -> float | None: ...
    @property
    def remarks(self) -> Sequence[str]:
        """What the preview says after the figures, such as the money per feature; must not cost much."""

    def figures(self) -> dict[str, Any]:
        """What `preview --json` prints of it, as JSON values."""


class Tally(Protocol):
    """What adds up a provider's finalized windows one by one, because a million of them do not fit into memory."""

    def add(self, row: Finalized, group: Iterable[Capture]) -> None:
        """Add a window by its finalize row and the provider's captures in it."""

    def extend(self, other: Self) -> None:
        """Add the windows of another one."""

    def total(self, account: str = "") -> ProviderFigures:
        """What they say together. account: the one that they were measured on, if there are several."""


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Check(Struct):
    """One thing that should be true of a window: its name, whether it is, why not, and the command that mends it.

    state: `missing` is not there yet, `failed` says that the window cannot be relied on. distribution: of a check that
    is not the project's own; the core sets it.
    """

    name: str = field(validator=checks.LINE)
    state: Literal["ok", "missing", "failed"] = field(validator=checks.one_of("ok", "missing", "failed"))
    text: str = field(converter=checks.one_line, validator=checks.LINE)
    cure: str | None = field(default=None, validator=checks.MAYBE_LINE)
    distribution: str = ""


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Finding(Struct):
    """Something that is wrong with the data or the set-up, for `tracker doctor`.

    check: its kind, one word. place: the file or the part. cure: the command to type. severity: `error` if something
    recorded is not read as it was written. fix: repairs it by appending or by setting something aside.
    """

    place: str = field(converter=checks.one_line, validator=checks.LINE)
    problem: str = field(converter=checks.one_line, validator=checks.LINE)
    cure: str | None = field(default=None, converter=checks.one_line, validator=checks.MAYBE_LINE)
    severity: Literal["error", "warning", "note"] = field(
        default="error", validator=checks.one_of("error", "warning", "note")
    )
    check: str = field(default="data", validator=checks.LINE)
    fix: Callable[[], object] | None = field(default=None, validator=checks.maybe("a function", callable))
    distribution: str = ""


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StreamFacts(Struct):
    """What a stream of events says in some windows: the totals, and the events outside of each window's span."""

    totals: EventTotals
    notes: Sequence[str] = ()
    outside: Mapping[str, int] = field(factory=dict)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StreamInput(Struct):
    """Where a stream comes from: standard input, or a file that may be followed."""

    path: str | None = None
    use_stdin: bool = False
    follow: bool = False
    strict: bool = False
    notes: str | None = None
