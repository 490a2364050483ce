"""Where GLM's quota and prompt counts can be asked for."""

from __future__ import annotations

from tracker.api import CommandOrigin, HttpOrigin

ORIGINS = (
    HttpOrigin(
        name="quota",
        title="the vendor's quota answer",
        address="https://api.z.ai",
        variable="TRACKER_GLM_URL",
        path="/api/monitor/usage/quota/limit",
        key="TRACKER_GLM_KEY",
    ),
    CommandOrigin(
        name="blocks",
        title="ccusage blocks, if it counts prompts",
        argv=("ccusage", "blocks", "--json", "--offline"),
        cure="ccusage itself counts tokens alone, so paste the prompt counts, or put a program there that prints them",
        seconds=120,  # it reads every session file
    ),
)
