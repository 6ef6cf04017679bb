"""The wrapper around a predict function: two clock reads, and the steps before and after."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from model_exporter.errors import ConfigError
from model_exporter.sidecar.calls import BatchSteps, Begin, Finish, RowSteps
from model_exporter.sidecar.capture import Hooks, Place
from model_exporter.sidecar.faults import Stage
from model_exporter.sidecar.follow import FINAL, follow
from model_exporter.sidecar.packed import packed_wrapper
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.plain import plain_wrapper
from model_exporter.sidecar.streams import async_generator_wrapper, generator_wrapper


class Steps:
    """What a wrapper does around the call, resolved once."""

    __slots__ = (
        *("begin", "clock", "enter", "fail", "finish", "pipeline", "reads_streams", "rows"),
        "settle",
    )

    def __init__(self, pipeline: Pipeline, place: Place, hooks: Hooks, *, batch: bool) -> None:
        self.pipeline = pipeline
        self.clock = pipeline.settings.clock.monotonic_ns
        self.enter = pipeline.recorder.calls.append
        self.fail = _failure_step(pipeline)
        self.rows = None if batch else RowSteps(pipeline, place, hooks)
        steps = self.rows or BatchSteps(pipeline, place, hooks)
        self.begin: Begin = steps.begin
        self.finish: Finish = steps.finish
        self.settle = _settling_step(self)
        self.reads_streams = hooks.output is not None
        pipeline.monitors_batches |= batch

    def count_stream(self, first_ns: float, chunks: int) -> None:
        """Record a stream that ended, before `finish` or `fail`."""
        try:
            self.pipeline.recorder.stream(first_ns, chunks)
        except Exception as fault:
            self.pipeline.faults.error(Stage.RECORD, fault)


def _failure_step(pipeline: Pipeline) -> Callable[[int, int, BaseException], None]:
    recorder, faults = pipeline.recorder, pipeline.faults

    def fail(start: int, end: int, error: BaseException) -> None:
        try:
            recorder.leave()
            recorder.fail(start, end, error)
        except Exception as fault:
            faults.error(Stage.RECORD, fault)

    return fail


def _settling_step(steps: Steps) -> Callable[[Any, int, int, Any], Any]:
    finish, faults, leave = steps.finish, steps.pipeline.faults, steps.pipeline.recorder.leave

    def settle(values: Any, start: int, end: int, result: Any) -> Any:
        """Record a result, or follow one that is not complete; return what the caller gets."""
        if type(result) in FINAL:
            finish(values, start, end, result)
            return result
        followed = None
        try:
            followed = follow(steps, values, end - start, result)
        except Exception as fault:
            faults.error(Stage.RECORD, fault)
        if followed is None:
            finish(values, start, end, result)
            return result
        leave()  # it enters again where it is started, if it is
        return followed

    return settle


def wrap(pipeline: Pipeline, function: Any, *, batch: bool, hooks: Hooks) -> Any:
    """Return `function` monitored: the same signature, results and exceptions.

    Raises
    ------
    ConfigError
        If it is not a function, or is a class.
    """
    if isinstance(function, (staticmethod, classmethod)):
        bound_first = isinstance(function, classmethod)
        inner = _wrap(
            pipeline, function.__func__, bound_first=bound_first, batch=batch, hooks=hooks
        )
        return type(function)(inner)
    return _wrap(pipeline, function, bound_first=False, batch=batch, hooks=hooks)


def _wrap(
    pipeline: Pipeline, function: Any, *, bound_first: bool, batch: bool, hooks: Hooks
) -> Any:
    if not callable(function):
        raise ConfigError(
            f"cannot monitor {type(function).__name__}: expected a function, as in "
            "`@monitor` above `def predict(features)`"
        )
    if isinstance(function, type):
        raise ConfigError(
            f"cannot monitor the class {function.__name__}: decorate its predict method, or give "
            "an instance to wrap()"
        )
    steps = Steps(pipeline, Place(function, bound_first=bound_first), hooks, batch=batch)
    make = _maker(function)
    pipeline.monitors_streams |= make in (generator_wrapper, async_generator_wrapper)
    wrapper = make(function, steps)
    if make is _wrapper and steps.rows is not None and steps.rows.is_plain:
        makers = [plain_wrapper, packed_wrapper] if steps.rows.is_packed else [plain_wrapper]
        for make_faster in makers:  # each leaves to the one before what is not for it
            wrapper = make_faster(
                function,
                general=wrapper,
                fail=steps.fail,
                settle=steps.settle,
                clock=steps.clock,
                steps=steps.rows,
                pipeline=pipeline,
            )
    if inspect.isfunction(function):
        return functools.update_wrapper(wrapper, function)
    return functools.update_wrapper(wrapper, function, updated=())  # its attributes are state


def _maker(function: Any) -> Callable[[Any, Steps], Callable[..., Any]]:
    """Return what makes the wrapper of the function's own kind: frameworks ask for it."""
    of_class = getattr(type(function), "__call__", None)  # noqa: B004 - to inspect
    for is_kind, make in (
        (inspect.isasyncgenfunction, async_generator_wrapper),
        (inspect.isgeneratorfunction, generator_wrapper),
        (inspect.iscoroutinefunction, _async_wrapper),
    ):
        if is_kind(function) or is_kind(of_class):
            return make
    return _wrapper


def _wrapper(function: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    begin, settle, fail = steps.begin, steps.settle, steps.fail
    enter, clock = steps.enter, steps.clock

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        values = begin(args, kwargs)
        enter(None)
        start = clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            fail(start, clock(), error)
            raise
        return settle(values, start, clock(), result)

    return wrapper


def _async_wrapper(function: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    begin, settle, fail = steps.begin, steps.settle, steps.fail
    enter, clock = steps.enter, steps.clock

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        values = begin(args, kwargs)
        enter(None)
        start = clock()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            fail(start, clock(), error)
            raise
        return settle(values, start, clock(), result)

    return wrapper
