"""What each window used, as a table for the preview, which is kept: a pipe must not wait for what did not change.

Nothing that a database or a table of prices needs is imported unless something changed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tracker.api import Cell, Column, Panel
from tracker.kernel import Session, TrackerError, Windows, replace_file
from tracker_telemetry import FOLDER, blake2b
from tracker_telemetry.sessions.files import STORE, files, state_of
from tracker_telemetry.sessions.genai import version

FILE = "window-panel.json"
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
    """Tokens and money of windows as a table and as sentences; what is not known has only sentences."""
    rows: Sequence[Mapping[str, Cell]] = ()
    said: Sequence[str] = ()
    missing: Sequence[str] = ()
    if len(windows) > MOST_WINDOWS:
        missing = [f"not shown for more than {MOST_WINDOWS} windows: `tracker windows` lists them"]
    elif windows:
        rows, said, missing = _kept(session, windows)
    return Panel(name="preview", title="Tokens and money", headlines=said, columns=COLUMNS, rows=rows, missing=missing)


def _kept(session: Session, windows: Sequence[str]) -> Any:
    """The answer that was kept, as long as everything it was made of is unchanged; else a new one."""
    path = session.root / FOLDER / FILE
    answers: dict[str, Any] = {}
    with contextlib.suppress(OSError, TypeError, ValueError):
        answers = dict(orjson.loads(path.read_bytes() if path.is_file() else b"{}"))
    for state in _states(session, windows, str(answers.get(PRICES))):
        match answers.get(state):
            # a damaged byte must not become a figure
            case [digest, [list(), list(), list()] as found] if (
                digest == _digest(found) and not session.registry.is_strict()
            ):
                return found
    from tracker_telemetry.prices import user_file
    from tracker_telemetry.sessions.window_cells import cells

    prices, said = str(user_file()), len(session.warned)
    states = [*_states(session, windows, prices)]
    new = cells(session, windows)
    # it may miss what came while it was made, and a warning must be repeated next time
    is_whole = len(session.warned) == said and [*_states(session, windows, prices)] == states
    if is_whole and not session.dry_run and path.parent.is_dir() and not path.parent.is_symlink():
        kept = dict(list(answers.items())[len(states) - MOST :]) | {state: [_digest(new), new] for state in states}
        with contextlib.suppress(OSError, TrackerError):
            replace_file(path, orjson.dumps({**kept, PRICES: prices}), fsync=False)
            path.chmod(0o600)
    return new


def _states(session: Session, windows: Sequence[str], prices: str) -> Iterator[str]:
    """A digest of the question, of the plugins that answer, and of all files that the answer is made of.

    For captures and finalized windows, first of their files; if these changed, of what they say, since a capture may
    change no window's times. prices: the user's own price file. The library that finds it is slow to import, and its
    answer depends on the folders alone.
    """
    registry = session.registry
    streams = [source for source in registry.sources.values() if source.is_stream]
    common = (
        windows,
        [(one.name, one.distribution, one.version) for one in (*registry.features, *registry.plugins)],
        version(),
        session.settings_file.text,
        [os.environ.get(name) for name in FOLDERS],
        [(one.path, *one.now) for source in streams for one in files(source)],
        state_of([Path(prices), *(session.root / FOLDER / f"{STORE}{end}" for end in ("", "-wal"))]),
        [(source.stream, state_of([session.root / f"{source.stream}.jsonl"])) for source in streams],
    )
    recorded = session.journal.streams()
    yield _digest(repr((common, recorded, state_of(session.root / f"{stream}.jsonl" for stream in recorded))))
    from tracker_telemetry.sessions.spans import Spans

    features = [(window, row.features) for window, row in Windows(session).finalized(windows).items()]
    # the commands of captures show which windows came by an import, and each capture has another command
    came = state_of([session.root / "imports.jsonl"]) if "imports" in recorded else None
    yield _digest(repr((common, came, Spans.of_session(session).rows(with_commands=came is not None), features)))


def _digest(found: object) -> str:
    # orjson refuses file names that are not UTF-8
    given = found.encode() if isinstance(found, str) else orjson.dumps(found)
    return blake2b(given, digest_size=16).hexdigest()
