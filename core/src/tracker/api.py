"""Everything a plugin may import; what is not here may change without notice."""

from tracker.hookspecs import hookimpl
from tracker.models import (
    JSON,
    Block,
    Change,
    Comparison,
    Delta,
    Demo,
    DemoStep,
    Event,
    EventTotals,
    Gauge,
    Meter,
    PreviewContext,
    Quantiles,
    Reading,
    Rejected,
    Row,
    Source,
)
from tracker.redact import redact
from tracker.screen import plain_text

__all__ = [
    "JSON",
    "Block",
    "Change",
    "Comparison",
    "Delta",
    "Demo",
    "DemoStep",
    "Event",
    "EventTotals",
    "Gauge",
    "Meter",
    "PreviewContext",
    "Quantiles",
    "Reading",
    "Rejected",
    "Row",
    "Source",
    "hookimpl",
    "plain_text",
    "redact",
]
