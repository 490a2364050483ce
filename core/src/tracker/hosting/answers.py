"""What a plugin hands over, rebuilt as the core's own values, which checks every field of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from tracker.contract import origins, values
from tracker.contract.parsed import to_parsed
from tracker.contract.values import Block, Delta, Reading, Source
from tracker.errors import PluginError

RESULTS: dict[str, type] = {
    "source_info": values.Declaration,
    "parse_status": Reading,
    "compute_delta": Delta,
    "render_preview_block": Block,
}
OWN: frozenset[type] = frozenset(one for module in (values, origins) for one in vars(module).values() if attrs.has(one))


def own(value: Any) -> Any:
    """A copy in the core's own class, so that a plugin's subclass cannot change its answer later."""
    if isinstance(value, values.Declaration) and not isinstance(value, Source):
        return own(value.as_source())
    if attrs.has(type(value)):
        kind = next(one for one in type(value).__mro__ if one in OWN)
        return kind(**{one.name: own(getattr(value, one.name)) for one in attrs.fields(kind) if one.init})
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, tuple):
        return tuple(map(own, value))
    return {own(key): own(one) for key, one in value.items()} if isinstance(value, Mapping) else value


def checked(source: Source, hook: str, answer: object) -> Any:
    """The core's copy of an answer. A value that was not built by its class or that JSON cannot hold is refused."""
    if answer is None:
        return None
    wanted = RESULTS[hook]
    if not isinstance(answer, wanted):
        raise PluginError(source.name, hook, f"returned {type(answer).__name__}, expected {wanted.__name__} or None")
    found = own(answer)
    if isinstance(found, Reading):
        _refuse_if_not_json(source.name, hook, to_parsed(found, source))  # refuses meters that are not declared
    if isinstance(found, Block):
        for row in found.rows:
            _refuse_if_not_json(source.name, hook, row.values)
    if isinstance(found, Delta):
        meters = [change.meter for change in found.changes]
        if len(set(meters)) < len(meters):
            raise PluginError(source.name, hook, f"names one meter twice: {', '.join(meters)}")
    return found


def _refuse_if_not_json(source: str, hook: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        try:
            orjson.dumps(value)
        except (TypeError, ValueError) as error:
            raise PluginError(source, hook, f"gave a {name!r} that is not a JSON value: {error}") from error
