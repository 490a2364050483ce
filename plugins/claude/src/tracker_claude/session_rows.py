"""The rows of a session file, with the fields that count: msgspec makes no objects of a prompt's text.

Values are as the client wrote them; `sessions` says what is valid.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Usage(msgspec.Struct, gc=False):
    """The tokens of an answer; `iterations` are those of other models."""

    input_tokens: Any = None
    output_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_creation: Any = None
    output_tokens_details: Any = None
    iterations: Any = None
    service_tier: Any = None
    speed: Any = None
    model: Any = None


class Message(msgspec.Struct, gc=False):
    """An answer, or a part of one."""

    id: Any = None
    model: Any = None
    usage: Usage | None = None


class Row(msgspec.Struct, gc=False):
    """A line of any type."""

    type: Any = None
    message: Message | None = None
    timestamp: Any = None
    requestId: Any = None
    isSidechain: Any = None
    uuid: Any = None
    sessionId: Any = None
    cwd: Any = None
    gitBranch: Any = None
    version: Any = None
    # of `session-owner` and `cost-state`
    accountUuid: Any = None
    startTime: Any = None
    modelUsage: Any = None


decode = msgspec.json.Decoder(Row).decode


def usage_of(value: object) -> Usage:
    """The usage of an iteration, which is JSON already."""
    return msgspec.convert(value, Usage)
