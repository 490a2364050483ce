"""The user's own prices."""

from __future__ import annotations

import pytest

from tracker_telemetry.prices import parse


def test_a_price_may_be_given_under_the_name_that_a_request_has() -> None:
    entries = """
        [[model]]
        name = "house/foo-1"
        input = 7
        output = 1
        [[model]]
        prefix = "z.ai/glm-4.6"
        input = 1
        output = 2
    """
    table = parse(entries, "prices.toml")
    found = [table.found(name) for name in ("house/foo-1", "foo-1", "z.ai/glm-4.6", "glm-4.6-20260110")]
    assert [one and one[0][0] for one in found] == pytest.approx([7e-6, 7e-6, 1e-6, 1e-6])
