"""The declaration, and the demo that it offers."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from tracker_proxy import ingest_line, plain, source_info
from tracker_proxy.block import TITLE


def test_what_is_declared() -> None:
    source = source_info()
    assert (source.contract, source.name, source.title, source.kind) == (
        "1.0",
        "proxy-telemetry",
        TITLE,
        "telemetry",
    )
    assert (source.stream, source.place, source.routed_label, source.prefix) == ("proxy_telemetry", 20, "glm", None)
    assert not source.is_provider


def test_every_tag_of_an_event_is_explained() -> None:
    assert source_info().tags.keys() == {"tokens:missing", *(tag for _, tag in plain.READERS.values())}


def demo_events() -> list[Any]:
    demo = source_info().demo
    assert demo is not None
    [step] = demo.steps
    assert (step.stage, step.arguments) == (
        20,
        ("ingest", "proxy-telemetry", "--window", "{window}", "--stdin"),
    )
    assert step.capture is not None
    lines = files("tracker_proxy").joinpath(step.capture).read_bytes().splitlines()
    return [event for line in lines for event in ingest_line(line, {})]


def test_the_demo_shows_the_specified_figures() -> None:
    events = demo_events()
    assert len(events) == 8
    assert [sum(event["routed"] for event in events), sum(not event["ok"] for event in events)] == [4, 1]
    latencies = sorted(event["latency_ms"] for event in events)
    assert (latencies[3] + latencies[4]) / 2 == 320
    assert round(latencies[6] + 0.65 * (latencies[7] - latencies[6])) == 537


def test_the_demo_compares_both_sides_of_each_request() -> None:
    tokens = {True: 0, False: 0}
    rids: dict[bool, set[str]] = {True: set(), False: set()}
    for event in demo_events():
        tokens[event["routed"]] += event["input_tokens"] + event["output_tokens"]
        rids[event["routed"]].add(event["rid"])
    assert (tokens[False], tokens[True]) == (3975, 4290)
    assert rids[True] == rids[False]
    assert len(rids[True]) == 4
