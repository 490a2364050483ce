"""What is said of an exchange that gives no reading."""

from __future__ import annotations

import json
from typing import Any

import pytest

BACKEND = {"error": {"code": -32603, "message": "failed to fetch codex rate limits: 503 backend down"}}


@pytest.mark.parametrize("answer", [BACKEND, {"result": None}])
def test_the_answer_that_was_asked_for_is_quoted(machine: Any, answer: dict[str, Any]) -> None:
    """Not that of the greeting, which was fine."""
    code = (
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    found = {'result': {'userAgent': 'codex/0.160.0'}} if asked.get('id') == 1 else ANSWER\n"
        "    if 'id' in asked:\n"
        "        print(json.dumps({'id': asked['id']} | found), flush=True)\n"
    )
    machine.program("codex", f"ANSWER = {answer!r}\n{code}")
    why = machine.why_not("codex", "app-server")
    assert why.endswith(f"it said '{json.dumps({'id': 2} | answer)}'")
