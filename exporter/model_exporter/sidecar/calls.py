"""The two steps of telemetry around a call: `begin` takes features, `finish` records the outcome.

`begin` runs before the model, which may change its arguments; neither ever raises but in strict
mode.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from model_exporter.sidecar.capture import (
    Arguments,
    BatchCapture,
    Hooks,
    Keywords,
    Place,
    RowCapture,
)
from model_exporter.sidecar.columns import NOT_CAPTURED, Column
from model_exporter.sidecar.counters import Counters
from model_exporter.sidecar.event_time import GIVEN, batch_clock, row_clock
from model_exporter.sidecar.faults import Stage, TelemetryError
from model_exporter.sidecar.ids import next_request_id, row_ids
from model_exporter.sidecar.outputs import SCALARS
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.recorder import FIXED, BatchCall
from model_exporter.sidecar.schema import Shape

Begin = Callable[[Arguments, Keywords], Any]
Finish = Callable[[Any, int, int, Any], None]


NOTHING: Any = type("_Nothing", (), {"__slots__": (), "__repr__": lambda _: "NOTHING"})()
"""Stands for the result of a call that has none to read: it counts as a row without prediction."""


def positional(pipeline: Pipeline) -> int:
    """Return how many features a row gives by position."""
    baseline = pipeline.settings.baseline
    return len(baseline.features) if baseline else 0


class RowSteps:
    """The steps around a call that predicts one row."""

    def __init__(self, pipeline: Pipeline, place: Place, hooks: Hooks) -> None:
        self._pipeline = pipeline
        self._place = place
        self.capture = RowCapture(
            pipeline.settings.captured,
            positional=positional(pipeline),
            place=place,
            features=hooks.features,
            faults=pipeline.faults,
            note=pipeline.recorder.note if pipeline.settings.baseline else None,
        )
        self.scalars = frozenset() if hooks.output else SCALARS
        self.begin = self._timed(self._begin(hooks.prediction_id), hooks.event_time)
        self.finish = self._finish(_row_reader(pipeline, hooks))

    @property
    def is_plain(self) -> bool:
        """Whether `plain.plain_wrapper` can do these steps."""
        if self._pipeline.has_ids or self._pipeline.settings.event_time == GIVEN:
            return False
        return not self._place.index and self.capture.getter is not None

    @property
    def is_packed(self) -> bool:
        """Whether the features of a plain row can be kept as the bytes of numbers alone."""
        subjects, settings = self._pipeline.fold.subjects, self._pipeline.settings
        if subjects.checks or settings.event_time:  # they read columns, not a matrix
            return False
        return self.is_plain and tuple(subjects.numeric.names) == settings.columns

    def _begin(self, prediction_id: Callable[..., Any] | None) -> Begin:
        capture = self.capture.begin()
        index, faults = self._place.index, self._pipeline.faults
        if not self._pipeline.has_ids:
            return capture

        def begin(args: Arguments, kwargs: Keywords) -> list[Any]:
            found = None
            if prediction_id is not None:
                try:
                    found = prediction_id(*args[index:], **kwargs)
                    found = None if found is None else str(found)
                except Exception as error:
                    found = None
                    faults.error(Stage.PREDICTION_ID, error)
            if found is None:
                found = next_request_id()
            record = capture(args, kwargs)
            record.insert(FIXED, found)
            return record

        return begin

    def _timed(self, begin: Begin, event_time: Callable[..., Any] | None) -> Begin:
        """Add what `event_time` gives to the record: its column is the last."""
        if self._pipeline.settings.event_time != GIVEN:
            return begin
        read = row_clock(event_time, index=self._place.index, faults=self._pipeline.faults)

        def timed(args: Arguments, kwargs: Keywords) -> list[Any]:
            record: list[Any] = begin(args, kwargs)
            record.append(read(args, kwargs))
            return record

        return timed

    def _finish(self, read: Callable[[Any], Any]) -> Finish:
        recorder, faults, scalars = self._pipeline.recorder, self._pipeline.faults, self.scalars
        rows, extend, leave = recorder.rows, recorder.rows.extend, recorder.calls.pop
        packed, extend_packed = recorder.packed, recorder.packed.extend
        enter = recorder.calls.append

        def finish(record: list[Any] | bytes, start: int, end: int, result: Any) -> None:
            try:  # noqa: SIM105 - `suppress` costs half a microsecond
                leave()
            except IndexError:  # forked within the call: it began in the parent
                pass
            try:
                if (
                    len(rows) >= recorder.limit or len(packed) >= recorder.packed_limit
                ) and not recorder.admit(latency=end - start):
                    return
                if type(result) not in scalars:
                    result = read(result)
                if isinstance(record, bytes):
                    enter(None)  # a packed call is in progress until it is drained
                    extend_packed((end, start, result, record))
                    return
                record[0], record[1], record[2] = end, end - start, result
                extend(record)
            except Exception as error:
                faults.error(Stage.RECORD, error)

        return finish


def _row_reader(pipeline: Pipeline, hooks: Hooks) -> Callable[[Any], Any]:
    faults, output, read = pipeline.faults, hooks.output, pipeline.fold.reader.read

    def read_row(result: Any) -> Any:
        if result is NOTHING:
            return None
        try:
            return read(result if output is None else output(result))
        except Exception as error:
            faults.error(Stage.OUTPUT, error)
            return None

    return read_row


class BatchSteps:
    """The steps around a call that predicts many rows: features are counted at once, in bulk."""

    def __init__(self, pipeline: Pipeline, place: Place, hooks: Hooks) -> None:
        self._pipeline = pipeline
        self._faults = pipeline.faults
        self._hooks = hooks
        self._place = place
        self._capture = BatchCapture(
            pipeline.settings.captured,
            positional=positional(pipeline),
            place=place,
            features=hooks.features,
        )
        self._is_timed = pipeline.settings.event_time == GIVEN
        self._time = batch_clock(hooks.event_time, index=place.index, faults=self._faults)

    def begin(self, args: Arguments, kwargs: Keywords) -> BatchCall:
        """Count the features of a call and keep what the log needs."""
        call = BatchCall()
        try:
            shapes: list[Shape] = []
            columns = self._capture.capture(args, kwargs, shapes=shapes)
            call.captured = len(next(iter(columns.values()), ()))
            settings = self._pipeline.settings
            if settings.baseline is not None or settings.constraints or settings.event_time:
                call.counts = self._counts(columns)
            if settings.baseline is not None:
                call.shapes = shapes
            if self._pipeline.log is not None or self._pipeline.fold.taps:
                call.log_columns = {name: _own(column) for name, column in columns.items()}
        except Exception as error:
            self._faults.error(Stage.FEATURES, error)
        if self._is_timed:
            now = self._pipeline.settings.clock.wall_ns()
            self._add_time(call, self._time(args, kwargs, now))
        if self._pipeline.log is not None and self._hooks.prediction_id is not None:
            call.ids = self._ids(args, kwargs)
        return call

    def _counts(self, columns: dict[str, Column]) -> Any:
        counters = Counters(self._pipeline.settings, self._pipeline.fold.subjects)
        timed: dict[str, Column] = {GIVEN: ()} if columns and self._is_timed else {}
        self._pipeline.fold.count_features({**columns, **timed}, counters)
        return counters.array

    def _add_time(self, call: BatchCall, newest_ns: float) -> None:
        settings, subjects = self._pipeline.settings, self._pipeline.fold.subjects
        counters = Counters(settings, subjects, call.counts)
        counters.input_ns[0] = newest_ns
        call.counts = counters.array

    def _ids(self, args: Arguments, kwargs: Keywords) -> list[str | None] | None:
        assert self._hooks.prediction_id is not None
        try:
            found = self._hooks.prediction_id(*args[self._place.index :], **kwargs)
            return [None if text is None else str(text) for text in found]
        except Exception as error:
            self._faults.error(Stage.PREDICTION_ID, error)
            return None

    def log(self, call: BatchCall) -> None:
        """Record rows with their outputs that no call of a function gave."""
        call.end, call.latency = self._pipeline.settings.clock.monotonic_ns(), None
        self._complete(call)
        if self._pipeline.recorder.admit(call.rows):
            self._pipeline.recorder.batches.append(call)

    def finish(self, call: BatchCall, start: int, end: int, result: Any) -> None:
        """Record a call that ended."""
        recorder = self._pipeline.recorder
        try:
            recorder.leave()
            call.end, call.latency = end, end - start
            self._read(call, result)
            if recorder.admit(call.rows, latency=call.latency):
                recorder.batches.append(call)
        except Exception as error:
            self._faults.error(Stage.RECORD, error)

    def _read(self, call: BatchCall, result: Any) -> None:
        try:
            hook = self._hooks.output
            output = result if hook is None or result is NOTHING else hook(result)
            if output is NOTHING:
                call.rows = call.captured
            else:
                call.rows, call.output = self._pipeline.fold.reader.read_batch(output)
        except Exception as error:
            self._faults.error(Stage.OUTPUT, error)
            call.rows, call.output = call.captured, None
        self._complete(call)

    def _complete(self, call: BatchCall) -> None:
        """See to it that the log has an id and the features of each row, or none of them."""
        if call.ids is not None and len(call.ids) != call.rows:
            call.ids = None
            self._faults.error(
                Stage.PREDICTION_ID,
                TelemetryError("prediction_id= gave another number of ids than rows"),
            )
        if self._pipeline.log is not None:
            call.ids = row_ids(call.ids, call.rows)
        if call.log_columns == {}:  # there were no features to take, but predictions to log
            lost = [NOT_CAPTURED] * call.rows
            call.log_columns = dict.fromkeys(self._pipeline.settings.columns, lost)
        elif call.log_columns and call.captured != call.rows:
            call.log_columns = None
            self._faults.error(
                Stage.OUTPUT,
                TelemetryError("a batch returned another number of rows than it was given"),
            )


def _own(column: Column) -> Column:
    return column.copy() if isinstance(column, np.ndarray) else column
