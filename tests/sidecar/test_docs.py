"""The examples of docs/sidecar.md run, in their order."""

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "sidecar.md"


def test_the_examples_run() -> None:
    """Each block sees the names of those before it."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    monitor = names["monitor"]
    assert b"model_info" in b"".join(names["app"]({}, lambda *_: None))
    monitor.close()
    assert set(monitor._pipeline.faults.errors.values()) == {0}
