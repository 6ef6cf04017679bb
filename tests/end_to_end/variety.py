"""Models beside the demo's that have what these lack, so that every panel has something to show.

A shadow version, segments that are requests, measures of the business, values, thresholds, scores
of its own, a stream, calls that fail, inputs that are invalid, workers that share their counts.
"""

import csv
import json
import random
import threading
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector

from model_exporter import Baseline, ModelMonitor

TICK = 0.5
ROWS = 12
WINDOWS = ("30s",)
VERSIONS = ("1", "2")
CUTS = dict(zip(VERSIONS, (50.0, 80.0), strict=True))
"""The challenger says yes too rarely."""


def agreement(labels, predictions, scores):
    """Return the share of right predictions: a score of one's own."""
    return float((labels == predictions).mean()) if len(labels) else None


def broken(labels, predictions, scores):
    """Raise, as a score of one's own may."""
    raise ZeroDivisionError("broken on purpose")


def models(directory: Path) -> list[dict]:
    """Return the models' configuration, and create what it names."""
    (directory / "fraud").mkdir()
    rows = _rows(random.Random(7), 2000)
    rows["score"] = [_score(amount) for amount in rows["amount"]]
    rows["prediction"] = [int(score >= 0.5) for score in rows["score"]]
    rows["label"] = [int(amount > 50) for amount in rows["amount"]]
    Baseline.from_table(
        rows,
        task="binary",
        features={"numeric": ["amount"], "categorical": ["country"]},
        score="score",
        label="label",
    ).save(directory / "fraud.baseline.json")
    for name, columns in FILES.items():
        (directory / name).write_text(",".join(columns) + "\n")
    (directory / "price.jsonl").touch()
    fraud = {
        "name": "fraud",
        "task": "binary",
        "baseline": str(directory / "fraud.baseline.json"),
        "predictions": {
            "type": "jsonl",
            "path": str(directory / "fraud/*.jsonl"),
            "columns": {"group": "segments.country"},
        },
        "labels": {
            "type": "csv",
            "path": str(directory / "fraud.csv"),
            "columns": {"business": {"revenue_eur": "revenue"}},
        },
        "features": {"numeric": ["amount"], "categorical": ["country"]},
        "segments": ["country"],
        "windows": list(WINDOWS),
        "shadow": True,
        "cohorts": ["10s", "5m"],
        "thresholds": [0.3, 0.7],
        "value": {"tp": 12, "fp": -3, "fn": -20, "tn": 0},
        "scores": {f.__name__: f"{__name__}:{f.__name__}" for f in (agreement, broken)},
        "expectations": {
            **{key: {"min": 0.9} for key in ("accuracy", "precision", "recall", "f1")},
            **{key: {"max": 0.5} for key in ("log_loss", "calibration_error")},
            "average_precision": {"min": 0.5},
        },
    }
    price = {
        "name": "price",
        "task": "regression",
        "predictions": {
            "type": "jsonl",
            "path": str(directory / "price.jsonl"),
            "columns": {"quantiles": {0.1: "p10", 0.9: "p90"}},
        },
        "labels": {"type": "csv", "path": str(directory / "price.csv")},
        "windows": list(WINDOWS),
        "expectations": {key: {"max": 1} for key in ("rmse", "r2", "mape", "wape")},
    }
    return [fraud, price]


FILES = {
    "fraud.csv": ("prediction_id", "label", "label_timestamp", "revenue"),
    "price.csv": ("prediction_id", "label", "label_timestamp"),
}


def _rows(generator: random.Random, count: int) -> dict[str, list]:
    return {
        "amount": [generator.uniform(0, 100) for _ in range(count)],
        "country": [generator.choice(["AT", "DE", "FR"]) for _ in range(count)],
    }


def _score(amount: float, cut: float = 50.0) -> float:
    return min(max(0.5 + (amount - cut) / 100, 0.02), 0.98)


class Variety(threading.Thread):
    """Uses the models until told to stop."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self._directory = directory
        self._generator = random.Random(11)
        self._number = 0
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._monitors = [self._fraud(version, registry) for version in VERSIONS]
        (directory / "workers").mkdir()
        self._assistant = ModelMonitor(
            "assistant",
            version="1",
            task="multiclass",
            registry=registry,
            multiprocess_dir=directory / "workers",
        )
        self._monitors[0].start_metrics_server(port, "127.0.0.1")

    def _fraud(self, version: str, registry: CollectorRegistry) -> ModelMonitor:
        return ModelMonitor(
            "fraud",
            version=version,
            baseline=self._directory / "fraud.baseline.json",
            log=self._directory / "fraud",
            log_max_seconds=2,
            segments=["country"],
            event_time="sent",
            registry=registry,
        )

    def run(self) -> None:
        while not self.stopping.wait(TICK):
            self._number += 1
            self._ask_fraud()
            self._ask_assistant()
            self._tell_price()
        for monitor in (*self._monitors, self._assistant):
            monitor.close()

    def _ask_fraud(self) -> None:
        rows = _rows(self._generator, ROWS)
        rows["amount"][0], rows["amount"][1], rows["country"][2] = None, 500.0, "XX"
        rows["sent"] = [datetime.now(UTC).isoformat()] * ROWS
        rows["surprise"] = [1] * ROWS
        rows["id"] = [f"{self._number}-{i}" for i in range(ROWS)]
        for version, monitor in zip(VERSIONS, self._monitors, strict=True):

            @monitor(batch=True, prediction_id=lambda columns: columns["id"])
            def predict(columns, cut=CUTS[version]):
                scores = [_score(amount or 0.0, cut) for amount in columns["amount"]]
                return {"prediction": [int(score >= 0.5) for score in scores], "score": scores}

            predict(rows)
            monitor.business("revenue_eur", 2.5)
        with (self._directory / "fraud.csv").open("a") as file:
            now = datetime.now(UTC).isoformat()
            labels = zip(rows["id"][:9], rows["amount"], strict=False)
            out = csv.writer(file)
            out.writerows((key, int((amount or 0) > 50), now, 1.5) for key, amount in labels)
            out.writerow((f"{self._number}-x", "", now, ""))  # no label
            out.writerow((f"{self._number}-y", 1, now, ""))  # of no prediction

    def _ask_assistant(self) -> None:
        @self._assistant
        def answer(question):
            yield "well"
            if question % 5 == 0:
                raise TimeoutError("nobody answered")
            yield "no"

        try:
            for _ in answer(self._number):
                pass
        except TimeoutError:
            pass

    def _tell_price(self) -> None:
        now = datetime.now(UTC).isoformat()
        value = self._generator.gauss(100, 10)
        row = {
            "prediction_id": f"p{self._number}",
            "timestamp": now,
            "model_version": "1",
            "prediction": 100.0,
            "p10": 88.0,
            "p90": 112.0,
        }
        with (self._directory / "price.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        with (self._directory / "price.csv").open("a") as file:
            csv.writer(file).writerow((row["prediction_id"], value, now))
