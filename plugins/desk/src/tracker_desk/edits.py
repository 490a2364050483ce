"""Changes that `tracker setup` offers: a block in a shell's file or the crontab, an entry in a JSON file.

Every change is a whole new text, so it can be shown before it is made. A file that cannot be read safely is left alone,
with a reason.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen

from tracker.kernel import TrackerError, replace_file

BEGIN, END = "# >>> tracker setup >>>", "# <<< tracker setup <<<"
# what follows BEGIN, so that --undo restores every byte
NEW, JOINED = " (new file)", " (the line above had no line end)"
BLOCK = re.compile(
    rf"^{re.escape(BEGIN)}(?P<mark>{re.escape(NEW)}|{re.escape(JOINED)}|)\n.*?^{re.escape(END)}\n", re.M | re.S
)
LIMIT = 1 << 20
NEEDED = ("PATH", "HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME")
KEY = "statusLine"
OURS = re.compile(r"(?:^|[/'\"])tracker['\"]? (?:.* )?statusline$")

# makes the new text from the old one; None is a file that does not exist
Change: TypeAlias = Callable[[str | None], str | None]


@frozen(kw_only=True)
class Edit:
    """One change of a file: what it is for, where, and the text before and after.

    question: whether the user wants it. before, after: None if the file does not exist. refusal: why it cannot be made.
    is_absent: whether that is because its target is not on this machine. caution: what the change costs.
    """

    title: str
    place: str
    question: str = ""
    before: str | None = None
    after: str | None = None
    refusal: str | None = None
    is_absent: bool = False
    caution: str = ""

    @property
    def is_due(self) -> bool:
        return self.refusal is None and self.before != self.after

    def diff(self) -> list[str]:
        """What changes, as `diff -u` prints it."""
        before, after = ((text or "").splitlines() for text in (self.before, self.after))
        return list(difflib.unified_diff(before, after, fromfile=self.place, tofile=self.place, lineterm="", n=1))

    def document(self) -> dict[str, Any]:
        return {"title": self.title, "place": self.place, "refusal": self.refusal, "diff": self.diff()}

    def make(self) -> None:
        path = Path(self.place)
        if self.after is None:
            path.unlink()
        else:
            replace_file(path, self.after.encode(), was=(self.before or "").encode())


def file_edit(title: str, path: Path, changed: Change, question: str = "") -> Edit:
    """The change of a text file; a link is followed, and stays."""
    try:
        found = path.resolve()
        if not os.path.isdir(found.parent):
            return Edit(title=title, place=str(path), refusal=f"There is no folder {found.parent}.", is_absent=True)
        before = _read(found)
        after = changed(before)
    except TrackerError as error:
        return Edit(title=title, place=str(path), refusal=f"{path} {error}.")
    return Edit(title=title, place=str(found), question=question, before=before, after=after)


def _read(path: Path) -> str | None:
    """The text of a plain file of the user's own; None if there is none yet."""
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise TrackerError("is not a regular file")
        if about.st_uid != os.getuid():
            raise TrackerError("belongs to another user")
        if about.st_size > LIMIT:
            raise TrackerError("is larger than 1 MB")
        if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
            raise TrackerError("is read-only")
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise TrackerError("is not UTF-8 text") from None
    except OSError as error:
        raise TrackerError(f"cannot be read: {error.strerror}") from None
    if "\0" in text or re.search(r"\r(?!\n)", text):
        raise TrackerError("contains control characters")
    return text


# --- a block between two marker lines


def with_block(text: str | None, body: str) -> str:
    """The text with our block: in its place if it is there, else at the end."""
    known = text or ""
    _check_markers(known)
    if found := BLOCK.search(known):
        return known[: found.start()] + _block(found["mark"], body) + known[found.end() :]
    if known and not known.endswith("\n"):
        return f"{known}\n{_block(JOINED, body)}"
    return known + _block(NEW if text is None else "", body)


def _block(mark: str, body: str) -> str:
    return f"{BEGIN}{mark}\n{body.rstrip()}\n{END}\n"


def without_block(text: str | None) -> str | None:
    """The text as it was before our block; None if the file was made for it."""
    _check_markers(text or "")
    found = BLOCK.search(text or "")
    if text is None or found is None:
        return text
    before, behind = text[: found.start()], text[found.end() :]
    if found["mark"] == JOINED and not behind:
        before = before.removesuffix("\n")
    return None if found["mark"] == NEW and not before + behind else before + behind


def _check_markers(text: str) -> None:
    rest = BLOCK.sub("", text)
    if BEGIN in rest or END in rest or len(BLOCK.findall(text)) > 1:
        raise TrackerError(f"does not contain {BEGIN!r} and {END!r} as one pair of lines")


# --- an entry of a JSON object


def with_status_line(text: str | None, command: str) -> str:
    """The settings with the command as their status line; another command than ours stays."""
    known, wanted = _object(text), {"type": "command", "command": command}
    if KEY in known and not _is_ours(known[KEY]):
        raise TrackerError(f"has a status line already: {json.dumps(known[KEY])[:80]}")
    if text and known.get(KEY) == wanted:
        return text
    rest = without_status_line(text)
    if not rest:
        # on one line, which tells --undo that there was no file; without a line end, that the file was empty
        return f"{{{_entry(wanted)}}}" + ("\n" if rest is None else "")
    # before the others, so that taking it out leaves the file as it was
    begin, _, others = rest.partition("{")
    return f"{begin}{{\n  {_entry(wanted)}" + ("," if _object(rest) else "\n") + others


def without_status_line(text: str | None) -> str | None:
    """The settings as they were before our entry; None if the file was made for it."""
    known = _object(text)
    if text is None or not _is_ours(known.get(KEY)):
        return text
    own = _entry(known.pop(KEY))
    if text.rstrip("\n") == f"{{{own}}}":
        return None if text.endswith("\n") else ""
    left = re.sub(re.escape(f"{{\n  {own}") + "[,\n]", "{", text, count=1)
    # otherwise another program has rewritten the file since, in its own form
    return left if left != text else json.dumps(known, indent=2, ensure_ascii=False) + "\n"


def _entry(value: Any) -> str:
    return f"{json.dumps(KEY)}: {json.dumps(value)}"


def _object(text: str | None) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key is there twice")
        return dict(pairs)

    try:
        found = json.loads(text or "{}", object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise TrackerError(f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise TrackerError("is not a JSON object")
    return found


def _is_ours(entry: Any) -> bool:
    command = entry.get("command") if isinstance(entry, dict) else None
    return isinstance(command, str) and OURS.search(command) is not None


# --- the crontab


def environment() -> dict[str, str]:
    """The environment that a program gets: where it and the user's files are, and no vendor's keys."""
    return {name: text for name, text in os.environ.items() if name in NEEDED}


@frozen(kw_only=True)
class CrontabEdit(Edit):
    """A change of the crontab."""

    place: str = "crontab"

    def make(self) -> None:
        if crontab_edit(self.title, lambda text: text).before != self.before:
            raise TrackerError("The crontab changed meanwhile. Run the command again.")
        words = ["crontab", "-r" if self.after is None else "-"]
        text = (self.after or "").encode()
        try:
            done = subprocess.run(words, input=text, capture_output=True, timeout=20, check=False, env=environment())
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TrackerError(f"`{' '.join(words)}` failed: {error}") from error
        if done.returncode:
            raise TrackerError(f"`{' '.join(words)}` failed: {done.stderr.decode('utf-8', 'replace').strip()[:200]}")


def crontab_edit(title: str, changed: Change, question: str = "") -> CrontabEdit:
    program = shutil.which("crontab")
    if program is None:
        return CrontabEdit(title=title, refusal="crontab is not on the PATH.", is_absent=True)
    try:
        listed = subprocess.run([program, "-l"], capture_output=True, timeout=20, check=False, env=environment())
        # without a crontab, `crontab -l` fails with nothing on standard output
        said = listed.stderr.decode("utf-8", "replace").strip()
        if listed.returncode and (listed.stdout or "no crontab" not in said):
            raise TrackerError(f"cannot be listed: {said[:200]}")
        before = None if listed.returncode else listed.stdout.decode("utf-8")
        after = changed(before)
        return CrontabEdit(title=title, question=question, before=before, after=after)
    except UnicodeDecodeError:
        refusal = "The crontab is not UTF-8 text."
    except (OSError, subprocess.TimeoutExpired) as error:
        refusal = f"`crontab -l` failed: {error}."
    except TrackerError as error:
        refusal = f"The crontab {error}."
    return CrontabEdit(title=title, refusal=refusal)
