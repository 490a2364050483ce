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
from tracker.origin_kinds import CommandOrigin, ExchangeOrigin, FileOrigin, HttpOrigin, Origin, StatusLineOrigin
from tracker.texts.redact import redact
from tracker.texts.screen import plain_text
from tracker.values import amount, count, instant, percent

__all__ = [
    "JSON",
    "Block",
    "Change",
    "CommandOrigin",
    "Comparison",
    "Delta",
    "Demo",
    "DemoStep",
    "Event",
    "EventTotals",
    "ExchangeOrigin",
    "FileOrigin",
    "Gauge",
    "HttpOrigin",
    "Meter",
    "Origin",
    "PreviewContext",
    "Quantiles",
    "Reading",
    "Rejected",
    "Row",
    "Source",
    "StatusLineOrigin",
    "amount",
    "count",
    "hookimpl",
    "instant",
    "percent",
    "plain_text",
    "redact",
]
