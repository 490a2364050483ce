"""A class for each kind of source, so that a type says which fields belong together; since contract 1.2."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from tracker.contract import checks
from tracker.contract.sources import REPORT, STATUS, STREAM, VIEW, Comparison, Declaration, Input, Metered


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StatusSource(Metered):
    """A provider's meters, read before and after the work."""

    KIND: ClassVar[str | None] = STATUS


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class ReportSource(Input):
    """A report of usage, read at any time.

    stream: its journal file. scopes: the values of ``--scope`` that it understands. comparisons: what its figures can
    be held against.
    """

    KIND: ClassVar[str | None] = REPORT

    stream: str = field(validator=checks.SLUG)
    scopes: tuple[str, ...] = field(default=(), validator=checks.TEXTS)
    comparisons: tuple[Comparison, ...] = field(default=(), validator=checks.tuple_of(Comparison))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class TelemetrySource(Input):
    """A stream of requests, read line by line.

    stream: its journal file. routed_label: the label for requests sent to the cheaper model.
    prices: a TOML file in the plugin's package with the list prices of models.
    """

    KIND: ClassVar[str | None] = STREAM

    stream: str = field(validator=checks.SLUG)
    routed_label: str = field(default="routed", validator=checks.SLUG)
    prices: str | None = field(default=None, validator=checks.MAYBE_LINE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class View(Declaration):
    """A preview block of the records in a stream that others write. stream: their journal file."""

    KIND: ClassVar[str | None] = VIEW

    stream: str = field(validator=checks.SLUG)
