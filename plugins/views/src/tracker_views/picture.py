"""The board as a picture."""

from __future__ import annotations

import asyncio
import re

from tracker_views.board import Board

FONT = re.compile(r"@font-face \{.*?\}\s*", re.S)  # from a server: a picture loads nothing


def picture(board: Board, size: tuple[int, int]) -> str:
    """The board as SVG, once everything is read."""

    async def shot() -> str:
        async with board.run_test(size=size) as pilot:
            await board.workers.wait_for_complete()
            await pilot.pause()
            await board.workers.wait_for_complete()
            await pilot.wait_for_scheduled_animations()
            return board.export_screenshot(title="tracker board")

    return FONT.sub("", asyncio.run(shot()))
