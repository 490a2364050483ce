"""BLAKE2b without OpenSSL, whose loading by `hashlib` costs 2.5 ms of each start. `random` does the same."""

try:
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

__all__ = ["blake2b"]
