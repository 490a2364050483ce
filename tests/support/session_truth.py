"""Session logs with their truth: requests are counted once over all files that show them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ORDINARY = ("input_tokens", "output_tokens", "cache_read_tokens")
WRITTEN = ("cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
COPY = "if-session:"
Ingest = Callable[[bytes, dict[str, Any]], list[Any]]


def requests(ingest_line: Ingest, home: Path) -> list[Any]:
    """The requests of all files: of each key the one with the most output, and of those that with the largest total."""
    found: dict[str, Any] = {}
    for path in sorted(home.rglob("*.jsonl")):
        scratch: dict[str, Any] = {}
        for line in path.read_bytes().splitlines():
            for event in ingest_line(line, scratch):
                total = sum(event.get(name) or 0 for name in (*ORDINARY, *WRITTEN))
                if "session-total" not in event.get("tags", ()):
                    rank = event.get("output_tokens") or 0, total
                    found[event["key"]] = max(
                        found.get(event["key"], ((0, 0), None)), (rank, event), key=lambda one: one[0]
                    )
            json.dumps(scratch)  # the state of a file can be kept
    # a key without its second half fits every one that begins like it
    own = {key.rpartition("/")[0] for key in found if not key.endswith("/")}
    events = {key: event for key, (_, event) in found.items() if not (key.endswith("/") and key[:-1] in own)}
    known = {event["session"] for event in events.values()}

    def counts(event: Any) -> bool:
        """Whether it is no copy: its parent is known, and showed it not before."""
        parents = [tag.removeprefix(COPY) for tag in event.get("tags", ()) if tag.startswith(COPY)]
        before = [events.get(f"{event['key'].rpartition('/')[0]}/{name}") for name in parents]
        return known.issuperset(parents) and not any(one and one["ts"] <= event["ts"] for one in before)

    return [*filter(counts, events.values())]


def assert_truth(ingest_line: Ingest, home: Path, truth: dict[str, Any]) -> None:
    found = requests(ingest_line, home)
    models: dict[str, Counter[str]] = defaultdict(Counter)
    for event in found:
        models[event["model"]].update(
            input=event["input_tokens"],
            cache_read=event["cache_read_tokens"],
            cache_write=sum(event.get(name) or 0 for name in WRITTEN),
            output=event["output_tokens"],
        )
    by_model = {name: dict(one) for name, one in models.items()}
    assert (len(found), by_model) == (truth["requests"], truth["by_model"])
    sessions = Counter(event["session"] for event in found)
    assert dict(sessions) == truth.get("sessions", dict(sessions))
