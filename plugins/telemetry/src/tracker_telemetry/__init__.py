"""Telemetry: streams taken in exactly once, what they add up to, costs and prices."""
