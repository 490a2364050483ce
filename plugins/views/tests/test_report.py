"""`tracker report`: what the page says, that it is what the other commands say, and that nothing in it can act."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from tracker.api import Block, Chart, Column, Panel, Row
from tracker_views.content import efficiency
from tracker_views.html import zone_words

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """The page's tables as lists of rows by heading, its attributes, its text; tags that do not match are refused."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self.heading = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self.open.append(tag)
        if tag == "h2":
            self.heading = ""
        elif tag == "tr":
            self.tables.setdefault(self.heading, []).append([])
        elif tag in ("td", "th"):
            self.tables[self.heading][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "h2" in self.open:
            self.heading += data
        elif self.open and self.open[-1] in ("td", "th"):
            self.tables[self.heading][-1][-1] += data
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def rows(self, heading: str) -> list[dict[str, str]]:
        head, *rows = self.tables[heading]
        return [dict(zip(head, row, strict=True)) for row in rows]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize("words", [("report",), ("board", "--once")])
def test_a_dash_is_standard_output(filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Any) -> None:
    monkeypatch.chdir(tmp_path)
    done = filled(*words, "--out", "-")
    assert done.ok().startswith("<")
    assert (done.notes, (tmp_path / "-").exists()) == ("", False)


def test_the_efficiency_is_that_of_the_preview(filled: Any) -> None:
    page = Page(filled("report").ok())
    [toy] = page.rows("Efficiency")
    [known] = json.loads(filled("preview", "--json").ok())["providers"]
    assert toy["Provider"] == known["provider"] == "toy"
    assert (float(toy["Features"]), float(toy["Capacity"])) == (known["features"], known["capacity"]) == (5, 55)
    assert float(toy["Features per unit"]) == pytest.approx(known["efficiency"], abs=0.001)
    # of two windows it is assumed, which neither a chart nor a column could say
    assert known["ci_kind"] == "assumed"
    assert toy.keys().isdisjoint(("95 % from", "95 % to", "Power"))
    assert toy["Interval"] == "not measured"
    assert re.search("<desc[^>]*>toy 0.09[0-9]*. The scale", filled("report").ok())
    assert "Not finalized: W12." in page.text


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, (0.1, 0.3, "measured", 0.2)),
        ({"blocks": {"by": "day", "n": 6}}, (0.1, 0.3, "measured over 6 days", 0.2)),
        ({"ci_kind": "assumed"}, (None, None, "not measured", None)),
        ({"ci_kind": "none", "ci": None}, (None, None, "none", None)),
    ],
)
def test_an_interval_is_shown_if_it_is_measured(more: dict[str, Any], shown: tuple[Any, ...]) -> None:
    figures = {"provider": "toy", "unit": "pp", "efficiency": 0.2, "ci": (0.1, 0.3), "ci_kind": "measured"}
    [row] = efficiency([{**figures, "power": 0.2, **more}]).rows
    assert (row["low"], row["high"], row["spread"], row["power"]) == shown


def test_commands_are_marked_and_the_lane_without_a_name_is_known(program: Any) -> None:
    first = program("report").ok()
    assert "Nothing is recorded yet. <code>tracker start PROVIDER</code> captures" in first
    assert "`tracker start PROVIDER` captures the meters" in program("report", "--format", "md").ok()
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%").ok()
    assert "Lane" not in Page(program("report").ok()).tables["Windows"][0]
    program("--agent", "sub", "alias", "start", "toy", "--stdin", "--window", "W2", stdin="fuel 10%").ok()
    page = Page(program("report").ok())
    for heading in ("Lanes", "Windows"):
        assert {row["Lane"] for row in page.rows(heading)} == {"-", "sub"}


def test_it_holds_no_script_and_its_policy_allows_its_style_alone(filled: Any) -> None:
    text = filled("report").ok()
    page = Page(text)
    [style] = re.findall(r"<style>(.*?)</style>", text, re.S)
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "form", "base"}
    links = [attrs[name] or "" for _, attrs in page.tags for name in ("src", "href", "xlink:href") if name in attrs]
    assert [link for link in links if not link.startswith(("#", "data:,"))] == []
    assert [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"] == []
    assert len(set(ids := [attrs["id"] for _, attrs in page.tags if "id" in attrs])) == len(ids)


def test_recorded_text_is_text(program: Any, add_feature: Callable[..., None]) -> None:
    evil = "<script>alert(1)</script>\x1b[31m|`*"
    rows = [{"name": evil, "size": 3}, {"name": "x", "size": None}]
    columns = (Column(key="name", title=evil, rank=0), Column(key="size", title="Size", kind="count"))
    chart = Chart(kind="bars", title=evil, x="name", y="size")

    def panels(session: Any, period: Any) -> list[Panel]:
        return [Panel(name="evil", title=evil, headlines=[evil], columns=columns, rows=rows, charts=[chart])]

    add_feature("stranger", panels=panels)
    text = program("report").ok()
    assert "script" not in {tag for tag, _ in Page(text).tags}
    assert "\x1b" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m" in text
    assert "<script" not in program("report", "--format", "md").ok().replace("\\<", "")


def test_a_strangers_panel_is_shown_and_its_error_is_one_line(
    fill: Callable[[], Any], add_feature: Callable[..., None]
) -> None:
    columns = (Column(key="day", title="Day", rank=0), Column(key="cups", title="Cups", kind="count"))
    rows = [{"day": "Monday", "cups": 1234}, {"day": "Tuesday", "cups": None}]
    coffee = Panel(
        name="coffee",
        title="Coffee",
        columns=columns,
        rows=rows,
        charts=[Chart(kind="bars", title="Cups", x="day", y="cups")],
    )

    def panels(session: Any, period: Any) -> list[Panel]:
        assert period.windows == ("W10", "W11", "W12")
        return [coffee]

    def broken(session: Any, period: Any) -> list[Panel]:
        raise ValueError("the pot\nis empty")

    add_feature("coffee", panels=panels)
    add_feature("tea", panels=broken)
    filled = fill()
    page = Page(filled("report").ok())
    assert page.rows("Coffee (acme-coffee)") == [
        {"Day": "Monday", "Cups": "1,234"},
        {"Day": "Tuesday", "Cups": "not known"},
    ]
    assert "Monday 1,234; Tuesday not known." in page.text
    assert "tea could not show its part: ValueError: the pot is empty" in page.text
    markdown = filled("report", "--format", "md").ok()
    assert "| Monday | 1,234 |\n| Tuesday | not known |" in markdown


def test_a_strangers_values_are_plain_or_refused_and_take_no_name_of_the_programs_own(
    fill: Callable[[], Any], add_feature: Callable[..., None]
) -> None:
    columns = (Column(key="day", title="Day\x1b[2J\nafter", rank=0), Column(key="cups", title="Cups", kind="money"))
    cups = (10**400, -(10**400), float("nan"), float("inf"), 1e300, 5)
    rows = [{"day": f"day {at}\rgone", "cups": one} for at, one in enumerate(cups)]
    chart = Chart(kind="bars", title="Cups\n", x="day", y="cups")
    efficiency = Panel(name="efficiency", title="Efficiency", columns=columns, rows=rows, charts=[chart])
    meters = Panel(name="meters", title="Meters", headlines=["Buy coffee."], columns=columns, rows=rows)
    odd = Panel(name="odd", title="Odd", columns=columns, rows=[{"day": object()}])  # type: ignore[dict-item]
    add_feature("coffee", panels=lambda session, period: [efficiency, meters])
    add_feature("tea", panels=lambda session, period: [odd])
    filled = fill()
    page = Page(filled("report").ok())
    found = page.rows("Efficiency (acme-coffee)")
    assert [row["Cups"] for row in found] == ["not known"] * 5 + ["$5.00"]
    assert list(found[0]) == ["Day\\x1b[2J\\nafter", "Cups"]
    assert found[0]["Day\\x1b[2J\\nafter"] == "day 0\\rgone"
    assert "toy" in {row["Provider"] for row in page.rows("Efficiency")}
    assert "acme-coffee: Buy coffee." in page.text
    assert "tea could not show its part: panel odd: day is <object object" in page.text
    markdown = filled("report", "--format", "md").ok()
    assert "| day 5" in markdown
    assert "\x1b" not in markdown


def test_windows_are_chosen_by_time_and_number(filled: Any) -> None:
    assert "W11 to W12" in filled("report", "--last", "2").ok()
    assert "2 windows" in Page(filled("report", "--since", "2026-01-11", "--until", "2026-01-12T23:00:00Z").ok()).text
    assert "Expected ISO 8601" in filled("report", "--since", "noon").refused(2)


def test_of_one_provider_it_says_nothing_of_others(fill: Callable[[], Any], add_feature: Callable[..., None]) -> None:
    columns = (Column(key="provider", title="Provider", rank=0), Column(key="cups", title="Cups", kind="count"))
    rows = [{"provider": name, "cups": 1} for name in ("toy", "rival", None)]
    cups = Panel(name="cups", title="Cups", columns=columns, rows=rows)
    mugs = Panel(name="mugs", title="Mugs", columns=columns, rows=rows[1:2], missing=["No mug of a rival."])
    drunk = Block(title="Drunk", rows=tuple(Row(label=row["provider"], values=row) for row in rows[:2]))
    add_feature("coffee", panels=lambda session, period: [cups, mugs], handoff_section=lambda session, windows: drunk)
    filled = fill()
    assert "rival" in filled("report").ok()
    page = filled("report", "--provider", "toy").ok()
    assert "rival" not in page.lower()
    assert "Mugs" not in page
    assert [row["Provider"] for row in Page(page).rows("Cups (acme-coffee)")] == ["toy", "not known"]


def test_windows_that_overlap_are_named_once(fill: Callable[[], Any]) -> None:
    filled = fill()
    for phase, hour, used in (("start", 8, 20), ("end", 10, 50)):
        at = f"2026-01-11T{hour:02}:30:00Z"
        filled("alias", phase, "toy", "--stdin", "--window", "W13", "--captured-at", at, stdin=f"fuel {used}%").ok()
    filled("complete", "--window", "W13", "--toy-features", "1").ok()
    missing = filled("report", "--format", "md").ok().partition("## What is missing")[2]
    assert re.findall(r"left out.*", missing) == ["left out, overlapping: W11, W13."]


def test_its_title_goes_by_when_the_windows_were(filled: Any) -> None:
    """An accepted window has the name of its time, and one of another machine a name of its own."""
    [(title, last)] = re.findall("# Usage report, (.*) to (.*)", filled("report", "--format", "md").ok())
    # one without a BEFORE is no newer for that
    filled("ingest", "toy-report", "--window", f"{title}-02", "--stdin", stdin="60").ok()
    assert f"# Usage report, {title} to {last}\n" in filled("report", "--format", "md").ok()
    filled("start", "toy", "--stdin", "--window", "ADA-01", stdin="fuel 20%").ok()
    assert f"# Usage report, {title} to ADA-01\n" in filled("report", "--format", "md").ok()


def test_it_goes_to_a_file_whose_name_says_the_format(filled: Any, tmp_path: Path) -> None:
    for name, start in (("report.html", "<!doctype html>"), ("report.md", "# Usage report")):
        done = filled("report", "--out", str(tmp_path / name))
        assert done.ok() == ""
        assert (tmp_path / name).read_text().startswith(start)
        assert done.err.startswith(f"{tmp_path / name}: 3 windows, ")
    assert "Not a directory" in filled("report", "--out", str(tmp_path / "report.md" / "report.html")).refused()


def test_a_format_that_it_cannot_write_is_refused(filled: Any, tmp_path: Path) -> None:
    refused = filled("report", "--out", str(tmp_path / "r.pdf")).refused(2)
    assert "A report is HTML or Markdown, not .pdf. Expected a name such as r.html" in refused
    assert "print the HTML page in a browser" in refused
    assert not (tmp_path / "r.pdf").exists()


@pytest.mark.parametrize("form", ["html", "md"])
def test_it_names_the_zone_of_its_times(filled: Any, form: str) -> None:
    """Who opens it elsewhere took them for times of their own."""
    assert "All times are in UTC." in filled("report", "--format", form).ok()
    assert zone_words(ZoneInfo("America/New_York")) == "All times are in America/New_York."
    # the variable TZ may name a file
    assert zone_words(timezone(timedelta(hours=1), "/srv/zone")) == "All times are local."


def test_a_selection_without_windows_is_not_called_an_empty_journal(program: Any) -> None:
    program("alias", "start", "toy", "--stdin", "--window", "W1", stdin="fuel 10%").ok()
    text = program("report", "--format", "md", "--lane", "foo").ok()
    assert "Your selection contains no window. `tracker windows` lists all." in text
    assert "Nothing is recorded" not in text


def test_nothing_recorded_is_said(program: Any) -> None:
    text = Page(program("report").ok()).text
    assert "Nothing is recorded yet." in text
    # of nothing, nothing is missing
    assert "missing" not in text
    assert "missing" not in program("report", "--format", "md").ok()
    of_toy = Page(program("report", "--provider", "toy", "--since", "2026-01-01").ok()).text
    assert "Nothing is recorded for toy in this time. tracker start toy captures" in of_toy
    assert "Features per unit of capacity" not in text
    assert "ewest first" not in text
    assert not program.root.exists()


def test_a_chart_says_how_many_rows_it_leaves_out_and_long_names_keep_their_ends(
    fill: Callable[[], Any], add_feature: Callable[..., None]
) -> None:
    columns = (Column(key="cup", title="Cup", rank=0), Column(key="size", title="Size", kind="number"))
    rows = [{"cup": f"a cup of a very long kind of coffee, size {at}", "size": at} for at in range(14)]
    chart = Chart(kind="bars", title="Sizes", x="cup", y="size")
    cups = Panel(name="cups", title="Cups", columns=columns, rows=rows, charts=(chart,))
    add_feature("coffee", panels=lambda session, period: [cups])
    page = fill()("report").ok()
    assert "<figcaption>Sizes (the first 12 of 14)</figcaption>" in page
    assert re.findall(r"<text [^>]*>(a cup of a ver…[^<]*)</text>", page) == [
        f"a cup of a ver…{f' of coffee, size {at}'[-15:]}" for at in range(12)
    ]


def test_a_strangers_chart_that_cannot_be_drawn_is_one_line(
    fill: Callable[[], Any], add_feature: Callable[..., None]
) -> None:
    columns = (Column(key="cup", title="Cup", rank=0), Column(key="size", title="Size", kind="number"))

    def with_chart(row: dict[str, Any], y: str) -> Callable[..., list[Panel]]:
        chart = Chart(kind="bars", title="Cups", x="cup", y=y)
        return lambda session, period: [Panel(name="cups", title="Cups", columns=columns, rows=[row], charts=(chart,))]

    add_feature("no_column", panels=with_chart({"cup": "a"}, "weight"))
    add_feature("no_number", panels=with_chart({"cup": "a", "size": "large"}, "size"))
    add_feature("no_value", panels=with_chart({"cup": "only one", "size": float("nan")}, "size"))
    text = fill()("report", "--format", "md").ok()
    assert "no\\_column could not show its part: panel cups: its chart 'Cups' needs a column 'weight'" in text
    assert "no\\_number could not show its part: panel cups: size is 'large', which is not a number" in text
    assert "| only one |" in text
    assert "nan" not in text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"charts": (Chart(kind=cast(Any, "pie"), title="C", x="cup", y="size"),)}, "'pie' is not a kind of chart"),
        ({"rows": ({"cup": datetime.min.replace(tzinfo=UTC)},)}, "an instant with its zone in 1970 to 2199"),
    ],
)
def test_a_part_of_a_panel_that_is_none_is_one_line(
    fill: Callable[[], Any], add_feature: Callable[..., None], wrong: dict[str, Any], why: str
) -> None:
    columns = (Column(key="cup", title="Cup", rank=0), Column(key="size", title="Size", kind="number"))
    panel = {"name": "cups", "title": "Cups", "columns": columns, "rows": [{"cup": "a", "size": 1}], **wrong}
    add_feature("coffee", panels=lambda session, period: [Panel(**panel)])
    text = fill()("report", "--format", "md").ok()
    assert "- coffee could not show its part: panel cups: " in text
    assert why in text


def late() -> Iterator[dict[str, Any]]:
    yield {"cup": "a"}
    raise KeyError("late")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"place": "x"}, "Invalid place 'x'. Expected a whole number."),
        ({"rows": (None,)}, "Invalid rows (None,). Expected a sequence of Mapping."),
        ({"rows": late()}, "Expected a sequence of Mapping."),
        ({"charts": ("c",)}, "Invalid charts ('c',). Expected a sequence of Chart."),
        ({"headlines": "abc"}, "Invalid headlines 'abc'. Expected a sequence of str."),
        ({"missing": "abc"}, "Invalid missing 'abc'. Expected a sequence of str."),
        ({"title": 5}, "Invalid title 5. Expected a text."),
        ({"columns": (Column.__new__(Column),)}, "AttributeError"),
    ],
)
def test_a_panel_that_is_none_is_one_line_and_the_others_are_shown(
    fill: Callable[[], Any], add_feature: Callable[..., None], wrong: dict[str, Any], why: str
) -> None:
    add_feature("coffee", panels=lambda session, period: [Panel(**{"name": "cups", "title": "Cups"} | wrong)])
    add_feature("tea", panels=lambda session, period: [Panel(name="pots", title="Pots", about="How many.")])
    text = fill()("report", "--format", "md").ok()
    assert re.search("\n- coffee could not show its part: .*" + re.escape(why.replace("<", "\\<")), text), text
    assert "## Pots" in text


def test_the_installed_features_show_all_their_parts(tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[3] / "docs" / "pictures"))
    from data import fill

    fill(tmp_path, 14)
    command = [sys.executable, "-m", "tracker.cli", "--data-dir", "data", "report", "--format", "md"]
    environment = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "could not show" not in done.stdout
    for title in ("Comparison", "Meters now", "Efficiency", "Usage by model", "Windows", "Lanes"):
        assert f"## {title}\n" in done.stdout
