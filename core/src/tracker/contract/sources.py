"""What a plugin declares about a source, in a class per kind; every added field has a default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import NOTHING, Attribute, field, fields, frozen
from attrs.validators import in_, instance_of, matches_re, optional

from tracker.contract.checks import MAYBE_TEXT, NAME, SLUG, SWITCH, TEXT, TEXTS, WHOLE, distinct, mapping, tuple_of
from tracker.contract.origins import KINDS as ORIGIN_KINDS
from tracker.contract.origins import Origin
from tracker.contract.readings import Meter


@frozen(kw_only=True, slots=False)
class DemoStep:
    """One command of ``tracker demo``.

    `arguments` follow ``tracker``; ``{window}`` in them becomes the demo's window, ``{window+1}`` the next one and so
    on. `capture` is a file inside the plugin's package that is piped to the command, so give ``--stdin`` too. The
    steps of all plugins run by `stage`: 10 start, 20 during the work, 30 end, 40 after it, from 50 on more windows.
    """

    stage: int = field(validator=WHOLE)
    arguments: tuple[str, ...] = field(validator=TEXTS)
    capture: str | None = field(default=None, validator=MAYBE_TEXT)


@frozen(kw_only=True, slots=False)
class Demo:
    """What a source contributes to ``tracker demo``: its steps, and the features that its provider finished."""

    steps: tuple[DemoStep, ...] = field(validator=tuple_of(DemoStep))
    features: int | None = field(default=None, validator=optional(WHOLE))


@frozen(kw_only=True, slots=False)
class Comparison:
    """A figure of a report that estimates a provider's meter.

    `figure` is a key of the report's reading (used percent), in readings whose `scope` field is this one. `meter` is
    the meter of `provider` that shows the same quantity.
    """

    scope: str = field(validator=TEXT)
    figure: str = field(validator=TEXT)
    provider: str = field(validator=TEXT)
    meter: str = field(validator=TEXT)


# Classes of the contract have no slots, and those that only carry a declaration to `as_source` no comparison: making
# attrs classes is a quarter of the start of `tracker preview`, and this halves it.
Kind: TypeAlias = Literal["status", "report", "telemetry", "view"]


@frozen(kw_only=True, slots=False)
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
        """A copy in the class that has the fields of every kind, which a plugin's subclass cannot change later."""
        asked = {one.name: getattr(self, one.name, NOTHING) for one in fields(Source)}
        given = {name: value for name, value in asked.items() if value is not NOTHING}
        if not isinstance(self, Source):
            given["kind"] = next(kind for kind, cls in CLASSES.items() if isinstance(self, cls))
        return Source(**given)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
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


@frozen(kw_only=True, slots=False, eq=False, repr=False)
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


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StatusSource(_Metered):
    """A provider's meters, read before and after the work."""


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class ReportSource(_Input):
    """A report of usage, read at any time.

    stream: its journal file. scopes: the values of ``--scope`` that it understands. comparisons: what its figures can
    be held against.
    """

    stream: str = field(validator=SLUG)
    scopes: tuple[str, ...] = field(default=(), validator=TEXTS)
    comparisons: tuple[Comparison, ...] = field(default=(), validator=tuple_of(Comparison))


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class TelemetrySource(_Input):
    """A stream of requests, read line by line.

    stream: its journal file. routed_label: the label for requests sent to the cheaper model.
    prices: a TOML file in the plugin's package with the list prices of models.
    """

    stream: str = field(validator=SLUG)
    routed_label: str = field(default="routed", validator=SLUG)
    prices: str | None = field(default=None, validator=MAYBE_TEXT)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class View(Declaration):
    """A preview block of the records in a stream that others write. stream: their journal file."""

    stream: str = field(validator=SLUG)


CLASSES: dict[Kind, type[Declaration]] = {
    "status": StatusSource,
    "report": ReportSource,
    "telemetry": TelemetrySource,
    "view": View,
}


@frozen(kw_only=True, slots=False)
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
    def is_stream(self) -> bool:
        """Whether it reads a stream of events, line by line."""
        return self.kind == "telemetry"

    @property
    def is_provider(self) -> bool:
        """Whether it is a subscription with a quota, to which features are credited."""
        return self.kind == "status" and self.capacity is not None
