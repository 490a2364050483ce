"""Telemetry: streams taken in exactly once, what they add up to, costs and prices."""

try:
    # without OpenSSL, whose loading by `hashlib` costs 2.5 ms of each start
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = ["DAY", "FOLDER", "blake2b"]

FOLDER = ".index"  # of what is derived from the journal and from logs, below the data folder
DAY = 86_400  # seconds
