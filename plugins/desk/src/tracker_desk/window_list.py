"""The list of windows: when each was measured, its state, and the figures of each provider in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from attrs import field, frozen

from tracker.api import Source
from tracker.kernel import Capture, Clock, Finalized, ProviderFigures, Session, Windows, canonical, iso, rate, value

LEAST = 0.005  # what is less is not nothing, and has more digits
FIGURES = ("features", "capacity", "efficiency")
# who captured a provider, and from when to when
OWN = ("lanes", "from", "to")


@frozen(kw_only=True)
class ListedWindow:
    """A window: `open` lacks a capture, `closed` is measured and not finalized.

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


def listed(session: Session, windows: Sequence[str] | None) -> list[ListedWindow]:
    """The windows in their order; None: every one."""
    names = session.index.windows() if windows is None else list(windows)
    rows = Windows(session).finalized(names)
    groups = Windows(session).captures(names)
    known = facts(session, names)
    periods = Windows(session).spans(names, groups)
    of_window: dict[str, dict[str, Any]] = {}
    for (place, provider), group in groups.items():
        of_window.setdefault(place, {})[provider] = group
    found = []
    for name in names:
        begin, end = periods.get(name, (None, None))
        own = of_window.get(name, {})
        found.append(
            ListedWindow(
                window=name,
                lanes=_lanes(one for group in own.values() for one in group),
                begin=begin,
                end=end,
                state=_state(rows.get(name), own),
                outcome=rows[name].text("outcome") if name in rows else None,
                providers=_providers(session, name, rows.get(name), groups, known, own),
                facts=known.get((name, ""), {}),
                stale=_stale(session, rows.get(name), own),
                split=tuple(one for one, group in own.items() if len({shot.agent_id for shot in group}) > 1),
            )
        )
    return found


def _lanes(captures: Iterable[Capture]) -> tuple[str, ...]:
    return tuple(sorted({one.agent_id or "" for one in captures}))


def facts(session: Session, windows: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """The columns that features add, by window and provider."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for answer in session.registry.ask("window_facts", session=session, windows=windows):
        for key, columns in answer.items():
            found.setdefault(key, {}).update(columns)
    return found


def _state(row: Finalized | None, own: Mapping[str, Any]) -> Literal["open", "closed", "finalized"]:
    if row is not None:
        return "finalized"
    return "open" if any(canonical(group).missing for group in own.values()) else "closed"


def _stale(session: Session, row: Finalized | None, own: Mapping[str, list[Capture]]) -> tuple[str, ...]:
    # captures that no plugin reads cannot tell
    names = {*row.providers, *own} & session.registry.sources.keys() if row else ()
    return tuple(name for name in sorted(names) if row and row.is_stale(name, own.get(name, [])))


def _providers(
    session: Session,
    window: str,
    row: Finalized | None,
    groups: Mapping[tuple[str, str], list[Capture]],
    known: Mapping[tuple[str, str], Mapping[str, Any]],
    own: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """The columns of each provider in a window."""
    named = {*own, *(row.providers if row else ()), *(row.features if row else ())}
    named |= {provider for place, provider in known if place == window and provider}
    ours = {key: group for key, group in groups.items() if key[0] == window}
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(named & session.registry.providers.keys()):
        source = session.registry.providers[name]
        group = own.get(name, [])
        pair = canonical(group)
        figures = _figures(session, source, row, ours) if row else {"capacity": pair.capacity(session, source)}
        measured = (_lanes(group), *(one and one.captured_at for one in pair))
        columns = dict(zip(OWN, measured, strict=True)) | {key: figures.get(key) for key in FIGURES}
        found[name] = {**columns, "unit": _unit(source), **known.get((window, name), {})}
    return found


def _unit(source: Source) -> str | None:
    return source.capacity_meter.unit if source.capacity_meter else None


def _figures(
    session: Session, source: Source, row: Finalized, groups: Mapping[tuple[str, str], list[Capture]]
) -> dict[str, float | None]:
    group = groups.get((row.window, source.name), ())
    found = ProviderFigures.of(source, row, group)
    # who was not captured took an unknown amount, not nothing
    capacity = found.totals["capacity"] if group or source.name in row.providers else None
    if capacity is None:
        # a window that does not count has figures all the same
        capacity = canonical(group).capacity(session, source)
    features = row.features.get(source.name)
    return {"features": features, "capacity": capacity, "efficiency": found.efficiency.efficiency}


# --- as a table


def lines(windows: Sequence[ListedWindow], clock: Clock) -> Iterator[str]:
    """A row per window and provider; columns that features add come last."""
    extra = dict.fromkeys(name for one in windows for columns in one.providers.values() for name in columns)
    added = [name for name in extra if name not in (*OWN, *FIGURES, "unit")]
    whole = list(dict.fromkeys(name for one in windows for name in one.facts))
    # what is said of the window and of a provider in it is not the same
    ends = [f"window_{name}" if name in added else name for name in whole]
    head = ["window", "lane", "from", "to", "state", "provider", *FIGURES, *added, *ends]
    table = [head]
    for one in windows:
        unmeasured: dict[str, Mapping[str, Any]] = {"-": {"lanes": one.lanes, "from": one.begin, "to": one.end}}
        named, ends = [one.window, one.state], [_cell(one.facts.get(name)) for name in whole]
        for name, columns in (one.providers or unmeasured).items():
            unit = columns.get("unit")
            begin, end = (clock.at(at) if (at := columns.get(key)) else "-" for key in OWN[1:])
            lanes = ",".join(lane or "-" for lane in columns.get("lanes", ())) or "-"
            start = [named[0], lanes, begin, end, named[1]]
            cells = [
                _cell(columns.get("features")),
                _cell(columns.get("capacity"), unit),
                "-" if (found := columns.get("efficiency")) is None else rate(found),
            ]
            table.append([*start, name, *cells, *(_cell(columns.get(key)) for key in added), *ends])
            named, ends = ["", ""], [""] * len(whole)
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    for row in table:
        cells = [
            cell.rjust(width) if place > 5 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _cell(found: Any, unit: str | None = None) -> str:
    if isinstance(found, float) and 0 < abs(found) < LEAST:
        return rate(found)
    return "-" if found is None else value(found, unit=f" {unit}" if unit else "")
