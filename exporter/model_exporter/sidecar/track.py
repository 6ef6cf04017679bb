"""`with monitor.track()`: a call that is no function's."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from model_exporter.sidecar.calls import NOTHING
from model_exporter.sidecar.capture import Hooks, Place
from model_exporter.sidecar.columns import NOT_CAPTURED
from model_exporter.sidecar.faults import Stage
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.recorder import FIXED, BatchCall
from model_exporter.sidecar.wrap import Steps


def tracking_steps(pipeline: Pipeline, hooks: Hooks, *, batch: bool) -> Steps:
    """Return the steps around tracked calls: those of a function of one argument."""
    return Steps(pipeline, Place(lambda features: None), hooks, batch=batch)


class TrackedCall:
    """What happens inside ``with monitor.track() as call:``, or ``async with``.

    An exception inside counts as an error of the model and goes on. Without `output` the call
    counts its rows, but no prediction.

    Attributes
    ----------
    prediction_id
        The caller's id, of a batch a list of ids; the log makes a UUIDv7 where it is None.
    """

    __slots__ = ("_output", "_rows", "_start", "_steps", "_values", "prediction_id")

    def __init__(self, steps: Steps, rows: int | None) -> None:
        self._steps = steps
        self._rows = rows
        self._values: Any = None
        self._output: Any = NOTHING
        self.prediction_id: Any = None

    def features(self, features: Any) -> None:
        """Take the features: of one row, or of a batch where `track` was told how many rows.

        They are read at once; later changes do not matter.
        """
        self._values = self._steps.begin((features,), {})

    def output(self, output: Any) -> None:
        """Take the prediction, or a batch of them; what counts is the last one given.

        It is read at the end: one that changes until then counts as it is by then.
        """
        self._output = output

    def __enter__(self) -> Self:
        self._steps.enter(None)
        self._start = self._steps.clock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end = self._steps.clock()
        if error is None or isinstance(error, GeneratorExit):  # a consumer that leaves early
            self._steps.finish(self._recorded(), self._start, end, self._output)
        else:
            self._steps.fail(self._start, end, error)
        self._values, self._output = None, NOTHING

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def _recorded(self) -> Any:
        if self._rows is None:
            return self._row()
        call = self._values
        if call is None:
            call = BatchCall()
            call.log_columns = {}
        call.captured = call.captured or self._rows
        if self.prediction_id is not None:
            call.ids = self._ids(lambda: list(map(_text, self.prediction_id)))
        return call

    def _row(self) -> Any:
        pipeline: Pipeline = self._steps.pipeline
        record = self._values
        if record is None:
            lost = [NOT_CAPTURED] * len(pipeline.settings.columns)
            record = [0, 0, 0, *[None] * pipeline.has_ids, *lost]
        if pipeline.has_ids:
            record[FIXED] = self._ids(lambda: _text(self.prediction_id))
        return record

    def _ids(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Exception as error:
            self._steps.pipeline.faults.error(Stage.PREDICTION_ID, error)
            return None


def _text(prediction_id: Any) -> str | None:
    return None if prediction_id is None else str(prediction_id)
