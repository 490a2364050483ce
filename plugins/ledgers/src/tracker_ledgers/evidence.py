"""Acceptance evidence: which run proves which capability, with the hash of its artifact."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracker.api import redact
from tracker.kernel import Session, TrackerError, Windows
from tracker_ledgers import ledgers, reversal
from tracker_ledgers.documents import home

PASS, FAIL, SKIP = "pass", "fail", "skip"
PLACEHOLDER = "CAPABILITY"  # in the cures of decision cards; a row of that name would prove nothing
SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def add(session: Session, given: Mapping[str, Any]) -> None:
    """Append one row; its artifact is read and hashed."""
    path, digest = given["artifacts_path"], given["artifact_hash"]
    if digest is not None and not SHA256.fullmatch(digest):
        raise TrackerError(f"{digest!r} is not a SHA-256. Expected 64 hexadecimal digits. Nothing was written.")
    row = {name: redact(text) if isinstance(text, str) else text for name, text in given.items()}
    row["notes"] = Windows(session).notes(row["notes"])
    if path is not None:
        found = sha256(path)
        if digest is not None and digest.lower() != found:
            raise TrackerError(
                f"{path} has the SHA-256 {found}, not {digest.lower()}: the file changed. Nothing was written."
            )
        row |= {"artifacts_path": shown_path(session, path), "artifact_hash": found}
    reversal.record(session, ledgers.EVIDENCE, [row])
    if session.dry_run or session.json:
        session.data(row)
    else:
        hashed = f" ({row['artifacts_path']} sha256={row['artifact_hash']})" if path else ""
        session.say(f"recorded evidence {row['result']} for {row['window_id']}{hashed}")


def is_named(row: Mapping[str, str]) -> bool:
    """Whether a row names the capability that it proves: older ones may not, and prove nothing."""
    return bool(row.get("capability_id", "").strip())


def sha256(path: Path) -> str:
    """The hash of a regular file of any size."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as stream:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise TrackerError(f"{path} is not a regular file. Name one, such as an archive of the folder.")
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise TrackerError(f"cannot read the artifact {path}: {error.strerror}. Nothing was written.") from error


def shown_path(session: Session, path: Path) -> str:
    """The artifact's path in the ledger: relative to the repository, or as given if it lies outside."""
    base = home(session)
    is_elsewhere = path.is_absolute() and not path.is_relative_to(base)
    return str(path) if is_elsewhere else Path(os.path.relpath(path, base)).as_posix()
