"""The id of a request is the id of its prediction, and of no other's."""

import asyncio
import doctest
import threading
from typing import Any

import pytest

from model_exporter.integrations import request_ids
from model_exporter.integrations.request_ids import RequestId, WsgiRequestIds
from model_exporter.sidecar.ids import next_request_id


def test_the_example() -> None:
    assert doctest.testmod(request_ids).failed == 0


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"x-request-id": "a", "ce-id": "b"}, "a"),
        ({"ce-id": "b"}, "b"),
        ({"x-amzn-sagemaker-inference-id": "c"}, "c"),
        ({"x-request-id": "line\r\nX-Evil: 1", "ce-id": "b"}, "b"),
        ({"x-request-id": "x" * 129, "ce-id": "b"}, "b"),
    ],
)
def test_which_header_counts(headers: dict[str, str], taken: str) -> None:
    """The first that is safe to write into a log and a header."""
    with RequestId(lambda name: headers.get(name.lower())) as id:
        assert id == taken
        assert [next_request_id() for _ in range(3)] == [id, f"{id}-2", f"{id}-3"]
    assert next_request_id() is None


def test_requests_do_not_mix() -> None:
    """Neither in tasks of one loop nor in threads of one process."""

    async def answer(id: str) -> str | None:
        with RequestId({"Ce-Id": id}.get):
            await asyncio.sleep(0)
            return await asyncio.to_thread(next_request_id)

    async def run() -> list[str | None]:
        return await asyncio.gather(*(answer(str(i)) for i in range(20)))

    assert asyncio.run(run()) == [str(i) for i in range(20)]
    seen: list[Any] = []
    with RequestId({"Ce-Id": "mine"}.get):
        thread = threading.Thread(target=lambda: seen.append(next_request_id()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_a_failing_application_ends_its_request() -> None:
    """Its exception passes, and the next request in the thread has an id of its own."""

    def fail(environ: Any, start_response: Any) -> Any:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        WsgiRequestIds(fail)({"HTTP_CE_ID": "a"}, None)
    assert next_request_id() is None
