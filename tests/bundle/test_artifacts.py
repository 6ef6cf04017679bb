"""Generated files are what the bundle generates, as a set."""

from pathlib import Path

import pytest

from model_exporter import bundle
from model_exporter.bundle import metrics_table
from model_exporter.catalogue import ESTIMATES, FAMILIES, MEASURES, SCORES


@pytest.fixture
def copy(tmp_path: Path, root: Path) -> Path:
    """Return a folder with a freshly written bundle."""
    (tmp_path / "README.md").write_text(
        f"# title\n\n{metrics_table.BEGIN}\nold\n{metrics_table.END}\n\ntail\n"
    )
    bundle.write(tmp_path)
    return tmp_path


def test_committed_files_are_what_is_generated(root: Path) -> None:
    assert bundle.check(root) == []


def test_what_was_written_passes_and_writing_again_changes_nothing(copy: Path) -> None:
    assert bundle.check(copy) == []
    assert bundle.write(copy) == []


def test_missing_changed_and_orphaned_files_are_each_named(copy: Path) -> None:
    (copy / "alerting/rules/model-alerts.yml").unlink()
    (copy / "dashboards/models-overview.json").write_text("{}")
    (copy / "helm/model-exporter/files/rules/old.yml").write_text("")
    (copy / "dashboards/renamed.json").write_text("{}")
    assert sorted(bundle.check(copy)) == [
        "alerting/rules/model-alerts.yml: missing",
        "dashboards/models-overview.json: differs from what is generated",
        "dashboards/renamed.json: nothing generates it",
        "helm/model-exporter/files/rules/old.yml: nothing generates it",
    ]
    bundle.write(copy)
    assert bundle.check(copy) == []


def test_files_beside_the_generated_ones_are_left_alone(copy: Path) -> None:
    provisioning = copy / "dashboards/provisioning/dashboards.yaml"
    provisioning.parent.mkdir()
    provisioning.write_text("apiVersion: 1\n")
    bundle.write(copy)
    assert provisioning.exists()
    assert bundle.check(copy) == []


def test_an_empty_folder_is_reported_and_not_a_crash(tmp_path: Path) -> None:
    lines = bundle.check(tmp_path)
    assert "README.md: markers <!-- metrics:begin --> and <!-- metrics:end --> are missing" in lines
    assert sum(line.endswith(": missing") for line in lines) == len(lines) - 1


def test_chart_holds_the_same_bytes(root: Path) -> None:
    files = root / "helm/model-exporter/files"
    pairs = {"dashboards": root / "dashboards", "rules": root / "alerting/rules"}
    for folder, source in pairs.items():
        for path in (files / folder).iterdir():
            assert path.read_bytes() == (source / path.name).read_bytes()


def test_only_the_block_of_the_readme_is_replaced(copy: Path) -> None:
    text = (copy / "README.md").read_text()
    assert text.startswith("# title\n\n<!-- metrics:begin -->\n")
    assert text.endswith("<!-- metrics:end -->\n\ntail\n")
    assert "\nold\n" not in text


def test_metric_table_names_every_family_once() -> None:
    table = metrics_table.render()
    with_bounds = (*SCORES, *ESTIMATES, *MEASURES)
    bounds = {name for row in with_bounds for name in (row.lower, row.upper)}
    for family in FAMILIES:
        expected = 0 if family.name in bounds else 1
        assert table.count(f"`{family.name}`") == expected, family.name


def test_metric_table_fits_its_columns() -> None:
    rows = [line for line in metrics_table.render().splitlines() if line.startswith("|")]
    assert all(line.count("|") in {4, 5, 6} for line in rows)
