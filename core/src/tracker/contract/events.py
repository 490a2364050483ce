"""Events: their keys and types, how they are checked and added up, and where a stream comes from."""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, TypedDict, get_args, get_origin, get_type_hints

from attrs import field, frozen

from tracker.contract import Struct, checks
from tracker.text.render import near


class Event(TypedDict, total=False):
    """One request in a stream: a plain dict, because a million attrs instances cost more than their parsing.

    docs/reference/plugins.md says what each key is. An event with any other key is refused. Prompts, responses, headers
    and keys must never be in it.
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


LATENCY = checks.maybe("a finite number from 0 up", checks.number_from(0))
PARTS = checks.must_be(
    "a mapping from texts to EventTotals",
    lambda value: isinstance(value, Mapping) and all(isinstance(one, EventTotals) for one in value.values()),
)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Quantiles(Struct):
    """Percentiles of one quantity: p50, p95 by Hyndman-Fan 7; `exact` unless they come from 1 % buckets."""

    n: int = field(validator=checks.COUNT)
    p50: float | None = field(default=None, validator=LATENCY)
    p95: float | None = field(default=None, validator=LATENCY)
    exact: bool = field(default=True, validator=checks.SWITCH)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class EventTotals(Struct):
    """A source's events of the shown windows, added up. Errors are events that are not ok."""

    events: int = field(default=0, validator=checks.COUNT)
    routed: int = field(default=0, validator=checks.COUNT)
    errors: int = field(default=0, validator=checks.COUNT)
    input_tokens: int = field(default=0, validator=checks.COUNT)
    output_tokens: int = field(default=0, validator=checks.COUNT)
    latency_ms: Quantiles = field(default=Quantiles(n=0), validator=checks.must_be("Quantiles", Quantiles))
    lanes: "Mapping[str, EventTotals]" = field(factory=dict, validator=PARTS)
    models: "Mapping[str, EventTotals]" = field(factory=dict, validator=PARTS)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StreamFacts(Struct):
    """A stream of events in some windows: the totals, and how many events are outside of each window's span."""

    totals: EventTotals = field(validator=checks.must_be("EventTotals", EventTotals))
    notes: Sequence[str] = field(default=(), validator=checks.SENTENCES)
    outside: Mapping[str, int] = field(factory=dict, validator=checks.JSON_OBJECT)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class StreamInput(Struct):
    """Where a stream comes from: standard input, or a file that may be followed."""

    path: str | None = None
    use_stdin: bool = False
    follow: bool = False
    strict: bool = False
    notes: str | None = None


def _types(kind: Any) -> frozenset[type]:
    found = {get_origin(one) or one for one in (get_args(kind) if isinstance(kind, UnionType) else [kind])}
    return frozenset(found | {int} if float in found else found)


# the types of each key's values; a bool is not an int here, because the exact type is looked up
TYPES = {name: _types(kind) for name, kind in get_type_hints(Event).items()}


def check_event(event: object) -> None:
    """Refuse an unknown key or a value of a wrong type, by a TypeError that names the key.

    Called for each of a million events: one look-up per key.
    """
    if type(event) is not dict:
        raise TypeError(f"an event is of type {type(event).__name__}. Expected dict.")
    types = TYPES
    for name, value in event.items():
        if type(value) not in types.get(name, ()):
            if name not in types:
                raise TypeError(f"an event has the unknown key {name!r}. {near(str(name), types)}")
            wanted = " or ".join(sorted(kind.__name__.removesuffix("Type") for kind in types[name]))
            raise TypeError(f"an event's {name} is of type {type(value).__name__}. Expected {wanted}.")
