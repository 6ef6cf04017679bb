"""What every test may ask for."""

import os
import shutil
from collections.abc import Callable

import pytest

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before anything imports it


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """Return a function from the name of a program to its path.

    A missing program skips the test, saying so; with REQUIRE_TOOLS=1, as in CI, it fails it.
    """

    def path_of(name: str) -> str:
        path = shutil.which(name)
        if path is not None:
            return path
        if os.environ.get("REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} is not on PATH and REQUIRE_TOOLS=1")
        pytest.skip(f"{name} is not on PATH: what it would verify stays unverified")

    return path_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--runslow`: the property tests that say so try far more."""
    parser.addoption("--runslow", action="store_true", help="run long property tests in full")
