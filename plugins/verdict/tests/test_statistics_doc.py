"""docs/explanation/statistics.md: its python blocks run in order, and each prints the text block that follows it."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "statistics.md"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n\n```text\n(?P<output>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_examples_print_what_the_page_says():
    text = PAGE.read_text(encoding="utf-8")
    names, blocks = {}, list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```python") > 4
    for block in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block["code"], str(PAGE), "exec"), names)
        assert printed.getvalue() == block["output"]
