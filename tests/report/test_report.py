"""The page: the numbers of the job, nothing that is fetched, and no name that breaks out."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.job.test_cases import Case, microseconds

from model_exporter.catalogue import SCORE_BY_KEY
from model_exporter.cli import main
from model_exporter.job.config import load
from model_exporter.records import Estimate
from model_exporter.report.collect import collect
from model_exporter.report.content import Content, Histogram, ModelContent, ScoreLine, WindowLine
from model_exporter.report.page import page
from model_exporter.report.pictures import bars, intervals, number

HOSTILE = "<img src=x onerror=alert(1)>\"'&</style><script>alert(2)</script>"
LATE = "2019-08-29T11:30:00Z"
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "b", "i",
    "nav", "a", "strong", "span", "article", "header", "section", "div", "table", "tr", "th", "td",
    "details", "summary", "figure", "figcaption", "footer", "code",
    "svg", "g", "line", "text", "circle", "rect", "path",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "title", "style",
    "aria-hidden", "aria-label", "role", "viewbox", "width", "height", "x", "y", "rx", "x1", "x2",
    "y1", "y2", "cx", "cy", "r", "d", "text-anchor",
}  # fmt: skip


class Reader(HTMLParser):
    """Holds every element and attribute to the lists above, and elements to be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.places: set[str] = set()
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        given = dict(attributes)
        assert set(given) <= ATTRIBUTES, given
        self.places |= {given["id"] or ""} if "id" in given else set()
        self.links += [given["href"] or ""] if "href" in given else []
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    found = Case("car_loan", tmp_path_factory.mktemp("car_loan"))
    expectations = {"accuracy": {"min": 0.93}, "f1": {"min": 0.5}}
    path = found.config(windows=["30d", "90d"], expectations=expectations)
    path.rename(found.directory / "report.yml")
    return found


@pytest.fixture(scope="module")
def written(case: Case) -> str:
    config = str(case.directory / "report.yml")
    target = case.directory / "report.html"
    assert main(["report", "--config", config, "-o", str(target), "--now", LATE]) == 0
    return target.read_text("utf-8")


def test_the_numbers_are_those_of_the_job(case: Case, written: str) -> None:
    """Scores with both ends, the baseline, drift and coverage, as `once` serves them."""
    text = Reader(written).text
    config = {"windows": ["30d", "90d"], "expectations": {"accuracy": {"min": 0.93}}}
    served = case.serve(LATE, **config)
    labels = case.labels("all", "90d")
    value, lower, upper = (
        served.get(f"model_accuracy_ratio{end}", labels) for end in ("", "_lower", "_upper")
    )
    assert f"Accuracy {value:.3f} {lower:.3f} to {upper:.3f}" in text
    assert "at least 0.930 violated" in text
    assert "Worse than expected" in text
    predictions, labelled = (
        int(served.get(name, labels))
        for name in ("model_window_predictions", "model_window_labeled_predictions")
    )
    assert f"{labelled:,} of {predictions:,} predictions of the last 90d have a label" in text
    drifted = {
        dict(key)["feature"] or dict(key)["subject"]: number
        for (name, key), number in served.samples.items()
        if name == "model_drift_detected"
        and dict(key)["window"] == "90d"
        and dict(key)["model_version"] == "all"
    }
    assert len(drifted) == 10
    assert f"{int(sum(drifted.values()))} of 10 distributions moved" in text
    for name in drifted:
        assert name in text


def test_the_page_stands_alone(written: str) -> None:
    """Only known elements, closed; links lead to the page itself; nothing is fetched or run."""
    found = Reader(written)
    assert {link.removeprefix("#") for link in found.links} <= found.places
    for word in ("http://", "https://", "url(", "@import", "<script", "src="):
        assert word not in written
    assert "default-src 'none'" in written


def test_the_same_instant_gives_the_same_page(case: Case, written: str) -> None:
    config = load(case.directory / "report.yml")
    again = collect(config, now=microseconds(LATE), state=case.directory / "other")
    assert page(again) == written


def rows(name: str, labelled: int, versions: tuple[str, ...] = ("1",)) -> tuple[list, list]:
    predictions = [
        {"prediction_id": f"{i}", "timestamp": f"2026-01-01T00:{i % 60:02}:00Z",
         "model_version": versions[i % len(versions)], "prediction": i % 2,
         name: f"{HOSTILE}{i % 3}"}
        for i in range(200)
    ]  # fmt: skip
    labels = [
        {"prediction_id": f"{i}", "label": int(i == 1), "label_timestamp": "2026-01-01T02:00:00Z"}
        for i in [*range(labelled), "of nobody"]
    ]
    return predictions, labels


def configured(directory: Path, name: str, *, labelled: int, versions=("1",), **more) -> Path:
    predictions, labels = rows(name, labelled, versions)
    for file, records in (("p", predictions), ("l", labels), ("r", predictions)):
        (directory / f"{file}.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
    model = {
        "name": HOSTILE,
        "task": "binary",
        "predictions": {"type": "jsonl", "path": "p.jsonl"},
        "labels": {"type": "jsonl", "path": "l*.jsonl"},
        "features": {"categorical": [name]},
        "windows": ["1d"],
        **more,
    }
    path = directory / "exporter.yml"
    path.write_text(yaml.safe_dump({"models": [model]}), "utf-8")
    return path


def written_of(
    directory: Path, config: Path, *, status: int = 0, now: str = "2026-01-01T12:00:00Z"
) -> Reader:
    arguments = ["report", "--config", str(config), "-o", str(directory / "report.html")]
    assert main([*arguments, "--now", now]) == status
    return Reader((directory / "report.html").read_text("utf-8"))


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    """Of models, versions, features and categories: shown as they are, and only shown."""
    config = configured(tmp_path, HOSTILE, labelled=200, versions=(HOSTILE, "2"))
    arguments = ["baseline", str(tmp_path / "r.jsonl"), "-o", str(tmp_path / "b.json")]
    arguments += ["--task", "binary", "--categorical", HOSTILE]
    assert main(arguments) == 0
    configured(tmp_path, HOSTILE, labelled=200, versions=(HOSTILE, "2"), baseline="b.json")
    found = written_of(tmp_path, config)
    shown = " ".join(HOSTILE.split())
    assert found.text.count(shown) >= 5
    assert f"{shown}0" in found.text


def test_without_labels_it_says_so(tmp_path: Path) -> None:
    text = written_of(tmp_path, configured(tmp_path, "x", labelled=0)).text
    assert "No labels yet" in text
    assert "0 of 200 predictions" in text
    assert "Without a baseline there is nothing to compare with" in text


def test_without_predictions_it_says_so(tmp_path: Path) -> None:
    config = configured(tmp_path, "x", labelled=0)
    text = written_of(tmp_path, config, now="2025-01-01T00:00:00Z").text
    assert "No predictions" in text
    assert "There is no prediction in the last 1d" in text


def test_a_source_that_fails_is_on_the_page(tmp_path: Path) -> None:
    config = configured(tmp_path, "x", labelled=10)
    (tmp_path / "late.jsonl").write_text("no json\n")
    found = written_of(tmp_path, config, status=1)
    assert "A source could not be read" in found.text


def test_several_models_have_a_list() -> None:
    models = [ModelContent(f"m{i}", "binary", "7d", [WindowLine("7d", 5, 0)]) for i in range(3)]
    found = Reader(page(Content("now", "0", models)))
    assert found.links == [f"#model-{i}" for i in range(3)]


finite = st.floats(-1e9, 1e9).filter(lambda x: not x or abs(x) > 1e-6)


@given(st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=4), st.none() | finite)
def test_an_interval_is_drawn_in_its_order(values: list, baseline: float | None) -> None:
    """Whatever the values: all inside the picture, and points between their ends."""
    windows = {
        f"{i}d": Estimate(middle, low, high)
        for i, (low, middle, high) in enumerate(map(sorted, values))
    }
    drawn = intervals(ScoreLine(SCORE_BY_KEY["mae"], windows, baseline=baseline))
    places = Places(drawn)
    for (start, end), point in zip(places.ranges, places.points, strict=True):
        assert 44 <= start <= point <= end <= 352
    assert 1 <= len(places.texts) - len(windows) <= 12


class Places(HTMLParser):
    """Where the parts of a picture are."""

    def __init__(self, drawn: str) -> None:
        super().__init__()
        self.ranges: list[tuple[float, float]] = []
        self.points: list[float] = []
        self.heights: list[float] = []
        self.texts: list[str] = []
        self.feed(drawn)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "line" and found["class"].startswith("range"):
            self.ranges.append((float(found["x1"]), float(found["x2"])))
        if tag == "circle":
            self.points.append(float(found["cx"]))
        if tag == "rect" and found["class"] == "now":
            self.heights.append(float(found["height"]))
        if tag == "text":
            self.texts.append(found["class"])

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)


@pytest.mark.parametrize("bins", [1, 5, 12, 40])
def test_bars_are_as_high_as_the_shares(bins: int) -> None:
    """Of many bins the rarest share the last bar, and nothing is lost."""
    shares = [(i + 1) / (bins * (bins + 1) / 2) for i in range(bins)]
    names = [str(i) for i in range(bins)]
    heights = Places(bars(Histogram("x", names, shares, shares, None))).heights
    assert len(heights) == min(bins, 12)
    scale = sum(heights)
    expected = shares if bins <= 12 else [*shares[-11:], sum(shares[:-11])]
    assert [h / scale for h in heights] == pytest.approx(expected, abs=0.005)


def test_a_bar_without_values_is_only_an_outline() -> None:
    assert Places(bars(Histogram("x", ["a", "b"], [0.5, 0.5], [], None))).heights == []


def test_numbers_are_for_people() -> None:
    assert [number(v) for v in (float("nan"), -0.5, 0.0)] == ["–", "−0.500", "0.000"]
