"""The values that cross the plugin boundary: frozen, keyword-only; every added field has a default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypedDict

from attrs import Attribute, field, fields, frozen
from attrs.validators import in_, instance_of, matches_re, optional

from tracker.contract.checks import (
    MAYBE_TEXT,
    NAME,
    SLUG,
    SWITCH,
    TEXT,
    TEXTS,
    WHOLE,
    aware,
    distinct,
    finite,
    mapping,
    tuple_of,
)
from tracker.contract.origins import KINDS as ORIGIN_KINDS
from tracker.contract.origins import Origin

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
PERCENT = "pp"


@frozen(kw_only=True)
class Meter:
    """One gauge of a provider.

    unit: ``pp`` for a percentage of the quota that is used (0..100 and more), else the plural noun of a count that
        only grows, such as ``prompts``. window: the time after which the vendor resets it, or ``"month"``.
    rounding: how the vendor shows a fraction: ``exact`` (with decimals, or not known), ``nearest`` or ``floor``.
    """

    key: str = field(validator=SLUG)
    title: str = field(validator=TEXT)
    unit: str = field(default=PERCENT, validator=TEXT)
    window: timedelta | Literal["month"] | None = field(default=None)
    rounding: Literal["exact", "nearest", "floor"] = field(
        default="exact", validator=in_(("exact", "nearest", "floor"))
    )

    @window.validator
    def _window_is_a_length(self, _attribute: Attribute[Any], value: object) -> None:
        if not (value is None or value == "month" or isinstance(value, timedelta)):
            raise ValueError(f"window must be a timedelta, 'month' or None, got {value!r}")

    @property
    def longest(self) -> timedelta | None:
        """The longest time from one reset to the next: 31 days of a month."""
        return self.window if isinstance(self.window, timedelta | None) else timedelta(days=31)

    @property
    def field_name(self) -> str:
        """The name under which its value stands in a record: ``weekly_pct``, ``prompts_used``."""
        return meter_field(self.key, self.unit)


def meter_field(key: str, unit: str = PERCENT) -> str:
    """The record field of a meter's value."""
    return f"{key}_pct" if unit == PERCENT else f"{key}_used"


@frozen(kw_only=True)
class DemoStep:
    """One command of ``tracker demo``.

    `arguments` follow ``tracker``; ``{window}`` in them becomes the demo's window, ``{window+1}`` the next one and so
    on. `capture` is a file inside the plugin's package that is piped to the command, so give ``--stdin`` too. The
    steps of all plugins run by `stage`: 10 start, 20 during the work, 30 end, 40 after it, from 50 on more windows.
    """

    stage: int = field(validator=WHOLE)
    arguments: tuple[str, ...] = field(validator=TEXTS)
    capture: str | None = field(default=None, validator=MAYBE_TEXT)


@frozen(kw_only=True)
class Demo:
    """What a source contributes to ``tracker demo``: its steps, and the features that its provider finished."""

    steps: tuple[DemoStep, ...] = field(validator=tuple_of(DemoStep))
    features: int | None = field(default=None, validator=optional(WHOLE))


@frozen(kw_only=True)
class Comparison:
    """A figure of a report that estimates a provider's meter.

    `figure` is a key of the report's reading (used percent), in readings whose `scope` field is this one. `meter` is
    the meter of `provider` that shows the same quantity.
    """

    scope: str = field(validator=TEXT)
    figure: str = field(validator=TEXT)
    provider: str = field(validator=TEXT)
    meter: str = field(validator=TEXT)


Kind: TypeAlias = Literal["status", "report", "telemetry", "view"]


@frozen(kw_only=True)
class Declaration:
    """What a plugin declares about the source that it reads. Use the class of the source's kind.

    contract: the contract version that the plugin was built for, such as ``"1.2"``.
    name: the name of its entry point; lower-case letters, digits and single dashes.
    title: how people call it; also the title of its preview block unless the block says otherwise.
    place: where its preview block stands; small is early. Blocks of one place are ordered by title.
    """

    contract: str = field(validator=matches_re(r"[0-9]+\.[0-9]+"))
    name: str = field(validator=NAME)
    title: str = field(validator=TEXT)
    place: int = field(default=50, validator=WHOLE)

    def as_source(self) -> Source:
        """The same in the class that has the fields of every kind."""
        known = {one.name for one in fields(Source)}
        given = {one.name: getattr(self, one.name) for one in fields(type(self)) if one.name in known}
        return Source(**given, kind=next(kind for kind, cls in CLASSES.items() if isinstance(self, cls)))


@frozen(kw_only=True)
class _Input(Declaration):
    """What all kinds but a view have.

    prefix: letters for the operator's short shell functions: ``o`` makes ``os oe ox od`` of a status source; of
        another kind it is the whole name of the one function.
    tags: the meaning and cure of each error tag that its readings carry, shown to people.
    demo: its part of ``tracker demo``. origins: where it can be read from, the first that answers.
    """

    prefix: str | None = field(default=None, validator=optional(matches_re(r"[a-z]{1,8}")))
    tags: Mapping[str, str] = field(factory=dict, validator=mapping)
    demo: Demo | None = field(default=None, validator=optional(instance_of(Demo)))
    origins: tuple[Origin, ...] = field(default=(), validator=[tuple_of(ORIGIN_KINDS), distinct("name")])


@frozen(kw_only=True)
class _Metered(_Input):
    """What has meters.

    stream: the journal file that its records go to, without ``.jsonl``.
    meters: its gauges. open_meters: whether readings may have others, slugs in used percent.
    capacity: the key of the one meter whose delta is the provider's cost; None if it has no quota.
    """

    stream: str = field(default="snapshots", validator=SLUG)
    meters: tuple[Meter, ...] = field(default=(), validator=[tuple_of(Meter), distinct("key")])
    open_meters: bool = field(default=False, validator=SWITCH)
    capacity: str | None = field(default=None)

    @capacity.validator
    def _capacity_is_a_meter(self, _attribute: Attribute[Any], value: str | None) -> None:
        if value is not None and value not in {meter.key for meter in self.meters}:
            raise ValueError(f"capacity {value!r} is none of the declared meters")


@frozen(kw_only=True)
class StatusSource(_Metered):
    """A provider's meters, read before and after the work."""


@frozen(kw_only=True)
class ReportSource(_Input):
    """A report of usage, read at any time.

    stream: its journal file. scopes: the values of ``--scope`` that it understands. comparisons: what its figures can
    be held against.
    """

    stream: str = field(validator=SLUG)
    scopes: tuple[str, ...] = field(default=(), validator=TEXTS)
    comparisons: tuple[Comparison, ...] = field(default=(), validator=tuple_of(Comparison))


@frozen(kw_only=True)
class TelemetrySource(_Input):
    """A stream of requests, read line by line.

    stream: its journal file. routed_label: the label for requests sent to the cheaper model.
    prices: a TOML file in the plugin's package with the list prices of models.
    """

    stream: str = field(validator=SLUG)
    routed_label: str = field(default="routed", validator=SLUG)
    prices: str | None = field(default=None, validator=MAYBE_TEXT)


@frozen(kw_only=True)
class View(Declaration):
    """A preview block of the records in a stream that others write. stream: their journal file."""

    stream: str = field(validator=SLUG)


CLASSES: dict[Kind, type[Declaration]] = {
    "status": StatusSource,
    "report": ReportSource,
    "telemetry": TelemetrySource,
    "view": View,
}


@frozen(kw_only=True)
class Source(_Metered):
    """The spelling of contract 1.0: the fields of every kind, and `kind`, which says which of them count.

    A ``status`` source is read before and after the work; a ``report`` at any time; ``telemetry`` line by line; a
    ``view`` reads nothing and makes a block of the records in its stream.
    """

    kind: Kind = field(default="status", validator=in_(tuple(CLASSES)))
    scopes: tuple[str, ...] = field(default=(), validator=TEXTS)
    comparisons: tuple[Comparison, ...] = field(default=(), validator=tuple_of(Comparison))
    routed_label: str = field(default="routed", validator=SLUG)
    prices: str | None = field(default=None, validator=MAYBE_TEXT)

    def meter(self, key: str) -> Meter | None:
        """The meter of that key; one made up if `open_meters` permits it; else None."""
        found = next((meter for meter in self.meters if meter.key == key), None)
        return found or (Meter(key=key, title=key) if self.open_meters else None)

    @property
    def capacity_meter(self) -> Meter | None:
        return self.meter(self.capacity) if self.capacity else None

    @property
    def is_provider(self) -> bool:
        """Whether it is a subscription with a quota, to which features are credited."""
        return self.kind == "status" and self.capacity is not None


@frozen(kw_only=True)
class Gauge:
    """A meter's value in one reading.

    used: used percent, also if the vendor prints what is left, or a cumulative count; None if the label is there
        without a readable value. resets: the pane's own words. reset_at: the instant that they mean, UTC.
    limit: the whole quota in the meter's unit, such as 300 prompts, if the vendor shows it.
    """

    meter: str = field(validator=SLUG)
    used: float | None = field(validator=finite)
    resets: str | None = field(default=None, validator=MAYBE_TEXT)
    reset_at: datetime | None = field(default=None, validator=aware)
    limit: float | None = field(default=None, validator=finite)


@frozen(kw_only=True)
class Reading:
    """What one captured text says.

    gauges: at most one per meter. fields: anything else worth keeping, as JSON values, such as a report's figures.
    errors: tags such as ``insufficient-data`` or ``section-missing:weekly``, each once.
    as_of: the instant that the numbers are from if the text says it, else None: that of the capture.
    """

    gauges: tuple[Gauge, ...] = field(default=(), validator=[tuple_of(Gauge), distinct("meter")])
    fields: Mapping[str, JSON] = field(factory=dict, validator=mapping)
    errors: tuple[str, ...] = field(default=(), validator=TEXTS)
    as_of: datetime | None = field(default=None, validator=aware)

    def gauge(self, meter: str) -> Gauge | None:
        return next((gauge for gauge in self.gauges if gauge.meter == meter), None)


@frozen(kw_only=True)
class Change:
    """How far one meter moved between two readings, in its unit; None, and the reason as a tag, if that is unknown."""

    meter: str = field(validator=SLUG)
    delta: float | None = field(validator=finite)
    reason: str | None = field(default=None, validator=MAYBE_TEXT)


@frozen(kw_only=True)
class Delta:
    """How far every meter moved."""

    changes: tuple[Change, ...] = field(validator=tuple_of(Change))

    def change(self, meter: str) -> Change | None:
        return next((change for change in self.changes if change.meter == meter), None)


class Event(TypedDict, total=False):
    """One request in a telemetry stream: a plain dict, because a million attrs instances cost more than their parsing.

    ts: when it began, ISO 8601 text or epoch seconds, as the stream has it; rid: what it is joined by; lane, model;
    status, reason: as reported; input_tokens, output_tokens: counts; cache_read_tokens, cache_write_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens: counts that `input_tokens` does not contain; reasoning_tokens: a count
    that `output_tokens` contains; latency_ms: milliseconds; cost_usd: what the client itself says that it cost;
    speed: the service tier, such as ``fast``; routed: whether it went to the cheaper model; ok: whether it succeeded;
    tags: what was wrong with single values, such as ``latency:invalid``.
    key: the request's own id, the same in every file that shows it; of two events with one key the one with the larger
    total of tokens counts. session, project, branch, account: where it was made and on whose quota; client, plan: the
    version of the program that made it, and the subscription's name.
    Prompts, responses, headers and keys must never stand in it. An event with any other key is refused.
    """

    ts: str | float | None
    rid: str | None
    lane: str | None
    model: str | None
    status: str | int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reason: str | None
    latency_ms: float | None
    routed: bool
    ok: bool
    tags: list[str]
    key: str | None
    session: str | None
    project: str | None
    branch: str | None
    account: str | None
    client: str | None
    plan: str | None
    speed: str | None
    cost_usd: float | None
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    reasoning_tokens: int | None


class Rejected(ValueError):
    """Raised by `ingest_line` for a line that it cannot read; the message is the reason, kept in quarantine."""


@frozen(kw_only=True)
class Quantiles:
    """Percentiles of one quantity: p50, p95 by Hyndman-Fan 7; `exact` unless they come from 1 % buckets."""

    n: int
    p50: float | None = None
    p95: float | None = None
    exact: bool = True


@frozen(kw_only=True)
class EventTotals:
    """A telemetry source's events of the shown windows, added up. Errors are events that are not ok."""

    events: int = 0
    routed: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: Quantiles = Quantiles(n=0)
    lanes: Mapping[str, EventTotals] = field(factory=dict)
    models: Mapping[str, EventTotals] = field(factory=dict)


@frozen(kw_only=True)
class PreviewContext:
    """What a preview block is made from.

    windows: the ids that are shown, in order. records: this source's standing records in them, oldest first (of a view
    all records of its stream; none of a telemetry source). events: a telemetry source's totals, else None.
    """

    windows: tuple[str, ...]
    records: tuple[Mapping[str, Any], ...] = ()
    events: EventTotals | None = None


@frozen(kw_only=True)
class Row:
    """One line of a block.

    values: the figures as JSON values, None if one is missing. text: how they read, with ``{name}`` for a value,
    ``{name:%}`` for one with a unit after it, ``{name:.2}`` for two decimals (a whole number has none) and
    ``{name:.0 ms}`` for both; None makes ``label: name=value name=value``. A missing value prints as ``n/a`` alone.
    """

    values: Mapping[str, JSON] = field(validator=mapping)
    label: str | None = field(default=None, validator=MAYBE_TEXT)
    text: str | None = field(default=None, validator=MAYBE_TEXT)


@frozen(kw_only=True)
class Block:
    """One section of the preview, as data; the core renders it as text, JSON or on a terminal."""

    title: str = field(validator=TEXT)
    rows: tuple[Row, ...] = field(validator=tuple_of(Row))
