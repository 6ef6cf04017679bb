"""The frozen reference that a model's live data is compared with.

Fitted once, on a slice of data the model was not trained on, saved as JSON with a schema version
and a checksum, and read by the sidecar (bins, ranges, categories) and by the job (drift, quality
at deployment). It holds counts and, for exact Kolmogorov-Smirnov and Wasserstein statistics, the
sorted values of each numeric column; it never holds rows.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import (
    Distribution,
    NumericDistribution,
    category_text,
    distribution_from_json,
    numeric_values,
)
from model_exporter.errors import BaselineError
from model_exporter.records import Estimate, Task
from model_exporter.reference_errors import ReferenceErrors
from model_exporter.reference_table import ReferenceTable

SCHEMA_VERSION = 1
MAX_VALUES = 10_000
"""Distinct values kept per numeric column: enough for exact statistics on the usual reference
slice, and at most some 100 kB of JSON a column."""
MAX_CATEGORIES = 200

Quality = Mapping[str, Mapping[tuple[str, ...], Estimate]]
"""Scores by family name and values of the family's extra labels."""


@dataclass(frozen=True, slots=True)
class ScoreLabels:
    """Rows by score, ascending: how many were of the class that the score is of, how many not."""

    scores: tuple[float, ...]
    negatives: tuple[int, ...]
    positives: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """Distributions and quality of a reference slice.

    Make one with `Baseline.from_table` or `Baseline.load`.

    Attributes
    ----------
    features, scores
        Distribution by feature name; by class for `scores` (`""` for a binary model's score).
    classes
        Class names of a classifier, sorted unless given; empty for regression.
    quality
        Scores of the reference slice where it had labels; empty otherwise.
    score_labels
        Rows by score and truth, by class as in `scores`, where it had labels: what calibrates
        scores until labels come.
    errors
        What estimates of quality rest on, where it had labels; None otherwise, and in files of
        versions that did not have it.
    checksum
        SHA-256 of the content, ``"sha256:..."``. Two baselines with unlike checksums have unlike
        bins: their counts must not be added or compared.
    """

    model_name: str
    model_version: str
    task: Task
    rows: int
    features: Mapping[str, Distribution]
    prediction: Distribution
    scores: Mapping[str, NumericDistribution]
    label: Distribution | None
    classes: tuple[str, ...]
    positive_label: str | None
    quality: Quality
    score_labels: Mapping[str, ScoreLabels]
    errors: ReferenceErrors | None = None
    checksum: str = ""

    @classmethod
    def from_table(
        cls,
        table: Any,
        *,
        task: str,
        features: Mapping[str, Sequence[str]] | None = None,
        model_name: str = "",
        model_version: str = "",
        prediction: str = "prediction",
        score: str | None = None,
        scores: Mapping[str, str] | None = None,
        label: str | None = None,
        classes: Sequence[object] | None = None,
        positive_label: object = 1,
        max_values: int = MAX_VALUES,
        max_categories: int = MAX_CATEGORIES,
    ) -> Self:
        """Fit a baseline on a table of reference rows that the model has scored.

        Parameters
        ----------
        table
            A dict of columns, a pandas, polars or arrow table, or a list of dicts.
        task
            ``"binary"``, ``"multiclass"`` or ``"regression"``.
        features
            ``{"numeric": [...], "categorical": [...]}``: the columns to watch.
        prediction, score, scores, label
            Column names: what the model predicted; its probability of `positive_label` (binary);
            its probability by class (multiclass); what came true. The last three are optional.
        classes
            All classes, where the reference may lack some; else those seen in it.
        max_values
            Distinct values kept per numeric column; 0 keeps none, and the job then computes
            Kolmogorov-Smirnov and Wasserstein on bins.

        Raises
        ------
        SchemaError
            If a named column is missing, or a numeric one holds text.
        BaselineError
            If the table or one of the columns is empty.

        Examples
        --------
        >>> rows = {"age": [31, 45, 27, 60], "prediction": [0, 1, 0, 1]}
        >>> b = Baseline.from_table(rows, task="binary", features={"numeric": ["age"]})
        >>> b.features["age"].counts.sum(), b.prediction.bins
        (np.int64(4), ('0', '1', '__other__'))
        """
        kind = Task(task)
        columns = ReferenceTable(table)
        positive = category_text(positive_label) if kind is Task.BINARY else None
        if kind is not Task.REGRESSION:
            columns.name_classes([name for name in (prediction, label) if name], positive)
        numeric = {
            name: columns.numeric(name, max_values) for name in (features or {}).get("numeric", ())
        }
        categorical = {
            name: columns.categorical(name, max_categories)
            for name in (features or {}).get("categorical", ())
        }
        score_columns = dict(scores or {}) if score is None else {"": score}
        outcome = columns.numeric if kind is Task.REGRESSION else columns.categorical
        limit = max_values if kind is Task.REGRESSION else max_categories
        baseline = cls(
            model_name=model_name,
            model_version=model_version,
            task=kind,
            rows=columns.rows,
            features={**numeric, **categorical},
            prediction=outcome(prediction, limit),
            scores={c: columns.numeric(n, max_values) for c, n in score_columns.items()},
            label=outcome(label, limit) if label else None,
            classes=_classes(kind, columns, (prediction, label), score_columns, classes),
            positive_label=positive,
            quality={},
            score_labels={},
        )
        if label is not None:
            baseline = _judged(baseline, columns, prediction, score_columns, label)
        return replace(baseline, checksum=_checksum(baseline._content()))

    def distribution(self, subject: str, feature: str) -> Distribution | None:
        """Return the distribution of a subject; None where the baseline has none."""
        if subject == "feature":
            return self.features.get(feature)
        if subject == "score":
            return self.scores.get(feature)
        return self.prediction if subject == "prediction" else self.label

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the baseline as JSON, atomically."""
        content = self._content()
        document = {"schema_version": SCHEMA_VERSION, "checksum": self.checksum, **content}
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
        temporary.replace(target)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a baseline file and verify its schema version and checksum.

        Raises
        ------
        BaselineError
            If the file is missing, not a baseline, of another schema version, or was changed.
        """
        try:
            document = json.loads(Path(path).read_text("utf-8"))
        except OSError as error:
            raise BaselineError(
                f"{path}: cannot read the baseline: {error.strerror}; "
                "make one with `model-exporter baseline`"
            ) from error
        except ValueError as error:
            raise BaselineError(f"{path}: not a baseline: {error}") from error
        if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
            found = document.get("schema_version") if isinstance(document, dict) else None
            raise BaselineError(
                f"{path}: schema version {found!r}, expected {SCHEMA_VERSION}; make the baseline "
                "again with this version of `model-exporter baseline`"
            )
        del document["schema_version"]
        stored = document.pop("checksum", None)
        if stored != _checksum(document):
            raise BaselineError(
                f"{path}: the checksum does not match the content: the file was changed after it "
                "was written; restore it or make it again with `model-exporter baseline`"
            )
        return cls(
            model_name=document["model_name"],
            model_version=document["model_version"],
            task=Task(document["task"]),
            rows=document["rows"],
            features={k: distribution_from_json(v) for k, v in document["features"].items()},
            prediction=distribution_from_json(document["prediction"]),
            scores={k: NumericDistribution.from_json(v) for k, v in document["scores"].items()},
            label=distribution_from_json(document["label"]) if document["label"] else None,
            classes=tuple(document["classes"]),
            positive_label=document["positive_label"],
            quality={
                name: {tuple(e["labels"]): Estimate(e["value"], e["lower"], e["upper"]) for e in es}
                for name, es in document["quality"].items()
            },
            score_labels={
                name: ScoreLabels(*(tuple(found[key]) for key in ScoreLabels.__slots__))
                for name, found in document["score_labels"].items()
            },
            errors=ReferenceErrors.from_json(document["errors"]) if "errors" in document else None,
            checksum=stored,
        )

    def _content(self) -> dict[str, Any]:
        # Absent rather than null, so that the checksum of an older file stays what it was.
        errors = {"errors": self.errors.to_json()} if self.errors else {}
        return {
            "model_name": self.model_name,
            "model_version": self.model_version,
            "task": self.task.value,
            "rows": self.rows,
            "classes": list(self.classes),
            "positive_label": self.positive_label,
            "features": {name: d.to_json() for name, d in self.features.items()},
            "prediction": self.prediction.to_json(),
            "scores": {name: d.to_json() for name, d in self.scores.items()},
            "label": self.label.to_json() if self.label else None,
            "quality": {
                name: [
                    {"labels": list(k), "value": e.value, "lower": e.lower, "upper": e.upper}
                    for k, e in estimates.items()
                ]
                for name, estimates in self.quality.items()
            },
            "score_labels": {
                name: {key: list(getattr(found, key)) for key in ScoreLabels.__slots__}
                for name, found in self.score_labels.items()
            },
            **errors,
        }


def _classes(
    task: Task,
    columns: ReferenceTable,
    names: Iterable[str | None],
    score_columns: Mapping[str, str],
    given: Sequence[object] | None,
) -> tuple[str, ...]:
    if task is Task.REGRESSION:
        return ()
    if given is not None:
        return tuple(text for text in map(category_text, given) if text is not None)
    seen = {text for name in names if name for text in map(category_text, columns[name]) if text}
    return tuple(sorted(seen | {c for c in score_columns if c}))


B = TypeVar("B", bound=Baseline)


def _judged(
    baseline: B,
    columns: ReferenceTable,
    prediction: str,
    score_columns: Mapping[str, str],
    label: str,
) -> B:
    """Add what the labels tell: quality, and what is to be expected of rows without labels."""
    # Imported here: the sidecar loads baselines and must not pay for the scores.
    from model_exporter.estimates.fit import fit_classification, regression_deviations
    from model_exporter.estimates.losses import fit_losses
    from model_exporter.scores import SCORES
    from model_exporter.scores.statistics import (
        ClassificationStatistics,
        ScoreHistogram,
        statistics_from_rows,
    )

    statistics = statistics_from_rows(
        task=baseline.task,
        labels=columns[label],
        predictions=columns[prediction],
        scores={c: numeric_values(columns[n]) for c, n in score_columns.items()},
        classes=baseline.classes,
        positive_label=baseline.positive_label,
    )
    quality = {
        score.name: dict(score.compute(statistics))
        for score in SCORES
        if baseline.task in score.tasks
    }
    found = {name: estimates for name, estimates in quality.items() if estimates}
    if not isinstance(statistics, ClassificationStatistics):
        columns_of = {"": prediction, **{name: name for name in baseline.features}}
        distributions = {"": baseline.prediction, **baseline.features}
        losses = fit_losses(
            {name: distributions[name].bin_index(columns[c]) for name, c in columns_of.items()},
            distributions,
            numeric_values(columns[prediction]),
            numeric_values(columns[label]),
        )
        errors = ReferenceErrors({}, losses, regression_deviations(statistics))
        return replace(baseline, quality=found, errors=errors)
    score_labels = {
        name: _score_labels(h.scores, h.negatives, h.positives)
        for name, h in statistics.histograms.items()
    }
    # Fitted on what is kept, so that a large reference does not make fitting slow.
    merged = {
        name: ScoreHistogram(*(np.array(getattr(kept, key)) for key in ScoreLabels.__slots__))
        for name, kept in score_labels.items()
    }
    errors = fit_classification(replace(statistics, histograms=merged))
    return replace(baseline, quality=found, errors=errors, score_labels=score_labels)


def _score_labels(
    scores: NDArray[np.float64], negatives: NDArray[np.int64], positives: NDArray[np.int64]
) -> ScoreLabels:
    """Keep at most `MAX_VALUES` scores: neighbours are merged, under their mean."""
    starts = np.unique(np.linspace(0, scores.size, MAX_VALUES, endpoint=False).astype(np.int64))
    starts = starts[starts < scores.size]
    rows = negatives + positives
    means = np.add.reduceat(scores * rows, starts) / np.add.reduceat(rows, starts)
    return ScoreLabels(
        tuple(np.where(np.diff(starts, append=scores.size) == 1, scores[starts], means).tolist()),
        tuple(np.add.reduceat(negatives, starts).tolist()),
        tuple(np.add.reduceat(positives, starts).tolist()),
    )


def _checksum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
