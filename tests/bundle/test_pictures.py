"""The pictures in docs/pictures are of the dashboards as they are: `make pictures` draws them."""

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))


def test_each_dashboard_has_its_picture():
    assert {path.stem for path in PICTURES.glob("*.png")} == {path.stem for path in DASHBOARDS}


def test_pictures_are_of_this_version():
    """Drawn anew whenever what they show has changed."""
    drawn = json.loads((PICTURES / "drawn.json").read_text("utf-8"))
    present = {p.name: hashlib.sha256(p.read_bytes()).hexdigest()[:16] for p in DASHBOARDS}
    assert drawn == present, "draw them anew: make pictures"


def test_the_page_about_dashboards_shows_all():
    page = (ROOT / "docs/dashboards.md").read_text("utf-8")
    for path in DASHBOARDS:
        assert f"(pictures/{path.stem}.png)" in page
