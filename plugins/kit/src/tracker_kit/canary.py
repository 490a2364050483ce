"""Canaries: personal and secret texts that are put into an input and must not come out of a plugin."""

from __future__ import annotations

import json
import re

NAME, KEY, PROMPT = "canary-7f3a", "sk-canary7f3a7f3a7f3a", "canary prompt 7f3a"
BIRDS = (NAME, KEY, PROMPT)
ADDRESS = re.compile(r"(?<![\w.+%*-])[\w.+%-]{2,}@[\w-]+(?:\.[a-z]{2,})+")
LEAVES = {
    "prompt": PROMPT,
    "messages": [{"role": "user", "content": PROMPT}],
    "input": PROMPT,
    "response": PROMPT,
    "choices": [{"message": {"content": PROMPT}}],
    "headers": {"authorization": f"Bearer {KEY}", "x-api-key": KEY},
    "api_key": KEY,
    "user": f"{NAME}@example.com",
    "email": f"{NAME}@example.com",
}


def in_text(text: str) -> list[str]:
    """A pane or report with another account in it, and one that was pasted with more than itself."""
    pasted = f"{text}\nsigned in as {NAME}@example.com with the key {KEY}\n> {PROMPT}\n"
    return [ADDRESS.sub(f"{NAME}@example.com", text), pasted]


def in_line(line: bytes) -> bytes:
    """A telemetry line that also holds a prompt, an answer, headers, a key and a person."""
    try:
        found = json.loads(line)
    except ValueError:
        return line + f' prompt="{PROMPT}" authorization="Bearer {KEY}" user={NAME}@example.com'.encode()
    if not isinstance(found, dict):
        return line
    return json.dumps({name: value for name, value in LEAVES.items() if name not in found} | found).encode()


def escaped(kept: str) -> list[str]:
    """The canaries that came out."""
    return [bird for bird in BIRDS if bird in kept]
