"""What a plugin's hook answers, checked to the last field before anything is made of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from tracker.contract.parsed import to_parsed
from tracker.contract.values import Block, Delta, Reading, Source
from tracker.errors import PluginError
from tracker.hosting.deprecation import attrs_inside

RESULTS: dict[str, type] = {
    "source_info": Source,
    "parse_status": Reading,
    "compute_delta": Delta,
    "render_preview_block": Block,
}


def own(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as a plugin gets them: readings are copies, since the core goes on with its own."""
    return {name: copy.deepcopy(value) if isinstance(value, Reading) else value for name, value in arguments.items()}


def check_untouched(arguments: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse the answer of a plugin that changed a reading: the core's own part of the answer may rest on it."""
    for name, value in arguments.items():
        if isinstance(value, Reading) and given[name] != value:
            raise ValueError(f"changed {name!r}, which it was given")


def check(source: Source, hook: str, answer: object) -> None:
    """Refuse a value that was not built by its class, or that could not be stored; the cause is an exception."""
    if answer is None:
        return
    wanted = RESULTS[hook]
    if not isinstance(answer, wanted):
        raise PluginError(source.name, hook, f"returned {type(answer).__name__}, expected {wanted.__name__} or None")
    validate(answer)
    if isinstance(answer, Reading):
        _refuse_if_not_json(source.name, hook, to_parsed(answer, source))  # refuses meters that are not declared
    if isinstance(answer, Block):
        for row in answer.rows:
            _refuse_if_not_json(source.name, hook, dict(row.values))
    if isinstance(answer, Delta):
        meters = [change.meter for change in answer.changes]
        if len(set(meters)) < len(meters):
            raise PluginError(source.name, hook, f"names one meter twice: {', '.join(meters)}")


def validate(value: object) -> None:
    """Check a value of the contract and every one inside it anew: a plugin can go round the class's own checks."""
    for one in attrs_inside(value):
        attrs.validate(one)


def _refuse_if_not_json(source: str, hook: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        try:
            orjson.dumps(value)
        except (TypeError, ValueError) as error:
            raise PluginError(source, hook, f"gave a {name!r} that is no JSON value: {error}") from error
