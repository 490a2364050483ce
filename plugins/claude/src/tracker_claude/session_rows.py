"""The rows of a session file, with the fields that count: msgspec makes no objects of a prompt's text.

msgspec checks the types as it reads. A line that it refuses is read again by `fitted`: text or an object of another
type counts as absent, but an invalid count of tokens makes the line unreadable.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from tracker.api import Rejected

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**53)] | None
Text: TypeAlias = str | None
Kind = TypeVar("Kind", bound=msgspec.Struct)
# The fields are in the order of Claude's own rows: msgspec looks first for the one after the last that it found.


class CacheWrites(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The tokens that were written to the cache, by how long they stay."""

    ephemeral_1h_input_tokens: Count = None
    ephemeral_5m_input_tokens: Count = None


class NewerCacheWrites(CacheWrites, gc=False, forbid_unknown_fields=False):
    """The same of a client whose further fields hold no tokens."""


class Details(msgspec.Struct, gc=False):
    """What the output consists of."""

    thinking_tokens: Count = None


class Usage(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The tokens of an answer; `iterations` are those of other models. An unknown field may also hold tokens."""

    input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    output_tokens: Count = None
    output_tokens_details: Details | None = None
    service_tier: Text = None
    cache_creation: CacheWrites | None = None
    iterations: Any = None
    speed: Text = None
    # of no use here; what the service deleted from its cache is no use of it
    fallback_credit: Any = None
    cache_deleted_input_tokens: Any = None
    # what costs more than tokens
    inference_geo: Any = None
    server_tool_use: Any = None


class NewerUsage(Usage, gc=False, forbid_unknown_fields=False):
    """The same of a client whose further fields hold no tokens."""

    cache_creation: NewerCacheWrites | None = None


class Message(msgspec.Struct, gc=False):
    """An answer, or a part of one."""

    id: Text = None
    model: Text = None
    usage: Usage | None = None


class Row(msgspec.Struct, gc=False):
    """A line of any type; `epoch` reads its timestamp."""

    isSidechain: Any = None
    message: Message | None = None
    requestId: Text = None
    requestedModel: Text = None
    type: Any = None
    uuid: Text = None
    timestamp: Any = None
    cwd: Text = None
    sessionId: Text = None
    version: Text = None
    gitBranch: Text = None
    forkedFrom: Any = None
    # of `session-owner` and `cost-state`
    accountUuid: Text = None
    startTime: Any = None
    modelUsage: Any = None


class NewerMessage(Message, gc=False):
    """An answer with a usage of further fields."""

    usage: NewerUsage | None = None


class NewerRow(Row, gc=False):
    """A line with such an answer."""

    message: NewerMessage | None = None


decode, decode_newer = msgspec.json.Decoder(Row).decode, msgspec.json.Decoder(NewerRow).decode
FIELDS, WRITTEN = frozenset(Usage.__struct_fields__), frozenset(CacheWrites.__struct_fields__)


def fitted(value: dict[str, Any], kind: type[Kind]) -> Kind:
    """An object that `decode` refuses, or from a field of any type."""
    try:
        return msgspec.convert(_fitting(value, kind), kind)
    except msgspec.ValidationError:
        raise Rejected("an invalid count of tokens") from None


def _fitting(value: dict[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields of an object whose text is text and whose objects are objects; whole numbers may be written as 3.0."""
    found: dict[str, Any] = {}
    for field in _fields(kind):
        one = value.get(field.name)
        if field.type == Text:
            found[field.name] = one if isinstance(one, str) else None
        elif field.type == Count:
            found[field.name] = int(one) if isinstance(one, float) and one.is_integer() else one
        elif (inner := _STRUCTS.get(field.type)) is not None:
            found[field.name] = _fitting(one, inner) if isinstance(one, dict) else None
        else:
            found[field.name] = one
    return found


_fields = cache(msgspec.structs.fields)  # which takes longer than the whole row
_STRUCTS: dict[Any, type[msgspec.Struct]] = {one | None: one for one in (Message, Usage, CacheWrites, Details)}
