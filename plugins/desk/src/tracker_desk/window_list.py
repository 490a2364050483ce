"""The list of windows: when each was measured, its state, and the figures of each provider in it."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

from attrs import field, frozen

from tracker.api import Source
from tracker.kernel import (
    Capture,
    Clock,
    FinalizeRow,
    PluginError,
    Session,
    Windows,
    canonical,
    iso,
    rate,
    value,
)
from tracker_desk.money import floored

LEAST = 0.005  # smaller values are not nothing, and get more digits
FIGURES = ("features", "capacity", "efficiency")
# the lanes that captured a provider, and when
MEASURED = ("lanes", "from", "to")
# what the columns of the window as a whole begin with
WHOLE = "window_"
LEADING = ("window", "lane", "from", "to", "state", "provider")
# for each amount of money, the count of requests that it leaves out
BARE = {
    **dict.fromkeys(("cost_usd", "cost_usd_per_feature"), "unpriced_requests"),
    "shared_cost_usd": "shared_unpriced_requests",
}
HEAD = (*LEADING, *FIGURES)
# columns that name another window which moved the same meter at the same time; with the first, neither counts
OVERLAPS, WOULD_OVERLAP = "overlaps", "would_overlap"
T = TypeVar("T")


@frozen(kw_only=True)
class ListedWindow:
    """A window: `open` lacks a capture or has none, `closed` is measured but not finalized.

    providers: the columns of each, with its own `lanes`, `from` and `to`: they may differ from those of the window.
    stale: the providers whose captures changed, or were added, after it was finalized.
    """

    window: str
    lanes: tuple[str, ...]
    begin: datetime | None
    end: datetime | None
    state: Literal["open", "closed", "finalized"]
    outcome: str | None
    providers: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any] = field(factory=dict)
    stale: tuple[str, ...] = ()
    split: tuple[str, ...] = ()  # the providers that several lanes captured: the pair of one counts

    def document(self) -> dict[str, Any]:
        """The window for programs; instants in UTC."""
        return {
            "window": self.window,
            "lanes": list(self.lanes),
            "from": self.begin and iso(self.begin),
            "to": self.end and iso(self.end),
            "state": self.state,
            "outcome": self.outcome,
            "stale": list(self.stale),
            "providers": {
                name: {key: iso(one) if isinstance(one, datetime) else one for key, one in columns.items()}
                for name, columns in self.providers.items()
            },
            **self.facts,
        }


def listed(session: Session, windows: Sequence[str] | None) -> Iterator[ListedWindow]:
    """The windows in their order; None means all. Some thousand are held at a time."""
    unread = _unread(session)
    for part in Windows(session).parts(windows, with_open=True):
        known, groups = _by_window(facts(session, part.windows)), _by_window(part.groups)
        reasons = _by_window(excluded(session, part.rows, part.groups))
        periods = Windows(session).spans(part.windows, part.groups)
        for name in part.windows:
            row, own, columns = part.rows.get(name), groups.get(name, {}), known.get(name, {})
            begin, end = periods.get(name, (None, None))
            yield ListedWindow(
                window=name,
                lanes=_lanes(one for group in own.values() for one in group),
                begin=begin,
                end=end,
                state=_state(row, own, unread.get(name, ())),
                outcome=row.text("outcome") if row else None,
                providers=_providers(session, row, own, columns, reasons.get(name, {})),
                facts=columns.get("", {}),
                stale=_stale(session, row, own),
                split=tuple(one for one, group in own.items() if len({shot.agent_id for shot in group}) > 1),
            )


def _by_window(found: Mapping[tuple[str, str], T]) -> dict[str, dict[str, T]]:
    """What is known of windows and providers, by window."""
    by_window: dict[str, dict[str, T]] = {}
    for (window, provider), one in found.items():
        by_window.setdefault(window, {})[provider] = one
    return by_window


def _lanes(captures: Iterable[Capture]) -> tuple[str, ...]:
    return tuple(sorted({one.agent_id or "" for one in captures}))


def facts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The columns that features add, by window and provider."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for answer in session.registry.ask("window_facts", session=session, windows=windows):
        for key, columns in answer.items():
            found.setdefault(key, {}).update(columns)
    return found


def excluded(
    session: Session, rows: Mapping[str, FinalizeRow], groups: Mapping[tuple[str, str], Sequence[Capture]]
) -> dict[tuple[str, str], str]:
    """Why finalized windows do not count in the results, by window and provider."""
    found: dict[tuple[str, str], str] = {}
    for name, source in session.registry.providers.items() if rows else ():
        tally = session.registry.first("tally", session=session, source=source)
        if tally is None:
            continue
        try:
            with session.registry.guarded(type(tally).__module__.partition(".")[0], "add up the windows", 1e9):
                for window, row in rows.items():
                    if name in row.named or (window, name) in groups:
                        tally.add(row, groups.get((window, name), ()))
                found |= {(window, name): reason for window, reason in tally.total().excluded.items()}
        except PluginError as error:
            session.warn(f"{str(error).rstrip('.')}; windows that it leaves out are not known")
    return found


def _state(
    row: FinalizeRow | None, own: Mapping[str, list[Capture]], unread: Iterable[bool]
) -> Literal["open", "closed", "finalized"]:
    if row is not None:
        return "finalized"
    lacking = [*unread, *(bool(canonical(group).missing) for group in own.values())]
    # reports and streams alone measure no meter
    return "open" if any(lacking) or not lacking else "closed"


def _unread(session: Session) -> dict[str, list[bool]]:
    """Whether each provider that no plugin reads lacks a capture, by window."""
    phases: dict[tuple[str, str], set[str | None]] = {}
    for stream in session.journal.streams():
        for mark in session.index.strangers(stream, session.registry.sources):
            phases.setdefault((mark.window, mark.provider), set()).add(mark.phase)
    found: dict[str, list[bool]] = {}
    for (window, _), own in phases.items():
        # a count of schema 1.0.0 has no phase and lacks nothing
        found.setdefault(window, []).append(None not in own and len(own) < 2)
    return found


def _stale(session: Session, row: FinalizeRow | None, own: Mapping[str, list[Capture]]) -> tuple[str, ...]:
    if row is None:
        return ()
    # captures that no plugin reads cannot tell
    names = {*row.providers, *own} & session.registry.sources.keys()
    return tuple(name for name in sorted(names) if row.is_stale(name, own.get(name, [])))


def _providers(
    session: Session,
    row: FinalizeRow | None,
    own: Mapping[str, list[Capture]],
    known: Mapping[str, Mapping[str, Any]],
    reasons: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """The columns of each provider in a window. own: its captures. known: the columns that features add.

    reasons: why it does not count, of those that do not.
    """
    named = {*own, *known, *(row.providers if row else ()), *(row.features if row else ())}
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(named & session.registry.providers.keys()):
        source, group = session.registry.providers[name], own.get(name, [])
        pair = canonical(group)
        figures = _figures(session, source, row, group) if row else {"capacity": pair.capacity(session, source)}
        measured = (_lanes(group), *(one and one.captured_at for one in pair))
        columns = dict(zip(MEASURED, measured, strict=True)) | {key: figures.get(key) for key in FIGURES}
        unit = source.capacity_meter.unit if source.capacity_meter else None
        found[name] = {**columns, "unit": unit, **known.get(name, {})}
        if name in reasons:
            found[name]["efficiency"] = None
    return found


def _figures(session: Session, source: Source, row: FinalizeRow, group: Sequence[Capture]) -> dict[str, float | None]:
    found, features = row.result(source, group), row.features.get(source.name)
    if found is None or found.reason is not None:
        # it still has figures; a provider that was not captured used an unknown amount, not nothing
        return {"features": features, "capacity": canonical(group).capacity(session, source), "efficiency": None}
    efficiency = found.features / found.capacity if found.capacity else None
    return {"features": features, "capacity": float(found.capacity), "efficiency": efficiency}


# --- as a table


def lines(windows: Iterable[ListedWindow], clock: Clock) -> Iterator[str]:
    """A row per window and provider; columns that features add come last."""
    widths = {name: len(name) for name in HEAD}
    # packed, a million rows fit into memory
    rows = list[bytes]()
    for row in (row for one in windows for row in _rows(one, clock)):
        rows.append(marshal.dumps(row))
        for key, text in row.items():
            widths[key] = max(widths.get(key, 0), len(text))
    titles = {}
    # columns of the whole window come last, with their full name if a provider has a column of that name
    for key in sorted(widths, key=lambda key: key.startswith(WHOLE)):
        name = key.removeprefix(WHOLE)
        titles[key] = key if name in widths else name
    widths = {key: max(widths[key], len(title)) for key, title in titles.items()}
    yield _line(titles, widths)
    yield from (_line(marshal.loads(row), widths) for row in rows)


def _line(row: Mapping[str, str], widths: Mapping[str, int]) -> str:
    cells = []
    for key, width in widths.items():
        # only the first row of a window has the columns of the whole window
        text = row.get(key, "-" if row["window"] or not key.startswith(WHOLE) else "")
        cells.append(text.ljust(width) if key in LEADING else text.rjust(width))
    return "  ".join(cells).rstrip()


def _rows(one: ListedWindow, clock: Clock) -> Iterator[dict[str, str]]:
    unmeasured: dict[str, Mapping[str, Any]] = {"-": {"lanes": one.lanes, "from": one.begin, "to": one.end}}
    window, state = one.window, str(one.state)
    whole = {f"{WHOLE}{name}": _cell(found) for name, found in one.facts.items()}
    for name, columns in (one.providers or unmeasured).items():
        begin, end, efficiency = (columns.get(key) for key in ("from", "to", "efficiency"))
        yield {
            "window": window,
            "lane": ",".join(lane or "-" for lane in columns.get("lanes", ())) or "-",
            "from": clock.at(begin) if begin else "-",
            "to": clock.at(end) if end else "-",
            "state": state,
            "provider": name,
            "features": _cell(columns.get("features")),
            "capacity": _cell(columns.get("capacity"), columns.get("unit")),
            "efficiency": "-" if efficiency is None else rate(efficiency),
            **{key: _added(columns, key) for key in columns if key not in (*MEASURED, *FIGURES, "unit")},
            **whole,
        }
        window, state, whole = "", "", {}


def _added(columns: Mapping[str, Any], key: str) -> str:
    """A column that a feature adds; money that leaves requests out is a lower bound."""
    found = columns[key]
    if found is None or not columns.get(BARE.get(key, "")):
        return _cell(found)
    usd = floored(found)
    return f"at least {rate(usd) if 0 < usd < 0.01 else _cell(usd)}"


def _cell(found: Any, unit: str | None = None) -> str:
    if isinstance(found, float) and 0 < abs(found) < LEAST:
        return rate(found)
    return "-" if found is None else value(found, unit=f" {unit}" if unit else "")
