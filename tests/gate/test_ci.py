"""The GitHub Action and the GitLab template, run line by line in a repository of their own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.gate.cases import equal, labelled, take, worse
from tests.gate.test_cli import DOCS, ROOT, block, save

DECISIONS = {
    "pass": (equal, 12_000, 0),
    "fail": (worse, 12_000, 1),
    "cannot tell": (equal, 30, 2),
}
CONFIGURATION = """
task: binary
id: prediction_id
candidate: {prediction: candidate}
champion: {prediction: champion}
scores: {accuracy: 0.01}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a git repository with a configuration, and programs that stand in for installed ones."""
    place = tmp_path / "repository"
    subprocess.run(["git", "init", "--quiet", place], check=True)
    (place / "gate.yml").write_text(CONFIGURATION)
    programs = tmp_path / "programs"
    programs.mkdir()
    scripts = {
        "python": 'printf "%s\\n" "$*" >> installed',
        "model-exporter": f'exec {sys.executable} -m model_exporter "$@"',
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return place


def run(lines: str, place: Path, shell: list[str], **variables: str) -> int:
    """Run lines as the runner does: in a script of their own, with nothing but its variables."""
    script = place.parent / "script.sh"
    script.write_text(lines)
    path = f"{place.parent / 'programs'}:{os.environ['PATH']}"
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [*shell, script], cwd=place, env={**kept, "PATH": path, **variables}, check=False
    )
    return done.returncode


def evaluation(decision: str, place: Path) -> int:
    make, rows, status = DECISIONS[decision]
    save(take(make("car_loan", labelled("car_loan"), 1), rows, 1), str(place / "a b.parquet"))
    return status


ACTION = yaml.safe_load((ROOT / ".github" / "actions" / "gate" / "action.yml").read_text("utf-8"))


def run_action(place: Path, inputs: dict[str, str]) -> tuple[int, str, str]:
    """Run the steps of the composite action; return status, output and summary."""
    given = {name: str(spec.get("default", "")) for name, spec in ACTION["inputs"].items()}
    assert set(inputs) <= set(given)
    given |= inputs
    output, summary = place.parent / "output", place.parent / "summary"
    runner = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    status = 0
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], "an input in a script would be run as a part of it"
        variables = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: given[m[1]], text)
            for name, text in step["env"].items()
        }
        bash = [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail"]
        status = run(step["run"], place, bash, **variables, **runner)
        if status:
            break
    read = [path.read_text() if path.exists() else "" for path in (output, summary)]
    return status, read[0], read[1]


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_action(decision: str, repository: Path) -> None:
    """Each decision as status, as output and as the summary of the run."""
    status = evaluation(decision, repository)
    found = run_action(repository, {"table": "a b.parquet"})
    assert found[:2] == (status, f"decision={decision}\n")
    assert decision in found[2].splitlines()[0]
    assert (repository / "installed").read_text().endswith("model-exporter[exporter]\n")
    written = {path.name for path in (repository / "gate-report").iterdir()}
    assert written == {"gate.md", "gate.json", "gate.xml"}


def test_the_action_lets_the_undecided_through_if_told_to(repository: Path) -> None:
    evaluation("cannot tell", repository)
    inputs = {"table": "a b.parquet", "allow-undecided": "true"}
    assert run_action(repository, inputs)[:2] == (0, "decision=cannot tell\n")


def test_the_action_tells_a_refusal_from_a_decision(repository: Path) -> None:
    """Also one that is a script: an input is never run."""
    hostile = "$(touch pwned); touch pwned #"
    assert run_action(repository, {"table": hostile}) == (3, "decision=refused\n", "")
    assert not (repository / "pwned").exists()


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_gitlab_template(decision: str, repository: Path) -> None:
    """Its lines, as the documented job extends it; the reports are the artifacts it names."""
    status = evaluation(decision, repository)
    template = yaml.safe_load((ROOT / "docs" / "gate.gitlab-ci.yml").read_text("utf-8"))
    job = template[".model-gate"]
    variables = {**job["variables"], "GATE_TABLE": "a b.parquet"}
    lines = "\n".join(["set -e", *job["before_script"], *job["script"]])
    assert run(lines, repository, [shutil.which("sh") or "sh"], **variables) == status
    for name in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (repository / name).exists()
    assert job["artifacts"]["when"] == "always"


def test_what_is_documented_exists() -> None:
    """The action's place and inputs; the template's place, job and variables."""
    workflow = yaml.safe_load(block("yaml", "actions/checkout"))
    (step,) = [s for s in workflow["jobs"]["gate"]["steps"] if "gate@" in s["uses"]]
    place = step["uses"].partition("@")[0].removeprefix("model-exporter/model-exporter/")
    assert (ROOT / place / "action.yml").is_file()
    assert set(step["with"]) <= set(ACTION["inputs"])
    pipeline = yaml.safe_load(block("yaml", "extends: .model-gate"))
    (included,) = pipeline["include"]
    template = ROOT / included["remote"].partition("/v0.1.0/")[2]
    found = yaml.safe_load(template.read_text("utf-8"))[pipeline["model gate"]["extends"]]
    assert set(pipeline["model gate"]["variables"]) <= set(found["variables"])


def test_the_documented_test() -> None:
    """The example for pytest runs as it stands, and passes for an equal candidate."""
    names: dict = {}
    exec(block("python", "assert_gate"), names)
    table = equal("car_loan", labelled("car_loan"), 0)
    names["test_the_candidate_is_as_good"]({**table, "prediction": table["champion"]})
    assert "AssertionError" in DOCS
