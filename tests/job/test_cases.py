"""The job against reference values that trusted tools computed on real prediction logs.

`expected/` holds the values of scikit-learn and scipy on the data that the demo ships, as of five
instants, for rolling windows by prediction and by label time, per version and per segment.
"""

import contextlib
import itertools
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.job.web_server import WebServer

from model_exporter.baseline import Baseline
from model_exporter.job.config import load
from model_exporter.job.once import once

pq = pytest.importorskip("pyarrow.parquet", reason="the exporter extra is not installed")

EXPECTED = Path(__file__).parent / "expected"
DATA = Path(__file__).parents[2] / "exporter" / "model_exporter" / "demo" / "data"
CASES = ("bike_2011", "car_loan", "seattle_weather")
EVERYTHING = "5000d"
END = "2021-01-01T00:00:00Z"

EXACT = {
    "accuracy": ("model_accuracy_ratio", {}),
    "balanced_accuracy": ("model_balanced_accuracy_ratio", {}),
    "precision": ("model_precision_ratio", {"average": "binary"}),
    "recall": ("model_recall_ratio", {"average": "binary"}),
    "f1": ("model_f1_ratio", {"average": "binary"}),
    "specificity": ("model_specificity_ratio", {}),
    "mcc": ("model_mcc", {}),
    "log_loss": ("model_log_loss", {}),
    "brier": ("model_brier_score", {}),
    "brier_multi": ("model_brier_score", {}),
    "ece_10": ("model_calibration_error", {}),
    "precision_macro_present": ("model_precision_ratio", {"average": "macro"}),
    "recall_macro_present": ("model_recall_ratio", {"average": "macro"}),
    "f1_macro_present": ("model_f1_ratio", {"average": "macro"}),
    "precision_weighted": ("model_precision_ratio", {"average": "weighted"}),
    "recall_weighted": ("model_recall_ratio", {"average": "weighted"}),
    "f1_weighted": ("model_f1_ratio", {"average": "weighted"}),
    "mae": ("model_mae", {}),
    "mse": ("model_mse", {}),
    "rmse": ("model_rmse", {}),
    "r2": ("model_r2", {}),
    "mape_nonzero": ("model_mape_ratio", {}),
    "wape": ("model_wape_ratio", {}),
    "bias": ("model_bias", {}),
}
"""Served within the summation order of float64: rel 1e-9, abs 1e-12."""

BINNED = {
    "roc_auc": ("model_roc_auc", {}),
    "roc_auc_ovr_macro_present": ("model_roc_auc", {}),
    "average_precision": ("model_average_precision", {}),
}
"""Computed on the grid of scores: within 1e-4."""


class Served:
    """Samples of an exposition, by name and labels."""

    def __init__(self, text: str) -> None:
        self.samples = {
            (s.name, frozenset(s.labels.items())): s.value
            for family in text_string_to_metric_families(text)
            for s in family.samples
        }

    def get(self, name: str, labels: dict[str, str]) -> float | None:
        return self.samples.get((name, frozenset(labels.items())))


class Case:
    """One case, its baseline, and its configuration in a directory of its own."""

    def __init__(self, name: str, directory: Path) -> None:
        self.expected = json.loads((EXPECTED / f"{name}.json").read_text("utf-8"))
        self.directory = directory
        self.data = DATA / name
        self.model = self.expected["model"]
        self.scores = {c: f"score_{c}" for c in self.expected["classes"] or ()}
        self.binary = self.expected["task"] == "binary"
        self.baseline = Baseline.from_table(
            pq.read_table(self.data / "reference.parquet"),
            task=self.expected["task"],
            features=self.expected["features"],
            score="score" if self.binary else None,
            scores=self.scores,
            label="label",
        )
        self.baseline.save(directory / "baseline.json")

    def config(self, **changes: object) -> Path:
        columns: dict[str, object] = {"version": "version"}
        if self.scores:
            columns["scores"] = self.scores
        if self.binary:
            columns["score"] = "score"
        model = {
            "name": self.model,
            "task": self.expected["task"],
            "baseline": "baseline.json",
            "predictions": {
                "type": "parquet",
                "path": str(self.data / "predictions.parquet"),
                "columns": columns,
            },
            "labels": {"type": "parquet", "path": str(self.data / "labels.parquet")},
            "features": self.expected["features"],
            "segments": self.expected["segments"],
            "windows": ["1d", "7d", "30d", EVERYTHING],
            **changes,
        }
        path = self.directory / "exporter.yml"
        path.write_text(yaml.safe_dump({"models": [model]}), "utf-8")
        return path

    def serve(self, asof: str, **changes: object) -> Served:
        text, failures = once(load(self.config(**changes)), now=microseconds(asof))
        assert failures == []
        return Served(text)

    def labels(self, version: str, window: str, segment: str = "", value: str = "") -> dict:
        return {
            "model_name": self.model,
            "model_version": version,
            "window": window,
            "segment": segment,
            "segment_value": value,
        }


def microseconds(timestamp: str) -> int:
    moment = datetime.fromisoformat(timestamp).astimezone(UTC)
    return round(moment.timestamp() * 1_000_000)


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory) -> Case:
    return Case(request.param, tmp_path_factory.mktemp(request.param))


def check_counts(served: Served, row: dict, labels: dict[str, str]) -> None:
    if row.get("n_predictions") is not None:
        assert (served.get("model_window_predictions", labels) or 0) == row["n_predictions"]
    assert (served.get("model_window_labeled_predictions", labels) or 0) == row["n_labelled"]


def check_metrics(served: Served, metrics: dict, labels: dict[str, str]) -> int:
    compared = 0
    for table, tolerance in ((EXACT, {"rel": 1e-9, "abs": 1e-12}), (BINNED, {"abs": 1e-4})):
        for key, (name, extra) in table.items():
            if key not in metrics:
                continue
            value = served.get(name, {**labels, **extra})
            if metrics[key] is None:
                assert value is None, (name, labels)
            else:
                assert value == pytest.approx(metrics[key], **tolerance), (key, labels)
            compared += 1
    return compared


def check_confusion(served: Served, metrics: dict, labels: dict[str, str], classes: list) -> None:
    cells = metrics.get("confusion")
    if cells is None:
        return
    if classes == ["0", "1"]:
        tn, fp, fn, tp = cells
        cells = [[tn, fp], [fn, tp]]
    for i, actual in enumerate(classes):
        for j, predicted in enumerate(classes):
            cell = {**labels, "actual_class": actual, "predicted_class": predicted}
            assert served.get("model_window_confusion", cell) == cells[i][j]


def check_row(case: Case, served: Served, row: dict, labels: dict[str, str]) -> int:
    check_counts(served, row, labels)
    metrics = row["metrics"]
    if not metrics:
        return 0
    check_confusion(served, metrics, labels, case.expected["classes"] or ["0", "1"])
    compared = check_metrics(served, metrics, labels)
    for name, (precision, recall, f1, _) in metrics.get("per_class", {}).items():
        for family, value in (
            ("model_class_precision_ratio", precision),
            ("model_class_recall_ratio", recall),
            ("model_class_f1_ratio", f1),
        ):
            assert served.get(family, {**labels, "class": name}) == (
                None if value is None else pytest.approx(value, rel=1e-9)
            ), (family, name, labels)
    return compared


def test_as_of(case: Case) -> None:
    """What was knowable at each of five instants, per version."""
    for asof in sorted({row["asof"] for row in case.expected["performance_asof"]}):
        served = case.serve(asof)
        for row in case.expected["performance_asof"]:
            if row["asof"] == asof:
                assert check_row(case, served, row, case.labels(row["version"], EVERYTHING))


@pytest.mark.parametrize("by", ["prediction", "label"])
def test_rolling(case: Case, by: str) -> None:
    """Rolling windows of 1, 7 and 30 days, by prediction time and by label time."""
    rows = [r for r in case.expected["performance_rolling"] if r["by"] == f"{by}_time"]
    for asof in sorted({row["asof"] for row in rows}):
        served = case.serve(asof, windows_by=f"{by}_timestamp")
        for row in rows:
            if row["asof"] == asof:
                check_row(case, served, row, case.labels(row["version"], f"{row['days']}d"))


def test_versions_and_segments(case: Case) -> None:
    """All labels known: each version, and each value of each segment."""
    served = case.serve(END)
    compared = 0
    for row in case.expected["performance"]:
        segment = row["segment"] or {}
        name, value = (
            next(iter(segment.items())) if isinstance(segment, dict) and segment else ("", "")
        )
        labels = case.labels(row["version"], EVERYTHING, name, str(value))
        compared += check_row(case, served, row, labels)
    assert compared > len(case.expected["performance"])


DRIFT = {
    "psi": ("model_drift_psi", {"rel": 1e-7, "abs": 1e-12}),
    "js": ("model_drift_js_distance", {"rel": 1e-7, "abs": 1e-9}),
    "ks": ("model_drift_ks", {"rel": 1e-7, "abs": 1e-9}),
    "wasserstein": ("model_drift_wasserstein", {"rel": 1e-7, "abs": 1e-9}),
    "ks_p": ("model_drift_ks_p_value", {"rel": 1e-3, "abs": 1e-12}),
}
CATEGORICAL_DRIFT = {
    "chi2": ("model_drift_chi2", {"rel": 1e-7, "abs": 1e-9}),
    "chi2_p": ("model_drift_chi2_p_value", {"rel": 1e-3, "abs": 1e-12}),
}


def subject(case: Case, column: str) -> dict[str, str]:
    if column == "prediction":
        return {"subject": "prediction", "feature": ""}
    if column == "score" or column in case.scores.values():
        return {"subject": "score", "feature": column.removeprefix("score").removeprefix("_")}
    return {"subject": "feature", "feature": column}


def test_drift(case: Case) -> None:
    """PSI by its primary definition, and the other statistics, of everything and per version."""
    served = case.serve(END)
    compared = 0
    for row in case.expected["drift"]:
        labels = {
            "model_name": case.model,
            "model_version": row["version"],
            "window": EVERYTHING,
            **subject(case, row["column"]),
        }
        assert served.get("model_drift_rows", labels) == row["n_cur"]
        # Chi-squared of numeric columns is on bins; the reference values have none.
        tables = (DRIFT, CATEGORICAL_DRIFT) if row["kind"] == "categorical" else (DRIFT,)
        for key, (name, tolerance) in (item for table in tables for item in table.items()):
            if key in row:
                assert served.get(name, labels) == pytest.approx(row[key], **tolerance), labels
                compared += 1
    assert compared >= 2 * len(case.expected["drift"])


def test_data_quality_and_delay(case: Case) -> None:
    """Missing, out-of-range and unseen shares, and the count and sum of label delays."""
    served = case.serve(END)
    for row in case.expected["data_quality"]:
        features = itertools.chain(*case.expected["features"].values())
        if row["window"] is not None or row["column"] not in features:
            continue
        labels = {
            "model_name": case.model,
            "model_version": "all",
            "window": EVERYTHING,
            "feature": row["column"],
        }
        present = row["n"] - row["missing"]
        assert served.get("model_missing_ratio", labels) == row["missing"] / row["n"]
        if row["kind"] == "numeric":
            assert served.get("model_out_of_range_ratio", labels) == row["out_of_range"] / present
        else:
            assert served.get("model_unseen_ratio", labels) == row["unseen_rows"] / present
    delay = case.expected["label_delay_seconds"]
    for suffix, value in (("count", delay["n"]), ("sum", delay["n"] * delay["mean"])):
        name = f"model_label_delay_seconds_{suffix}"
        found = sum(v for (n, _), v in served.samples.items() if n == name)
        assert found == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_same_from_every_format(case: Case, kind: str, tmp_path: Path, request) -> None:
    """CSV and JSON Lines of the same records give the same bytes as Parquet."""
    check_same(case, kind, tmp_path, request)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "postgresql", "http"])
def test_same_from_every_source(kind: str, tmp_path: Path, request) -> None:
    """So do databases and an API, with one case: what they hand over is of the same form."""
    (tmp_path / "case").mkdir()
    check_same(Case("seattle_weather", tmp_path / "case"), kind, tmp_path, request)


def check_same(case: Case, kind: str, tmp_path: Path, request) -> None:
    expected = once(load(case.config()), now=microseconds(END))[0]
    changes: dict[str, object] = {"baseline": str(case.directory / "baseline.json")}
    with contextlib.ExitStack() as stack:
        for name in ("predictions", "labels"):
            frame = pq.read_table(case.data / f"{name}.parquet").to_pandas()
            keys = PROVIDE[kind](frame, tmp_path, name, request, stack)
            configured = yaml.safe_load(case.config().read_text())["models"][0]
            changes[name] = {**keys, "columns": configured[name].get("columns", {})}
        moved = tmp_path / "exporter.yml"
        moved.write_text(case.config(**changes).read_text())
        text, failures = once(load(moved), now=microseconds(END))
    assert failures == []
    assert text == expected


def as_files(kind: str):
    def provide(frame, directory: Path, name: str, *_: object) -> dict:
        path = directory / f"{name}.{kind}"
        if kind == "csv":
            frame.to_csv(path, index=False)
        else:
            path.write_text(as_json(frame, lines=True))
        return {"type": kind, "path": str(path)}

    return provide


def as_json(frame, *, lines: bool) -> str:
    return frame.to_json(
        orient="records", lines=lines, date_format="iso", date_unit="us", double_precision=15
    )


def as_sqlite(frame, directory: Path, name: str, *_: object) -> dict:
    with contextlib.closing(sqlite3.connect(directory / "log.db")) as connection:
        frame.to_sql(name, connection, index=False)
    return {"type": "sql", "url": "sqlite:///log.db", "table": name, "cursor": ORDERED[name]}


def as_duckdb(frame, directory: Path, name: str, *_: object) -> dict:
    with duckdb.connect(directory / "log.duckdb") as connection:
        connection.execute(f"CREATE TABLE {name} AS FROM frame")
    return {"type": "sql", "url": "duckdb:///log.duckdb", "table": name, "cursor": ORDERED[name]}


def as_postgres(frame, directory: Path, name: str, request, *_: object) -> dict:
    server = request.getfixturevalue("postgres")
    kinds = {"f": "double precision", "i": "bigint", "M": "timestamptz"}
    columns = ", ".join(f'"{c}" {kinds.get(frame[c].dtype.kind, "text")}' for c in frame.columns)
    with server.connect() as connection:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
        connection.execute(f"CREATE TABLE {name} ({columns})")
        with connection.cursor().copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy:
            copy.write(frame.to_csv(index=False, header=False))
    return {
        "type": "sql",
        "url": server.url,
        "password_file": str(server.password_file),
        "table": name,
        "cursor": ORDERED[name],
    }


def as_http(frame, directory: Path, name: str, request, stack: contextlib.ExitStack) -> dict:
    """Serve pages of 300 records."""

    def respond(asked) -> None:
        page = int(asked.parameters["page"])
        asked.answer(as_json(frame.iloc[page * 300 : page * 300 + 300], lines=False))

    server = stack.enter_context(WebServer(respond))
    pagination = {"by": "page", "parameter": "page", "first": 0}
    return {"type": "http", "url": server.url, "pagination": pagination}


ORDERED = {"predictions": "timestamp", "labels": "label_timestamp"}
PROVIDE = {
    "csv": as_files("csv"),
    "jsonl": as_files("jsonl"),
    "sqlite": as_sqlite,
    "duckdb": as_duckdb,
    "postgresql": as_postgres,
    "http": as_http,
}
