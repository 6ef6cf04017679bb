"""Trains a model on every second day of its reference, and tests it on the days between.

Those become the baseline: rows that the model has not seen, with their labels, so that the quality
at deployment is known.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from model_exporter.baseline import Baseline
from model_exporter.demo.datasets import VERSION, Columns, Dataset

SEED = 20110401


class TrainedModel:
    """A scikit-learn pipeline that reads a dict of columns."""

    def __init__(self, dataset: Dataset, pipeline: Any) -> None:
        self.dataset = dataset
        self._pipeline = pipeline

    @property
    def classes(self) -> list[str]:
        """Class names of a classifier, in the order of its probabilities."""
        return [str(c) for c in self._pipeline.classes_]

    def fit(self, rows: Columns) -> None:
        """Train on labelled rows."""
        self._pipeline.fit(self._matrix(rows), np.asarray(rows["label"]))

    def predict(self, rows: Columns) -> dict[str, Any]:
        """Return predictions, and where the task has them ``score`` or ``scores`` by class."""
        matrix = self._matrix(rows)
        if self.dataset.task == "regression":
            return {"prediction": self._pipeline.predict(matrix)}
        probabilities = self._pipeline.predict_proba(matrix)
        best = self._pipeline.classes_[probabilities.argmax(axis=1)]
        if self.dataset.task == "binary":
            return {"prediction": best, "score": probabilities[:, 1]}
        by_class = dict(zip(self.classes, probabilities.T, strict=True))
        return {"prediction": best, "scores": by_class}

    def _matrix(self, rows: Columns) -> NDArray[Any]:
        return np.array([rows[name] for name in self.dataset.inputs], dtype=object).T


def train(dataset: Dataset) -> tuple[TrainedModel, Baseline]:
    """Return a model and the baseline of its held-out rows."""
    reference = dataset.read("reference")
    # Whole days, for the hours of a day are alike.
    seen = np.array([time.toordinal() % 2 == 1 for time in reference["timestamp"]])
    model = TrainedModel(dataset, _pipeline(dataset))
    model.fit(_part(reference, seen))
    held_out = _part(reference, ~seen)
    return model, _baseline(dataset, model, held_out)


def _part(rows: Columns, mask: NDArray[np.bool_]) -> dict[str, list[Any]]:
    return {name: np.asarray(c, dtype=object)[mask].tolist() for name, c in rows.items()}


def _pipeline(dataset: Dataset) -> Any:
    numbers = list(range(len(dataset.numeric)))
    categories = list(range(len(numbers), len(dataset.inputs)))
    if dataset.task == "multiclass":
        encoder = make_column_transformer(
            (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), categories)
        )
        return make_pipeline(encoder, LogisticRegression(max_iter=1000))
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder = make_column_transformer((ordinal, categories), remainder="passthrough")
    forest = RandomForestRegressor if dataset.task == "regression" else RandomForestClassifier
    return make_pipeline(encoder, forest(60, min_samples_leaf=3, random_state=SEED))


def _baseline(dataset: Dataset, model: TrainedModel, held_out: Mapping[str, Any]) -> Baseline:
    output = model.predict(held_out)
    by_class = output.pop("scores", {})
    columns = {**held_out, **output, **{f"score_{name}": p for name, p in by_class.items()}}
    return Baseline.from_table(
        columns,
        task=dataset.task,
        features={"numeric": dataset.numeric, "categorical": dataset.categorical},
        model_name=dataset.model,
        model_version=VERSION,
        score="score" if dataset.task == "binary" else None,
        scores={name: f"score_{name}" for name in by_class} or None,
        label="label",
    )
