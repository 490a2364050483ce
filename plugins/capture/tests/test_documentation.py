"""docs/how-to/capture-without-pasting.md is true: its blocks run in order, and print what stands below them."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "capture-without-pasting.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.S)


def test_every_block_prints_what_stands_below_it(machine: Any, event: Any) -> None:
    now = time.time()
    machine.program("claude", f"print({machine.printed()!r})")
    machine.program("tracker", "from tracker.cli.main import main\nmain(prog_name='tracker')")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TRACKER_", "AGENT_ID"))}
    environment = kept | machine.environment | {"TRACKER_DATA_DIR": str(machine.folder / "data"), "TZ": "UTC"}
    assert len(BLOCKS) == 9
    for place, (commands, expected) in enumerate(BLOCKS):
        # The same values and resets, read two minutes ago. Stamps have whole seconds, and each block needs a newer one.
        machine.rollout("a", event(64, age=now - time.time() + 150 - 2 * place, now=now))
        done = subprocess.run(
            ["/bin/sh", "-c", commands],
            cwd=machine.folder,
            env=environment,
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        for line in expected.splitlines():
            assert line in done.stdout + done.stderr, (
                f"{line!r} is not printed by\n{commands}\n{done.stdout}{done.stderr}"
            )


def test_every_origin_is_in_the_table(machine: Any) -> None:
    from tracker.hosting.registry import discover

    for source in discover().sources.values():
        for origin in source.origins if source.kind == "status" else ():
            assert f"| {source.name} | `{origin.name}` |" in PAGE
