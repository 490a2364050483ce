"""What a view shows, gathered from the kernel and from every feature; a part that fails is one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeAlias

from attrs import evolve, frozen

from tracker.api import Cell, Chart, Column, Panel, Period, Row
from tracker.kernel import PluginError, Selection, Session, Windows, line, plural

UNKNOWN = "not known"
NUMBER = (int, float)
CHARTS = ("bars", "columns", "steps", "intervals")
LARGEST = 1e15  # from there on a float does not tell two whole numbers apart
YEARS = range(1970, 2200)  # a chart of thousands of years shows nothing
MOST_LINES = 12  # of a section
Owner: TypeAlias = tuple[str, str | None]  # a provider and an account of it
USAGE = "usage"  # the panel that sums up session logs
MOST_WINDOWS = 10_000  # whose times are read
METHOD = (
    "A window counts for a provider if its capacity meter was read before and after the work and"
    " was not reset in between; resets of other meters do not matter.",
    "Efficiency is features divided by the capacity that was used, over all windows that count; the 95 % interval comes"
    " from how much windows differ from each other, or days if there are many windows.",
    "Tokens and money come from the agents' own logs and streams, money at list prices; what was not recorded is shown"
    " as not known, never as zero.",
)


@frozen(kw_only=True)
class Section:
    """Lines of text with a title: a source's preview block or a feature's section of the handoff."""

    title: str
    lines: tuple[str, ...]


@frozen(kw_only=True)
class Content:
    """Everything that a view shows of a period.

    spans: when each provider was measured in windows, by its name and the account, if that is known.
    """

    now: datetime
    period: Period
    spans: Mapping[Owner, Sequence[tuple[datetime, datetime | None]]]
    headlines: tuple[str, ...]
    panels: tuple[Panel, ...]
    sections: tuple[Section, ...]
    missing: tuple[str, ...]


def period_of(session: Session, chosen: Selection) -> Period:
    """The selected windows; if not only time or provider was chosen, only what was done in them counts."""
    windows = chosen.windows(session)
    if windows is None:
        return Period(windows=tuple(session.index.windows()))
    in_windows = chosen._replace(since=None, until=None, provider=None) != Selection()
    since, until = _times(session, windows) if in_windows else (None, None)
    return Period(
        windows=tuple(windows),
        since=chosen.since or since,
        until=chosen.until or until,
        provider=chosen.provider,
        in_windows=in_windows,
    )


def _times(session: Session, windows: Sequence[str]) -> tuple[datetime | None, datetime | None]:
    """From the beginning of the first window to the end of the last one; None: one has not ended."""
    spans = Windows(session).spans(windows).values()
    ends = [end for _, end in spans if end is not None]
    return min((begin for begin, _ in spans), default=None), max(ends) if ends and len(ends) == len(spans) else None


def _measured(session: Session, windows: Sequence[str]) -> dict[Owner, list[tuple[datetime, datetime | None]]]:
    found: dict[Owner, list[tuple[datetime, datetime | None]]] = {}
    accounts = session.registry.first("window_accounts", session=session, windows=windows) or {}
    for (window, provider), group in Windows(session).captures(windows).items():
        times = Windows(session).spans((), {(window, provider): group}).values()
        found.setdefault((provider, accounts.get((window, provider))), []).extend(times)
    return found


def _by_time(session: Session, windows: Sequence[str]) -> tuple[str, ...]:
    """The windows in the order in which they began: ids may come from another time or machine."""
    begins = {window: begin for window, (begin, _) in Windows(session).spans(windows).items()}
    places, place = dict[str, datetime](), datetime.min.replace(tzinfo=UTC)
    for window in windows:
        # one without a BEFORE stays after the one whose id it follows
        places[window] = place = begins.get(window, place)
    return tuple(sorted(windows, key=places.__getitem__))


def gathered(session: Session, period: Period, *, with_sections: bool = True) -> Content:
    """Ask everybody once. The board shows no sections of text."""
    # first, so that what it reads of all windows is there for the others; no chart could show those of a longer history
    spans = {} if len(period.windows) > MOST_WINDOWS else _measured(session, period.windows)
    period = evolve(period, windows=_by_time(session, period.windows)) if spans else period
    found = Windows(session).preview(period.windows)
    # a million windows do not fit into memory as JSON values: what they show is gathered now
    unused = list(_left_out(period, found))
    counted = [one._replace(excluded=dict(islice(one.excluded.items(), 1))) for one in found.providers]
    brief = found._replace(windows=(), outcomes={}, blocks=(), open=(), providers=tuple(counted))
    preview = brief.document()
    for part in ("providers", "anomalies"):
        preview[part] = [one for one in preview[part] if _is_chosen(period, one)]
    waiting = [window for window in found.windows if window not in found.outcomes]
    known = [
        (one.source.name, _section(period, one.block.title, one.block.rows))
        for one in found.blocks
        if one.source.name != "snapshots"
    ]
    # it is not kept in memory while others are asked
    del found, counted, brief
    failures: list[str] = []
    panels = [efficiency(preview["providers"]), anomalies(preview["anomalies"]), *panels_of(session, period, failures)]
    # a panel of the same name says it better, and the table of windows what was captured
    shown = {panel.name for panel in panels}
    sections = [section for name, section in known if name not in shown]
    if with_sections:
        sections += _sections(session, period, failures)
    sections = [section for section in sections if section.lines]
    panels.sort(key=lambda panel: (panel.place, panel.title))
    headlines = [one for panel in panels for one in panel.headlines]
    return Content(
        now=session.now,
        period=period,
        spans=spans,
        headlines=tuple(headlines) or (_first(period, waiting),),
        panels=tuple(panel for panel in panels if panel.rows or panel.about),
        sections=tuple(sections),
        missing=(*failures, *_missing(preview, panels), *unused, *(one for panel in panels for one in panel.missing)),
    )


def panels_of(session: Session, period: Period, failures: list[str]) -> Iterator[Panel]:
    """The features' own panels; if one fails, that is added to the failures."""
    for name, answer in session.registry.each("panels", session=session, period=period):
        if isinstance(answer, PluginError):
            failures.append(f"{name} could not show its part: {answer.cause}")
            continue
        for panel in answer or ():
            try:
                found = sound(panel)
            except (TypeError, ValueError) as error:
                failures.append(f"{name} could not show its part: {error}")
                continue
            rows = [row for row in found.rows if _is_chosen(period, row)]
            if rows or not found.rows:
                yield evolve(found, rows=rows)


def _is_chosen(period: Period, values: Mapping[str, Any]) -> bool:
    """Whether they belong to the chosen provider, or to none."""
    return period.provider is None or values.get("provider") in (None, period.provider)


def _sections(session: Session, period: Period, failures: list[str]) -> Iterator[Section]:
    """The features' sections of the handoff, each of a third party with its owner."""
    owners = {one.name: f" ({one.distribution})" for one in session.registry.features if not one.is_own}
    for name, answer in session.registry.each("handoff_section", session=session, windows=period.windows):
        if isinstance(answer, PluginError):
            failures.append(f"{name} could not show its section: {answer.cause}")
        elif answer is not None:
            yield _section(period, f"{answer.title}{owners.get(name, '')}", answer.rows)


def _first(period: Period, waiting: Sequence[str]) -> str:
    """What to say if no part has a headline: what is there, and what to type next. waiting: not finalized."""
    windows = period.windows
    if not windows and period.in_windows:
        return "Your selection contains no window. `tracker windows` lists all."
    if not windows:
        when = "" if (period.since, period.until) == (None, None) else " in this time"
        whose = f" for {period.provider}" if period.provider else ""
        start = f"`tracker start {period.provider or 'PROVIDER'}` captures the meters before the work."
        return f"Nothing is recorded{whose}{when}{'' if whose or when else ' yet'}. {start}"
    if not waiting:
        return f"{plural(len(windows), 'window')} recorded. A comparison needs windows of two providers."
    rest = "none" if len(waiting) == len(windows) else f"{len(windows) - len(waiting)} of them"
    counted = f"{plural(len(windows), 'window')} recorded, {rest} finalized."
    return f"{counted} `tracker status` shows what {line(waiting[-1])} is waiting for."


def _section(period: Period, title: str, rows: Iterable[Row]) -> Section:
    rest = (row for row in rows if _is_chosen(period, row.values))
    lines = [str(one) for one in islice(rest, MOST_LINES)]
    count = sum(1 for _ in rest)
    more = [f"and {count} more: `tracker preview`"] if count else []
    return Section(title=title, lines=(*lines, *more))


def _missing(preview: Mapping[str, Any], panels: Sequence[Panel]) -> Iterator[str]:
    yield from without_requests(preview, panels)
    for error in preview["not_shown"]:
        yield f"{error['plugin']} could not show its part: {error['error']}"
    for one in preview["providers"]:
        if one["stale"]:
            what = f"captures of {_some(one['stale'])} changed after finalizing"
            yield f"{one['provider']}: {what}: type `tracker complete` again, or with `--reopen`."


def without_requests(preview: Mapping[str, Any], panels: Sequence[Panel]) -> Iterator[str]:
    """The providers with windows that the sums of tokens and money leave out, so that nobody takes these for all."""
    summed = {row.get("provider") for one in panels if (one.name, one.distribution) == (USAGE, "") for row in one.rows}
    absent = [line(one["provider"]) for one in preview["providers"] if one["provider"] not in summed]
    if summed and absent:
        yield f"Tokens and money do not include {' and '.join(dict.fromkeys(absent))}: no requests in the session logs."


def _left_out(period: Period, preview: Any) -> Iterator[str]:
    """The windows that give no figure, by provider and reason."""
    for one in preview.providers:
        if period.provider in (None, one.source.name):
            yield from (f"{one.source.name}: {text}." for text in excluded(one))
    opened = dict.fromkeys(one.window for one in preview.open if period.provider in (None, one.provider))
    if opened:
        yield f"Not finalized: {_some(list(opened))}."


def excluded(figures: Any) -> Iterator[str]:
    """The windows that give a provider no figure, by reason."""
    reasons: dict[str, list[str]] = {}
    for window, why in figures.excluded.items():
        # each overlapping window names another one
        reasons.setdefault("overlapping" if why.startswith("overlaps ") else why, []).append(window)
    for reason, windows in reasons.items():
        yield f"{plural(len(windows), 'window')} left out, {reason}: {_some(windows)}"


def _some(windows: Sequence[str]) -> str:
    return ", ".join(windows[:6]) + (f" and {len(windows) - 6} more" if len(windows) > 6 else "")


def sound(panel: Panel) -> Panel:
    """A panel that can be drawn, of plain values; what a chart cannot draw, or a cell cannot hold, is an error.

    A third party's panel shows whose it is, and cannot take a name of the program's own.
    """
    kinds: dict[str, tuple[type, ...]] = {}
    for chart in panel.charts:
        if chart.kind not in CHARTS:
            raise ValueError(f"panel {panel.name}: {chart.kind!r:.60} is not a kind of chart: {', '.join(CHARTS)}")
        if chart.y not in {column.key for column in panel.columns}:
            raise ValueError(f"panel {panel.name}: its chart {chart.title!r} needs a column {chart.y!r}")
        kinds |= {key: NUMBER for key in (chart.y, chart.low, chart.high) if key}
        if chart.kind in ("columns", "steps"):
            kinds[chart.x] = (datetime,)
    rows = [{str(key): _cell(panel, key, one, kinds.get(key)) for key, one in row.items()} for row in panel.rows]
    owner = line(panel.distribution)
    before, after = (f"{owner}: ", f" ({owner})") if owner else ("", "")
    return evolve(
        panel,
        name=f"{before}{line(panel.name)}",
        title=f"{line(panel.title)}{after}",
        headlines=tuple(f"{before}{line(one)}" for one in panel.headlines),
        about=line(panel.about),
        columns=tuple(evolve(one, title=line(one.title)) for one in panel.columns),
        rows=rows,
        charts=tuple(evolve(one, title=line(one.title)) for one in panel.charts),
        missing=tuple(f"{before}{line(one)}" for one in panel.missing),
        distribution=owner,
    )


def _cell(panel: Panel, key: str, value: Cell, kind: tuple[type, ...] | None) -> Cell:
    """The value as one of the plain types; a figure that is not a number, or too large for one, is not known.

    kind: what a chart draws of its column.
    """
    if kind and value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        wanted = "a number" if kind is NUMBER else "an instant"
        raise TypeError(f"panel {panel.name}: {key} is {value!r:.40}, which is not {wanted}")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, NUMBER):
        # NaN is not between them
        return (float(value) if isinstance(value, float) else int(value)) if -LARGEST < value < LARGEST else None
    if isinstance(value, str):
        return line(value)
    if isinstance(value, datetime) and value.utcoffset() is not None and value.year in YEARS:
        return value.astimezone(UTC)
    wanted = f"Expected text, a number, yes or no, an instant with its zone in {YEARS[0]} to {YEARS[-1]}, or nothing"
    raise TypeError(f"panel {panel.name}: {key} is {value!r:.40}. {wanted}.")


# --- the kernel's own panels

EFFICIENCY = (
    Column(key="provider", title="Provider", rank=0),
    Column(key="features", title="Features", kind="number", rank=0),
    Column(key="capacity", title="Capacity", kind="number"),
    Column(key="unit", title="Unit"),
    Column(key="efficiency", title="Features per unit", kind="rate", rank=0),
    Column(key="low", title="95 % from", kind="rate"),
    Column(key="high", title="95 % to", kind="rate"),
    Column(key="spread", title="Interval", rank=3),
    Column(key="n", title="Windows", kind="count", rank=2),
    Column(key="power", title="Power", kind="rate", rank=4),
    Column(key="needed", title="Windows needed in all", rank=3),
)


def efficiency(providers: Sequence[Mapping[str, Any]]) -> Panel:
    """What each provider delivered for its capacity: the figures of `preview --json`."""
    rows = [_efficiency_row(one) for one in providers]
    units = dict.fromkeys(one["unit"] for one in rows)
    about = "Features per unit of capacity that the meters moved, over all windows that count."
    if len(units) > 1:
        about += f" Units differ ({', '.join(units)}): do not compare bars of different units."
    for one in providers:
        if change := one.get("change"):
            about += f" {one['provider']}: points used before {change['day']} count as {change['ratio'][0]:.2f} each."
    chart = Chart(
        kind="intervals", title="Features per unit of capacity", x="provider", y="efficiency", low="low", high="high"
    )
    return Panel(
        name="efficiency",
        title="Efficiency",
        place=10,
        about=about if rows else "",
        columns=EFFICIENCY,
        rows=rows,
        charts=(chart,) if rows else (),
    )


def _efficiency_row(one: Mapping[str, Any]) -> dict[str, Any]:
    # an assumed interval says nothing about this work, and a chart or a narrow screen could not mark it
    is_measured = one.get("ci_kind") == "measured"
    low, high = (one.get("ci") if is_measured else None) or (None, None)
    account = f" account {one['account']}" if one.get("account") else ""
    return {
        **one,
        "provider": f"{one['provider']}{account}",
        "low": low,
        "high": high,
        "spread": _spread(one),
        "power": one.get("power") if is_measured else None,
        "needed": _range(one),
    }


def _spread(figures: Mapping[str, Any]) -> Cell:
    """`measured`, and between what, if not between single windows: `measured over 6 days`."""
    kind = figures.get("ci_kind")
    match kind, figures.get("blocks"):
        case "measured", {"by": str(by), "n": int(count)}:
            return f"measured over {plural(count, by)}"
    return "not measured" if kind == "assumed" else kind


def _range(figures: Mapping[str, Any]) -> str | None:
    needed = figures.get("windows_needed")
    if needed is None:
        return None
    low, high = needed
    return f"{low}" if low == high else f"{low} to {high}"


def anomalies(found: Sequence[Mapping[str, Any]]) -> Panel:
    """The open anomalies."""
    keys = {"window": "Window", "provider": "Provider", "kind": "Kind", "cause": "Cause", "cure": "What to type"}
    return Panel(
        name="anomalies",
        title="Anomalies",
        place=80,
        about="Unresolved readings that contradict each other." if found else "No anomaly is open.",
        columns=tuple(Column(key=key, title=title, rank=rank) for rank, (key, title) in enumerate(keys.items())),
        rows=[{key: one.get(key) and str(one[key]) for key in keys} for one in found],
    )
