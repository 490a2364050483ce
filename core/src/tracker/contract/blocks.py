"""Blocks of the preview, as data that the core renders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from tracker.contract import Struct, checks
from tracker.text.render import fill, line, value

if TYPE_CHECKING:
    from tracker.contract.events import EventTotals
    from tracker.contract.readings import JSON


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class PreviewContext(Struct):
    """What a preview block is made from.

    windows: the ids that are shown, in order. records: this source's standing records in them, oldest first (for a view
    all of its stream; for a stream of events none). events: a stream's totals, else None. features: for a view, the
    features that `complete` counts now, by finalized window in its records and provider.
    """

    windows: tuple[str, ...]
    records: tuple[Mapping[str, Any], ...] = ()
    events: EventTotals | None = None
    features: Mapping[str, Mapping[str, float]] = field(factory=dict)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Row(Struct):
    """One line of a block.

    values: the figures as JSON values, None if one is missing. text: how they read, such as ``{used:.2%} used``, as
    docs/reference/plugins.md says; None makes ``label: name=value name=value``.
    """

    values: Mapping[str, JSON] = field(validator=checks.JSON_OBJECT)
    label: str | None = field(default=None, validator=checks.MAYBE_TEXT)
    text: str | None = field(default=None, validator=checks.MAYBE_TEXT)

    def __str__(self) -> str:
        bare = " ".join(f"{line(key)}={value(one)}" for key, one in self.values.items())
        body = bare if self.text is None else fill(line(self.text), self.values)
        return f"{line(self.label)}: {body}" if self.label else body


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Block(Struct):
    """One section of the preview, as data; the core renders it as text, JSON or on a terminal."""

    title: str = field(validator=checks.TEXT)
    rows: tuple[Row, ...] = field(validator=checks.tuple_of(Row))
