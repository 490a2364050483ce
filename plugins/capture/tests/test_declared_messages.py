"""What a plugin declares that a program is to be asked."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tracker.api import ExchangeOrigin
from tracker_capture.origins import program
from tracker_capture.origins.answer import OriginError


def test_a_message_that_is_no_json_is_one_line() -> None:
    """A slip of a plugin's author ended the sample of all other providers."""
    origin = ExchangeOrigin(name="p", title="t", argv=("cat",), messages=({"id": 1, "params": {1: "x"}},))
    query = SimpleNamespace(environment=lambda: dict(os.environ), seconds=5.0, limit=1 << 20, remaining=lambda: 5.0)
    with pytest.raises(
        OriginError, match="plugin declares a message that cannot be written as JSON: Dict key must be str"
    ):
        program._exchange(origin, cast(Any, query))
