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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model_exporter.baseline_quality import Quality, ScoreLabels, judged
from model_exporter.design_effect import design_effect, hours
from model_exporter.distribution import (
    Distribution,
    NumericDistribution,
    category_text,
    distribution_from_json,
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
    design_effects
        By subject and feature: how much more counts vary from hour to hour than those of
        independent rows; empty where the reference had no timestamps.
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
    design_effects: Mapping[tuple[str, str], float] = field(default_factory=dict)
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
        timestamp: str | None = None,
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
        timestamp
            Column of the rows' times, if there is one: tells how much rows come in clusters.
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
            quality, score_labels, errors = judged(
                columns,
                task=kind,
                prediction=prediction,
                label=label,
                score_columns=score_columns,
                classes=baseline.classes,
                positive_label=positive,
                distributions={"": baseline.prediction, **baseline.features},
            )
            baseline = replace(baseline, quality=quality, score_labels=score_labels, errors=errors)
        if timestamp is not None:
            outputs = {("score", c): name for c, name in score_columns.items()}
            outputs["prediction", ""] = prediction
            if label is not None:
                outputs["label", ""] = label
            periods = hours(columns[timestamp], timestamp)
            effects = _design_effects(baseline, columns, periods, outputs)
            baseline = replace(baseline, design_effects=effects)
        return replace(baseline, checksum=_checksum(baseline._content()))

    def distribution(self, subject: str, feature: str) -> Distribution | None:
        """Return the distribution of a subject; None where the baseline has none."""
        if subject == "feature":
            return self.features.get(feature)
        if subject == "score":
            return self.scores.get(feature)
        return self.prediction if subject == "prediction" else self.label

    def to_text(self) -> str:
        """Return what the file of the baseline holds."""
        content = self._content()
        document = {"schema_version": SCHEMA_VERSION, "checksum": self.checksum, **content}
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the baseline as JSON, atomically."""
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_text(self.to_text(), "utf-8")
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
            design_effects={
                (found["subject"], found["feature"]): found["value"]
                for found in document.get("design_effects", ())
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
            **({"design_effects": self._effects()} if self.design_effects else {}),
            **errors,
        }

    def _effects(self) -> list[dict[str, Any]]:
        return [
            {"subject": subject, "feature": feature, "value": value}
            for (subject, feature), value in self.design_effects.items()
        ]


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


def _design_effects(
    baseline: Baseline,
    columns: ReferenceTable,
    periods: NDArray[np.int64],
    outputs: Mapping[tuple[str, str], str],
) -> dict[tuple[str, str], float]:
    found = {}
    features = {("feature", name): name for name in baseline.features}
    for (subject, feature), name in {**features, **outputs}.items():
        distribution = baseline.distribution(subject, feature)
        assert distribution is not None
        effect = design_effect(periods, distribution.bin_index(columns[name]))
        found[subject, feature] = float(f"{effect:.6g}")
    return found


def _checksum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
