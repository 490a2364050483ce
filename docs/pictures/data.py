"""Invented records: windows, meter histories, session logs and a proxy's stream, the same for every run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tracker.kernel import Journal, iso, stamp

WEEK, FIVE_HOURS = timedelta(days=7), timedelta(hours=5)
PROJECTS = {"shop-api": 5, "shop-web": 4, "billing": 3, "docs": 1}
MODELS = {"claude-opus-4-5": 5, "claude-sonnet-4-5": 4, "claude-haiku-4-5": 1}
METERS = {"codex": ("fiveh", "weekly"), "claude": ("session", "all_models")}


class Meters:
    """A provider's two meters, which work moves and resets empty."""

    def __init__(self, provider: str, begin: datetime) -> None:
        self.provider, (self.short, self.long) = provider, METERS[provider]
        self.used = {self.short: 0.0, self.long: 0.0}
        self.reset_at = {self.short: begin, self.long: begin + timedelta(days=2)}

    def at(self, now: datetime) -> None:
        for meter, length in ((self.short, FIVE_HOURS), (self.long, WEEK)):
            while self.reset_at[meter] <= now:
                self.reset_at[meter] += length
                self.used[meter] = 0.0

    def work(self, points: float) -> None:
        self.used[self.long] = min(self.used[self.long] + points, 100.0)
        self.used[self.short] = min(self.used[self.short] + 6 * points, 100.0)

    def parsed(self, suffix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for meter, used in self.used.items():
            found[f"{meter}_{suffix}"] = round(used)
            found[f"{meter}_reset_at"] = iso(self.reset_at[meter])
        return found


def records(days: int, now: datetime, chance: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Two windows a day of two providers, and their meters in between; the last window is open."""
    begin = now.replace(hour=8, minute=0, second=0, microsecond=0) - timedelta(days=days)
    meters = {name: Meters(name, begin) for name in METERS}
    rate = {"codex": 0.55, "claude": 0.42}  # features per point
    last = days * 2
    for number in range(last + 1):
        window, provider = f"W{number // 14}-{number % 14 + 1:02}", ("codex", "claude")[number % 2]
        is_last = number == last
        start = now - timedelta(hours=1) if is_last else begin + timedelta(days=number // 2, hours=6 * (number % 2))
        end, own = start + timedelta(hours=2, minutes=chance.randrange(50)), meters[provider]
        own.at(start)
        if is_last:
            own.reset_at[own.short] = now + timedelta(hours=2, minutes=12)
        yield "snapshots", _capture(window, provider, "before", start, own)
        yield "readings", _reading(provider, start, own)
        if is_last:
            yield from _newest(window, meters, now)
            return
        before, points = own.parsed("pct"), chance.randrange(3, 10)
        own.work(points)
        own.reset_at[own.short] = max(own.reset_at[own.short], end + timedelta(hours=1))
        yield "snapshots", _capture(window, provider, "after", end, own)
        yield "readings", _reading(provider, end, own)
        for hour in (3, 5):
            later = end + timedelta(hours=hour)
            own.at(later)
            own.work(chance.randrange(2))
            yield "readings", _reading(provider, later, own)
        features = max(0, round(points * rate[provider] + chance.gauss(0, 0.8)))
        yield "windows", _finalized(window, provider, start, end, before, own, features)
        churn = {"files_changed": chance.randrange(4, 30), "normalized_churn": round(chance.uniform(60, 240), 1)}
        yield "churn", stamp(window=window, provider=provider, captured_at=end, source="churn", **churn)


def _newest(window: str, meters: dict[str, Meters], now: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    """What both show a few minutes ago."""
    for minutes, own, points in ((9, meters["codex"], 4), (4, meters["claude"], 6)):
        at = now - timedelta(minutes=minutes)
        own.at(at)
        own.work(points)
        own.reset_at[own.short] = now + timedelta(hours=2, minutes=12)
        yield "readings", _reading(own.provider, at, own)
        yield "snapshots", _capture(window, own.provider, "before", at, own)


def _capture(window: str, provider: str, phase: str, at: datetime, meters: Meters) -> dict[str, Any]:
    parsed = {**meters.parsed("pct"), "errors": []}
    own = {"phase": phase, "git_head": None, "parsed": parsed, "raw_text": "invented"}
    return stamp(window=window, provider=provider, captured_at=at, source="alias", **own)


def _reading(provider: str, at: datetime, meters: Meters) -> dict[str, Any]:
    own = {"until": iso(at), "origin": "alias", "account": None, "plan": None, "client": None}
    return stamp(window=None, provider=provider, captured_at=at, source="capture", **own, parsed=meters.parsed("used"))


def _finalized(
    window: str, provider: str, start: datetime, end: datetime, before: Any, meters: Meters, features: int
) -> dict[str, Any]:
    after = meters.parsed("pct")
    delta = {f"{meter}_pct": after[f"{meter}_pct"] - before[f"{meter}_pct"] for meter in meters.used}
    captured = {"before": iso(start), "after": iso(end)}
    entry = {"before": before, "after": after, "delta": delta, "captured_at": captured, "errors": []}
    own = {"finalized_at": iso(end), "features": {provider: features}, "outcome": "pass", "quality": 1.0}
    own |= {"quality_score": 1.0, "providers": {provider: entry}}
    return stamp(window=window, provider=None, captured_at=end, source="finalize", **own)


def write_sessions(home: Path, days: int, now: datetime, chance: random.Random) -> None:
    """Session logs of Claude Code: one a day and project."""
    for day in range(days + 1):
        begin = now - timedelta(days=days - day, hours=2)
        for project, weight in PROJECTS.items():
            if chance.random() > 0.7:
                continue
            rows = []
            for number in range(weight * chance.randrange(2, 9)):
                at, name = begin + timedelta(minutes=2 * number), f"{project}-{day}-{number}"
                model = chance.choices(list(MODELS), list(MODELS.values()))[0]
                usage = {
                    "input_tokens": chance.randrange(200, 6000),
                    "output_tokens": chance.randrange(200, 5000),
                    "cache_read_input_tokens": chance.randrange(20_000, 160_000),
                    "cache_creation_input_tokens": chance.randrange(500, 9000),
                }
                message = {"id": f"m-{name}", "model": model, "usage": usage, "content": []}
                row = {"type": "assistant", "timestamp": iso(min(at, now)), "sessionId": f"{project}-{day}"}
                rows.append({**row, "requestId": f"r-{name}", "cwd": f"/home/dev/{project}", "message": message})
            path = home / ".claude" / "projects" / project / f"{day}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def proxy_lines(now: datetime, chance: random.Random) -> Iterator[str]:
    """A proxy's stream of the open window: half of the requests were routed."""
    for number in range(240):
        is_routed = chance.random() < 0.5
        event = {
            "ts": iso(now - timedelta(minutes=50, seconds=-10 * number)),
            "rid": f"F-{number // 20}",
            "lane": "glm" if is_routed else "baseline",
            "model": "glm-4.6" if is_routed else "claude-sonnet-4-5",
            "status": "ok",
            "input_tokens": chance.randrange(500, 4000),
            "output_tokens": chance.randrange(100, 900),
            "reason": "routed" if is_routed else "baseline",
            "latency_ms": chance.randrange(180, 900),
        }
        yield json.dumps(event)


def fill(folder: Path, days: int = 56, now: datetime | None = None) -> Path:
    """The records below `folder`, whose home is a user's; the data directory is returned."""
    now, chance = now or datetime.now(UTC), random.Random(1)
    rows: dict[str, list[dict[str, Any]]] = {}
    for stream, record in records(days, now, chance):
        rows.setdefault(stream, []).append(record)
    journal = Journal(folder / "data", fsync=False)
    with journal.lock("fill"):
        journal.append_all(rows)
    write_sessions(folder, days, now, chance)
    (folder / "proxy.jsonl").write_text("\n".join(proxy_lines(now, chance)) + "\n")
    return folder / "data"
