"""Draws every dashboard, filled with the demo's data, to docs/pictures/*.png: `make pictures`.

The whole stack runs for two minutes; each panel's queries are asked of its Prometheus, as Grafana
would; Grafana's own components draw the answers in a headless Chromium. It is a preview: what
Grafana itself adds (menus, tooltips, its fonts) is missing.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

from collect import collected  # noqa: E402
from tests.end_to_end.world import playing  # noqa: E402

SECONDS = 130.0
"""The data last longer than they are watched, so that no line falls to nothing at its end."""
WATCHED_SECONDS = 110.0
WIDTH = 1672
CELL = 38
ABOVE = 130
CHOSEN = {
    "model-business": {"model_name": "fraud", "model_version": "1", "window": "5m"},
    "model-data-quality": {"model_name": "fraud", "model_version": "1", "feature": "amount"},
    "model-drift": {"model_name": "bike-demand", "model_version": "v1", "feature": "temp"},
    "model-quality": {"model_name": "car-loan", "model_version": "v1"},
    "model-versions": {"model_name": "fraud"},
}
"""Models that show most of what a dashboard has; of the others what Grafana chooses first."""
CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-quic", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--allow-file-access-from-files", "--virtual-time-budget=20000"),
)
MANIFEST = HERE / "drawn.json"


def main() -> int:
    """Draw, and note which version of each dashboard was drawn."""
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    paths = sorted((ROOT / "dashboards").glob("*.json"))
    with tempfile.TemporaryDirectory() as name:
        built = Path(name)
        print("Building the page ...", flush=True)
        build(built)
        print(f"Playing the demo's data for {WATCHED_SECONDS:.0f} s ...", flush=True)
        for path, dashboard in zip(paths, filled(paths), strict=True):
            screenshot(chromium, built, path.stem, dashboard)
            print(HERE / f"{path.stem}.png", flush=True)
    for picture in HERE.glob("*.png"):
        if picture.stem not in {path.stem for path in paths}:
            picture.unlink()
    MANIFEST.write_text(json.dumps({path.name: checksum(path) for path in paths}, indent=2) + "\n")
    return 0


def checksum(path: Path) -> str:
    """Return what tells whether a picture is of this version of a dashboard."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def filled(paths: list[Path]) -> list[dict[str, Any]]:
    """Return the dashboards with the answers to their queries."""
    with tempfile.TemporaryDirectory() as name, playing(Path(name), seconds=SECONDS) as world:
        start = time.time()
        time.sleep(WATCHED_SECONDS)
        end = time.time()
        return [
            collected(
                json.loads(path.read_text("utf-8")),
                world.get,
                start=start,
                end=end,
                chosen=CHOSEN.get(path.stem, {}),
            )
            for path in paths
        ]


def build(directory: Path) -> None:
    """Bundle the page, with its packages installed in a cache beside the virtual environment."""
    place = Path(os.environ.get("PICTURES_CACHE", ROOT / ".venv/pictures"))
    place.mkdir(parents=True, exist_ok=True)
    for path in (*HERE.glob("*.ts*"), HERE / "package.json"):
        shutil.copy(path, place)
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"],
        cwd=place,
        check=True,
    )
    command = ["npm", "run", "--silent", "build", "--", f"--outfile={directory / 'page.js'}"]
    subprocess.run(command, cwd=place, check=True)


def screenshot(chromium: str, built: Path, name: str, dashboard: dict[str, Any]) -> None:
    """Open a dashboard and save what is seen."""
    places = (panel["gridPos"] for panel in dashboard["panels"])
    height = ABOVE + CELL * max(place["y"] + place["h"] for place in places)
    data = json.dumps(dashboard).replace("</", "<\\/")
    page = built / "page.html"
    page.write_text(
        '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css">'
        '<body style="margin:0"><div id="root"></div>'
        f'<script>window.DASHBOARD={data}</script><script src="page.js"></script>',
        "utf-8",
    )
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                chromium,
                *CHROMIUM,
                f"--user-data-dir={profile}",
                f"--window-size={WIDTH},{height}",
                f"--screenshot={HERE / name}.png",
                page.as_uri(),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )


if __name__ == "__main__":
    sys.exit(main())
