"""Meters, what is read from them, and its two uses: the field `parsed` of a record, and the plain difference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from attrs import Attribute, field, frozen

from tracker.contract import Struct, checks
from tracker.contract.hooks import hookimpl

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
PERCENT = "pp"
MILLISECONDS = 10**11  # a number of seconds from here on would be after the year 5000
PERCENT_LIMIT = 1000  # bars show 110 % at times; a number far above 100 is no percentage
EPOCH = datetime.fromtimestamp(0, UTC)  # of records without a time
# why a change is not known, as tags
NOT_BEFORE, NOT_AFTER, CROSSED, FELL = "not-shown-before", "not-shown-after", "reset-crossed", "negative-delta"


def is_window(value: object) -> bool:
    return value == "month" or (isinstance(value, timedelta) and timedelta(minutes=1) <= value < timedelta(days=3660))


WINDOW = checks.maybe("a timedelta from a minute to ten years, or 'month'", is_window)
ROUNDING = checks.one_of("exact", "nearest", "floor")


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Meter(Struct):
    """One gauge of a provider.

    unit: ``pp`` for a percentage of the quota that is used (0..100 and more), else the plural noun of a count that
        only grows, such as ``prompts``. window: the time after which the vendor resets it, or ``"month"``.
    rounding: how the vendor shows a fraction: ``exact`` (with decimals, or not known), ``nearest`` or ``floor``.
    """

    key: str = field(validator=checks.SLUG)
    title: str = field(validator=checks.LINE)
    unit: str = field(default=PERCENT, validator=checks.LINE)
    window: timedelta | Literal["month"] | None = field(default=None, validator=WINDOW)
    rounding: Literal["exact", "nearest", "floor"] = field(default="exact", validator=ROUNDING)

    @property
    def longest(self) -> timedelta | None:
        """The longest time from one reset to the next: 31 days of a month."""
        return self.window if isinstance(self.window, timedelta | None) else timedelta(days=31)

    @property
    def field_name(self) -> str:
        """The name of its value in a record: ``weekly_pct``, ``prompts_used``."""
        return f"{self.key}_pct" if self.unit == PERCENT else f"{self.key}_used"


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Meters(Struct):
    """Those of a source, and which of them is its cost."""

    meters: tuple[Meter, ...] = field(default=(), validator=checks.tuple_of(Meter, distinct="key"))
    open_meters: bool = field(default=False, validator=checks.SWITCH)
    capacity: str | None = field(default=None)

    @capacity.validator
    def _capacity_is_a_meter(self, _attribute: Attribute[Any], value: str | None) -> None:
        keys = [meter.key for meter in self.meters]
        if value is not None and value not in keys:
            raise ValueError(f"Invalid capacity {value!r}. Expected one of the meters {', '.join(keys)}, or None.")

    def meter(self, key: str | None) -> Meter | None:
        """The meter of that key; one made up if `open_meters` permits it, `model_weekly` like `weekly`; else None."""
        found = next((meter for meter in self.meters if meter.key == key), None)
        if found or not key or not self.open_meters or not re.fullmatch(checks.SLUG_PATTERN, key):
            return found
        like = next((meter for meter in self.meters if key.endswith(f"_{meter.key}")), None)
        # the unlike ones are measured by the same program as the capacity meter
        rounding = kin.rounding if (kin := like or self.capacity_meter) else "exact"
        return Meter(key=key, title=key, window=like.window if like else None, rounding=rounding)

    @property
    def capacity_meter(self) -> Meter | None:
        return self.meter(self.capacity)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Gauge(Struct):
    """A meter's value in one reading.

    used: used percent, even if the vendor prints what is left, or a cumulative count; None if the label is there
        without a readable value. resets: the pane's own words. reset_at: the instant that they mean, UTC.
    limit: the whole quota in the meter's unit, such as 300 prompts, if the vendor shows it.
    """

    meter: str = field(validator=checks.SLUG)
    used: float | None = field(validator=checks.AMOUNT)
    resets: str | None = field(default=None, validator=checks.MAYBE_TEXT)
    reset_at: datetime | None = field(default=None, validator=checks.AWARE)
    limit: float | None = field(default=None, validator=checks.AMOUNT)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Reading(Struct):
    """What one captured text says.

    gauges: at most one per meter. fields: anything else worth keeping, as JSON values, such as a report's figures.
    errors: tags such as ``insufficient-data`` or ``section-missing:weekly``, each once.
    as_of: the instant that the numbers are from if the text says it, else None: that of the capture.
    """

    gauges: tuple[Gauge, ...] = field(default=(), validator=checks.tuple_of(Gauge, distinct="meter"))
    fields: Mapping[str, JSON] = field(factory=dict, validator=checks.JSON_OBJECT)
    errors: tuple[str, ...] = field(default=(), validator=checks.LINES)
    as_of: datetime | None = field(default=None, validator=checks.AWARE)

    def gauge(self, meter: str) -> Gauge | None:
        return next((gauge for gauge in self.gauges if gauge.meter == meter), None)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Change(Struct):
    """How far one meter moved between two readings, in its unit; None, and the reason as a tag, if that is unknown."""

    meter: str = field(validator=checks.SLUG)
    delta: float | None = field(validator=checks.FINITE)
    reason: str | None = field(default=None, validator=checks.MAYBE_LINE)


@frozen(kw_only=True, slots=False, eq=False, repr=False)
class Delta(Struct):
    """How far every meter moved."""

    changes: tuple[Change, ...] = field(validator=checks.tuple_of(Change, distinct="meter"))

    def change(self, meter: str) -> Change | None:
        return next((change for change in self.changes if change.meter == meter), None)


# --- checked values: one of another type is not converted


def amount(value: object) -> float | int | None:
    """A finite number from 0 up, below 10**15, whole ones as integers (-0.0 is 0); text and booleans give None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < checks.LIMIT:
        return None
    return whole if (whole := int(value)) == value else value


def count(value: object) -> int | None:
    """A whole number from 0 up; 12.0 is one."""
    return whole if isinstance(whole := amount(value), int) else None


def percent(value: object) -> float | int | None:
    """A used percentage: an amount up to 1000, since vendors show more than 100 at times."""
    known = amount(value)
    return known if known is not None and known <= PERCENT_LIMIT else None


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with a `Z`, with microseconds only if there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant(value: object) -> datetime | None:
    """The instant of an ISO 8601 text with a date and a time (UTC if it has no zone); None for anything else."""
    # fromisoformat also takes weeks, a date alone, and any character between day and time
    if not isinstance(value, str) or value[4:8:3] + value[13:14] != "--:" or value[10] not in "T ":
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC) if "1" <= value < "9999" else None
    except (ValueError, OverflowError):
        return None


def epoch(value: object) -> float | None:
    """Epoch seconds of a time: ISO 8601 in any precision (UTC if it has no zone), or a number of s, ms, µs or ns."""
    try:
        if isinstance(value, str) and not value.isdecimal():
            found = datetime.fromisoformat(value.upper())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, str | int | float) and not isinstance(value, bool) and (number := float(value)) >= 0:
            return next((number / size for size in (1, 1e3, 1e6, 1e9) if number < MILLISECONDS * size), None)
    except (ValueError, OverflowError):
        return None
    return None


def to_parsed(reading: Reading, source: Meters) -> dict[str, Any]:
    """Flat JSON: `<meter>_pct` (a count: `<meter>_used`), `<meter>_resets`, `<meter>_reset_at`, fields, `errors`."""
    parsed: dict[str, Any] = {}
    names = {meter.key: meter.field_name for meter in source.meters}
    for gauge in reading.gauges:
        if (name := names.get(gauge.meter, f"{gauge.meter}_pct" if source.open_meters else None)) is None:
            raise ValueError(f"Invalid meter {gauge.meter!r}. Expected one that is declared: {', '.join(names)}.")
        parsed[name] = amount(gauge.used)
        parsed[f"{gauge.meter}_resets"] = gauge.resets
        parsed[f"{gauge.meter}_reset_at"] = gauge.reset_at and iso(gauge.reset_at)
        if gauge.limit is not None:
            parsed[f"{gauge.meter}_limit"] = amount(gauge.limit)
    for name in ("plan", "account") if source.meters else ():  # which say whether two readings may be one measurement
        if not isinstance(given := reading.fields.get(name), str | None):
            raise ValueError(f"Invalid {name} {given!r:.60}. Expected a text, or None.")
    taken = {*parsed, *names.values(), *(f"{gauge.meter}_limit" for gauge in reading.gauges), "as_of", "errors"}
    # a field that has a meter's name is that meter when the record is read
    if clash := {one for one in reading.fields if one in taken or (source.open_meters and one.endswith("_pct"))}:
        raise ValueError(f"Invalid fields {', '.join(sorted(clash))}. Expected names that no meter has.")
    parsed |= reading.fields
    if reading.as_of is not None:
        parsed["as_of"] = iso(reading.as_of)
    parsed["errors"] = list(reading.errors)
    return parsed


def from_parsed(parsed: Mapping[str, Any], source: Meters, captured_at: datetime) -> Reading:
    """The reading of a record, of any schema; impossible values are left out, since a file may be edited."""
    names = {meter.key: meter.field_name for meter in source.meters}
    if source.open_meters:
        shown = {name[:-4]: name for name in parsed if name.endswith("_pct")}
        names = names | {key: name for key, name in shown.items() if re.fullmatch(checks.SLUG_PATTERN, key)} | names
    gauges = tuple(
        Gauge(
            meter=key,
            used=amount(parsed.get(name)),
            resets=words if isinstance(words := parsed.get(f"{key}_resets"), str) else None,
            reset_at=instant(parsed.get(f"{key}_reset_at")),
            limit=amount(parsed.get(f"{key}_limit")),
        )
        for key, name in names.items()
        if name in parsed
    )
    tags = parsed.get("errors")
    errors = tuple(filter(checks.is_line, tags if isinstance(tags, list) else ()))
    return Reading(gauges=gauges, errors=errors, as_of=instant(parsed.get("as_of")) or captured_at)


@hookimpl(trylast=True)
def compute_delta(before: Reading, after: Reading) -> Delta:
    """A change for every meter that either reading shows, in the order of the later one."""
    assert before.as_of is not None
    assert after.as_of is not None
    old = {gauge.meter: gauge for gauge in before.gauges}
    new = {gauge.meter: gauge for gauge in after.gauges}
    changes = []
    for meter in new | old:
        one, two = old.get(meter), new.get(meter)
        reason, moved = None, None
        if one is None or one.used is None:
            reason = NOT_BEFORE
        elif two is None or two.used is None:
            reason = NOT_AFTER
        elif one.reset_at is not None and before.as_of < one.reset_at <= after.as_of:
            reason = CROSSED
        elif two.used < one.used and fell(one.used, two.used):
            reason = FELL
        else:
            moved = max(round(two.used - one.used, 6), 0)
        changes.append(Change(meter=meter, delta=moved, reason=reason and f"{reason}:{meter}"))
    return Delta(changes=tuple(changes))


def fell(old: float, new: float) -> bool:
    """Whether a meter went down; 90 after an exact 90.4 did not, nor did an exact 90.6 after a rounded 91."""
    is_mixed = float(new).is_integer() != float(old).is_integer()
    return new < old and not (is_mixed and old - new < 1)
