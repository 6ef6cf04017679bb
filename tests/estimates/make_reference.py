"""Make `nannyml.json`: what NannyML estimates on the data that the demo ships, month by month.

Not a test, and NannyML is no dependency: install it apart, and run from the repository's root::

    python -m venv /tmp/nannyml && /tmp/nannyml/bin/pip install nannyml==0.13.1 pyarrow
    NML_DISABLE_USAGE_LOGGING=1 /tmp/nannyml/bin/python tests/estimates/make_reference.py
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nannyml
import numpy as np
import pandas as pd
from nannyml.sampling_error import binary_classification

DATA = Path("exporter/model_exporter/demo/data")
TARGET = Path(__file__).with_name("nannyml.json")
RATES = ["accuracy", "precision", "recall", "f1", "specificity", "roc_auc", "average_precision"]
FEATURES = [
    *("season", "hr", "holiday", "weekday", "workingday"),
    *("weathersit", "temp", "atemp", "hum", "windspeed"),
]
WEATHER = ("drizzle", "fog", "rain", "snow", "sun")
pd.set_option("future.infer_string", False)  # it cannot take the new text columns of pandas 3
# Its error of the average precision is that of 50 resamples, 10 % off by chance; of so many, 2 %.
binary_classification.N_EXPERIMENTS = 1000
SEED = 1


def tables(case: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    reference = pd.read_parquet(DATA / case / "reference.parquet")
    predictions = pd.read_parquet(DATA / case / "predictions.parquet")
    return reference, predictions[predictions.version == "v1"]


def months(estimator: Any, case: str, metrics: list[str]) -> list[dict[str, Any]]:
    np.random.seed(SEED)
    reference, predictions = tables(case)
    found = estimator.fit(reference).estimate(predictions).filter(period="analysis").to_df()
    rows = []
    for _, row in found.iterrows():
        start = pd.Timestamp(row["chunk", "start_date"])
        month: dict[str, Any] = {"month": f"{start:%Y-%m}"}
        for metric in metrics:
            columns = {
                "value": "value",
                "sampling_error": "sampling_error",
                "lower": "lower_confidence_boundary",
                "upper": "upper_confidence_boundary",
            }
            kept = {}
            for name, column in columns.items():
                value = float(row[metric, column]) if (metric, column) in row.index else np.nan
                kept[name] = round(value, 9) if np.isfinite(value) else None
            month[metric] = kept
        rows.append(month)
    return rows


def classifier(case: str, problem: str, scores: Any, metrics: list[str]) -> list[dict[str, Any]]:
    estimator = nannyml.CBPE(
        problem_type=problem,
        y_pred_proba=scores,
        y_pred="prediction",
        y_true="label",
        timestamp_column_name="timestamp",
        chunk_period="M",
        metrics=metrics,
    )
    return months(estimator, case, metrics)


def regression(case: str, metrics: list[str]) -> list[dict[str, Any]]:
    estimator = nannyml.DLE(
        feature_column_names=FEATURES,
        y_pred="prediction",
        y_true="label",
        timestamp_column_name="timestamp",
        chunk_period="M",
        metrics=metrics,
    )
    return months(estimator, case, metrics)


def main() -> None:
    multiclass = ["accuracy", "precision", "recall", "f1", "roc_auc"]
    scores = {name: f"score_{name}" for name in WEATHER}
    document = {
        "nannyml": version("nannyml"),
        "car_loan": classifier("car_loan", "classification_binary", "score", RATES),
        "seattle_weather": classifier(
            "seattle_weather", "classification_multiclass", scores, multiclass
        ),
        "bike_2011": regression("bike_2011", ["mae", "mse", "rmse", "mape"]),
    }
    TARGET.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
