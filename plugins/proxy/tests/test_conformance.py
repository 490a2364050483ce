"""What every telemetry source must do."""

from __future__ import annotations

from pathlib import Path

from tracker_kit import TelemetryConformance


class TestProxyTelemetry(TelemetryConformance):
    source = "proxy-telemetry"
    lines = Path(__file__).parent / "samples" / "litellm_standard_logging.jsonl"
