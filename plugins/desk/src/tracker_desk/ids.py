"""A set of any number of record ids, kept on disk to spare memory."""

from __future__ import annotations

import hashlib
import sqlite3


class Ids:
    """Ids, each with the digest of its record, in a temporary database that ends with the process."""

    def __init__(self) -> None:
        # how SQLite names a temporary file
        self._database = sqlite3.connect("", isolation_level=None)
        # with its usual 2 MB, a million ids take half as long again
        self._database.execute("PRAGMA cache_size = -32000")
        self._database.execute("CREATE TABLE known (id TEXT PRIMARY KEY, digest BLOB) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def close(self) -> None:
        self._database.close()

    def add(self, record_id: str, line: bytes) -> bool | None:
        """Remember a record; None if its id is new, else whether it is the very record that was there."""
        digest = hashlib.blake2b(line.strip(), digest_size=16).digest()
        if self._database.execute("INSERT OR IGNORE INTO known VALUES (?, ?)", (record_id, digest)).rowcount:
            return None
        [(known,)] = self._database.execute("SELECT digest FROM known WHERE id = ?", (record_id,))
        return bool(known == digest)

    def __contains__(self, record_id: str) -> bool:
        return self._database.execute("SELECT 1 FROM known WHERE id = ?", (record_id,)).fetchone() is not None
