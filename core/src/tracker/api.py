"""Everything that a plugin may import. What is not here may change without notice."""

from tracker.contract.blocks import Block, PreviewContext, Row
from tracker.contract.events import Event, EventTotals, Quantiles, Rejected, check_event
from tracker.contract.features import (
    Check,
    Estimate,
    Finding,
    MeterOutlook,
    MeterReading,
    StreamFacts,
    StreamInput,
    UsageEvent,
    WindowResult,
)
from tracker.contract.figures import amount, count, epoch, instant, percent
from tracker.contract.hooks import hookimpl
from tracker.contract.origins import (
    CommandOrigin,
    ExchangeOrigin,
    FileOrigin,
    HttpOrigin,
    LogOrigin,
    Origin,
    StatusLineOrigin,
)
from tracker.contract.panels import Cell, Chart, Column, Panel, Period
from tracker.contract.readings import JSON, Change, Delta, Gauge, Meter, Reading
from tracker.contract.sources import (
    Comparison,
    Demo,
    DemoStep,
    ReportSource,
    Source,
    StatusSource,
    TelemetrySource,
    View,
)
from tracker.text.redact import redact
from tracker.text.screen import plain_text

__all__ = [
    "JSON",
    "Block",
    "Cell",
    "Change",
    "Chart",
    "Check",
    "Column",
    "CommandOrigin",
    "Comparison",
    "Delta",
    "Demo",
    "DemoStep",
    "Estimate",
    "Event",
    "EventTotals",
    "ExchangeOrigin",
    "FileOrigin",
    "Finding",
    "Gauge",
    "HttpOrigin",
    "LogOrigin",
    "Meter",
    "MeterOutlook",
    "MeterReading",
    "Origin",
    "Panel",
    "Period",
    "PreviewContext",
    "Quantiles",
    "Reading",
    "Rejected",
    "ReportSource",
    "Row",
    "Source",
    "StatusLineOrigin",
    "StatusSource",
    "StreamFacts",
    "StreamInput",
    "TelemetrySource",
    "UsageEvent",
    "View",
    "WindowResult",
    "amount",
    "check_event",
    "count",
    "epoch",
    "hookimpl",
    "instant",
    "percent",
    "plain_text",
    "redact",
]
