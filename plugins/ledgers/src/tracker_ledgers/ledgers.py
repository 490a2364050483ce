"""The ledgers: append-only CSV that people and spreadsheets read, and write to.

RFC 4180 with the file's own line end; a new file gets LF, which git shows without `^M` and every spreadsheet reads.
The content of a file stays as it is, byte for byte: what cannot be read is refused, not repaired.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tracker.api import Finding
from tracker.kernel import TrackerError, csv_line, line
from tracker_ledgers.documents import home, read, refuse_outside
from tracker_ledgers.settings import Ledgers

if TYPE_CHECKING:
    from tracker.kernel import Session

# appended to the file when it is read: a row that swallows it has an open quote
SENTINEL = "\x00end"


@frozen
class Ledger:
    """A ledger's file and its columns, in their order."""

    file: str
    columns: tuple[str, ...]


def _ledger(file: str, columns: str) -> Ledger:
    return Ledger(file, tuple(columns.split()))


TOKENS = _ledger(
    "Token_Churn_Ledger.csv",
    "date session_id task tokens_planned tokens_actual delta commits lines_added lines_deleted features_added"
    " tests_added notes",
)
CHURN = _ledger(
    "Churn_Ledger.csv",
    "date window provider methodology commit_start commit_end files_changed insertions deletions net features"
    " normalized_churn notes",
)
FEATURES = _ledger(
    "Feature_Log.csv",
    "date feature_id window provider files_touched scenario commit_id baseline_commit implementation_commit docs_commit"
    " lines_added lines_removed notes",
)
EVIDENCE = _ledger(
    "Acceptance_Evidence.csv", "window_id capability_id test_run_id runner result artifacts_path artifact_hash notes"
)
# the setting that names their folder
DIR = "ledgers.dir"
LEDGERS = (TOKENS, CHURN, FEATURES, EVIDENCE)
# how the notes of a reversing row begin, and the columns that a sum adds up
REVERSED = "reversed by tracker undo"
UNRECORDED = "reversed because its record could not be stored"
REASONS = (REVERSED, UNRECORDED)
CONFLICT = "<<<<<<< ", "=======", ">>>>>>> "
_FIGURES = (
    "commits deletions delta features features_added files_changed files_touched insertions lines_added lines_deleted"
    " lines_removed net tests_added tokens_actual tokens_planned"
)
FIGURES = frozenset(_FIGURES.split())
# the columns in which two rows about one thing may differ
WHEN_AND_WHY = {"date", "notes"}
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def path_of(session: Session, ledger: Ledger) -> Path:
    return home(session) / session.settings(Ledgers).dir / ledger.file


# --- reversing


def reversing(row: Mapping[str, Any], reason: str = REVERSED) -> dict[str, Any]:
    """The row that takes another one back: its figures negated, its result void."""
    found = {name: _negated(value) if name in FIGURES else value for name, value in row.items()}
    found["notes"] = reason
    if result := row.get("result"):
        found |= {"notes": f"{reason}: {result}", "result": "skip"}
    return found


def _negated(value: Any) -> Any:
    """A figure negated, whether it is a number or a cell."""
    if isinstance(value, str):
        if not NUMBER.fullmatch(value) or not float(value):
            return value
        return value.removeprefix("-") if value.startswith("-") else f"-{value}"
    return -value if isinstance(value, int | float) and value else value


def standing(ledger: Ledger, found: Sequence[Row]) -> list[Row]:
    """The rows that were not reversed, without the reversing rows, which a spreadsheet may have sorted to the top."""
    note = ledger.columns.index("notes")
    if not any(len(row.cells) > note and row.cells[note].startswith(REASONS) for row in found):
        return list(found)
    kept: dict[int, Row] = {}
    fitting: dict[tuple[str, ...], list[int]] = defaultdict(list)
    early = Counter[tuple[str, ...]]()
    for at, row in enumerate(found):
        cells = dict(zip(ledger.columns, row.cells, strict=False))
        if (notes := cells.get("notes", "")).startswith(REASONS):
            cells["notes"] = notes.replace(UNRECORDED, REVERSED, 1)
            if places := fitting[_compared(cells)]:
                del kept[places.pop()]
            else:
                early[_compared(cells)] += 1
            continue
        reversed_by = _compared(reversing(cells))
        if early[reversed_by]:
            early[reversed_by] -= 1
        else:
            kept[at] = row
            fitting[reversed_by].append(at)
    return list(kept.values())


def _compared(row: Mapping[str, Any]) -> tuple[str, ...]:
    # without signs: earlier versions left features, fractions and what was below 0 as they were
    figures = ((name, str(value)) for name, value in row.items() if name != "date")
    return tuple(value.removeprefix("-") if name in FIGURES else value for name, value in figures)


def equals(ledger: Ledger, found: Sequence[Row], values: Mapping[str, Any]) -> list[Row]:
    """The rows with the same content, whenever they were written."""
    said = content(ledger, values)
    width = len(ledger.columns)
    return [row for row in found if len(row.cells) == width and _content(ledger, row.cells) == said]


def content(ledger: Ledger, values: Mapping[str, Any]) -> list[str]:
    """The content of a row, as the cells that it has in the file."""
    cells = next(csv.reader([csv_line([values.get(name) for name in ledger.columns]).decode()]))
    return _content(ledger, cells)


def _content(ledger: Ledger, cells: Sequence[str]) -> list[str]:
    return [cell for name, cell in zip(ledger.columns, cells, strict=True) if name not in WHEN_AND_WHY]


@lru_cache(maxsize=4)
def contents(ledger: Ledger, path: Path, data: bytes) -> frozenset[tuple[str, ...]]:
    """The content of a file's rows. It is asked for once per row in a repository that was moved."""
    width = len(ledger.columns)
    return frozenset(tuple(_content(ledger, row.cells)) for row in split(path, data) if len(row.cells) == width)


# --- reading


@frozen
class Row:
    """A row as it is in the file: where it begins (byte and line), and its cells."""

    start: int
    number: int
    cells: tuple[str, ...]
    closed: bool = True  # False: a quote of it never closes


def split(path: Path, data: bytes) -> list[Row]:
    """The rows of a file, blank ones left out; line ends inside quotes belong to their cell."""
    lines = io.BytesIO(data).readlines()
    texts = [text.decode("utf-8", "replace") for text in lines]
    if texts:
        texts[0] = texts[0].removeprefix("\ufeff")
    offsets = [0, *accumulate(map(len, lines))]
    reader = csv.reader([*texts, SENTINEL])
    found: list[Row] = []
    begin = 0
    try:
        for cells in reader:
            if begin < len(lines) and any(cells):
                own = (*cells[:-1], cells[-1].removesuffix(SENTINEL))
                found.append(Row(offsets[begin], begin + 1, own, closed=reader.line_num <= len(lines)))
            begin = reader.line_num
    except csv.Error as error:
        raise TrackerError(f"{path} cannot be read as CSV at line {begin + 1} ({error}). Repair it by hand.") from error
    return found


def rows(path: Path, ledger: Ledger) -> list[dict[str, str]]:
    """A ledger's rows by column, including those that people added, without reversed ones; none without a file."""
    found = split(path, read(path) or b"")
    check_header(path, ledger, found)
    return [dict(zip(ledger.columns, row.cells, strict=False)) for row in standing(ledger, found[1:])]


def readable(session: Session, ledger: Ledger) -> list[dict[str, str]]:
    """The rows of a ledger for commands that only show them; an unreadable ledger is a warning."""
    try:
        return rows(path_of(session, ledger), ledger)
    except TrackerError as error:
        # nothing was to be written here
        session.warn(str(error).removesuffix(" Nothing was written."))
        return []


def damage(session: Session, ledger: Ledger) -> str:
    """What is wrong with a ledger's file, so that rows may be missed; empty if nothing is."""
    path = path_of(session, ledger)
    try:
        found = split(path, read(path) or b"")
        check_header(path, ledger, found)
    except TrackerError as error:
        return str(error).removesuffix(" Nothing was written.")
    if found and not found[-1].closed:
        return f"{path}: the row in line {found[-1].number} opens a quote that is never closed. Repair it by hand."
    return ""


def findings(session: Session) -> list[Finding]:
    """Ledgers whose header or CSV is damaged, for `tracker doctor`."""
    found = []
    for ledger in LEDGERS:
        if problem := damage(session, ledger):
            path = str(path_of(session, ledger))
            cure = f"repair the file by hand; `sed -n 1,3p {shlex.quote(path)}` shows how it begins"
            found.append(Finding(check="ledger", place=path, problem=problem, cure=cure))
    return found


def check(session: Session, ledger: Ledger, path: Path | None = None) -> None:
    """For `--dry-run`: refuse what an append would refuse, and touch nothing."""
    if path is None:
        path = path_of(session, ledger)
        refuse_outside(session, path, DIR)
    rows(path, ledger)


def check_header(path: Path, ledger: Ledger, found: Sequence[Row]) -> None:
    """Refuse a file with another header, and show the difference; also one with git conflict markers."""
    if conflict := next((row for row in found if row.cells[0].startswith(CONFLICT)), None):
        raise TrackerError(
            f"{path} holds git conflict markers from line {conflict.number} on."
            " Resolve the conflict, usually by keeping the rows of both sides. Nothing was written."
        )
    if not found or found[0].cells == ledger.columns:
        return
    names = found[0].cells
    lacking = [name for name in ledger.columns if name not in names]
    foreign = [name for name in names if name not in ledger.columns]
    difference = [f"it lacks {', '.join(lacking)}"] if lacking else []
    difference += [f"it has {line(', '.join(foreign)[:200])}"] if foreign else []
    difference += [] if difference else ["its columns are in another order, or repeated"]
    raise TrackerError(
        f"The header of {path} is wrong: {' and '.join(difference)}. Expected {','.join(ledger.columns)}."
        " Repair it, or move the file away. Nothing was written."
    )
