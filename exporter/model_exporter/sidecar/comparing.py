"""What a monitor compares with its reference, and how it shows itself in a notebook."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from model_exporter.distribution import Distribution
from model_exporter.errors import ConfigError, SchemaError
from model_exporter.records import Subject, Task
from model_exporter.sidecar.capture import BatchCapture, Place
from model_exporter.sidecar.columns import as_numpy
from model_exporter.sidecar.evaluating import Evaluating
from model_exporter.sidecar.faults import TelemetryError
from model_exporter.sidecar.schema import names_of_frame

if TYPE_CHECKING:
    from model_exporter.evaluation.data_drift import DataDrift

WORST = 3
"""Features of which the card tells the drift."""


class Comparing(Evaluating):
    """The part of a monitor that compares data with a reference."""

    def detect_data_drift(self, new_data: Any = None, *, reference: Any = None) -> "DataDrift":
        """Return how far data is from the reference, as a population stability index.

        Parameters
        ----------
        new_data
            A column of predictions, or a table of features: a dict of columns, a DataFrame, a list
            of dicts. By default what this monitor has counted since it was made.
        reference
            The same for the reference; by default the baseline and, of predictions without one,
            those that were logged.

        Returns
        -------
        float
            The greatest index, 0 without drift. Its attribute `psi` has those of all features, and
            its method `detected()` tells drift from noise.

        Raises
        ------
        ConfigError
            If there is nothing to compare with.
        SchemaError
            If the table has none of the reference's features.
        """
        from model_exporter.evaluation.data_drift import DataDrift, compared, compared_counts

        if new_data is None:
            counted = self._counted()
            return DataDrift.of({n: compared_counts(d, c) for n, (d, c) in counted.items()})
        columns = self._columns(new_data)
        references = self._references(reference, columns)
        common = {name: column for name, column in columns.items() if name in references}
        if not common:
            raise SchemaError(
                f"new_data has the columns {sorted(columns)}, the reference {sorted(references)}; "
                "give a table that has some of them"
            )
        return DataDrift.of({n: compared(references[n], column) for n, column in common.items()})

    def plot_drift(self, feature: str = "", *, new_data: Any = None, axes: Any = None) -> Any:
        """Draw a feature's distribution beside the baseline's; needs ``model-exporter[plot]``.

        Parameters
        ----------
        feature
            By default the prediction.
        new_data
            A table of features, or a column of predictions; by default what was counted.
        axes
            Matplotlib's, to draw on; by default of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            `.figure` shows itself in a notebook, and has `savefig`.
        """
        from model_exporter.evaluation.plot import bars

        counted = self._counted()
        if feature not in counted:
            raise ConfigError(
                f"plot_drift({feature!r}): expected one of {', '.join(map(repr, counted))}"
            )
        distribution, counts = counted[feature]
        if new_data is not None:
            column = self._columns(new_data).get(feature)
            if column is None:
                raise SchemaError(f"new_data has no column {feature!r}")
            index = distribution.bin_index(column)
            totals = np.bincount(index[index >= 0], minlength=len(distribution.bins))
            counts = dict(zip(distribution.bins, totals.tolist(), strict=True))
        current = np.array([counts.get(name, 0) for name in distribution.bins])
        title = feature or "prediction"
        return bars(distribution.bins, distribution.counts, current, title=title, axes=axes)

    def _repr_html_(self) -> str:
        from model_exporter.evaluation.card import card

        settings = self._settings
        title = f"{settings.name} {settings.version}".strip()
        if self._adopted is None:
            return card(title, "", [("predictions", "none yet")])
        return card(title, str(self._adopted.settings.task), self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        """Return the rows of the card."""
        from model_exporter.evaluation.card import with_interval

        self._pipeline.flush()
        rows = int(self._pipeline.fold.counters.rows[0])
        labels = self._labeled_rows().matched()[1]
        facts = [("predictions", f"{rows:,}"), ("with a label", f"{len(labels):,}")]
        regression = self._pipeline.settings.task is Task.REGRESSION
        for name in ("mae", "rmse") if regression else ("accuracy", "roc_auc"):
            try:
                score = self.calculate_metric(name)
            except SchemaError:  # no labels yet, or no scores
                continue
            facts.append((name, with_interval(score, score.lower, score.upper)))
        if self._pipeline.settings.baseline is not None:
            drift = self.detect_data_drift().psi
            worst = sorted(drift, key=lambda feature: -drift[feature])[:WORST]
            facts += [(f"drift of {n or 'prediction'}", f"PSI {drift[n]:.3f}") for n in worst]
        return facts

    def _counted(self) -> dict[str, tuple[Distribution, dict[str, float]]]:
        """Return the distributions of the baseline and what this process has counted in each."""
        pipeline = self._pipeline
        if pipeline.settings.baseline is None:
            raise ConfigError(
                "there is no baseline to compare with; give the monitor one, as in "
                "ModelMonitor('churn', baseline='churn.baseline.json'), or new_data and a reference"
            )
        pipeline.flush()
        subjects, counts = pipeline.fold.subjects, pipeline.fold.counters.bins
        return {
            feature: (
                distribution,
                dict(zip(subjects.bins[key].names, counts[key].tolist(), strict=True)),
            )
            for key, distribution in subjects.distributions.items()
            if (feature := key[1]) or key[0] is Subject.PREDICTION
            if key[0] is not Subject.SCORE
        }

    def _columns(self, table: Any) -> dict[str, Any]:
        """Return a table's columns by name, or a column of predictions under ``""``."""
        names = _names(table)
        if names is None:
            return {"": self._predictions(as_numpy(table))}
        capture = BatchCapture(names, positional=0, place=Place(lambda table: table), features=None)
        try:
            found = capture.capture((table,), {}, shapes=[])
        except TelemetryError as error:
            raise SchemaError(str(error)) from None
        return {name: np.asarray(column) for name, column in found.items()}

    def _predictions(self, column: Any) -> Any:
        if self._pipeline.settings.task is Task.REGRESSION:
            return column
        text_of = self._pipeline.settings.class_namer()
        return [text_of(value) for value in column]

    def _references(self, reference: Any, columns: Mapping[str, Any]) -> dict[str, Distribution]:
        from model_exporter.evaluation.data_drift import fitted

        if reference is not None:
            given = self._columns(reference)
            kinds = {name: name == "" and self._is_classifier for name in given}
            return {n: fitted(c, numeric=not kinds[n] and _is_numeric(c)) for n, c in given.items()}
        baseline = self._pipeline.settings.baseline
        if baseline is not None:
            return {**baseline.features, "": baseline.prediction}
        logged = [each.value for each in self._labeled_rows().predictions.values()]
        if "" not in columns or not logged:
            raise ConfigError(
                "there is nothing to compare with; give the monitor a baseline, or `reference`"
            )
        return {"": fitted(self._predictions(logged), numeric=not self._is_classifier)}

    @property
    def _is_classifier(self) -> bool:
        return self._pipeline.settings.task is not Task.REGRESSION


def _names(table: Any) -> list[str] | None:
    """Return the names of a table's columns; None of a column."""
    if isinstance(table, Mapping):
        return [str(name) for name in table]
    if hasattr(table, "columns"):
        return [str(name) for name in names_of_frame(table)]
    rows = table if isinstance(table, (list, tuple)) else ()
    if rows and all(isinstance(row, Mapping) for row in rows):
        return list(dict.fromkeys(str(name) for row in rows for name in row))
    return None


def _is_numeric(column: Any) -> bool:
    return all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
        for value in np.asarray(column).tolist()
    )
