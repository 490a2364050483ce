"""Everything that a plugin may import. What is not here may change without notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.facade import facade

if TYPE_CHECKING:
    from tracker.contract.blocks import Block as Block
    from tracker.contract.blocks import PreviewContext as PreviewContext
    from tracker.contract.blocks import Row as Row
    from tracker.contract.events import Event as Event
    from tracker.contract.events import EventTotals as EventTotals
    from tracker.contract.events import Quantiles as Quantiles
    from tracker.contract.events import Rejected as Rejected
    from tracker.contract.events import StreamFacts as StreamFacts
    from tracker.contract.events import StreamInput as StreamInput
    from tracker.contract.events import check_event as check_event
    from tracker.contract.features import Cell as Cell
    from tracker.contract.features import Chart as Chart
    from tracker.contract.features import Check as Check
    from tracker.contract.features import Column as Column
    from tracker.contract.features import Finding as Finding
    from tracker.contract.features import MeterOutlook as MeterOutlook
    from tracker.contract.features import MeterReading as MeterReading
    from tracker.contract.features import Panel as Panel
    from tracker.contract.features import Period as Period
    from tracker.contract.features import UsageEvent as UsageEvent
    from tracker.contract.hooks import hookimpl as hookimpl
    from tracker.contract.readings import JSON as JSON
    from tracker.contract.readings import Change as Change
    from tracker.contract.readings import Delta as Delta
    from tracker.contract.readings import Gauge as Gauge
    from tracker.contract.readings import Meter as Meter
    from tracker.contract.readings import Reading as Reading
    from tracker.contract.readings import amount as amount
    from tracker.contract.readings import count as count
    from tracker.contract.readings import epoch as epoch
    from tracker.contract.readings import instant as instant
    from tracker.contract.readings import percent as percent
    from tracker.contract.sources import CommandOrigin as CommandOrigin
    from tracker.contract.sources import Comparison as Comparison
    from tracker.contract.sources import Demo as Demo
    from tracker.contract.sources import DemoStep as DemoStep
    from tracker.contract.sources import ExchangeOrigin as ExchangeOrigin
    from tracker.contract.sources import FileOrigin as FileOrigin
    from tracker.contract.sources import HttpOrigin as HttpOrigin
    from tracker.contract.sources import LogOrigin as LogOrigin
    from tracker.contract.sources import Origin as Origin
    from tracker.contract.sources import ReportSource as ReportSource
    from tracker.contract.sources import Source as Source
    from tracker.contract.sources import StatusLineOrigin as StatusLineOrigin
    from tracker.contract.sources import StatusSource as StatusSource
    from tracker.contract.sources import TelemetrySource as TelemetrySource
    from tracker.contract.sources import View as View
    from tracker.text.pane import account_id as account_id
    from tracker.text.pane import plain_text as plain_text
    from tracker.text.pane import redact as redact
    from tracker.windows.results import Estimate as Estimate
    from tracker.windows.results import Tally as Tally

__all__ = facade(globals())
