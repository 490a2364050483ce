"""A headless Chromium that is driven over two pipes: a page at a width, what it said, asked for, and how it looks."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

PROGRAM = which("chromium") or which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe"
)
# The browser reads from descriptor 3 and writes to 4; copies of copies are neither.
START = """
import os, sys
a, b = (os.dup(os.dup(os.dup(int(one)))) for one in sys.argv[1:3])
os.dup2(a, 3), os.dup2(b, 4), os.execv(sys.argv[3], sys.argv[3:])
"""
SECONDS = 60


class Browser:
    """Commands are answered in order; what happens meanwhile is kept in `events`."""

    def __init__(self, into: int, out: int) -> None:
        self._into, self._out, self._text, self._last = into, out, b"", 0
        self.session: str | None = None
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer["error"])
                found: dict[str, Any] = answer["result"]
                return found
            self.events.append(answer)

    def wait_for(self, event: str) -> None:
        while not any(one.get("method") == event for one in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + SECONDS
        while b"\0" not in self._text:
            assert select.select([self._out], [], [], max(0, end - time.monotonic()))[0], "the browser does not answer"
            part = os.read(self._out, 1 << 20)
            assert part, "the browser ended"
            self._text += part
        line, _, self._text = self._text.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    # --- a page

    def open(self, path: Path, width: int, *, dark: bool = False) -> None:
        self.events.clear()
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def value(self, expression: str) -> Any:
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def screenshot(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=self._whole())
        path.write_bytes(base64.b64decode(shot["data"]))

    def _whole(self) -> dict[str, float]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    @property
    def messages(self) -> list[Any]:
        names = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [one["params"] for one in self.events if one.get("method") in names]

    @property
    def requests(self) -> list[str]:
        sent = [one["params"] for one in self.events if one.get("method") == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own; it ends with its pipe."""
    assert PROGRAM is not None
    their_in, into = os.pipe()
    out, their_out = os.pipe()

    profile = f"--user-data-dir={folder}"
    with subprocess.Popen(
        [sys.executable, "-c", START, str(their_in), str(their_out), PROGRAM, *FLAGS.split(), profile, "about:blank"],
        pass_fds=(their_in, their_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(their_in)
        os.close(their_out)
        found = Browser(into, out)
        try:
            [page] = [one for one in found.call("Target.getTargets")["targetInfos"] if one["type"] == "page"]
            found.session = found.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                found.call(f"{domain}.enable")
            yield found
            found.session = None
            found.call("Browser.close")
        finally:
            os.close(into)
            os.close(out)
            process.wait(SECONDS)
