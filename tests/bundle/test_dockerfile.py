"""The image: pinned, unprivileged, without what built it; no container is started here."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

Stage = dict[str, list[str]]


def stages(root: Path) -> dict[str, Stage]:
    """Return the arguments of every instruction, by stage and instruction."""
    text = re.sub(r"^#.*\n", "", (root / "Dockerfile").read_text(), flags=re.M)
    found: dict[str, Stage] = {"": {}}
    name = ""
    for line in text.replace("\\\n", " ").splitlines():
        instruction, _, arguments = line.strip().partition(" ")
        if instruction == "FROM":
            name = arguments.rpartition(" AS ")[2]
            found[name] = {}
        if instruction:
            found[name].setdefault(instruction, []).append(" ".join(arguments.split()))
    return found


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> dict[str, Stage]:
    return stages(root)


def command(stage: Stage, instruction: str) -> list[str]:
    """Return a command in exec form: it gets signals, no shell does."""
    (argument,) = stage[instruction]
    words = json.loads(argument[argument.index("[") :])
    assert all(isinstance(word, str) for word in words)
    return words


def test_the_base_is_pinned(dockerfile: dict[str, Stage]) -> None:
    (argument,) = dockerfile[""]["ARG"]
    assert re.fullmatch(r"PYTHON=python:3\.\d+\.\d+-slim-[a-z]+", argument)
    known = {"${PYTHON}", *dockerfile}
    assert {
        stage["FROM"][0].partition(" ")[0] for name, stage in dockerfile.items() if name
    } <= known


def test_what_runs_has_neither_root_nor_what_built_it(dockerfile: dict[str, Stage]) -> None:
    assert dockerfile["base"]["USER"] == ["65532:65532"]
    assert "pip uninstall --yes pip" in dockerfile["base"]["RUN"][0]
    for name in ("demo", "exporter"):
        stage = dockerfile[name]
        assert stage["FROM"] == [f"base AS {name}"]
        assert not stage.keys() & {"RUN", "USER", "ADD"}
        assert [copied.split()[0] for copied in stage["COPY"]] == [
            "--from=build" + ("-demo" if name == "demo" else "")
        ]
    assert list(dockerfile)[-1] == "exporter"


def test_everything_copied_is_sent_to_the_builder(dockerfile: dict[str, Stage], root: Path) -> None:
    rules = (root / ".dockerignore").read_text().split()
    assert rules[0] == "*"
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    for copied in dockerfile["build"]["COPY"]:
        *sources, _ = copied.split()
        for source in (source.removeprefix("./") for source in sources):
            assert (root / source).exists(), source
            assert any(fnmatch(source, rule) for rule in kept), source


def test_only_extras_that_exist_are_installed(dockerfile: dict[str, Stage], root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for name in ("build", "build-demo"):
        (extras,) = re.findall(r'"\.\[(.*?)\]"', " ".join(dockerfile[name]["RUN"]))
        assert set(extras.split(",")) <= project["optional-dependencies"].keys()


def test_entry_point_is_a_command_of_the_package(dockerfile: dict[str, Stage], root: Path) -> None:
    stage = dockerfile["exporter"]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    (name,) = command(stage, "ENTRYPOINT")
    assert name in project["scripts"]
    code = "import sys; from model_exporter.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, *command(stage, "CMD")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "/etc/model-exporter/exporter.yml" in done.stderr


@pytest.fixture
def answering() -> Iterator[http.server.ThreadingHTTPServer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/-/healthy" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_health_check_tells_answering_from_failing_and_silent(
    dockerfile: dict[str, Stage], answering: http.server.ThreadingHTTPServer
) -> None:
    stage = dockerfile["exporter"]
    address = f"http://127.0.0.1:{answering.server_port}"
    assert stage["ENV"] == ["HEALTH_URL=http://127.0.0.1:9920/-/healthy"]
    words = [sys.executable, *command(stage, "HEALTHCHECK")[1:]]

    def status(url: str) -> int:
        done = subprocess.run(words, env=os.environ | {"HEALTH_URL": url}, capture_output=True)
        return done.returncode

    assert status(f"{address}/-/healthy") == 0
    assert status(f"{address}/other") == 1
    answering.shutdown()
    answering.server_close()
    assert status(f"{address}/-/healthy") == 1
