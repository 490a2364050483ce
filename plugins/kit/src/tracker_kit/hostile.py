"""JSON that nobody should send: what other programs print, with some of its values replaced by anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

# what breaks arithmetic, and what JSON numbers of other languages become
NUMBERS = st.integers() | st.floats() | st.sampled_from([-0.0, 10**15, 10**400, 2**63, 2**64, -1, 1e308, 1, 3, 5, 6])


def junk(words: Sequence[str]) -> st.SearchStrategy[Any]:
    """Any JSON value; `words` are texts that mean something to the reader."""
    scalars = st.none() | st.booleans() | NUMBERS | st.text() | st.sampled_from(words)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    )


@st.composite
def mutated(draw: st.DrawFn, texts: Sequence[str], values: st.SearchStrategy[Any]) -> str:
    """A JSON text with up to four of its values replaced, as JSON that may hold NaN and Infinity."""
    payload: Any = json.loads(draw(st.sampled_from(texts)))
    for _ in range(draw(st.integers(1, 4))):
        node = payload
        while node and isinstance(node, dict | list):
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if isinstance(node[key], dict | list) and node[key] and draw(st.integers(0, 9)):
                node = node[key]
                continue
            node[key] = draw(values)
            break
    return json.dumps(payload)
