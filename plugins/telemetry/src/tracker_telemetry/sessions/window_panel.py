"""What each window used, as a table for the preview, which is kept: a pipe must not wait for what did not change.

Nothing that a database or a table of prices needs is imported unless something changed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tracker.api import Cell, Column, Panel
from tracker.kernel import Session, TrackerError, replace_file
from tracker_telemetry import FOLDER, blake2b
from tracker_telemetry.sessions.files import files
from tracker_telemetry.sessions.genai import version

FILE = "window-panel.json"
STORE = "sessions.sqlite3"
PRICES = "prices"  # the name of the answer that says where the user's own are
FOLDERS = "HOME", "XDG_CONFIG_HOME", "APPDATA"
MOST = 20  # answers that are kept
MOST_WINDOWS = 1000  # that are shown: their facts are held at once
COLUMNS = (
    Column(key="window", title="Window", rank=0),
    Column(key="provider", title="Provider", rank=0),
    Column(key="tokens", title="Tokens", kind="count", rank=0),
    Column(key="requests", title="Requests", kind="count", rank=3),
    Column(key="cost_usd", title="Cost, $", kind="money", rank=0),
    Column(key="tokens_per_feature", title="Tokens per feature", kind="count", rank=2),
    Column(key="cost_usd_per_feature", title="$ per feature", kind="money", rank=1),
)


def panel(session: Session, windows: Sequence[str]) -> Panel:
    """Tokens and money of windows as a table, and the same as sentences; of what is not known there are only these."""
    rows: Sequence[Mapping[str, Cell]] = ()
    said: Sequence[str] = ()
    missing: Sequence[str] = ()
    if len(windows) > MOST_WINDOWS:
        missing = [f"not shown of more than {MOST_WINDOWS} windows: `tracker windows` has them"]
    elif windows:
        rows, said, missing = _kept(session, windows)
    return Panel(name="preview", title="Tokens and money", headlines=said, columns=COLUMNS, rows=rows, missing=missing)


def _kept(session: Session, windows: Sequence[str]) -> Any:
    """The answer that was kept, as long as all that it was made of is as it was; else a new one."""
    path = session.root / FOLDER / FILE
    answers: dict[str, Any] = {}
    with contextlib.suppress(OSError, TypeError, ValueError):
        answers = dict(orjson.loads(path.read_bytes()))
    state = _state(session, windows, str(answers.get(PRICES)))
    match answers.get(state):
        # a spoilt byte must not become a figure
        case [digest, [list(), list(), list()] as found] if (
            digest == _digest(found) and not session.registry.is_strict()
        ):
            return found
    from tracker_telemetry.prices import user_file
    from tracker_telemetry.sessions.window_cells import cells

    prices, said = str(user_file()), len(session.warned)
    state = _state(session, windows, prices)
    new = cells(session, windows)
    # what came while it was made may not be in it, and what was warned of is to be said again
    is_whole = len(session.warned) == said and _state(session, windows, prices) == state
    if is_whole and not session.dry_run and path.parent.is_dir():
        others = dict(list(answers.items())[1 - MOST :])
        with contextlib.suppress(OSError, TrackerError):
            replace_file(path, orjson.dumps({**others, PRICES: prices, state: [_digest(new), new]}))
            path.chmod(0o600)
    return new


def _state(session: Session, windows: Sequence[str], prices: str) -> str:
    """A digest of what is asked, of who answers, and of all files that the answer is made of.

    prices: the user's own file of them. What finds it is slow to import, and depends on the folders alone.
    """
    registry = session.registry
    plugins = [(one.name, one.distribution, one.version) for one in (*registry.features, *registry.plugins)]
    folders = [os.environ.get(name) for name in FOLDERS]
    logs = [(one.path, *one.now) for source in registry.sources.values() if source.is_stream for one in files(source)]
    own = [session.root / f"{stream}.jsonl" for stream in session.journal.streams()]
    own += [session.root / FOLDER / f"{STORE}{end}" for end in ("", "-wal")]
    own += [Path(prices)]
    stats = [(one.stat().st_size, one.stat().st_mtime_ns) if one.exists() else None for one in own]
    # orjson takes no file name that is not UTF-8
    return _digest(repr((windows, plugins, version(), session.settings_file.text, folders, logs, own, stats)))


def _digest(found: object) -> str:
    given = found.encode() if isinstance(found, str) else orjson.dumps(found)
    return blake2b(given, digest_size=16).hexdigest()
