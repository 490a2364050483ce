"""Make the README's pictures: `uv run python docs/pictures/make.py [FOLDER [DAYS]]`.

The program itself makes them, from invented records: the home screen in a terminal, the board, the head of the report.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path

from rich.console import Console
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parent))
from data import fill

HERE = Path(__file__).parent
COLUMNS, LINES = 112, 30
SETTINGS = '[prices]\ncodex = "200/mo:4.3bars"\nclaude = "100/mo:4.3bars"\n'
FONT = re.compile(r"@font-face \{.*?\}\s*", re.S)
WIDTH, EDGE = 760, 24
CHARTS = 3
FIGURE = re.compile(r'<figcaption>(.*?)</figcaption>.*?<svg class="chart".*?height="(\d+)".*?>(.*?)</figure>', re.S)


def tracker(folder: Path, *arguments: str) -> list[str]:
    """A command on the records in a folder."""
    return [sys.executable, "-m", "tracker.cli", "--data-dir", str(folder / "data"), *arguments]


def environment(folder: Path) -> dict[str, str]:
    """Where the program runs: in a zone where it is day, so that the last hours are today."""
    zone = "Europe/Berlin" if 10 <= datetime.now(UTC).hour < 22 else "Etc/GMT-12"  # twelve hours ahead, all year
    own = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "TZ": zone, "TERM": "xterm-256color"}
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")}
    return kept | own | {"COLUMNS": str(COLUMNS), "LINES": str(LINES)}


def run(folder: Path, *arguments: str) -> None:
    subprocess.run(tracker(folder, *arguments), cwd=folder, env=environment(folder), check=True, capture_output=True)


def home(folder: Path) -> str:
    """What a terminal shows of `tracker`."""
    import pty

    main, side = pty.openpty()
    with subprocess.Popen(tracker(folder), cwd=folder, env=environment(folder), stdout=side, stdin=side) as process:
        os.close(side)
        shown = b"".join(_read(main))
    os.close(main)
    assert process.returncode == 0
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text.from_ansi(shown.decode().replace("\r\n", "\n").rstrip()))
    return FONT.sub("", console.export_svg(title="tracker"))


def _read(main: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # the other end is closed
            return
        if not part:
            return
        yield part


def board(folder: Path) -> str:
    run(folder, "board", "--once", "--period", "30d", "--out", "board.svg")
    return (folder / "board.svg").read_text(encoding="utf-8")


def report(folder: Path) -> str:
    """The report's headlines and first charts, drawn with its own styles."""
    run(folder, "report", "--out", "report.html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    [style] = re.findall(r"<style>(.*?)</style>", page, re.S)
    [patterns] = re.findall(r"<defs>.*?</defs>", page, re.S)
    [headlines] = re.findall(r'<section class="headlines".*?</section>', page, re.S)
    parts, y = [], EDGE + 22
    parts.append(f'<text x="{EDGE}" y="{y}" class="title">{re.findall(r"<h1>(.*?)</h1>", page)[0]}</text>')
    for paragraph in re.findall(r"<p>(.*?)</p>", headlines, re.S):
        y += 12
        for line in textwrap.wrap(unescape(paragraph), 96):
            y += 20
            parts.append(f'<text x="{EDGE}" y="{y}">{escape(line)}</text>')
    figures = re.findall(
        r'<figcaption>(.*?)</figcaption>.*?<svg class="chart".*?height="(\d+)".*?>(.*?)</figure>', page, re.S
    )
    wanted = [one for one in figures if re.search("Ratio of|Used now|Cost by model", one[0])][:CHARTS]
    for caption, height, body in wanted:
        y += 44
        parts.append(f'<text x="{EDGE}" y="{y}" class="caption">{caption}</text>')
        chart = re.sub(r"<(title|desc).*?</\1>", "", body.rpartition("</svg>")[0], flags=re.S)
        parts.append(
            f'<svg class="chart" x="{EDGE}" y="{y + 12}" width="{WIDTH - 2 * EDGE}" height="{height}">{chart}</svg>'
        )
        y += int(height)
    style += ".title{font-size:22px;font-weight:650}.caption{font-weight:560}"
    style += "text{fill:var(--ink);font:14px system-ui,sans-serif}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + EDGE}" width="{WIDTH}" height="{y + EDGE}">'
        f"<title>The report of tracker</title><style>{escape(style, quote=False)}</style>{patterns}"
        f'<rect width="100%" height="100%" rx="8" fill="var(--page)"/>{"".join(parts)}</svg>\n'
    )


def make(target: Path = HERE, days: int = 56) -> None:
    """All pictures, of the records of so many days."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        fill(folder, days)
        (folder / "tracker.toml").write_text(SETTINGS)
        for name, picture in (("home", home), ("board", board), ("report", report)):
            (target / f"{name}.svg").write_text(picture(folder), encoding="utf-8")


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:2]), *map(int, sys.argv[2:3]))
