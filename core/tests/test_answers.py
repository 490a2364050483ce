"""What plugins answer: wrong answers are refused by name."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from plugin_modules import add_feature, plugin, registry, source

from tracker.api import (
    Block,
    Change,
    Delta,
    Gauge,
    PreviewContext,
    Reading,
    Row,
)
from tracker.errors import Hang, PluginError
from tracker.feature import hookimpl
from tracker.hosting.registry import Registry


def parse(made: Registry, name: str, text: str = "") -> Any:
    return made.call(
        name, "parse_status", text=text, captured_at=datetime.now(UTC), timezone=UTC, scope=None, origin=None
    )


def reading(used: float) -> Reading:
    return Reading(gauges=(Gauge(meter="m", used=used),), as_of=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda: Delta(changes=(Change.__new__(Change),)), "AttributeError"),
        (
            lambda: Delta(changes=(Change(meter="m", delta=1), Change(meter="m", delta=2))),
            r"ValueError: Invalid changes \(.*Expected a tuple of Change, each meter once\.",
        ),
        (lambda: Delta.__new__(Delta), "AttributeError"),
    ],
)
def test_a_half_built_or_ambiguous_delta_is_refused(make: Callable[[], Delta], cause: str) -> None:
    made = registry(plugin("bad", compute_delta=lambda before, after: make()))
    with pytest.raises(PluginError, match=f"plugin 'bad' failed to compute_delta: {cause}"):
        made.call("bad", "compute_delta", before=reading(5), after=reading(6))


def test_a_block_of_half_built_rows_is_refused() -> None:
    half = Row.__new__(Row)
    made = registry(plugin("bad", render_preview_block=lambda context: Block(title="Bad", rows=(half,))))
    with pytest.raises(PluginError, match=r"plugin 'bad' failed to render_preview_block: AttributeError"):
        made.call("bad", "render_preview_block", context=PreviewContext(windows=()))


def test_a_wrong_return_type_is_the_plugins_error() -> None:
    made = registry(plugin("bad", parse_status=lambda text: {"m": 1}))
    with pytest.raises(
        PluginError, match=r"plugin 'bad' failed to parse_status: TypeError: returned dict .* Expected Reading . None"
    ):
        parse(made, "bad")


def test_an_exception_is_the_plugins_error_and_strict_mode_shows_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def boom(text: str) -> Reading:
        raise ZeroDivisionError("x")

    made = registry(plugin("bad", parse_status=boom))
    with pytest.raises(PluginError, match="ZeroDivisionError: x") as caught:
        parse(made, "bad")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    monkeypatch.setenv("TRACKER_STRICT", "1")
    with pytest.raises(PluginError):
        registry(plugin("bad", {"name": "bad"})).source("bad")


def test_an_undeclared_meter_is_the_plugins_error() -> None:
    made = registry(plugin("bad", parse_status=lambda text: Reading(gauges=(Gauge(meter="other", used=1),))))
    with pytest.raises(PluginError, match=r"Invalid meter 'other'\. Expected one that is declared: m\."):
        parse(made, "bad")
    open_source = source("ok", open_meters=True)
    made = registry(
        plugin("ok", open_source, parse_status=lambda text: Reading(gauges=(Gauge(meter="other", used=1),)))
    )
    assert parse(made, "ok").gauge("other").used == 1


def test_one_source_is_addressed_alone() -> None:
    asked: list[str] = []
    made = registry(*(plugin(name, render_preview_block=_asking(asked, name)) for name in "abc"))
    block = made.call("b", "render_preview_block", context=PreviewContext(windows=()))
    assert asked == ["b"]
    assert block.title == "b"


def _asking(asked: list[str], name: str) -> Callable[..., Block]:
    def render_preview_block(context: PreviewContext) -> Block:
        asked.append(name)
        return Block(title=name, rows=(Row(values={}),))

    return render_preview_block


def test_a_megabyte_of_message_is_cut() -> None:
    def boom(text: str) -> Reading:
        raise ValueError("x" * 1_000_000)

    with pytest.raises(PluginError) as caught:
        parse(registry(plugin("bad", parse_status=boom)), "bad")
    assert len(str(caught.value)) < 700


def test_every_call_can_be_traced(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TRACKER_TRACE", "1")
    parse(registry(plugin("toy")), "toy", "pane")
    assert "trace: toy.parse_status(text='pane', captured_at=" in capsys.readouterr().err


def test_a_bound_function_takes_the_arguments_that_it_asked_for() -> None:
    info = source("toy", kind="telemetry", meters=(), capacity=None, stream="toys")
    whole = registry(plugin("toy", info, ingest_line=lambda line, scratch: [line, scratch])).bind("toy", "ingest_line")
    part = registry(plugin("toy", info, ingest_line=lambda line: [line])).bind("toy", "ingest_line")
    turned = registry(plugin("toy", info, ingest_line=lambda scratch, line: [line, scratch])).bind("toy", "ingest_line")
    assert whole(b"x", {}) == [b"x", {}] == turned(b"x", {})
    assert part(b"x", {}) == [b"x"]


def test_what_a_row_says_cannot_steer_a_terminal() -> None:
    shown = str(Row(label="a\x1b[2J", text="\x1b]0;x\x07{n: \x9b31m}\nz", values={"n": 1}))
    assert shown == r"a\x1b[2J: \x1b]0;x\x071 \x9b31m\nz"
    assert str(Row(values={"\x1bk": "v\n"})) == r"\x1bk=v\n"


FEATURE = """
from tracker.feature import Command, Feature, hookimpl

@hookimpl
def feature_info():
    return Feature(name="hours", commands={"hours": Command("Daily", "Hours.", "nowhere:command")})

@hookimpl
def window_checks(session, window):
    raise ZeroDivisionError("no hours")

@hookimpl
def window_facts(session, windows):
    return {("W0-01", ""): {"hours": 3}}
"""


def test_a_features_fault_is_reported_once_and_the_rest_answers() -> None:
    module = types.ModuleType("feature")
    exec(FEATURE, module.__dict__)
    said: list[str] = []
    made = Registry(said.append)
    add_feature(made, "hours", module)
    for _ in range(2):
        assert made.ask("window_checks", session=None, window="W0-01") == []
    assert said == ["plugin 'hours' failed to window_checks: ZeroDivisionError: no hours; the rest works"]
    assert made.ask("window_facts", session=None, windows=["W0-01"]) == [{("W0-01", ""): {"hours": 3}}]


@pytest.mark.parametrize(
    ("figures", "why"),
    [
        (
            '"toy", "fuel\\n", None, "12 % left", {}',
            "ValueError: Invalid meter 'fuel\\n'. Expected a text without control",
        ),
        (
            '"toy", "fuel", 3, "12 % left", {}',
            "ValueError: Invalid account 3. Expected a text without control characters",
        ),
        ('"toy", "fuel", None, 12, {}', "ValueError: Invalid text 12. Expected a text without control characters"),
        ('"toy", "fuel", None, "12 % left", {"left": float("nan")}', "ValueError: Invalid figures {'left': nan}. Exp"),
    ],
)
def test_an_outlook_with_wrong_contents_is_refused(figures: str, why: str) -> None:
    module = types.ModuleType("acme_outlook")
    code = "from tracker.api import MeterOutlook\nfrom tracker.feature import Feature, hookimpl\n"
    code += "@hookimpl\ndef feature_info():\n    return Feature(name='acme')\n"
    code += f"@hookimpl\ndef meter_outlooks(source):\n    return [MeterOutlook({figures})]\n"
    exec(code, module.__dict__)
    said: list[str] = []
    made = Registry(said.append)
    add_feature(made, "acme", module)
    assert made.first("meter_outlooks", session=None, source=None) is None
    [text] = said
    assert text.startswith("plugin 'acme' failed to meter_outlooks: " + why.replace("\n", "\\n"))


def test_a_plugin_that_a_feature_asks_and_that_does_not_end_says_nothing_of_others() -> None:
    def window_checks(session: Any, window: str) -> list[Any]:
        if window == "W1":
            raise PluginError("slow", "parse_status", Hang()) from Hang()
        return []

    made, asking = registry(), types.ModuleType("asking")
    asking.window_checks = hookimpl(window_checks)  # type: ignore[attr-defined]
    add_feature(made, "asking", asking)
    found = [dict(made.each("window_checks", session=None, window=window))["asking"] for window in ("W1", "W2")]
    assert isinstance(found[0], PluginError)
    assert found[1] == []
