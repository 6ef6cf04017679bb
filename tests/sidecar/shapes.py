"""Every shape of a predict function, and a caller that writes down all it sees of one."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

STEPS = 8
"""Steps that a caller takes at most: a model may answer for ever."""
CALLER = ("_attempt", "_awaiting", "_run")
"""Functions of the caller in which an exception of a finished stream may end."""


class Result:
    """A result that can be told from any other, and whose end can be seen."""


class ModelError(ValueError):
    """An exception that can be told from any other."""


@dataclass
class Behaviour:
    """What a model does: yields or awaits for each item, then returns or raises `end`.

    It may be told to do something else between two calls.
    """

    items: tuple[Any, ...]
    end: Any
    catches: tuple[type[BaseException], ...]


class Bare:
    """Stands where a monitor stands, and does nothing."""

    def __call__(self, function: Any) -> Any:
        return function

    def wrap(self, estimator: Any) -> Any:
        return estimator

    def track(self) -> Any:
        return contextlib.nullcontext()


class Pause:
    """Awaited, it gives a word to whoever drives the coroutine."""

    def __init__(self, word: Any) -> None:
        self.word = word

    def __await__(self) -> Iterator[Any]:
        return (yield self.word)


def run(do: Behaviour) -> Any:
    if isinstance(do.end, BaseException) or (
        isinstance(do.end, type) and issubclass(do.end, BaseException)
    ):
        raise do.end
    return do.end


def stream(do: Behaviour) -> Any:
    for item in do.items:
        try:
            heard = yield item
            if heard is not None:
                yield ("heard", heard)
        except do.catches as error:
            yield ("caught", type(error))
    return run(do)


async def async_stream(do: Behaviour) -> Any:
    for item in do.items:
        try:
            heard = yield item
            if heard is not None:
                await Pause("heard")
        except do.catches as error:
            yield ("caught", type(error))
    run(do)


async def work(do: Behaviour) -> Any:
    for item in do.items:
        try:
            await Pause(item)
        except do.catches as error:
            await Pause(("caught", type(error)))
    return run(do)


class Items:
    """An iterator written by hand, which can go on after an exception."""

    def __init__(self, do: Behaviour) -> None:
        self.do = do
        self.left = list(do.items)

    def __iter__(self) -> "Items":
        return self

    def __next__(self) -> Any:
        if self.left:
            return self.left.pop()
        run(self.do)
        raise StopIteration


class Awaitable:
    """An awaitable written by hand."""

    def __init__(self, do: Behaviour) -> None:
        self.do = do

    def __await__(self) -> Any:
        return work(self.do).__await__()


class Calling:
    """A callable object of each kind."""

    def __init__(self, do: Behaviour) -> None:
        self.do = do

    def __call__(self, row: Any) -> Any:
        return run(self.do)


class AsyncCalling(Calling):
    async def __call__(self, row: Any) -> Any:
        return await work(self.do)


class StreamCalling(Calling):
    def __call__(self, row: Any) -> Any:
        return (yield from stream(self.do))


def make_class(monitor: Any, do: Behaviour) -> Any:
    class Model:
        @monitor
        def method(self, row: Any) -> Any:
            return run(do)

        @monitor
        @staticmethod
        def outer_static(row: Any) -> Any:
            return run(do)

        @staticmethod
        @monitor
        def inner_static(row: Any) -> Any:
            return run(do)

        @monitor
        @classmethod
        def outer_class(cls, row: Any) -> Any:
            return run(do)

        @classmethod
        @monitor
        def inner_class(cls, row: Any) -> Any:
            return run(do)

        @monitor
        def stream(self, row: Any) -> Any:
            return (yield from stream(do))

        def predict(self, row: Any) -> Any:
            return run(do)

    class Special(Model):
        pass

    return Special


def coroutine_function(do: Behaviour) -> Callable[..., Any]:
    async def predict(row: Any) -> Any:
        return await work(do)

    return predict


def generator_function(do: Behaviour) -> Callable[..., Any]:
    def predict(row: Any) -> Any:
        return (yield from stream(do))

    return predict


def async_generator_function(do: Behaviour) -> Callable[..., Any]:
    async def predict(row: Any) -> Any:
        for item in do.items:
            try:
                heard = yield item
                if heard is not None:
                    await Pause("heard")
            except do.catches as error:
                yield ("caught", type(error))
        run(do)

    return predict


def coroutine_of_stream(do: Behaviour) -> Callable[..., Any]:
    async def predict(row: Any) -> Any:
        return async_stream(do)

    return predict


def tracked(monitor: Any, do: Behaviour) -> Callable[..., Any]:
    def predict(row: Any) -> Any:
        with monitor.track():
            return run(do)

    return predict


def without_arguments(monitor: Any, do: Behaviour) -> Callable[..., Any]:
    predict = monitor(lambda: run(do))
    return lambda row: predict()


def by_keyword(monitor: Any, do: Behaviour) -> Callable[..., Any]:
    predict = monitor(lambda *, row: run(do))
    return lambda row: predict(row=row)


def stacked(monitor: Any, do: Behaviour) -> Callable[..., Any]:
    inner = coroutine_function(do)

    @monitor
    @functools.wraps(inner)
    def predict(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    return predict


def on_model(name: str) -> Callable[[Any, Behaviour], Callable[..., Any]]:
    return lambda monitor, do: getattr(make_class(monitor, do)(), name)


SHAPES: dict[str, Callable[[Any, Behaviour], Callable[..., Any]]] = {
    "function": lambda monitor, do: monitor(lambda row: run(do)),
    "no arguments": without_arguments,
    "keyword only": by_keyword,
    "positional only": lambda monitor, do: monitor(lambda row, /: run(do)),
    "partial": lambda monitor, do: monitor(functools.partial(lambda a, row: run(do), 1)),
    "object": lambda monitor, do: monitor(Calling(do)),
    "async object": lambda monitor, do: monitor(AsyncCalling(do)),
    "stream object": lambda monitor, do: monitor(StreamCalling(do)),
    **{
        name: on_model(name)
        for name in (
            *("method", "outer_static", "inner_static", "outer_class", "inner_class"),
            "stream",
        )
    },
    "class method of a class": lambda monitor, do: make_class(monitor, do).outer_class,
    "coroutine function": lambda monitor, do: monitor(coroutine_function(do)),
    "generator function": lambda monitor, do: monitor(generator_function(do)),
    "async generator function": lambda monitor, do: monitor(async_generator_function(do)),
    "partial of a stream": lambda monitor, do: monitor(functools.partial(generator_function(do))),
    "coroutine of a stream": lambda monitor, do: monitor(coroutine_of_stream(do)),
    "returns a generator": lambda monitor, do: monitor(lambda row: stream(do)),
    "returns an async generator": lambda monitor, do: monitor(lambda row: async_stream(do)),
    "returns a coroutine": lambda monitor, do: monitor(lambda row: work(do)),
    "returns an iterator": lambda monitor, do: monitor(lambda row: Items(do)),
    "returns a built-in iterator": lambda monitor, do: monitor(lambda row: iter(do.items)),
    "returns an awaitable": lambda monitor, do: monitor(lambda row: Awaitable(do)),
    "functools.wraps": stacked,
    "monitored twice": lambda monitor, do: monitor(monitor(generator_function(do))),
    "estimator": lambda monitor, do: monitor.wrap(make_class(Bare(), do)()).predict,
    "track": tracked,
}
"""Makes a function of one argument that behaves as told, monitored by what is given."""


class Script(NamedTuple):
    """What a caller does with a stream or coroutine, step by step; then it is dropped."""

    steps: tuple[tuple[Any, ...], ...]


def trace(function: Callable[..., Any], row: Any, script: Script) -> list[Any]:
    """Return everything a caller sees: values, and exceptions with what is attached to them."""
    seen: list[Any] = []
    result = _attempt(seen, function, row)
    _follow(seen, result, script)
    return seen


def _attempt(seen: list[Any], step: Callable[..., Any], *arguments: Any) -> Any:
    try:
        result = step(*arguments)
    except BaseException as error:
        value = getattr(error, "value", None)
        seen.append(("raised", *_described(error), "..." if _goes_on(value) else value))
        return value if isinstance(error, StopIteration) else None
    seen.append(("returned", result.__class__ if _goes_on(result) else result))
    return result


def _described(error: BaseException | None) -> tuple[Any, ...]:
    if error is None:
        return ()
    args = () if isinstance(error, StopIteration) else error.args
    kind = error if isinstance(error, ModelError) else type(error)  # the very exception
    # Thrown in, Python raises GeneratorExit in the outermost coroutine, and closes those within.
    end = None if isinstance(error, GeneratorExit) else _end(error.__traceback__)
    described = (kind, args, end, _described(error.__cause__), _described(error.__context__))
    error.__traceback__ = error.__cause__ = error.__context__ = None  # it may be raised again
    return described


def _end(trace: TracebackType | None) -> tuple[str, int] | None:
    """Return function and line of the model that an exception was raised in; None if in none."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return None
    code = trace.tb_frame.f_code
    begun = trace.tb_lineno != code.co_firstlineno  # else it was thrown into it before
    is_model = code.co_filename == __file__ and code.co_name not in CALLER
    return (code.co_name, trace.tb_lineno) if begun and is_model else None


def _goes_on(result: Any) -> bool:
    kind = type(result)
    return any(hasattr(kind, name) for name in ("__next__", "__anext__", "__await__"))


def _follow(seen: list[Any], result: Any, script: Script) -> None:
    kind = type(result)
    if hasattr(kind, "__anext__"):
        _drive(seen, script, _Async(result))
    elif hasattr(kind, "__next__"):
        _drive(seen, script, result)
    elif hasattr(kind, "__await__"):
        steps = result if hasattr(result, "send") else _awaiting(result)
        final = _drive(seen, script, steps)
        if final is not None and _goes_on(final):
            _follow(seen, final, script)
        _attempt(seen, steps.close)  # a coroutine that is dropped warns


async def _awaiting(awaitable: Any) -> Any:
    return await awaitable


def _drive(seen: list[Any], script: Script, target: Any) -> Any:
    final = None
    for name, *arguments in script.steps[:STEPS]:
        if name == "next" and not hasattr(type(target), "__next__"):
            name, arguments = "send", [None]
        step = next if name == "next" else getattr(target, name, None)
        if step is None:
            seen.append(("cannot", name))
            continue
        given = [target] if name == "next" else arguments
        before = len(seen)
        found = _attempt(seen, step, *given)
        if seen[before][:2] == ("raised", StopIteration):
            final = found
    return final


class _Async:
    """An async generator or iterator, driven without an event loop."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def __next__(self) -> Any:
        return self._run(self.target.__anext__())

    def send(self, value: Any) -> Any:
        return self._run(self.target.asend(value))

    def throw(self, error: Any) -> Any:
        return self._run(self.target.athrow(error))

    def close(self) -> Any:
        return self._run(self.target.aclose())

    def _run(self, awaitable: Any) -> Any:
        words = []
        steps = awaitable.__await__()
        for _ in range(STEPS):
            try:
                words.append(steps.send(None))
            except StopIteration as stop:
                return (words, stop.value)
        return words
