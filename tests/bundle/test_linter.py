"""dashboard-linter itself, strictly and without exclusions."""

import re
from collections.abc import Callable
from pathlib import Path


def test_dashboard_linter_finds_nothing(root: Path, run: Callable, require_tool: Callable) -> None:
    """Strictly, and without exclusions: there is no .lint beside them."""
    linter = require_tool("dashboard-linter")
    assert not (root / "dashboards/.lint").exists()
    for path in sorted((root / "dashboards").glob("*.json")):
        done = run(linter, "lint", "--strict", path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_dashboard_linter_finds_what_it_should(
    root: Path, tmp_path: Path, run: Callable, require_tool: Callable
) -> None:
    """Every rule that is broken on purpose is named: the linter reads all of a dashboard."""
    text = (root / "dashboards/model-drift.json").read_text()
    path = tmp_path / "broken.json"
    path.write_text(text.replace('instance=~\\"$instance\\"', 'pod=\\"x\\"'))
    assert path.read_text() != text
    done = run(require_tool("dashboard-linter"), "lint", "--strict", path)
    assert done.returncode != 0
    found = set(re.findall(r"panel '([^']+)'", done.stdout + done.stderr))
    assert {"Worst feature", "PSI from the model servers, last hour"} <= found
