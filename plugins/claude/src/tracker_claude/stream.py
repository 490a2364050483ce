"""Claude Code's stream of JSON rows: what `/usage` answers with `--output-format stream-json` (or `json`, one row
that has the text alone), a headless turn, or a transcript.

The best row is a report of the limits, exact and per model (`usage_report`, in transcripts `usageReport`). Its text
shows some models that the report lacks, and stands alone before 2.1.300. A turn has only `unifiedWindows`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

import orjson
from attrs import define

from tracker.api import JSON, Gauge, Reading, account_id, instant
from tracker_claude import payloads, windows

MARKS = ('"usage_report"', '"usageReport"', '"unifiedWindows"', '"claude_code_version"', '"local_command"')
# how the text begins that `/usage` prints, by which the `result` of 2.1.250 is told from an answer of the model
PRINTED = "You are currently using your "
TAGS = re.compile(r"</?local-command-stdout>")
# Other windows of a turn are no quota of a model.
UNIFIED = payloads.NAMED | {"seven_day_opus": "opus", "seven_day_sonnet": "sonnet"}


@define
class _Rows:
    """What the rows said, the last of each kind."""

    report: Mapping[str, Any] | None = None
    text: str | None = None
    unified: Mapping[str, Any] | None = None
    version: str | None = None
    account: str | None = None
    at: datetime | None = None


def read(text: str, captured_at: datetime, timezone: tzinfo) -> Reading | None:
    """The reading of rows; None if the text is not a stream."""
    if not any(mark in text for mark in (*MARKS, PRINTED)):
        return None
    from tracker_claude import panes

    rows = _rows(text)
    if rows is None:
        return None
    gauges, several = dict[str, Gauge](), set[str]()
    fields: dict[str, JSON] = {} if rows.version is None else {"version": rows.version}
    if rows.account is not None:
        fields["account"] = rows.account
    if rows.report is not None:
        gauges, several = payloads.gauges_of(payloads.listed(rows.report.get("limits")))
        fields |= payloads.fields(rows.report)
    shown = panes.read(rows.text, rows.at or captured_at, timezone) if rows.text else None
    for gauge in shown.gauges if shown else ():
        gauges.setdefault(gauge.meter, gauge)
    if not gauges and rows.unified:
        gauges = {gauge.meter: gauge for gauge in _unified(rows.unified)}
    errors = payloads.tags(gauges, several)
    if all(gauge.used is None for gauge in gauges.values()):
        errors = [*(shown.errors if shown and shown.errors else ("insufficient-data",)), *errors]
    return Reading(gauges=tuple(gauges.values()), fields=fields, errors=tuple(dict.fromkeys(errors)), as_of=rows.at)


def _rows(text: str) -> _Rows | None:
    found, is_stream = _Rows(), False
    for row in _objects(text):
        is_stream |= "type" in row
        version = row.get("claude_code_version", row.get("version"))
        found.version = version if isinstance(version, str) else found.version
        if row.get("type") == "session-owner" and isinstance(owner := row.get("accountUuid"), str):
            found.account = account_id(owner)
        report = payloads.mapping(row.get("usage_report", row.get("usageReport")))
        limits = payloads.mapping(report.get("rate_limits"))
        words = _words(row)
        if report or words:
            found.report = limits or (None if report else found.report)
            found.text = words or found.text
            found.at = instant(row.get("timestamp")) or found.at
        info = payloads.mapping(row.get("rate_limit_info"))
        found.unified = payloads.mapping(info.get("unifiedWindows")) or found.unified
    return found if is_stream else None


def _objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Of each line, or the only one, which may be indented."""
    text = text.strip()
    is_one = text.startswith("{\n") and "\n{" not in text
    for line in (text[: text.rfind("}") + 1],) if is_one else text.split("\n"):
        if line.startswith("{"):
            try:
                yield payloads.mapping(orjson.loads(line))
            except orjson.JSONDecodeError:  # a line that is still being written
                continue


def _words(row: Mapping[str, Any]) -> str | None:
    """What `/usage` printed, in a row that only a command without a model writes."""
    message = payloads.mapping(row.get("message"))
    parts = message.get("content") if message.get("model") == "<synthetic>" else None
    texts = [payloads.mapping(part).get("text") for part in parts] if isinstance(parts, list) else []
    if row.get("subtype") == "local_command":
        texts.append(row.get("content"))
    result = row.get("result")
    if row.get("local_command") == "usage" or str(result).startswith(PRINTED):
        texts.append(result)
    return "\n".join(TAGS.sub("", one) for one in texts if isinstance(one, str)) or None


def _unified(found: Mapping[str, Any]) -> Iterator[Gauge]:
    """The windows of a turn, whose utilization is a share of 1."""
    for name, key in UNIFIED.items():
        window = payloads.mapping(found.get(name))
        share = payloads.number(window.get("utilization"))
        if share is not None and 0 <= share < windows.NONSENSE / 100:
            percent = {"percent": round(share * 100, 6), "resets_at": window.get("resetsAt")}
            yield payloads.gauge_of(key, percent)
