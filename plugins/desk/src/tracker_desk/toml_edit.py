"""Values as people write them, on a command line and in TOML; one value changed in a file whose rest stays as it is."""

from __future__ import annotations

import tomllib
from typing import Any

from tracker.kernel import TrackerError

SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def changed(text: str, key: str, value: Any) -> str:
    """The file's text with one value set; comments and order stay."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    table, _, name = key.rpartition(".")
    # whatever is read as one kind of line ends is written as that
    is_crlf = "\r\n" in text and text.count("\n") == text.count("\r\n")
    try:
        document = tomlkit.parse(text.replace("\r\n", "\n") if is_crlf else text)
        place: Any = document
        if table:
            if table not in document:
                document.add(table, tomlkit.table())
            place = document[table]
        place[name] = _item(value)
        return tomlkit.dumps(document).replace("\n", "\r\n" if is_crlf else "\n")
    except (TOMLKitError, TypeError) as error:
        raise TrackerError(f"{key} cannot be set in this file: {error}. Edit the file instead.") from error


def _item(value: Any) -> Any:
    """A value as TOML; a table within a table stays on its line."""
    import tomlkit

    if not isinstance(value, dict):
        return tomlkit.item(value)
    found = tomlkit.inline_table()
    found.update(value)
    return found


def literal(value: Any) -> str:
    """A value as TOML writes it."""
    return str(_item(list(value) if isinstance(value, tuple) else value).as_string())


def spelled(name: str) -> str:
    """A key as TOML writes it."""
    import tomlkit

    return str(tomlkit.key(name).as_string())


def shown(value: Any) -> str:
    """A value as `tracker config` prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return ", ".join(map(shown, value)) if isinstance(value, list | tuple) else str(value)


def meant(kind: str, words: str) -> Any:
    """The TOML value that a person means; other words stay a text, which the setting's check refuses."""
    if kind == "true or false":
        return SWITCH.get(words.lower(), words)
    if kind == "number":
        return _number(words)
    if kind == "list of texts" and not words.lstrip().startswith("["):
        return [part.strip() for part in words.split(",") if part.strip()]
    return _parsed(words) if kind in ("list of texts", "table") else words


def _number(words: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(words)
        except ValueError:
            continue
    return words


def _parsed(words: str) -> Any:
    """A TOML value such as `["a"]` or `{month = 200}`; anything else is a text."""
    try:
        found = tomllib.loads(f"value = {words}")
    except ValueError:
        return words
    return found["value"] if list(found) == ["value"] else words
