"""Everything a plugin may import; what is not here may change without notice."""

from tracker.contract.figures import amount, count, instant, percent
from tracker.contract.hooks import hookimpl
from tracker.contract.origins import CommandOrigin, ExchangeOrigin, FileOrigin, HttpOrigin, Origin, StatusLineOrigin
from tracker.contract.values import (
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
from tracker.text.redact import redact
from tracker.text.screen import plain_text

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
