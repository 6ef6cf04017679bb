"""One world for all tests of this folder."""

import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.end_to_end.world import World, playing

from model_exporter.demo import stack

STORY_SECONDS = 75.0
"""The data last longer than the tests, so that rates and recent windows are never empty."""


@pytest.fixture(scope="session")
def world(
    require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Start everything, play the data, and end everything by process id."""
    require_tool("prometheus")
    if not any(map(shutil.which, stack.ALERTMANAGER_NAMES)):
        require_tool("alertmanager")
    with playing(tmp_path_factory.mktemp("world"), seconds=STORY_SECONDS) as found:
        yield found


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Return a function that asks until the answer is true; failing, it says what was missing."""

    def ask(question: Callable[[], Any], *, what: object, seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
            time.sleep(0.3)
        return answer

    return ask
