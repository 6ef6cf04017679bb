"""Follows work that goes on after a call has returned: streams, coroutines and futures.

A generator, an async generator or a coroutine that a function returns is handed out as a stand-in
that counts what passes and never touches it. What is never started counts as no call, and what is
dropped half-way ends when it is collected.
"""

from collections.abc import Awaitable, Callable, Generator
from inspect import CO_ITERABLE_COROUTINE
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType
from typing import TYPE_CHECKING, Any

import numpy as np

from model_exporter.sidecar.following import Following
from model_exporter.sidecar.outputs import SCALARS
from model_exporter.sidecar.stand_in import StandIn, inner_of, stand_in

if TYPE_CHECKING:
    from model_exporter.sidecar.wrap import Steps

FINAL = SCALARS | {dict, list, tuple, np.ndarray}
"""Types of results that are complete, told at once."""
HEAP_TYPE = 1 << 9
"""Flag of the classes that are not the interpreter's own."""
CALL = "_model_exporter_call"


class Followed(StandIn):
    """A stand-in that knows the call it belongs to."""

    __slots__ = (CALL,)

    def __init__(self, inner: Any, call: Following) -> None:
        super().__init__(inner)
        object.__setattr__(self, CALL, call)


def call_of(followed: Followed) -> Following:
    """Return the call that a stand-in belongs to."""
    found: Following = object.__getattribute__(followed, CALL)
    return found


class FollowedIterator(Followed):
    """An iterator whose items are counted."""

    __slots__ = ()

    def __next__(self) -> Any:
        return _step(call_of(self), inner_of(self).__next__)


class FollowedGenerator(FollowedIterator):
    """A generator whose items are counted."""

    __slots__ = ()

    def send(self, value: Any) -> Any:
        """Send a value in."""
        return _step(call_of(self), inner_of(self).send, value)

    def throw(self, *error: Any) -> Any:
        """Raise inside."""
        return _step(call_of(self), inner_of(self).throw, *error)

    def close(self) -> Any:
        """End it."""
        return _close(call_of(self), inner_of(self).close)


class FollowedAsyncIterator(Followed):
    """An async iterator whose items are counted."""

    __slots__ = ()

    def __anext__(self) -> Any:
        return _step_async(call_of(self), inner_of(self).__anext__())


class FollowedAsyncGenerator(FollowedAsyncIterator):
    """An async generator whose items are counted."""

    __slots__ = ()

    def asend(self, value: Any) -> Any:
        """Send a value in."""
        return _step_async(call_of(self), inner_of(self).asend(value))

    def athrow(self, *error: Any) -> Any:
        """Raise inside."""
        return _step_async(call_of(self), inner_of(self).athrow(*error))

    def aclose(self) -> Any:
        """End it."""
        return _close_async(call_of(self), inner_of(self).aclose())


class FollowedAwaitable(Followed):
    """An awaitable that is timed from where it is awaited."""

    __slots__ = ()

    def __await__(self) -> Any:
        return _awaited(call_of(self), inner_of(self).__await__())


class FollowedCoroutine(FollowedAwaitable):
    """A coroutine that is timed, also where an event loop drives it by hand."""

    __slots__ = ()

    def send(self, value: Any) -> Any:
        """Send a value in."""
        return _step_coroutine(call_of(self), inner_of(self).send, value)

    def throw(self, *error: Any) -> Any:
        """Raise inside."""
        return _step_coroutine(call_of(self), inner_of(self).throw, *error)

    def close(self) -> Any:
        """End it."""
        return _close(call_of(self), inner_of(self).close)


def _step(call: Following, advance: Callable[..., Any], *arguments: Any) -> Any:
    call.begin()
    try:
        item = advance(*arguments)
    except StopIteration:
        call.end()
        raise
    except BaseException as error:
        call.fail(error)
        raise
    call.chunk(item)
    return item


async def _step_async(call: Following, step: Awaitable[Any]) -> Any:
    call.begin()
    try:
        item = await step
    except StopAsyncIteration:
        call.end()
        raise
    except BaseException as error:
        call.fail(error)
        raise
    call.chunk(item)
    return item


def _step_coroutine(call: Following, advance: Callable[..., Any], *arguments: Any) -> Any:
    call.begin()
    try:
        return advance(*arguments)
    except StopIteration as stop:
        result = call.settle(stop.value)
        if result is stop.value:
            raise
    except BaseException as error:
        call.fail(error)
        raise
    raise StopIteration(result)


def _awaited(call: Following, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    call.begin()
    try:
        result = yield from steps
    except BaseException as error:
        call.fail(error)
        raise
    return call.settle(result)


def _close(call: Following, close: Callable[[], Any]) -> Any:
    try:
        result = close()
    except BaseException as error:
        call.fail(error)
        raise
    call.fail(GeneratorExit())
    return result


async def _close_async(call: Following, closing: Awaitable[None]) -> None:
    try:
        await closing
    except BaseException as error:
        call.fail(error)
        raise
    call.end()


PROTOCOLS: dict[str, type[Followed]] = {
    "__anext__": FollowedAsyncIterator,
    "__next__": FollowedIterator,
    "__await__": FollowedAwaitable,
}
"""Methods of objects to follow. They must be written in Python: an extension module may insist on
its own objects, as Ray does on its references, so these have no stand-in."""


def follow(steps: "Steps", values: Any, before_ns: int, result: Any) -> Any:
    """Return what to hand out in place of a result that goes on; None if it does not."""
    kind = _kind_of(result)
    if kind is None:
        return None
    stream = not issubclass(kind, FollowedAwaitable)
    call = Following(steps, values, before_ns, stream=stream)
    if kind is FollowedAwaitable and hasattr(type(result), "_asyncio_future_blocking"):
        return _follow_future(call, result)
    steps.pipeline.monitors_streams |= stream
    return stand_in(kind, result)(result, call)


def _kind_of(result: Any) -> type[Followed] | None:
    kind = result.__class__ if isinstance(result, StandIn) else type(result)
    if kind is GeneratorType:
        awaited = result.gi_code.co_flags & CO_ITERABLE_COROUTINE  # by a flag no stand-in has
        return None if awaited else FollowedGenerator
    if kind is AsyncGeneratorType:
        return FollowedAsyncGenerator
    if kind is CoroutineType:
        return FollowedCoroutine
    if hasattr(kind, "_asyncio_future_blocking"):
        return FollowedAwaitable
    for name, followed in PROTOCOLS.items():
        if isinstance(getattr(kind, name, None), FunctionType):
            return followed
    return FollowedIterator if hasattr(kind, "__next__") and _is_built_in(kind) else None


def _is_built_in(kind: type) -> bool:
    of_an_extension = kind.__flags__ & HEAP_TYPE  # whatever its `__module__` says
    return kind.__module__ == "itertools" or (kind.__module__ == "builtins" and not of_an_extension)


def _follow_future(call: Following, future: Any) -> Any:
    """Have a future of asyncio tell when it is done; asyncio knows its own futures only."""
    from asyncio import CancelledError  # whoever made the future has paid for the import

    def done(future: Any) -> None:
        if future.cancelled():
            call.fail(CancelledError())
            return
        error = future._exception  # `exception()` would say that somebody has seen it
        if error is None:
            call.end(future.result())
        else:
            call.fail(error)

    future.add_done_callback(done)
    call.begin()
    return future
