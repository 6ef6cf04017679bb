"""Argo's own expression engine and CRDs, and Flagger's, agree with the templates for rollouts."""

import json
import math
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.bundle.rollouts import (
    EXAMPLES,
    METRIC_TEMPLATES,
    TEMPLATES,
    argo_metrics,
    flagger_query,
    holds,
)

ARGO = "github.com/argoproj/argo-rollouts@v1.8.3"
FLAGGER = "github.com/fluxcd/flagger@v1.36.1"
EXPR = "github.com/expr-lang/expr@v1.17.8"
CRDS = {
    ARGO: ["manifests/crds/analysis-template-crd.yaml", "manifests/crds/rollout-crd.yaml"],
    FLAGGER: ["artifacts/flagger/crd.yaml"],
}

GO_PROGRAM = """package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"text/template"

	"github.com/expr-lang/expr"
)

type Case struct {
	Condition string
	Result    []any
	Query     string
	Variables map[string]string
}

func render(one Case) {
	functions := template.FuncMap{"variables": func() map[string]string { return one.Variables }}
	query := template.New("query").Option("missingkey=error").Funcs(functions)
	if err := template.Must(query.Parse(one.Query)).Execute(os.Stdout, nil); err != nil {
		panic(err)
	}
}

func main() {
	var cases []Case
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	for _, one := range cases {
		if one.Query != "" {
			render(one)
			continue
		}
		result := make([]float64, 0)
		for _, value := range one.Result {
			number, known := value.(float64)
			if !known {
				number = math.NaN()
			}
			result = append(result, number)
		}
		environment := map[string]any{"result": result, "isNaN": math.IsNaN}
		program, err := expr.Compile(one.Condition, expr.Env(environment))
		if err != nil {
			panic(err)
		}
		output, err := expr.Run(program, environment)
		if err != nil {
			panic(err)
		}
		fmt.Println(output.(bool))
	}
}
"""


@pytest.fixture(scope="module")
def go(require_tool: Callable, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return a function that runs Go in a module of its own; modules come from its proxy."""
    program = require_tool("go")
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(GO_PROGRAM)

    def call(*arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [program, *arguments], cwd=folder, input=given, capture_output=True, text=True
        )
        if done.returncode and "dial tcp" in done.stderr + done.stdout:
            if os.environ.get("REQUIRE_TOOLS") == "1":
                pytest.fail(done.stderr)
            pytest.skip("no Go modules without a network: what they would verify stays unverified")
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    call("mod", "init", "example.com/rollouts")
    return call


def test_conditions_mean_the_same_to_the_real_engine(go: Callable[..., str]) -> None:
    results = [[], [0.0], [0.005], [0.01], [0.02], [1.0], [7.0], [math.nan], [0.0, 0.0]]
    cases = [
        (metric[condition], result)
        for metric in argo_metrics(model_name="churn", version="4").values()
        for condition in ("successCondition", "failureCondition")
        for result in results
    ]
    given = [
        {"Condition": condition, "Result": [None if math.isnan(x) else x for x in result]}
        for condition, result in cases
    ]
    go("get", EXPR)
    said = go("run", ".", given=json.dumps(given)).split()
    assert said == [str(holds(*case)).lower() for case in cases]
    assert set(said) == {"true", "false"}


def test_queries_render_the_same_with_the_real_templates(go: Callable[..., str]) -> None:
    """Flagger's queries are Go templates; a variable that the canary lacks is an error there."""
    (canary,) = [one for one in EXAMPLES if one["kind"] == "Canary"]
    metrics = canary["spec"]["analysis"]["metrics"]
    variables = {one["templateRef"]["name"]: one["templateVariables"] for one in metrics}
    go("get", EXPR)
    for one in METRIC_TEMPLATES:
        given = variables[one["metadata"]["name"]]
        query = one["spec"]["query"]
        said = go("run", ".", given=json.dumps([{"Query": query, "Variables": given}]))
        assert said == flagger_query(query, given)


@pytest.fixture(scope="module")
def schemas(go: Callable[..., str]) -> dict[str, dict[str, Any]]:
    """Return the schema of each kind, from the CRDs in the modules of their projects."""
    found = {}
    for module, paths in CRDS.items():
        folder = Path(json.loads(go("mod", "download", "-json", module))["Dir"])
        for path in paths:
            for crd in yaml.safe_load_all((folder / path).read_text()):
                (version,) = crd["spec"]["versions"]
                strict(version["schema"]["openAPIV3Schema"])
                found[crd["spec"]["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    return found


def strict(schema: dict[str, Any]) -> None:
    """Refuse unknown keys where Kubernetes would drop them in silence."""
    properties = schema.get("properties")
    if properties and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    for inner in (properties or {}).values():
        strict(inner)
    if isinstance(schema.get("items"), dict):
        strict(schema["items"])


@pytest.mark.parametrize(
    "document",
    [*TEMPLATES, *METRIC_TEMPLATES, *EXAMPLES],
    ids=lambda one: f"{one['kind']}-{one['metadata']['name']}",
)
def test_the_cluster_would_take_it(document: Any, schemas: dict[str, dict[str, Any]]) -> None:
    import jsonschema

    jsonschema.validate(document, schemas[document["kind"]])
    broken = {**document, "spec": {**document["spec"], "analisis": {}}}
    with pytest.raises(jsonschema.ValidationError, match="analisis"):
        jsonschema.validate(broken, schemas[document["kind"]])


def test_the_documented_rollout_names_templates_and_arguments_that_exist() -> None:
    (rollout,) = [one for one in EXAMPLES if one["kind"] == "Rollout"]
    known = {
        one["metadata"]["name"]: {arg["name"]: "value" in arg for arg in one["spec"]["args"]}
        for one in TEMPLATES
    }
    steps = [
        s["analysis"] for s in rollout["spec"]["strategy"]["canary"]["steps"] if "analysis" in s
    ]
    assert {step["templates"][0]["templateName"] for step in steps} == known.keys()
    for step in steps:
        arguments = known[step["templates"][0]["templateName"]]
        given = {arg["name"] for arg in step["args"]}
        assert {name for name, usual in arguments.items() if not usual} <= given <= set(arguments)
