"""The report in a real browser: silent, without a request, as wide as the screen, and fit for everybody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from shutil import which
from typing import Any, cast

import pytest

from tracker.api import Chart, Column, Panel, Period
from tracker_views.content import Content, Section
from tracker_views.html import page

sys.path.insert(0, str(Path(__file__).parent))
from browser import PROGRAM, Browser, browser

ROOT = Path(__file__).parents[3]
DATA = ROOT / "docs" / "pictures"
# the texts of charts that another one is printed over
OVERPRINTED = """[...document.querySelectorAll('svg.chart')].flatMap(chart => {
    const texts = [...chart.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()])
    const meet = (a, b) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom
    return texts.filter(([, a], at) => texts.slice(at + 1).some(([, b]) => meet(a, b))).map(([text]) => text)
})"""
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")


def axe() -> Path | None:
    """The checker's script, if npm has installed axe-core here."""
    if not which("node"):
        return None
    done = subprocess.run(
        ["node", "-p", "require.resolve('axe-core/axe.min.js')"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return Path(done.stdout.strip()) if done.returncode == 0 else None


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, often: Callable[[int, int], int]) -> Path:
    """A report of six weeks of invented records; in full, of a year."""
    sys.path.insert(0, str(DATA))
    from data import fill, write_sessions

    folder = tmp_path_factory.mktemp("year")
    days = often(45, 365)
    fill(folder, days)
    # so that every column has a value: the requests of the afternoon's windows, and prices
    afternoon = datetime.now(UTC).replace(hour=16, minute=5) - timedelta(days=1)
    write_sessions(folder, days, afternoon, Random(1))
    (folder / "tracker.toml").write_text('[prices]\ncodex = "200/mo:4.3bars"\nclaude = "100/mo:4.3bars"\n')
    command = [sys.executable, "-m", "tracker.cli", "--data-dir", "data", "report", "--out", "report.html"]
    environment = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "PATH": "/usr/bin:/bin"}
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return folder / "report.html"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


def test_it_is_a_file_that_can_be_mailed(report: Path) -> None:
    assert 50_000 < report.stat().st_size < 400_000


@pytest.mark.parametrize("width", [320, 390, 800, 1440])
def test_it_fits_and_says_and_asks_nothing(report: Path, chromium: Browser, width: int) -> None:
    chromium.open(report, width)
    assert chromium.messages == []
    assert chromium.requests == [report.as_uri()]
    assert chromium.value("document.documentElement.scrollWidth") == width
    assert chromium.value("document.querySelectorAll('svg.chart').length") >= 8
    blank = "[...document.querySelectorAll('svg.chart text')].filter(one => one.getBBox().width === 0).length"
    assert chromium.value(blank) == 0
    assert chromium.value(OVERPRINTED) == []


def test_no_table_scrolls_sideways_on_a_phone(report: Path, chromium: Browser) -> None:
    chromium.open(report, 390)
    chromium.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    wide = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth)"
    assert chromium.value(f"{wide}.map(one => one.getAttribute('aria-label'))") == []
    assert chromium.value("document.documentElement.scrollWidth") == 390
    # a head of many columns would be wider than any distance to the left
    heads = "[...document.querySelectorAll('thead')].map(one => one.getBoundingClientRect().width)"
    assert chromium.value(f"Math.max(...{heads})") <= 1
    # every value stands beside its column's title
    titles = "[...document.querySelectorAll('td')].map(one => getComputedStyle(one, '::before').content)"
    assert chromium.value(f"{titles}.filter(one => one === 'none' || one === '\"\"').length") == 0


@pytest.mark.parametrize("width", [1024, 1280, 1440])
def test_no_head_is_cut_on_a_screen(report: Path, chromium: Browser, width: int) -> None:
    chromium.open(report, width)
    chromium.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    wide = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth)"
    assert chromium.value(f"{wide}.map(one => one.getAttribute('aria-label'))") == []


@pytest.mark.parametrize("kind", ["bars", "intervals", "columns", "steps"])
def test_names_without_a_space_fit_on_a_phone(tmp_path: Path, chromium: Browser, kind: Any) -> None:
    name, now = "averylongnameofanaccountwithoutanyspacein@example.com", datetime(2026, 3, 1, tzinfo=UTC)
    keys = {"name": "text", "at": "instant", "used": "percent", "low": "percent", "high": "percent", "by": "text"}
    columns = [Column(key=key, title=f"{key} {name}", kind=cast(Any, one)) for key, one in keys.items()]
    x = "at" if kind in ("columns", "steps") else "name"
    chart = Chart(kind=kind, title=name, x=x, y="used", low="low", high="high", by="by" if kind == "columns" else None)
    rows = [{"name": f"{one} {name}", "at": now, "used": 88.8, "low": 77.7, "high": 99.9, "by": name} for one in "ab"]
    panel = Panel(name=name, title=name, about=name, columns=columns, rows=rows, charts=(chart,), missing=(name,))
    content = Content(
        now=now,
        period=Period(windows=(name,)),
        spans={},
        headlines=(f"`{name}`",),
        panels=(panel,),
        sections=(Section(title=name, lines=(name,)),),
        missing=(name,),
    )
    (tmp_path / "report.html").write_text(page(content, UTC))
    for width in (320, 390, 760):
        chromium.open(tmp_path / "report.html", width)
        assert chromium.value("document.documentElement.scrollWidth") == width
        assert chromium.value(OVERPRINTED) == []


@pytest.mark.parametrize("width", [800, 1280])
@pytest.mark.parametrize("medium", ["screen", "print"])
def test_a_long_name_pushes_no_figure_away(tmp_path: Path, chromium: Browser, width: int, medium: str) -> None:
    """On paper the last columns were cut off."""
    keys = ("project", "cost", "requests", "tokens", "input", "output", "cache read", "cache write", "without price")
    columns = [Column(key=key, title=key, kind="count" if at else "text", rank=0) for at, key in enumerate(keys)]
    rows = [dict.fromkeys(keys, 1_234_567) | {"project": f"{'a-long-name-' * 2}{'x' * 70}"}]
    panel = Panel(name="usage", title="Usage", columns=columns, rows=rows)
    content = Content(
        now=datetime(2026, 3, 1, tzinfo=UTC),
        period=Period(windows=()),
        spans={},
        headlines=(),
        panels=(panel,),
        sections=(),
        missing=(),
    )
    (tmp_path / "report.html").write_text(page(content, UTC))
    chromium.open(tmp_path / "report.html", width)
    chromium.call("Emulation.setEmulatedMedia", media=medium)
    box = "document.querySelector('.scroll')"
    is_cut = chromium.value(f"{box}.scrollWidth > {box}.clientWidth")
    chromium.call("Emulation.setEmulatedMedia", media="")
    assert not is_cut


def test_dark_and_light_differ(report: Path, chromium: Browser) -> None:
    colours = []
    for dark in (False, True):
        chromium.open(report, 800, dark=dark)
        colours.append(chromium.value("getComputedStyle(document.body).backgroundColor"))
    assert len(set(colours)) == 2


def test_every_table_is_reached_by_the_keyboard(report: Path, chromium: Browser) -> None:
    chromium.open(report, 390)
    reached = []
    focused = "document.activeElement.getAttribute('aria-label') || document.activeElement.tagName"
    for _ in range(60):
        for kind in ("keyDown", "keyUp"):
            chromium.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(chromium.value(focused))
    assert reached[0] == "A"
    assert "Table: Efficiency" in reached
    assert "SUMMARY" in reached


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(report: Path, chromium: Browser, dark: bool) -> None:
    script = axe()
    if script is None:
        pytest.skip("axe-core is not installed: npm install axe-core")
    chromium.open(report, 800, dark=dark)
    chromium.value(f"{script.read_text(encoding='utf-8')};0")
    found = chromium.value("axe.run().then(found => found.violations.map(one => [one.id, one.nodes[0].html]))")
    assert found == []
