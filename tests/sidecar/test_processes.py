"""Real processes, forked and spawned, killed and restarted, under the servers that people run."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import model_exporter

SOURCE = str(Path(model_exporter.__file__).parents[1])
PATIENCE = 20.0
"""Seconds for a server to start or for the flush of each second to come."""
APP = """
import os
import signal
from model_exporter import ModelMonitor

monitor = ModelMonitor("m", version="1", task="binary", multiprocess_dir={directory!r})

@monitor
def predict(row):
    return 1

metrics = monitor.metrics_app()
asgi_metrics = monitor.metrics_asgi_app()

def answer(path):
    if path == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
    predict(None)
    return str(os.getpid()).encode()

def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/metrics":
        return metrics(environ, start_response)
    body = answer(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan" or scope["path"] == "/metrics":
        return await asgi_metrics(scope, receive, send)
    body = answer(scope["path"])
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": body}})
"""


def run(script: str, directory: Path, **environment: str) -> str:
    """Run a script beside the application; return what it printed."""
    write_app(directory)
    file = directory / "script.py"
    file.write_text(textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, str(file)],
        env={**os.environ, "PYTHONPATH": SOURCE, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_app(directory: Path) -> Path:
    shared = directory / "shards"
    (directory / "app.py").write_text(APP.format(directory=str(shared)))
    return shared


READ = """
def total(name="model_predictions_total"):
    return monitor.registry.get_sample_value(name, {"model_name": "m", "model_version": "1"})
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_totals_are_exact_over_the_workers_of_multiprocessing(method: str, tmp_path: Path) -> None:
    """Every call of every worker, ended in good order, and those of the parent, count once."""
    printed = run(
        f"""
        import multiprocessing, os
        from app import monitor, predict
        {textwrap.indent(READ, " " * 8).strip()}
        def work(calls):
            for _ in range(calls):
                predict(None)

        if __name__ == "__main__":
            predict(None)
            context = multiprocessing.get_context({method!r})
            workers = [context.Process(target=work, args=(100 + i,)) for i in range(6)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            print(total(), total("model_exporter_shards"))
        """,
        tmp_path,
    )
    assert printed.split() == ["616.0", "1.0"]
    assert len(os.listdir(tmp_path / "shards")) == 3


def test_a_child_of_a_worker_that_has_counted_starts_at_zero(tmp_path: Path) -> None:
    """The parent's counts stay the parent's; both see the sum, before and after the child ends."""
    printed = run(
        f"""
        import os
        from app import monitor, predict
        {textwrap.indent(READ, " " * 8).strip()}
        for _ in range(3):
            predict(None)
        monitor.flush()
        if os.fork() == 0:
            print(total(), flush=True)
            predict(None)
            print(total(), flush=True)
            os._exit(0)
        os.wait()
        print(total(), total("model_exporter_shards"))
        """,
        tmp_path,
    )
    assert printed.split() == ["3.0", "4.0", "4.0", "1.0"]


def test_half_of_the_workers_killed(tmp_path: Path) -> None:
    """What they had flushed stays; a child that a worker forked does not keep its shard alive."""
    printed = run(
        f"""
        import os, signal, sys, time
        from app import monitor, predict
        {textwrap.indent(READ, " " * 8).strip()}
        def worker(place):
            pid = os.fork()
            if pid:
                return pid
            os.close(gate[1])  # only the parent opens the gate
            for _ in range(10):
                predict(None)
            monitor.flush()
            if os.fork() == 0:  # outlives its parent, and never predicts
                os.write(ready[1], b".")  # by now it has let go of its parent's shard
                os.close(ready[1])
                os.read(gate[0], 1)
                os._exit(0)
            os.read(gate[0], 1)
            os._exit(0)  # as rude as SIGKILL

        ready, gate = os.pipe(), os.pipe()
        workers = [worker(i) for i in range(8)]
        for _ in workers:
            os.read(ready[0], 1)
        print(total(), total("model_exporter_shards"))
        for pid in workers[::2]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        print(total(), total("model_exporter_shards"))
        print(len(os.listdir({str(tmp_path / "shards")!r})))
        os.close(gate[1])
        """,
        tmp_path,
    )
    assert printed.split() == ["80.0", "8.0", "80.0", "4.0", "6"]


def test_prometheus_clients_own_multiprocess_mode_stands_beside_ours(tmp_path: Path) -> None:
    """Its directory is ours by default; one line puts us into a registry made at each scrape."""
    shared = tmp_path / "both"
    shared.mkdir()
    printed = run(
        """
        import os
        from prometheus_client import CollectorRegistry, Counter, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector
        from model_exporter import ModelMonitor

        theirs = Counter("theirs", "theirs")
        monitor = ModelMonitor("m", version="1", task="binary")
        predict = monitor(lambda row: 1)
        if os.fork() == 0:
            theirs.inc(2)
            predict(None)
            monitor.flush()
            os._exit(0)
        os.wait()
        predict(None)
        for _ in range(2):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
            registry.register(monitor.collector())
            print(generate_latest(registry).decode())
        """,
        tmp_path,
        PROMETHEUS_MULTIPROC_DIR=str(shared),
    )
    assert printed.count("theirs_total 2.0") == 2
    ours = re.findall(r"^model_predictions_total\S* (\S+)$", printed, re.MULTILINE)
    assert ours == ["2.0", "2.0"]
    assert {Path(name).suffix for name in os.listdir(shared)} == {
        ".db",
        ".shard",
        ".archive",
        ".lock",
    }


class Server:
    """A server of several workers on a free port."""

    def __init__(self, command: list[str], directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        port = self.url.rpartition(":")[2]
        self.output = (directory / "server.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", *(word.replace("PORT", port) for word in command)],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{directory}"},
            stdout=self.output,
            stderr=self.output,
        )

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=5) as response:
            return str(response.read().decode())

    def try_get(self, path: str) -> str | None:
        with contextlib.suppress(OSError):
            return self.get(path)
        return None

    def read(self, name: str) -> float | None:
        page = self.try_get("/metrics")
        found = re.search(rf"^{name}{{.*}} (\S+)$", page or "", re.MULTILINE)
        return float(found[1]) if found else None

    def wait_for(self, name: str, value: float) -> None:
        deadline = time.monotonic() + PATIENCE
        while (found := self.read(name)) != value:
            assert time.monotonic() < deadline, f"{name}: {found}, expected {value}"
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.output.close()


GUNICORN = ["gunicorn", "--bind", "127.0.0.1:PORT", "--workers", "2", "--log-level", "warning"]
UVICORN = ["uvicorn", "app:asgi", "--port", "PORT", "--workers", "2", "--log-level", "warning"]
SERVERS = {
    "gunicorn sync": [*GUNICORN, "app:wsgi"],
    "gunicorn sync, preloaded": [*GUNICORN, "--preload", "app:wsgi"],
    "gunicorn gthread, preloaded": [*GUNICORN, "--threads", "4", "--preload", "app:wsgi"],
    "gunicorn restarting workers": [*GUNICORN, "--max-requests", "7", "app:wsgi"],
    "gunicorn uvicorn": [*GUNICORN, "--worker-class", "uvicorn_worker.UvicornWorker", "app:asgi"],
    "uvicorn": UVICORN,
}
MODULES = {"gunicorn": ["gunicorn", "uvicorn_worker"], "uvicorn": ["uvicorn"]}
"""What each needs: a server that is not installed is skipped."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    started: list[Server] = []

    def start(kind: str) -> Server:
        for needed in MODULES[kind.split(" ", 1)[0]]:
            pytest.importorskip(needed)
        write_app(tmp_path)
        started.append(Server(SERVERS[kind], tmp_path))
        deadline = time.monotonic() + PATIENCE
        while started[0].try_get("/metrics") is None:
            assert time.monotonic() < deadline, (tmp_path / "server.log").read_text()
            time.sleep(0.1)
        return started[0]

    yield start
    for server in started:
        server.stop()


def requests_to_both(server: Server) -> tuple[int, set[str]]:
    """Send requests until two workers have answered; return how many, and the workers."""
    calls, pids = 0, set()
    with ThreadPoolExecutor(8) as pool:
        while len(pids) < 2:
            pids |= set(pool.map(server.get, ["/predict"] * 40))
            calls += 40
            assert calls < 4_000, "one worker answers everything"
    return calls, pids


@pytest.mark.parametrize("kind", SERVERS)
def test_behind_real_servers_a_scrape_is_the_sum(
    serve: Callable[[str], Server], kind: str, tmp_path: Path
) -> None:
    """Every scrape is of all workers, whichever answers it, also when one was killed."""
    server = serve(kind)
    calls, pids = requests_to_both(server)
    server.wait_for("model_predictions_total", calls)
    assert {server.read("model_predictions_total") for _ in range(10)} == {calls}
    if "restarting" not in kind:
        assert server.read("model_exporter_shards") == len(pids)
    with pytest.raises((OSError, urllib.error.URLError)):
        server.get("/die")
    deadline = time.monotonic() + PATIENCE
    while server.try_get("/predict") is None:
        assert time.monotonic() < deadline
    server.wait_for("model_predictions_total", calls + 1)
    assert len(os.listdir(tmp_path / "shards")) <= 2 * 2 + 2
