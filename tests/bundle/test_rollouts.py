"""Templates for rollouts are right about a healthy, a worse and a silent version.

Their queries run on a real Prometheus; what is made of the results is restated in a few lines.
"""

import math
import re
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bundle.history import served, written
from tests.bundle.rollouts import (
    BAD,
    EXAMPLES,
    GOOD,
    METRIC_TEMPLATES,
    UNKNOWN,
    argo_metrics,
    assessment,
    flagger_query,
    measurement,
)
from tests.bundle.test_live import answer

from model_exporter.catalogue import SCORES, Better

STEP, MINUTES = 30, 75
CALLS = 600
VERSIONS: dict[str, dict[str, Any]] = {
    "healthy": {"calls": CALLS, "errors": 0, "slow": 0, "psi": 0.02, "rows": 900,
                "accuracy": (-0.004, 0.006), "rmse": (-0.2, 0.005), "worse": 0},
    "worse": {"calls": CALLS, "errors": 60, "slow": 60, "psi": 0.4, "rows": 900,
              "accuracy": (-0.06, -0.02), "rmse": (0.02, 0.4), "worse": 1},
    "unclear": {"calls": 5, "errors": 5, "slow": 5, "psi": None, "rows": 900,
                "accuracy": (-0.03, 0.01), "rmse": (-0.1, 0.1), "worse": None},
    "scarce": {"calls": 5, "errors": 0, "slow": 0, "psi": None, "rows": 20,
               "accuracy": (-0.004, 0.006), "rmse": (-0.2, 0.005), "worse": 0},
    "silent": {},
}  # fmt: skip
"""Calls in ten minutes; intervals of the differences to the champion."""
EXPECTED = {"healthy": GOOD, "worse": BAD, "unclear": UNKNOWN, "scarce": UNKNOWN, "silent": UNKNOWN}


def exposition(now: int) -> Iterator[str]:
    """Yield what sidecars and job served in the last hour, and what was recorded."""
    instants = range(now - MINUTES * 60, now + 1, STEP)
    samples: dict[str, list[tuple[dict[str, str], Callable[[int], float]]]] = {}

    def add(name: str, value: Callable[[int], float], **labels: str) -> None:
        samples.setdefault(name, []).append(({"model_name": "churn", **labels}, value))

    def growing(by: float) -> Callable[[int], float]:
        return lambda at: by / 600 * (at - instants[0])

    add("model_evaluation_last_success_timestamp_seconds", lambda at: at - 60.0)
    for version, about in VERSIONS.items():
        if about:
            _add_version(add, growing, version, about)
    for name, series in samples.items():
        counter = name.endswith("_total")
        histogram = name.endswith("_bucket")
        kind = "counter" if counter else "histogram" if histogram else "gauge"
        yield f"# TYPE {name.removesuffix('_total').removesuffix('_bucket')} {kind}"
        for labels, value in series:
            for at in instants:
                yield f"{name}{written(labels)} {value(at)} {at}"
    yield "# EOF\n"


def _add_version(add: Callable, growing: Callable, version: str, about: dict[str, Any]) -> None:
    add("model_prediction_requests_total", growing(about["calls"]), model_version=version)
    if about["errors"]:  # no series before the first error
        labels = {"model_version": version, "error_type": "ValueError"}
        add("model_prediction_errors_total", growing(about["errors"]), **labels)
    fast = about["calls"] - about["slow"]
    for bound, count in (("0.1", fast), ("1.0", about["calls"]), ("+Inf", about["calls"])):
        labels = {"model_version": version, "le": bound}
        add("model_prediction_latency_seconds_bucket", growing(count), **labels)
    if about["psi"] is not None:
        labels = {"model_version": version, "subject": "score", "feature": ""}
        add("model_version_feature:model_drift_psi:1h", lambda _: about["psi"], **labels)
    compared = {"model_version": version, "champion": "3", "window": "1d", "pairing": "unpaired"}
    add("model_version_difference_rows", lambda _: about["rows"], **compared)
    for score in ("accuracy", "rmse"):
        for bound, value in zip(("lower", "upper"), about[score], strict=True):
            name = f"model_version_difference_{bound}"
            add(name, lambda _, value=value: value, **compared, score=score)
        if about["worse"] is not None:
            add("model_version_worse", lambda _: about["worse"], **compared, score=score)


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable, run: Callable
) -> Iterator[tuple[str, int]]:
    """Start a Prometheus on an hour of history; yield its address and the end of the hour."""
    now = int(time.time()) - 60
    folder = tmp_path_factory.mktemp("rollouts")
    with served(folder, exposition(now), require_tool, run) as url:
        yield url, now


def asked(prometheus: tuple[str, int], query: str) -> list[float]:
    url, now = prometheus
    return [float(one["value"][1]) for one in answer(url, query, now)]


@pytest.mark.parametrize("score", ["accuracy", "rmse"])
@pytest.mark.parametrize("version", VERSIONS)
def test_argo_says(prometheus: tuple[str, int], version: str, score: str) -> None:
    """Each metric by itself; the score that is better when lower is turned round."""
    metrics = argo_metrics(model_name="churn", version=version, score=score)
    said = {
        name: measurement(metric, asked(prometheus, metric["provider"]["prometheus"]["query"]))
        for name, metric in metrics.items()
    }
    assert said == dict.fromkeys(metrics, EXPECTED[version])
    assert len(said) == 5


def test_the_value_is_the_difference(prometheus: tuple[str, int]) -> None:
    """A person who looks at the run sees by how much: at most where it passes, else at least."""
    for version, value in (("healthy", 0.004), ("worse", 0.02)):
        metric = argo_metrics(model_name="churn", version=version)["score-worse-by"]
        assert asked(prometheus, metric["provider"]["prometheus"]["query"]) == [value]


def test_a_margin_that_allows_it(prometheus: tuple[str, int]) -> None:
    metrics = argo_metrics(model_name="churn", version="worse", margin="0.06")
    metric = metrics["score-worse-by"]
    query = metric["provider"]["prometheus"]["query"]
    assert measurement(metric, asked(prometheus, query)) == GOOD


def test_a_job_that_does_not_evaluate(prometheus: tuple[str, int]) -> None:
    """Its last numbers would still be served by a restarted Prometheus; they are not taken."""
    for metric in argo_metrics(model_name="churn", version="healthy").values():
        query = metric["provider"]["prometheus"]["query"]
        if "model_evaluation" in query:
            stale = query.replace("time()", f"({prometheus[1]} + 3541)")
            assert asked(prometheus, stale) == []
            assert asked(prometheus, query.replace("time()", f"({prometheus[1]} + 3539)")) != []


def flagger_checks(version: str, prometheus: tuple[str, int]) -> dict[str, bool]:
    """Return whether Flagger takes each metric of the documented canary for good."""
    (canary,) = [one for one in EXAMPLES if one["kind"] == "Canary"]
    queries = {one["metadata"]["name"]: one["spec"]["query"] for one in METRIC_TEMPLATES}
    found = {}
    for metric in canary["spec"]["analysis"]["metrics"]:
        variables = {**metric["templateVariables"], "version": version}
        if "score" in variables:
            variables["score"] = "accuracy"
        name = metric["templateRef"]["name"]
        query = flagger_query(queries[name], variables)
        result = asked(prometheus, query)
        known = bool(result) and not math.isnan(result[-1])
        found[name] = known and result[-1] <= metric["thresholdRange"]["max"]
    assert found.keys() == queries.keys()
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_flagger_says(prometheus: tuple[str, int], version: str) -> None:
    """It has no inconclusive: whatever is not surely good does not advance."""
    checks = flagger_checks(version, prometheus)
    assert checks == dict.fromkeys(checks, EXPECTED[version] == GOOD)


def test_silence_never_passes() -> None:
    """However long: by the limit of inconclusive measurements, and by that of good ones."""
    for metric in argo_metrics(model_name="churn", version="4").values():
        assert measurement(metric, []) == UNKNOWN
        assert measurement(metric, [math.nan]) == UNKNOWN
        assert metric["inconclusiveLimit"] < metric["count"]
        assert 0 < metric["consecutiveSuccessLimit"] <= metric["count"]
        assert metric["failureLimit"] + 1 < metric["count"]


@given(
    st.sampled_from(sorted(argo_metrics(model_name="churn", version="4").items())),
    st.randoms(use_true_random=False),
)
def test_whatever_comes_nothing_passes_without_good_measurements(
    chosen: tuple[str, dict[str, Any]], random: Random
) -> None:
    _, metric = chosen
    count = metric["count"]
    unlucky = random.choices([BAD, UNKNOWN], [1, 50], k=count)
    assert assessment(metric, unlucky) in (BAD, UNKNOWN)
    assert assessment(metric, [UNKNOWN] * count) == UNKNOWN
    assert assessment(metric, [BAD] * count) == BAD
    assert assessment(metric, [UNKNOWN] * random.randrange(count // 2) + [GOOD] * count) == GOOD


def test_every_score_that_is_compared_has_its_direction() -> None:
    texts = [one["spec"]["query"] for one in METRIC_TEMPLATES]
    texts += [
        metric["provider"]["prometheus"]["query"]
        for metric in argo_metrics(model_name="churn", version="4").values()
    ]
    (higher, lower) = {
        tuple(re.findall(r'score=~"([\w|]+)"', text)[:2])
        for text in texts
        if "model_version_difference_lower" in text
    }.pop()
    usual = [s for s in SCORES if s.extra != ("class",) and s.key != "calibration_error"]
    for names, better in ((higher, Better.HIGHER), (lower, Better.LOWER)):
        assert set(names.split("|")) == {score.key for score in usual if score.better is better}
