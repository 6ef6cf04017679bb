"""The README of the chart says what values.yaml says."""

import re
from pathlib import Path

import pytest
import yaml

from model_exporter import bundle
from model_exporter.bundle import chart_readme

CHART = "description: Of an example.\nkubeVersion: '>=1.25.0-0'\nhome: https://example.com/x\n"


def test_every_default_is_in_the_table_once(chart: Path) -> None:
    values = yaml.safe_load((chart / "values.yaml").read_text())
    rows = re.findall(
        r"^\| `(\S+)` \| `(.*?)` \| (.*) \|$", (chart / "README.md").read_text(), re.M
    )
    rebuilt: dict = {}
    for path, default, text in rows:
        *parents, key = path.split(".")
        place = rebuilt
        for parent in parents:
            place = place.setdefault(parent, {})
        assert key not in place
        place[key] = yaml.safe_load(default)
        assert text
    assert rebuilt == values


def test_headings_descriptions_and_bars() -> None:
    values = (
        "## One\n\n# -- First\n# of two lines | bar.\na: x|y\n## Two\n\nb:\n  # -- Inner.\n  c: 1\n"
    )
    text = chart_readme.render(CHART, values)
    assert "## One\n\n| key | default | |\n| --- | --- | --- |\n" in text
    assert '| `a` | `"x\\|y"` | First of two lines \\| bar. |\n' in text
    assert text.endswith("| `b.c` | `1` | Inner. |\n")
    assert "`>=1.25.0`" in text


@pytest.mark.parametrize("values", ["a: 1\n", "# no mark\na: {}\n", "a:\n  b: 1\n"])
def test_a_key_without_description_is_refused(values: str) -> None:
    with pytest.raises(ValueError, match=r"values\.yaml:\d: [ab.]+ has no description"):
        chart_readme.render(CHART, values)


def test_readme_and_routing_are_checked_like_all_that_is_generated(
    root: Path, tmp_path: Path
) -> None:
    chart = Path("helm/model-exporter")
    routing = Path("alerting/alertmanager/alertmanager.yml")
    for path in (chart / "Chart.yaml", chart / "values.yaml", routing, Path("README.md")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((root / path).read_bytes())
    bundle.write(tmp_path)
    assert bundle.check(tmp_path) == []
    (tmp_path / chart / "README.md").write_text("edited")
    (tmp_path / chart / "files/alertmanager.yml").unlink()
    (tmp_path / chart / "files/other.yml").write_text("")
    assert sorted(bundle.check(tmp_path)) == [
        "helm/model-exporter/README.md: differs from what is generated",
        "helm/model-exporter/files/alertmanager.yml: missing",
        "helm/model-exporter/files/other.yml: nothing generates it",
    ]
