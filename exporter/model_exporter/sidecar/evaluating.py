"""What notebooks, scripts and small jobs call themselves: log, score, compare, alert."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_exporter.distribution import Distribution
from model_exporter.errors import ConfigError, SchemaError
from model_exporter.records import Subject, Task
from model_exporter.sidecar.adopted import Adopted
from model_exporter.sidecar.arguments import number, text
from model_exporter.sidecar.capture import BatchCapture, Hook, Place, checked_hooks
from model_exporter.sidecar.columns import as_numpy
from model_exporter.sidecar.faults import Faults, Stage, TelemetryError
from model_exporter.sidecar.schema import names_of_frame

if TYPE_CHECKING:
    from model_exporter.evaluation.data_drift import DataDrift
    from model_exporter.evaluation.metric import MeasuredScore
    from model_exporter.evaluation.rows import LabeledRows
    from model_exporter.sidecar.logged import LoggedRows

WORST = 3
"""Features of which the card tells the drift."""


class Evaluating(Adopted):
    """The part of a monitor that is called without a predict function."""

    _event_time: Hook | None
    _evaluation_rows: int
    _alertmanager: str
    _rows: "LabeledRows | None" = None
    _logged: "LoggedRows | None" = None

    def log_predictions(
        self,
        predictions: Any,
        *,
        scores: Any = None,
        features: Any = None,
        ids: Sequence[object] | None = None,
    ) -> None:
        """Count predictions made elsewhere, and keep them until their labels come.

        They count in every metric but those of calls (requests, latency, batch size), and go to
        the log if there is one. The newest `evaluation_rows` are kept in memory.

        Parameters
        ----------
        predictions
            Classes, probabilities or values: a list, an array, a Series; or what a batch's predict
            function may return.
        scores
            Of a classifier: the probability of the positive class, or a dict of columns by class.
        features
            The rows they were made for, as a predict function takes them.
        ids
            An id for each, by which labels find them; by default labels come in the same order.

        Raises
        ------
        ConfigError
            If the monitor has no task and these predictions could be of several.
        SchemaError
            If predictions cannot be read, or there is another number of ids.
        """
        from model_exporter.evaluation.rows import Prediction
        from model_exporter.sidecar.logged import LoggedRows, output_of, task_of

        output = output_of(predictions, scores)
        pipeline = self._adopted or self._adopt(task_of(output))
        if self._logged is None:
            self._logged = LoggedRows(pipeline, checked_hooks(event_time=self._event_time))
        given = None if ids is None else [str(each) for each in ids]
        found = self._logged.add(output, features, given)
        values = found.values.tolist()
        classes = values if found.classes is None else found.classes
        by_class = [{n: float(c[i]) for n, c in found.scores.items()} for i in range(len(values))]
        rows = map(Prediction, classes, values, by_class)
        self._labeled_rows().add_predictions(list(rows), given)

    def log_true_labels(self, labels: Any, *, ids: Sequence[object] | None = None) -> None:
        """Give the labels of predictions that `log_predictions` logged.

        Parameters
        ----------
        labels
            One for each prediction without one, in order; or for the ids.
        ids
            Of the predictions; a label for an id that has one corrects it, and one that comes
            before its prediction waits.

        Raises
        ------
        SchemaError
            If there are more labels than predictions that wait for one, or another number of ids.
        """
        column = as_numpy(labels)
        values = column.tolist() if isinstance(column, np.ndarray) else list(column)
        given = None if ids is None else [str(each) for each in ids]
        self._labeled_rows().add_labels(values, given)

    def calculate_metric(
        self, name: str, *, average: str | None = None, of_class: object = None
    ) -> "MeasuredScore":
        """Return a quality score of the predictions whose labels are known.

        Parameters
        ----------
        name
            As in `expectations:` of the job: ``"accuracy"``, ``"f1"``, ``"roc_auc"``, ``"rmse"``...
        average
            Of precision, recall and F1: ``"binary"``, ``"macro"``, ``"micro"`` or ``"weighted"``.
        of_class
            Of `class_precision`, `class_recall` and `class_f1`.

        Returns
        -------
        float
            With the attributes `lower` and `upper`, its 95 % confidence interval, and `rows`.

        Raises
        ------
        ConfigError
            If there is no such score for the task.
        SchemaError
            If there are no labels yet, or the score is undefined.
        """
        from model_exporter.evaluation.metric import measured

        settings = self._pipeline.settings
        predictions, labels = self._labeled_rows().matched()
        return measured(
            name,
            predictions,
            labels,
            task=settings.task,
            positive_label=settings.positive_label,
            average=average,
            of_class=None if of_class is None else str(of_class),
        )

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

    def send_alert(
        self,
        message: str,
        *,
        name: str = "ModelAlert",
        severity: str = "warning",
        labels: Mapping[str, str] | None = None,
        seconds: float = 3600.0,
        timeout: float = 5.0,
        check: bool = False,
    ) -> bool:
        """Send an alert to Alertmanager, which routes it as it does those of Prometheus.

        Parameters
        ----------
        message
            What happened, for people: the annotation `summary`.
        name, severity, labels
            Its labels, beside those of the model: `alertname`, `severity`, and any others.
        seconds
            How long it stands; the same alert sent again within that time prolongs it.
        timeout
            Seconds to wait for Alertmanager.
        check
            Raise `DeliveryError` if it fails; otherwise that is counted and logged.

        Returns
        -------
        bool
            Whether Alertmanager took it.

        Raises
        ------
        ConfigError
            If a label is refused.
        """
        from model_exporter.sidecar.alert import alert, post  # imports stay light

        settings = self._settings
        model = {"model_name": settings.name, "model_version": settings.version}
        made = alert(
            text("message", message, empty=False),
            name=text("name", name, empty=False),
            labels={**(labels or {}), **model, "severity": text("severity", severity)},
            now_ns=settings.clock.wall_ns(),
            seconds=number("seconds", seconds, least=1),
        )
        try:
            post(self._alertmanager, [made], timeout=timeout)
        except Exception as error:
            if check:
                raise
            pipeline = self._adopted
            faults = pipeline.faults if pipeline else Faults(settings.clock, strict=settings.strict)
            faults.error(Stage.DELIVERY, error)
            return False
        return True

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

    def _labeled_rows(self) -> "LabeledRows":
        from model_exporter.evaluation.rows import LabeledRows

        if self._rows is None:
            self._rows = LabeledRows(self._evaluation_rows)
        return self._rows

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
