"""What `bundle write` writes and `bundle check` compares: every generated file, as a set."""

import json
from pathlib import Path

from model_exporter.bundle import chart_readme, metrics_table
from model_exporter.bundle.dashboards import DASHBOARDS
from model_exporter.bundle.rules.files import RULE_FILES
from model_exporter.bundle.rules.rule import render

README = Path("README.md")
DASHBOARD_FOLDER = Path("dashboards")
RULE_FOLDER = Path("alerting/rules")
CHART = Path("helm/model-exporter")
CHART_FILES = CHART / "files"
ROLLOUTS = (
    Path("alerting/rollouts/argo-analysis-templates.yml"),
    Path("alerting/rollouts/flagger-metric-templates.yml"),
)
ALERTMANAGER = Path("alerting/alertmanager/alertmanager.yml")

GENERATED = {
    DASHBOARD_FOLDER: "*.json",
    RULE_FOLDER: "*.yml",
    CHART_FILES / "dashboards": "*",
    CHART_FILES / "rules": "*",
    CHART_FILES / "rollouts": "*",
    CHART_FILES: "*",
}
"""Folders that hold generated files, and which of their files are generated."""


def rendered(root: Path) -> dict[Path, str]:
    """Return the text of every generated file, by path from the repository's `root`.

    The chart holds copies: links would break when it is packaged on some platforms.
    """
    files: dict[Path, str] = {}
    for name, dashboard in DASHBOARDS.items():
        text = json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
        files[DASHBOARD_FOLDER / name] = files[CHART_FILES / "dashboards" / name] = text
    for name, groups in RULE_FILES.items():
        text = render(groups)
        files[RULE_FOLDER / name] = files[CHART_FILES / "rules" / name] = text
    return files | _from_written(root)


def _from_written(root: Path) -> dict[Path, str]:
    """Return what is made of files that people write, as far as these are there."""
    files = {}
    chart, values = _read(root / CHART / "Chart.yaml"), _read(root / CHART / "values.yaml")
    if chart is not None and values is not None:
        files[CHART / "README.md"] = chart_readme.render(chart, values)
    routing = _read(root / ALERTMANAGER)
    if routing is not None:
        files[CHART_FILES / ALERTMANAGER.name] = routing
    for path in ROLLOUTS:
        templates = _read(root / path)
        if templates is not None:
            files[CHART_FILES / "rollouts" / path.name] = templates
    return files


def write(root: Path) -> list[Path]:
    """Write every generated file under `root`, remove orphans, and return what changed."""
    changed = []
    for path, text in rendered(root).items():
        if _read(root / path) != text:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
            changed.append(root / path)
    for orphan in _orphans(root):
        (root / orphan).unlink()
        changed.append(root / orphan)
    readme = _read(root / README)
    fresh = metrics_table.replaced(readme or "")
    if fresh is not None and fresh != readme:
        (root / README).write_text(fresh, encoding="utf-8")
        changed.append(root / README)
    return changed


def check(root: Path) -> list[str]:
    """Return a line for every difference between what is generated and what lies under `root`."""
    lines = []
    for path, text in rendered(root).items():
        present = _read(root / path)
        if present is None:
            lines.append(f"{path}: missing")
        elif present != text:
            lines.append(f"{path}: differs from what is generated")
    lines += [f"{path}: nothing generates it" for path in _orphans(root)]
    return lines + _readme_differences(_read(root / README))


def _readme_differences(readme: str | None) -> list[str]:
    fresh = metrics_table.replaced(readme or "")
    if fresh is None:
        return [f"{README}: markers {metrics_table.BEGIN} and {metrics_table.END} are missing"]
    return [f"{README}: the metric table differs from the catalogue"] if fresh != readme else []


def _orphans(root: Path) -> list[Path]:
    generated = rendered(root).keys()
    present = (
        path.relative_to(root)
        for folder, pattern in GENERATED.items()
        for path in sorted((root / folder).glob(pattern))
        if path.is_file()
    )
    return [path for path in present if path not in generated]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
