"""What notebooks, scripts and small jobs log themselves, and the scores of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_exporter.sidecar.adopted import Adopted
from model_exporter.sidecar.capture import Hook, checked_hooks
from model_exporter.sidecar.columns import as_numpy

if TYPE_CHECKING:
    from model_exporter.evaluation.metric import MeasuredScore
    from model_exporter.evaluation.rows import LabeledRows
    from model_exporter.sidecar.logged import LoggedRows


class Evaluating(Adopted):
    """The part of a monitor that is told predictions and labels."""

    _event_time: Hook | None
    _evaluation_rows: int
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

    def _labeled_rows(self) -> "LabeledRows":
        from model_exporter.evaluation.rows import LabeledRows

        if self._rows is None:
            self._rows = LabeledRows(self._evaluation_rows)
        return self._rows
