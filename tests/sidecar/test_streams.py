"""Streams, coroutines and futures are followed to their end, and pass through untouched."""

import asyncio
import csv
import functools
import gc
import inspect
import io
import unittest.mock
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from model_exporter import ModelMonitor

Read = Callable[..., float | None]


@pytest.fixture
def monitor(make: Callable[..., ModelMonitor]) -> ModelMonitor:
    return make(task="multiclass")


@pytest.fixture
def read(monitor: ModelMonitor, reader: Callable[..., Read]) -> Read:
    return reader(monitor)


def counts(read: Read) -> tuple[float | None, ...]:
    """Return calls, rows, chunks, and calls in progress."""
    return tuple(
        map(
            read,
            (
                "model_prediction_requests_total",
                "model_predictions_total",
                "model_prediction_chunks_total",
                "model_predictions_in_progress",
            ),
        )
    )


def test_a_generator_is_timed_from_the_first_next_to_its_end(
    monitor: ModelMonitor, read: Read, clock: Any
) -> None:
    """First chunk and total, chunks, and nothing in progress before and after."""

    @monitor
    def predict(row: Any) -> Iterator[str]:
        clock.advance(0.2)
        yield "a"
        clock.advance(0.3)
        yield "b"

    stream = predict("row")
    clock.advance(100)
    assert counts(read) == (0, 0, 0, 0)
    assert next(stream) == "a"
    assert counts(read) == (0, 0, 0, 1)
    assert list(stream) == ["b"]
    assert counts(read) == (1, 1, 2, 0)
    assert read("model_prediction_time_to_first_chunk_seconds_sum") == pytest.approx(0.2)
    assert read("model_prediction_latency_seconds_sum") == pytest.approx(0.5)


@pytest.mark.parametrize("leave", ["close", "drop", "throw"])
def test_a_client_that_leaves_early_is_no_error(
    monitor: ModelMonitor, read: Read, leave: str
) -> None:
    """However it leaves, the call ends with the chunks it took."""
    closed = []

    @monitor
    def predict(row: Any) -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(row)

    stream = predict(1)
    next(stream)
    if leave == "close":
        stream.close()  # type: ignore[attr-defined]
    elif leave == "throw":
        with pytest.raises(GeneratorExit):
            stream.throw(GeneratorExit)  # type: ignore[attr-defined]
    del stream
    assert closed == [1]
    assert counts(read) == (1, 1, 1, 0)
    assert read("model_prediction_errors_total", error_type="GeneratorExit") is None


def test_send_throw_and_return_pass_through(monitor: ModelMonitor, read: Read) -> None:
    """A generator that is talked to hears what was said, and its return value arrives."""

    @monitor
    def predict(row: Any) -> Any:
        heard = yield row
        try:
            yield heard
        except KeyError as error:
            yield error.args
        return "the end"

    stream = predict("hello")
    assert next(stream) == "hello"
    assert stream.send("you") == "you"
    assert stream.throw(KeyError("oh")) == ("oh",)
    with pytest.raises(StopIteration) as stopped:
        next(stream)
    assert stopped.value.value == "the end"
    assert counts(read) == (1, 1, 3, 0)


def test_an_error_in_a_stream_is_an_error_without_our_context(
    monitor: ModelMonitor, read: Read
) -> None:
    """It arrives as it was raised; the chunks before it are counted."""
    raised = ValueError("of the model")

    @monitor
    def predict(row: Any) -> Iterator[int]:
        yield 1
        raise raised

    stream = predict(1)
    next(stream)
    with pytest.raises(ValueError, match="of the model") as caught:
        next(stream)
    assert caught.value is raised
    assert raised.__context__ is None
    assert read("model_prediction_errors_total", error_type="ValueError") == 1
    assert counts(read) == (1, 0, 1, 0)


def test_the_hook_gets_the_last_chunk(monitor: ModelMonitor, read: Read) -> None:
    """With `output=` the last chunk is the prediction; an empty stream has none."""

    @monitor(output=lambda last: last.upper())
    def predict(row: Any) -> Iterator[str]:
        yield from row

    assert list(predict("abc")) == ["a", "b", "c"]
    assert list(predict("")) == []
    assert read("model_predicted_class_total", predicted_class="C") == 1
    assert counts(read) == (2, 2, 3, 0)


def test_an_async_generator_passes_through(monitor: ModelMonitor, read: Read, clock: Any) -> None:
    """Items, `asend`, `athrow`, early leave and cancellation, each as without monitor."""

    @monitor
    async def predict(row: Any) -> AsyncIterator[Any]:
        clock.advance(0.5)
        await asyncio.sleep(0)
        heard = yield row
        try:
            yield heard
        except KeyError:
            yield "caught"
        await asyncio.sleep(60)

    async def run() -> None:
        stream: Any = predict("hello")
        assert counts(read) == (0, 0, 0, 0)
        assert await anext(stream) == "hello"
        assert await stream.asend("you") == "you"
        assert await stream.athrow(KeyError()) == "caught"
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert counts(read) == (1, 0, 3, 0)
        left: Any = predict("hello")
        async for _ in left:
            break
        await left.aclose()
        assert counts(read) == (2, 1, 4, 0)
        forgotten: Any = predict("hello")
        await anext(forgotten)
        del forgotten
        for _ in range(3):  # the loop closes what is forgotten, in a task of its own
            await asyncio.sleep(0)

    asyncio.run(run(), debug=True)
    assert counts(read) == (3, 2, 5, 0)
    assert read("model_prediction_errors_total", error_type="cancelled") == 1
    assert read("model_prediction_time_to_first_chunk_seconds_sum") == pytest.approx(1.5)


def test_kinds_are_those_of_the_function(monitor: ModelMonitor) -> None:
    """Frameworks ask what a function is before they call it, and what came back."""

    def stream(row: Any) -> Iterator[int]:
        yield 1

    async def stream_soon(row: Any) -> AsyncIterator[int]:
        yield 1

    class Streamer:
        def __call__(self, row: Any) -> Iterator[int]:
            yield 1

    for function in (stream, functools.partial(stream), Streamer()):
        wrapped = monitor(function)
        assert inspect.isgeneratorfunction(wrapped)
        assert inspect.isgenerator(wrapped(1))
    assert inspect.isasyncgenfunction(monitor(stream_soon))
    assert inspect.isasyncgen(monitor(stream_soon)(1))


def test_coroutines_that_a_plain_function_returns_are_followed(
    monitor: ModelMonitor, read: Read, clock: Any
) -> None:
    """To their end, however they are driven; the idle time before is nobody's latency."""

    async def work(row: Any) -> str:
        clock.advance(0.5)
        await asyncio.sleep(0)
        return "sun"

    @monitor
    def predict(row: Any) -> Any:
        return work(row)

    async def run() -> None:
        coroutine = predict(1)
        assert inspect.iscoroutine(coroutine)
        assert inspect.isawaitable(coroutine)
        clock.advance(10)
        assert counts(read)[3] == 0
        assert await coroutine == "sun"
        with pytest.raises(RuntimeError, match="cannot reuse already awaited"):
            await coroutine
        assert await asyncio.create_task(predict(1)) == "sun"
        assert await asyncio.wait_for(predict(1), 5) == "sun"
        waiting = asyncio.create_task(predict(1))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
    assert read("model_predicted_class_total", predicted_class="sun") == 3
    assert read("model_prediction_latency_seconds_sum") == pytest.approx(2)
    assert read("model_prediction_errors_total", error_type="cancelled") == 1
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        predict(1)
        predict(1).close()
        gc.collect()
    assert [str(w.message) for w in warned] == [
        f"coroutine '{work.__qualname__}' was never awaited"
    ]
    assert read("model_prediction_requests_total") == 4
    assert read("model_predictions_in_progress") == 0


def test_futures_are_followed_and_stay_what_they_are(monitor: ModelMonitor, read: Read) -> None:
    """An event loop knows its own futures only, so the very object comes back."""
    made = []

    @monitor
    def predict(row: Any) -> Any:
        made.append(asyncio.get_running_loop().create_future())
        return made[-1]

    async def run() -> None:
        results = [predict(1) for _ in range(4)]
        assert all(result is future for result, future in zip(results, made, strict=True))
        assert counts(read)[3] == 4
        made[0].set_result("sun")
        made[1].set_exception(ValueError())
        made[2].cancel()
        await asyncio.wait(made[:3])
        assert counts(read)[3] == 1
        made.clear()

    asyncio.run(run())
    gc.collect()
    assert counts(read)[:2] == (4, 1)
    assert counts(read)[3] == 0
    assert read("model_prediction_errors_total", error_type="ValueError") == 1
    assert read("model_prediction_errors_total", error_type="cancelled") == 1


class Answer:
    """An iterator with a life of its own."""

    def __init__(self) -> None:
        self.left = [1, 2, 3]
        self.status = "open"

    def __iter__(self) -> "Answer":
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        return self.left.pop()

    def __len__(self) -> int:
        return len(self.left)

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_: object) -> None:
        self.status = "closed"


def test_iterators_that_a_plain_function_returns_are_followed(
    monitor: ModelMonitor, read: Read
) -> None:
    """They keep their class, attributes and special methods."""
    answer = Answer()
    predict = monitor(lambda row: row)
    with predict(answer) as stream:
        assert isinstance(stream, Answer)
        stream.note = "mine"
        assert (len(stream), bool(stream), answer.note) == (3, True, "mine")  # type: ignore[attr-defined]
        assert list(stream) == [3, 2, 1]
    assert stream.status == "closed"
    assert counts(read) == (1, 1, 3, 0)
    assert list(predict(map(str, [1, 2]))) == ["1", "2"]
    assert next(predict(iter([1, 2]))) == 1
    assert counts(read) == (3, 3, 6, 0)


def test_closing_ends_the_call_of_one_who_holds_on(monitor: ModelMonitor, read: Read) -> None:
    """Also before the stream or coroutine is collected; without a start there was no call."""

    async def stream_soon() -> AsyncIterator[int]:
        yield 1

    async def work() -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        held = [monitor(lambda: (i for i in range(3)))(), monitor(stream_soon)(), monitor(work)()]
        held += [monitor(stream_soon)(), monitor(lambda: work())(), monitor(lambda: work())()]
        next(held[0])
        held[0].close()
        await anext(held[1])
        await held[1].aclose()
        held[2].close()
        await held[3].aclose()
        held[4].close()
        held[5].send(None)
        held[5].close()
        assert counts(read) == (3, 2, 2, 0)

    asyncio.run(run())


def test_objects_of_extension_modules_stay_what_they_are(monitor: ModelMonitor, read: Read) -> None:
    """Their own C code may insist on them; the call ends when it returns."""
    for result in (csv.reader(["a"]), io.StringIO("x"), unittest.mock.MagicMock()):
        assert monitor(output=lambda _: "sun")(lambda row, result=result: result)(1) is result
    assert counts(read) == (3, 3, None, 0)


def test_a_stream_that_a_coroutine_returns_is_followed(monitor: ModelMonitor, read: Read) -> None:
    """As language-model servers do: awaiting gives the stream."""

    async def stream(row: Any) -> AsyncIterator[int]:
        yield 1
        yield 2

    @monitor
    async def predict(row: Any) -> Any:
        return stream(row)

    @monitor
    @functools.wraps(predict.__wrapped__)
    def stacked(row: Any) -> Any:
        return predict.__wrapped__(row)

    async def run() -> None:
        for function in (predict, stacked):
            assert [item async for item in await function(1)] == [1, 2]
        await predict(1)

    asyncio.run(run())
    assert counts(read) == (2, 2, 4, 0)


def test_batches_can_be_streams(
    make: Callable[..., ModelMonitor], baselines: Any, reader: Callable[..., Read]
) -> None:
    """A stream of a batch counts the rows that went in, or those that the hook reads."""
    monitor = make(baseline=baselines["binary"])
    rows = [{"age": 30, "country": "de"}] * 3

    def predict(rows: Any) -> Iterator[Any]:
        yield len(rows)
        yield [1] * len(rows)

    assert len(list(monitor(batch=True)(predict)(rows))) == 2
    assert len(list(monitor(batch=True, output=lambda last: last)(predict)(rows))) == 2
    read = reader(monitor)
    assert counts(read) == (2, 6, 4, 0)
    assert read("model_predicted_class_total", predicted_class="1") == 3
