"""Where GLM's quota can be asked for. No program is known that prints prompt counts: they are pasted or piped."""

from __future__ import annotations

from tracker.api import HttpOrigin

ORIGINS = (
    HttpOrigin(
        name="quota",
        title="the vendor's quota answer",
        address="https://api.z.ai",
        variable="TRACKER_GLM_URL",
        path="/api/monitor/usage/quota/limit",
        key="TRACKER_GLM_KEY",
    ),
)
