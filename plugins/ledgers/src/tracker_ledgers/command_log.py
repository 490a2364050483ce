"""The command log: which commands wrote something, so that the next person can follow the session.

The stream `commands.jsonl` holds a record per writing command that ended well, with its words as they were given except
secrets. Its `window` is null, since naming a window creates none; the windows that it names are in `windows`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracker.api import instant, redact
from tracker.kernel import Session, TrackerError, stamp
from tracker_ledgers.documents import place
from tracker_ledgers.settings import CommandLog

STREAM = "commands"
# an option whose value is a secret by its name, such as --api-key or --github-token
SECRET = re.compile(r"--[\w-]*(token|secret|password|passwd|api-?key|credential|cookie|auth)(-[\w-]+)?", re.I)
HEADER = re.compile(r"\b(authorization|x-api-key|api[-_]?key|cookie|set-cookie)(\W{1,4})\S+", re.I)
ASSIGNED = re.compile(
    r"\b(\w*(?:token|secret|passw\w*|api_?key|credential)\w*\s*[=:]\s*)(?!\d+\b)\S+", re.I
)  # no counts


def note(session: Session, windows: Sequence[str], document: Path | None = None) -> None:
    """Append the running command, the windows that it names, and the document that it wrote.

    A failure is only a warning, since the command has done its work.
    """
    if session.dry_run or not session.words:
        return
    try:
        if not session.root.is_dir() or not session.settings(CommandLog).command_log:
            return
    except TrackerError as error:
        # the place of the records has no consent
        session.warn(f"the command was carried out, but not logged in {STREAM}.jsonl: {error}")
        return
    record = stamp(
        window=None,
        provider=None,
        captured_at=session.now,
        source="automation",
        agent_id=session.lane,
        command=typed(*redacted(session.words)),
        windows=list(windows),
        cwd=place(session, Path.cwd()),
        **({"document": place(session, document)} if document else {}),
    )
    try:
        with session.journal.lock("tracker command log"):
            session.journal.append(STREAM, [record])
    except (TrackerError, OSError) as error:
        session.warn(f"the command was carried out, but not logged in {STREAM}.jsonl: {error}")


def redacted(words: Iterable[str]) -> Iterator[str]:
    """The words of a command without its secrets."""
    is_secret = False
    for word in words:
        name, equals, _ = word.partition("=")
        if is_secret:
            yield "***"
        elif equals and SECRET.fullmatch(name):
            yield f"{name}=***"
        else:
            yield ASSIGNED.sub(r"\1***", HEADER.sub(r"\1\2***", redact(word)))
        is_secret = not is_secret and SECRET.fullmatch(word) is not None


def typed(*words: str) -> str:
    """The command line that runs `tracker` with these words."""
    return f"tracker {quoted(words)}"


def quoted(words: Iterable[str]) -> str:
    """The words as one line that a shell reads back; control characters as bash and zsh write them."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(_escaped(letter) for letter in word)
    return f"$'{escaped}'"


def _escaped(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    kind = "surrogateescape" if "\udc80" <= letter <= "\udcff" else "surrogatepass"  # a byte that was no UTF-8
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", kind))


def commands(session: Session, windows: Sequence[str]) -> list[dict[str, Any]]:
    """The logged commands that name one of these windows, or no window; oldest first.

    Those that wrote a document are left out: a handoff that lists how it was written would change each time.
    """
    wanted = set(windows)
    found = []
    for entry in session.index.entries(STREAM):
        named = entry.record.get("windows")
        if not isinstance(entry.record.get("command"), str) or not isinstance(named, list):
            continue
        if "document" in entry.record:
            continue
        if not named or not wanted.isdisjoint(one for one in named if isinstance(one, str)):
            found.append(entry.record)
    return sorted(found, key=taken_at)


def taken_at(record: Mapping[str, Any]) -> datetime:
    """When a record was made, as a sort key; one without a time counts as the oldest."""
    return instant(record.get("captured_at")) or datetime.min.replace(tzinfo=UTC)
