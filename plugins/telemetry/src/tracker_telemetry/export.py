"""Parquet for `tracker export`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from tracker.kernel import Session, TrackerError


def parquet(session: Session, stream: str, folder: Path) -> int:
    """Write one stream into a folder; the number of rows."""
    if find_spec("pyarrow") is None:
        raise TrackerError("Parquet needs pyarrow: install it with `pip install 'tracker-core[parquet]'`")
    from tracker_telemetry.parquet import write_events, write_table

    source = next((one for one in session.registry.sources.values() if one.stream == stream), None)
    if source is not None and source.kind == "telemetry":
        return write_events(session, source, folder / stream)
    return write_table(session, stream, folder / f"{stream}.parquet")
