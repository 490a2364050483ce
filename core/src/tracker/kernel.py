"""What a feature may import beside `tracker.api` and libraries; what is not here may change without notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.facade import facade

if TYPE_CHECKING:
    from tracker.cli.command import Command as Command
    from tracker.cli.command import WritingCommand as WritingCommand
    from tracker.cli.main import Group as Group
    from tracker.cli.options import Number as Number
    from tracker.cli.options import Selection as Selection
    from tracker.cli.options import moment as moment
    from tracker.cli.options import provider_option as provider_option
    from tracker.cli.options import selection as selection
    from tracker.cli.options import take_text as take_text
    from tracker.cli.options import window_option as window_option
    from tracker.contract.readings import iso as iso
    from tracker.errors import Busy as Busy
    from tracker.errors import Interruption as Interruption
    from tracker.errors import PluginError as PluginError
    from tracker.errors import TrackerError as TrackerError
    from tracker.hosting.registry import Registry as Registry
    from tracker.journal.files import replace_file as replace_file
    from tracker.journal.index import CaptureMark as CaptureMark
    from tracker.journal.index import Entry as Entry
    from tracker.journal.journal import Journal as Journal
    from tracker.journal.records import read_at as read_at
    from tracker.journal.records import record_id as record_id
    from tracker.journal.records import stamp as stamp
    from tracker.session import Session as Session
    from tracker.session import session as session
    from tracker.settings import Settings as Settings
    from tracker.settings import setting as setting
    from tracker.text.clock import Clock as Clock
    from tracker.text.clock import span as span
    from tracker.text.clock import zone as zone
    from tracker.text.render import csv_line as csv_line
    from tracker.text.render import escape as escape
    from tracker.text.render import line as line
    from tracker.text.render import near as near
    from tracker.text.render import number as number
    from tracker.text.render import plural as plural
    from tracker.text.render import rate as rate
    from tracker.text.render import value as value
    from tracker.windows.captures import Capture as Capture
    from tracker.windows.captures import canonical as canonical
    from tracker.windows.captures import read_text as read_text
    from tracker.windows.reader import FinalizeRow as FinalizeRow
    from tracker.windows.reader import Windows as Windows
    from tracker.windows.results import ProviderFigures as ProviderFigures
    from tracker.windows.window import CaptureRequest as CaptureRequest

__all__ = facade(globals())
