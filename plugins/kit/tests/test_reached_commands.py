"""Whether a feature's command below another one is reached, by its help page."""

from __future__ import annotations

import click
import pytest

from tracker_kit.features import is_page_of

LONG = "Show everything measured concerning particularly long-windowed subscriptions-in-progress-or-pending accounts."


@pytest.mark.parametrize("text", ["Show the hours.", LONG])
def test_a_page_is_known_by_its_help_wherever_its_lines_break(text: str) -> None:
    command = click.Command("hours", help=text)
    page = command.get_help(click.Context(command, info_name="tracker acme hours", terminal_width=80))
    assert is_page_of(page, "acme hours", text)
    assert not is_page_of(page, "acme days", text)
    assert not is_page_of(page, "acme hours", "Show the days.")
