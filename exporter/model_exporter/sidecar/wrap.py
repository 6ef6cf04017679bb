"""The wrapper around a predict function: two clock reads, and the steps before and after."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from model_exporter.errors import ConfigError
from model_exporter.sidecar.calls import BatchSteps, Begin, Finish, RowSteps
from model_exporter.sidecar.capture import Hooks, Place
from model_exporter.sidecar.faults import Stage
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.plain import plain_wrapper


class Steps:
    """What a wrapper does around the call, resolved once."""

    __slots__ = ("begin", "clock", "enter", "fail", "finish", "rows")

    def __init__(self, pipeline: Pipeline, place: Place, hooks: Hooks, *, batch: bool) -> None:
        self.clock = pipeline.settings.clock.monotonic_ns
        self.enter = pipeline.recorder.calls.append
        self.fail = _failure_step(pipeline)
        self.rows = None if batch else RowSteps(pipeline, place, hooks)
        steps = self.rows or BatchSteps(pipeline, place, hooks)
        self.begin: Begin = steps.begin
        self.finish: Finish = steps.finish
        pipeline.monitors_batches |= batch


def _failure_step(pipeline: Pipeline) -> Callable[[int, int, BaseException], None]:
    recorder, faults = pipeline.recorder, pipeline.faults

    def fail(start: int, end: int, error: BaseException) -> None:
        try:
            recorder.leave()
            recorder.fail(start, end, error)
        except Exception as fault:
            faults.error(Stage.RECORD, fault)

    return fail


def wrap(pipeline: Pipeline, function: Any, *, batch: bool, hooks: Hooks) -> Any:
    """Return `function` monitored: the same signature, results and exceptions.

    Raises
    ------
    ConfigError
        If it is not a function, or one whose calls end before its work does.
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
    call = getattr(function, "__call__", function)  # noqa: B004 - an object's own, to inspect
    if any(map(inspect.isgeneratorfunction, (function, call))) or any(
        map(inspect.isasyncgenfunction, (function, call))
    ):
        raise ConfigError(
            f"cannot monitor {function!r}: it is a generator, whose call ends before its work "
            "does; monitor the function that consumes it"
        )
    steps = Steps(pipeline, Place(function, bound_first=bound_first), hooks, batch=batch)
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
    wrapper = (_async_wrapper if is_async else _wrapper)(function, steps)
    if not is_async and steps.rows is not None and steps.rows.is_plain:
        wrapper = plain_wrapper(
            function,
            general=wrapper,
            fail=steps.fail,
            clock=steps.clock,
            steps=steps.rows,
            recorder=pipeline.recorder,
        )
    if inspect.isfunction(function):
        return functools.update_wrapper(wrapper, function)
    return functools.update_wrapper(wrapper, function, updated=())  # its attributes are state


def _wrapper(function: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    begin, finish, fail = steps.begin, steps.finish, steps.fail
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
        finish(values, start, clock(), result)
        return result

    return wrapper


def _async_wrapper(function: Callable[..., Any], steps: Steps) -> Callable[..., Any]:
    begin, finish, fail = steps.begin, steps.finish, steps.fail
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
        finish(values, start, clock(), result)
        return result

    return wrapper
