"""What telemetry lets you set."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from tracker.kernel import setting


@frozen(kw_only=True)
class Privacy:
    """What is kept of session logs."""

    TABLE: ClassVar[str] = "privacy"

    projects: str = setting(
        "name",
        "what is kept of a project's folder: its last part (name) or a hash (hash)",
        fits=lambda value: value in ("name", "hash"),
        expected="name or hash",
    )
