"""A plugin's scratch of a file, as the store has it: the plugin reads on with it, and reports show its notes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import Any

from tracker_telemetry import blake2b

# by name: how often the plugin met something unknown, and what costs money beside tokens
NOTES = ("unknown", "extras")
MOST = 10**12  # no note counts more
LONGEST = 16 << 20  # characters
STORED = "\0"  # marks a project that is already shortened or hashed, and the hashes of its folders
DEEPEST = 40  # folders that are told apart
END = "\0end"  # the notes on what a file's end leaves open, made again when it goes on


def are_notes(found: object) -> bool:
    """Whether these are counts by name, or by name and key."""
    if not isinstance(found, dict):
        return False
    counts = chain.from_iterable(one.values() if isinstance(one, dict) else (one,) for one in found.values())
    return all(type(count) is int and 0 <= count <= MOST for count in counts)


def as_json(scratch: Mapping[str, Any], *, is_hashed: bool) -> str:
    """What is stored. A working directory, under the name `project`, is there as reports show it."""
    found = json.dumps(_hidden(scratch, is_hashed=is_hashed))
    if len(found) > LONGEST:
        raise ValueError(f"it has {-(-len(found) >> 20)} MB. Expected at most {LONGEST >> 20} MB.")
    return found


def with_end(kept: str, scratch: Mapping[str, Any]) -> str:
    """A stored scratch with the notes that were made at the end of the file."""
    notes = {name: scratch[name] for name in NOTES if are_notes(scratch.get(name))}
    found = json.loads(kept)
    return json.dumps({**found, END: notes}) if any(found.get(name) != notes[name] for name in notes) else kept


def begun(stored: str) -> dict[str, Any]:
    """The scratch with which a file is read on."""
    found: dict[str, Any] = json.loads(stored)
    found.pop(END, None)
    return found


def noted(stored: str, kind: str) -> dict[str, Any]:
    """The notes of a kind."""
    found = json.loads(stored)
    return {**(found.get(END, {}).get(kind) or found.get(kind) or {})}


def stored(folder: str | None, *, is_hashed: bool) -> dict[str, Any]:
    """A working directory by the labels under which the store has it."""
    return {"project": project(folder, is_hashed=is_hashed), "folders": folders(folder)}


def _hidden(value: Any, *, is_hashed: bool) -> Any:
    if isinstance(value, dict):
        return {
            name: "".join(STORED + (own or "") for own in stored(one, is_hashed=is_hashed).values())
            if name == "project" and isinstance(one, str)
            else _hidden(one, is_hashed=is_hashed)
            for name, one in value.items()
        }
    return value


@cache
def project(folder: str | None, *, is_hashed: bool) -> str | None:
    """The last part of the working directory, or its hash."""
    if folder is None or folder.startswith(STORED):
        return folder and folder.split(STORED)[1]
    name = _plain(folder).rpartition("/")[2] or folder
    return _hash(folder) if is_hashed else name


@cache
def folders(folder: str | None) -> str | None:
    """The hashes of the working directory and of those that it lies in: two of one name are told apart by them."""
    if folder is None or folder.startswith(STORED):
        return folder and folder.split(STORED, 2)[-1]
    parts = _plain(folder).split("/")[: DEEPEST + 1]
    return " ".join(_hash("/".join(parts[:end])) for end in range(2, len(parts) + 1))


def _plain(folder: str) -> str:
    return folder.replace("\\", "/").rstrip("/")


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
