"""Examples of docs/serving.md run on the real framework, and are scraped.

Those of frameworks that are servers of several processes: test_frameworks.py.
"""

import asyncio
import gzip
import json
import re
import socket
import sys
import threading
import time
import types
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import uvicorn

from model_exporter import ModelMonitor

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text("utf-8")


def example(heading: str, replace: dict[str, str] | None = None) -> str:
    """Return the Python example under a heading of docs/serving.md."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, flags=re.M | re.S)
    (code,) = re.findall(r"```python\n(.*?)```", section, flags=re.S)
    for old, new in (replace or {}).items():
        assert old in code
        code = code.replace(old, new)
    return str(code)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return what runs an example in a directory of its own; its monitor is closed afterwards."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}

    def run_example(heading: str, replace: dict[str, str] | None = None) -> dict[str, Any]:
        exec(compile(example(heading, replace), heading, "exec"), names)
        return names

    yield run_example
    if "monitor" in names:
        names["monitor"].close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


@contextmanager
def wsgi(app: Any) -> Iterator[str]:
    """Serve a WSGI application; give its address."""
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def asgi(app: Any) -> Iterator[str]:
    """Serve an ASGI application with uvicorn; give its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def aiohttp_server(app: Any) -> Iterator[str]:
    """Serve an application of aiohttp; give its address."""
    from aiohttp import web

    port = free_port()
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", port).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def ask(url: str, body: Any = None, **headers: str) -> tuple[Any, bytes]:
    """Return headers and body of an answer; POST what is to be JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers, response.read()


Run = Callable[..., dict[str, Any]]
OLD, YOUNG = {"age": 62}, {"age": 31}


def count_of(url: str, version: str = "3") -> float:
    """Scrape, and return how many predictions were counted."""
    _, body = ask(url)
    wanted = f'model_predictions_total{{model_name="churn",model_version="{version}"}} '
    (line,) = [text for text in body.decode().splitlines() if text.startswith(wanted)]
    return float(line.split()[-1])


def logged_ids(monitor: Any) -> list[str]:
    monitor.close()
    lines = "".join(path.read_text() for path in Path("predictions").glob("*.jsonl")).splitlines()
    return [json.loads(line)["prediction_id"] for line in lines]


def framework(name: str) -> None:
    """Skip without the framework, saying so; the extra `dev` has all that are tested here."""
    pytest.importorskip(name, reason=f"{name} is not installed: its integration stays unverified")


def django_app(names: dict[str, Any], *, asgi: bool = False) -> Any:
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.urls import clear_url_caches

    urls = types.ModuleType("model_exporter_test_urls")
    urls.urlpatterns = names["urlpatterns"]  # type: ignore[attr-defined]
    sys.modules[urls.__name__] = urls
    clear_url_caches()
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=urls.__name__,
            MIDDLEWARE=["model_exporter.integrations.django.request_ids"],
            ALLOWED_HOSTS=["*"],
        )
        django.setup()
    return get_asgi_application() if asgi else get_wsgi_application()


APPLICATIONS = {
    "FastAPI": (asgi, lambda names: names["app"]),
    "Starlette": (asgi, lambda names: names["app"]),
    "Flask": (wsgi, lambda names: names["app"]),
    "Django": (wsgi, django_app),
    "Django, ASGI": (asgi, lambda names: django_app(names, asgi=True)),
    "aiohttp": (aiohttp_server, lambda names: names["app"]),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_web_frameworks(run: Run, name: str) -> None:
    """Predictions are counted and scraped in each format; ids go to the log and to the client."""
    heading = name.partition(",")[0]
    framework(heading.lower())
    names = run(heading)
    serve, application = APPLICATIONS[name]
    with serve(application(names)) as url:
        headers, body = ask(f"{url}/predict", OLD, **{"X-Request-Id": "r-17"})
        assert json.loads(body) == {"prediction": 1, "score": 0.7}
        assert headers["X-Prediction-Id"] == "r-17"
        headers, _ = ask(f"{url}/predict", YOUNG, **{"X-Request-Id": "two words"})
        made = headers["X-Prediction-Id"]
        assert uuid.UUID(made)
        assert count_of(f"{url}/metrics") == 2
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        headers, body = ask(f"{url}/metrics?name[]=model_info", None, **accept)
        assert (body.count(b"# TYPE"), body[-6:]) == (1, b"# EOF\n")
        assert headers["Content-Type"].startswith("application/openmetrics-text")
        headers, body = ask(f"{url}/metrics", None, **{"Accept-Encoding": "gzip"})
        assert b"model_predictions_total" in gzip.decompress(body)
        with pytest.raises(urllib.error.HTTPError) as wrong:
            ask(f"{url}/none")
        with wrong.value as answer:
            assert (answer.code, bool(answer.headers["X-Prediction-Id"])) == (404, True)
    assert logged_ids(names["monitor"]) == ["r-17", made]


@pytest.mark.parametrize("name", ["FastAPI", "Starlette", "Flask", "aiohttp"])
def test_two_registries_in_one_application(run: Run, name: str) -> None:
    """Each has a path, and a request has one id."""
    framework(name.lower())
    names = run(name)
    with ModelMonitor("other", version="1", task="binary") as other:
        names["instrument"](names["app"], other, path="/metrics/other")
        serve, application = APPLICATIONS[name]
        with serve(application(names)) as url:
            headers, body = ask(f"{url}/metrics/other")
            assert b'model_name="other"' in body
            assert len(headers.get_all("X-Prediction-Id")) == 1
            assert b'model_name="churn"' in ask(f"{url}/metrics")[1]


def test_a_port_of_its_own(run: Run) -> None:
    names = run("A port of its own", {"9919": "0"})
    names["predict"](OLD)
    assert count_of(f"http://127.0.0.1:{names['server'].port}/metrics") == 1


def test_an_application_to_mount(run: Run) -> None:
    names = run("An application to mount", {"9919": "0"})
    with names["httpd"] as httpd, wsgi(httpd.get_app()) as url:
        assert count_of(f"{url}/anywhere") == 0


@pytest.mark.filterwarnings("ignore")  # MLflow warns of its own types
def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved as code, loaded as MLflow's scoring server does; named and positional arguments."""
    framework("mlflow")
    import mlflow
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    port = free_port()
    Path("churn.py").write_text(example("MLflow", {"9919": str(port)}))
    mlflow.pyfunc.save_model("model", python_model="churn.py", pip_requirements=[])
    model = mlflow.pyfunc.load_model("model")
    monitor = model.unwrap_python_model().monitor
    with monitor:
        rows = pd.DataFrame({"age": [31, 62]})
        assert model.predict(rows) == [0, 1]
        assert model.unwrap_python_model().predict(None, model_input=rows) == [0, 1]
        assert count_of(f"http://127.0.0.1:{port}/metrics") == 4


@pytest.mark.filterwarnings("ignore")  # MLflow warns of its own types
def test_mlflow_of_somebody_else(tmp_path: Path) -> None:
    """A model that knows nothing of us is monitored where it is loaded."""
    framework("mlflow")
    import mlflow
    import pandas as pd

    from model_exporter.integrations.mlflow import wrap_pyfunc

    code = tmp_path / "model.py"
    code.write_text(
        "import mlflow\n"
        "class M(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return model_input['age'] > 40\n"
        "mlflow.models.set_model(M())\n"
    )
    mlflow.pyfunc.save_model(tmp_path / "saved", python_model=str(code), pip_requirements=[])
    with ModelMonitor("churn", version="3", task="binary", strict=True) as monitor:
        model = wrap_pyfunc(mlflow.pyfunc.load_model(str(tmp_path / "saved")), monitor)
        assert model.predict(pd.DataFrame({"age": [31, 62]})).tolist() == [False, True]
        labels = {"model_name": "churn", "model_version": "3"}
        assert monitor.registry.get_sample_value("model_predictions_total", labels) == 2


def test_batch_jobs(run: Run, tmp_path: Path) -> None:
    """The file is written; a Pushgateway that is not there does no harm."""
    file = tmp_path / "churn.prom"
    names = run(
        "Batch jobs",
        {
            "/var/lib/node_exporter/churn.prom": str(file),
            "http://pushgateway:9091": f"http://127.0.0.1:{free_port()}",
        },
    )
    assert "model_predictions_total{" in file.read_text()
    assert names["predict"]([OLD]) == [1]
