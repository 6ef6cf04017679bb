"""The examples of docs/notebooks.md run, in their order."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "notebooks.md"


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Each block sees the names of those before it."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert capsys.readouterr().out == "Model accuracy: 0.80\nData drift score: 0.00\n"
