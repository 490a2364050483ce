"""Whatever text comes as a ccusage report: an answer, and only honest numbers in it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.api import PreviewContext, Reading
from tracker_codex import ccusage
from tracker_kit.hostile import junk, mutated

TEXTS = [path.read_text() for path in sorted((Path(__file__).parent / "ccusage").glob("*.txt"))]
SCOPES = st.sampled_from([None, "session", "daily", "weekly", "monthly", "blocks"])

ANYTHING = junk(["all", "2025-10-19", "Oct 19, 2025"])


def check(reading: Reading) -> None:
    orjson.dumps(dict(reading.fields))  # a record can hold it
    for name, value in reading.fields.items():
        assert value is None or isinstance(value, str if name in ("scope", "latest", "reset") else int | float)
        if isinstance(value, int | float):
            assert not isinstance(value, bool)
            assert math.isfinite(value)
            assert value >= 0
    assert reading.fields or reading.errors
    declared = ccusage.source_info().tags
    assert {tag.partition(":")[0] for tag in reading.errors} <= declared.keys()
    ccusage.render_preview_block(PreviewContext(windows=(), records=({"parsed": reading.fields},)))


@settings(deadline=None)
@given(
    st.text() | st.sampled_from(TEXTS).flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end])),
    SCOPES,
)
def test_any_text_has_an_answer(text: str, scope: str | None) -> None:
    check(ccusage.parse_status(text=text, scope=scope))


@settings(deadline=None)
@given(mutated(TEXTS, ANYTHING), SCOPES)
def test_any_mutation_of_a_report_has_an_answer(text: str, scope: str | None) -> None:
    check(ccusage.parse_status(text=text, scope=scope))


@settings(deadline=None)
@given(ANYTHING, st.lists(st.text() | ANYTHING))
def test_any_record_has_a_preview(parsed: Any, values: list[Any]) -> None:
    names = ("scope", "rows", "latest", "tokens", "percent_used", "reset", "total_tokens")
    edited = dict(zip(names, ["weekly", *values], strict=False))
    records = ({"parsed": parsed, "raw_text": parsed, "captured_at": parsed}, {"parsed": edited})
    block = ccusage.render_preview_block(PreviewContext(windows=(), records=records))
    assert block is not None
    assert block.rows[0].label == "weekly"
