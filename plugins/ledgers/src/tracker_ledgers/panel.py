"""Churn as a panel."""

from __future__ import annotations

from datetime import UTC, datetime

from tracker.api import Chart, Column, Panel, Period
from tracker.kernel import Session, Windows
from tracker_ledgers.window_facts import facts

NEVER = datetime.min.replace(tzinfo=UTC)


def panel(session: Session, period: Period) -> Panel | None:
    """Net lines per feature and files of each window, the newest first."""
    order = {window: place for place, window in enumerate(period.windows)}
    found = [(key, one) for key, one in facts(session, period.windows).items() if one.get("files") is not None]
    # without a capture there is no time
    spans = Windows(session).spans({window for (window, _), _ in found})
    times = {window: end or begin for window, (begin, end) in spans.items()}
    found.sort(key=lambda item: (times.get(item[0][0], NEVER), order.get(item[0][0], -1)), reverse=True)
    if not found:
        return None
    rows = [
        {
            "name": f"{window} {provider}".strip(),
            "window": window,
            "provider": provider or None,
            "churn": one.get("churn"),
            "files": one["files"],
        }
        for (window, provider), one in found
    ]
    return Panel(
        name="churn",
        title="Churn",
        place=55,
        about="Net lines of code per feature, and the files that changed, the newest window first.",
        columns=(
            Column(key="name", title="Window", rank=0),
            Column(key="churn", title="Lines per feature", kind="number", rank=0),
            Column(key="files", title="Files", kind="count"),
        ),
        rows=rows,
        charts=(Chart(kind="bars", title="Net lines per feature", x="name", y="churn"),),
    )
