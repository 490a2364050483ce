"""The source `glm`: GLM's prompt counts, and the vendor's own quota answer.

The two are told apart by their shape and never mixed: a quota answer has percentages and no prompt count.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta, tzinfo

from tracker.api import Change, Delta, Demo, DemoStep, HttpOrigin, Meter, Reading, StatusSource, hookimpl
from tracker_glm.reading import read

PROMPTS = "prompts"
CAPACITY_MISSING = "capacity-missing"


def _demo_step(stage: int, command: str, capture: str, captured_at: str) -> DemoStep:
    arguments = ("alias", command, "glm", "--window", "{window}", "--stdin", "--captured-at", captured_at)
    return DemoStep(stage=stage, arguments=arguments, capture=f"demo/{capture}.json")


SOURCE = StatusSource(
    contract="1.2",
    name="glm",
    title="GLM",
    stream="glm_counts",
    prefix="z",
    meters=(
        Meter(key=PROMPTS, title="Prompts", unit="prompts"),
        Meter(key="fiveh", title="5h limit", window=timedelta(hours=5)),
        Meter(key="weekly", title="Weekly limit", window=timedelta(days=7)),
        Meter(key="mcp_month", title="Monthly tool quota"),
    ),
    capacity=PROMPTS,
    models=("glm", "z.ai/"),
    tags={
        "invalid-json": "invalid JSON; pipe the prompt counts or the quota answer and nothing else",
        "no-blocks": "the prompt counts have no block; count again once you have sent prompts",
        "invalid-blocks": "a block has no readable prompt count, so the sum is unknown; ccusage's own blocks have none",
        "usage-not-loaded": "the vendor answered with an error instead of the quota; ask again",
        "insufficient-data": "the quota answer has no limit that tracker knows",
        "section-missing": "the limit is there without a readable percentage",
        "limit-ambiguous": "the answer has the limit twice with different values; it is left empty",
        "limit-unknown": "the answer has an unknown limit; it is left out",
        "reset-unreadable": "the limit's reset is not a time in milliseconds; it is left out",
        "counted-long-ago": "the counts are over a day old; if prompts were sent since, count again",
        CAPACITY_MISSING: "a quota answer has no prompt counts; pipe those, JSON with `blocks`, into start and end",
    },
    demo=Demo(
        steps=(
            _demo_step(10, "start", "before", "2026-11-22T06:45:00Z"),
            _demo_step(30, "end", "after", "2026-11-22T08:20:00Z"),
        ),
        features=1,
    ),
    # no program is known that prints prompt counts: they are pasted or piped
    origins=(
        HttpOrigin(
            name="quota",
            title="the vendor's quota answer",
            address="https://api.z.ai",
            variable="TRACKER_GLM_URL",
            path="/api/monitor/usage/quota/limit",
            key="TRACKER_GLM_KEY",
        ),
    ),
)


@hookimpl
def source_info() -> StatusSource:
    return SOURCE


@hookimpl
def parse_status(text: str, captured_at: datetime, timezone: tzinfo) -> Reading:
    return read(text, captured_at, timezone)


@hookimpl(wrapper=True)
def compute_delta(before: Reading, after: Reading) -> Generator[None, Delta, Delta]:
    """The core's subtraction; if a reading has no prompt count, that is the reason and no percentage stands in."""
    delta = yield
    counts = [reading.gauge(PROMPTS) for reading in (before, after)]
    if all(count is not None and count.used is not None for count in counts):
        return delta
    others = tuple(change for change in delta.changes if change.meter != PROMPTS)
    return Delta(changes=(Change(meter=PROMPTS, delta=None, reason=CAPACITY_MISSING), *others))
