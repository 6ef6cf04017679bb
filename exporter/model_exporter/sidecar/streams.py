"""Wrappers of generator functions: generators themselves, so that frameworks know them as such.

Everything passes to the model's own generator as it came: `send`, `throw` and `close` on the way
in, items, exceptions and the value of `return` on the way out.
"""

import sys
from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

from model_exporter.sidecar.follow import FollowedAsyncGenerator, FollowedGenerator
from model_exporter.sidecar.following import Following

if TYPE_CHECKING:
    from model_exporter.sidecar.wrap import Steps


def generator_wrapper(function: Callable[..., Any], steps: "Steps") -> Callable[..., Any]:
    """Return a generator function, monitored from the first `next` on."""

    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = Following(steps, steps.begin(args, kwargs), 0, stream=True)
        call.begin()
        try:
            model = FollowedGenerator(function(*args, **kwargs), call)
        except BaseException as error:
            call.fail(error)
            raise
        thrown = None
        try:
            item = model.send(None)
            # Not `yield from`: it would close the model's generator where GeneratorExit is thrown.
            while True:
                try:
                    sent = yield item
                except BaseException as error:
                    thrown = _as_thrown(error)
                # Outside of `except`: the model's exceptions would get `thrown` as their context.
                item = model.send(sent) if thrown is None else model.throw(thrown)
                thrown = None
        except StopIteration as stop:
            return stop.value
        finally:
            thrown = None  # it refers to this frame

    return wrapper


def async_generator_wrapper(function: Callable[..., Any], steps: "Steps") -> Callable[..., Any]:
    """Return an async generator function, monitored from the first `anext` on."""

    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = Following(steps, steps.begin(args, kwargs), 0, stream=True)
        call.begin()
        try:
            model = FollowedAsyncGenerator(function(*args, **kwargs), call)
        except BaseException as error:
            call.fail(error)
            raise
        thrown = None
        try:
            item = await _first(model)
            while True:
                try:
                    sent = yield item
                except BaseException as error:
                    thrown = _as_thrown(error)
                item = await (model.asend(sent) if thrown is None else model.athrow(thrown))
                thrown = None
        except StopAsyncIteration:
            return
        finally:
            thrown = None

    return wrapper


def _as_thrown(error: BaseException) -> BaseException:
    """Return an exception without the trace of its way to us: the model's own would have none."""
    trace = error.__traceback__
    return BaseException.with_traceback(error, None if trace is None else trace.tb_next)


def _first(model: FollowedAsyncGenerator) -> Any:
    """Return the first step, without the event loop hearing of a second generator to shut down."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return model.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)
