"""Each criterion stops what it is there to stop, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.gate.cases import baseline, equal, labelled, take

from model_exporter.baseline import Baseline
from model_exporter.errors import ConfigError, SchemaError
from model_exporter.gate import (
    Business,
    Calibration,
    Criteria,
    Data,
    Decision,
    Drift,
    Finding,
    Latency,
    assert_gate,
)
from model_exporter.gate.latency import quantile_ranks
from model_exporter.gate.run import judge_table
from model_exporter.gate.segments import holm
from model_exporter.gate.sides import Columns, Evaluation, evaluation
from model_exporter.records import Task

ROWS = 4000


def table(seed: int = 0, rows: int = ROWS) -> dict[str, np.ndarray]:
    """Two versions whose probabilities are right, on rows of which each is seen by both."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 2, rows)
    found = {"label": (rng.random(rows) < score).astype(int), "id": np.arange(rows)}
    for name in ("old", "new"):
        own = np.clip(score + rng.normal(0, 0.02, rows), 0, 1)
        found |= {f"{name}_score": own, name: (own >= 0.5).astype(int)}
        found[f"{name}_seconds"] = rng.lognormal(-4, 0.5, rows)
        found[f"{name}_revenue"] = rng.normal(10, 2, rows)
    found["country"] = rng.choice(list("ABCD"), rows)
    found["age"] = rng.normal(40, 10, rows)
    return found


def sides(given: dict[str, np.ndarray], **more) -> Evaluation:
    names = {
        name: Columns(
            name, {"": f"{name}_score"}, f"{name}_seconds", {"revenue": f"{name}_revenue"}
        )
        for name in ("old", "new")
    }
    options = {"ids": "id", "segments": ("country",), "label": "label", **more}
    return evaluation(
        given, task=Task.BINARY, candidate=names["new"], champion=names["old"], **options
    )


def findings(found: Evaluation, criteria: Criteria) -> list[Finding]:
    return list(judge_table(found, criteria).findings)


def decisions(found: Evaluation, criteria: Criteria) -> dict[str, str]:
    return {finding.subject: str(finding.decision) for finding in findings(found, criteria)}


def test_calibration_that_is_kept_passes_and_overconfidence_fails() -> None:
    """Scores pushed towards 0 and 1 rank as before, and mean something else."""
    criteria = Criteria(calibration=Calibration(margin=0.04, maximum=0.08))
    given = table()
    assert {f.decision for f in findings(sides(given), criteria)} == {Decision.PASS}
    odds = np.log(given["new_score"].clip(1e-6, 1 - 1e-6) / (1 - given["new_score"]).clip(1e-6))
    pushed = {**given, "new_score": 1 / (1 + np.exp(-4 * odds))}
    assert {f.decision for f in findings(sides(pushed), criteria)} == {Decision.FAIL}


def test_equal_calibration_passes() -> None:
    """In nearly all of 40 draws, with a margin that the rows can show."""
    criteria = Criteria(calibration=Calibration(margin=0.04))
    passed = sum(judge_table(sides(table(seed)), criteria).passed for seed in range(40))
    assert passed >= 38


def test_drift_of_predictions_is_stopped_and_chance_is_not() -> None:
    """Against a champion on the same rows, and against a baseline; at most 1 % by chance."""
    criteria = Criteria(drift=Drift())
    reference = Baseline.from_table(table(99), task="binary", prediction="old", score="old_score")
    for champion in (True, False):
        stopped = 0
        for seed in range(40):
            found = replace(sides(table(seed)), baseline=reference)
            found = found if champion else replace(found, champion=None, paired=False)
            stopped += not judge_table(found, criteria).passed
        assert stopped <= 2
        moved = {**table(), "new_score": np.sqrt(table()["new_score"])}
        found = replace(sides(moved), baseline=reference)
        found = found if champion else replace(found, champion=None, paired=False)
        assert decisions(found, criteria)["score"] == "fail"


def test_drift_of_a_few_rows_cannot_be_told() -> None:
    criteria = Criteria(drift=Drift())
    assert set(decisions(sides(table(rows=50)), criteria).values()) == {"cannot tell"}


@pytest.mark.parametrize("statistic", ["mean", "p50", "p99"])
def test_a_slower_candidate_fails(statistic: str) -> None:
    margin = {"mean": 0.002, "p50": 0.002, "p99": 0.02}[statistic]
    criteria = Criteria(latency=Latency(statistic, margin=margin, maximum=1.0))
    given = table()
    assert {f.decision for f in findings(sides(given), criteria)} == {Decision.PASS}
    slow = {**given, "new_seconds": given["new_seconds"] + 3 * margin}
    assert "fail" in {str(f.decision) for f in findings(sides(slow), criteria)}


def test_latency_that_nobody_measured_cannot_be_told() -> None:
    found = sides(table())
    bare = replace(found, candidate=replace(found.candidate, latency=None))
    for asked in (Latency(margin=0.1), Latency(maximum=0.1), Latency(margin=0.1, maximum=0.1)):
        assert decisions(bare, Criteria(latency=asked)) == {"p99": "cannot tell"}


@pytest.mark.parametrize(("rows", "quantile"), [(400, 0.99), (50, 0.5), (1000, 0.9), (367, 0.99)])
def test_order_statistics_hold_the_quantile(rows: int, quantile: float) -> None:
    """In 95 %, by the binomial distribution; with one rank less at either end in fewer."""
    ranks = quantile_ranks(rows, quantile)
    if ranks is None:
        assert 1 - quantile**rows < 0.975
        return
    below = stats.binom(rows, quantile).cdf
    lower, upper = ranks
    assert below(lower - 1) <= 0.025 < below(lower)
    assert below(upper - 2) < 0.975 <= below(upper - 1)


def test_a_segment_that_got_worse_is_named_and_the_others_are_not() -> None:
    given, criteria = table(), Criteria(segments={"accuracy": 0.02})
    assert decisions(sides(given), criteria) == {"others": "pass"}
    spoilt = given["country"] == "B"
    given["new"] = np.where(spoilt, 1 - given["new"], given["new"])
    found = decisions(sides(given), criteria)
    assert found == {"country=B: accuracy": "fail", "others": "pass"}


def test_segments_of_equal_versions_seldom_fail() -> None:
    """The chance that any of ten is called worse is 5 % at most, whatever their number."""
    tab, failed, draws = take(labelled("car_loan"), 3000, 0), 0, 60
    for seed in range(draws):
        given = equal("car_loan", tab, seed)
        given["part"] = np.random.default_rng(seed).integers(10, size=given["label"].size)
        found = evaluation(
            given,
            task=Task.BINARY,
            label="label",
            candidate=Columns("candidate"),
            champion=Columns("champion"),
            segments=("part",),
        )
        # A margin of nearly nothing: it is the correction that is tested.
        failed += not judge_table(found, Criteria(segments={"accuracy": 1e-9})).passed
    assert failed / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_small_segments_are_not_judged() -> None:
    given = table(rows=300)
    assert decisions(sides(given), Criteria(segments={"accuracy": 0.02})) == {"all": "cannot tell"}


def test_holm_is_the_sequential_test() -> None:
    """Rejecting by the corrected p-values is Holm's procedure, step by step."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        p_values = (rng.random(rng.integers(1, 8)) ** 3).tolist()
        rejected, level = set(), 0.05
        for rank, place in enumerate(np.argsort(p_values)):
            if p_values[place] > level / (len(p_values) - rank):
                break
            rejected.add(int(place))
        assert {i for i, p in enumerate(holm(p_values)) if p <= level} == rejected


def with_features(given: dict[str, np.ndarray]) -> Evaluation:
    features = {"numeric": ["age"], "categorical": ["country"]}
    fitted = Baseline.from_table(table(99), task="binary", prediction="old", features=features)
    return replace(sides(given), baseline=fitted)


def test_data_as_the_baseline_has_it_passes() -> None:
    assert decisions(with_features(table()), Criteria(data=Data())) == {"evaluation set": "pass"}


def test_data_that_is_not_is_named() -> None:
    given = table()
    first = np.arange(ROWS) < ROWS // 5
    given["id"] = np.where(first, 0, given["id"])
    given["country"] = np.where(first, "X", given["country"])
    given["age"] = np.where(first, np.nan, np.where(np.arange(ROWS) > 3000, 500, given["age"]))
    found = decisions(with_features(given), Criteria(data=Data()))
    assert found == dict.fromkeys(
        ("duplicate ids", "country: unseen", "age: missing", "age: out of range"), "fail"
    )
    del given["age"]
    assert decisions(with_features(given), Criteria(data=Data()))["age: missing"] == "fail"


def test_rows_without_label_are_counted() -> None:
    given = table()
    label = given["label"].astype(object)
    label[: ROWS // 10] = None
    found = sides({**given, "label": label})
    assert found.candidate.labels.size == ROWS - ROWS // 10
    assert decisions(found, Criteria(data=Data())) == {"evaluation set": "pass"}
    assert decisions(found, Criteria(data=Data(unlabeled=0.05))) == {"unlabelled rows": "fail"}


def test_without_labels_nothing_passes() -> None:
    """Whatever is asked: a gate says nothing of no rows."""
    found = sides({**table(), "label": np.full(ROWS, None)})
    every = (Criteria(data=Data()), Criteria(scores={"accuracy": 0.01}), Criteria(drift=Drift()))
    for criteria in every:
        assert judge_table(found, criteria).decision is Decision.CANNOT_TELL


def test_too_few_positives_cannot_be_told() -> None:
    """And the report says about how many rows hold enough of them."""
    given = table()
    keep = (given["label"] == 0) | (np.cumsum(given["label"]) <= 10)
    given = {name: column[keep] for name, column in given.items()}
    (found,) = findings(sides(given), Criteria(data=Data()))
    assert (found.subject, found.decision) == ("class 1", Decision.CANNOT_TELL)
    assert found.rows_needed == 3 * keep.sum()


def test_what_a_candidate_is_worth() -> None:
    """By a matrix as by a column of the same amounts; the mean by hand."""
    given = table()
    values = {("positive", "positive"): 12.0, ("negative", "positive"): -3.0}
    amount = {(1, 1): 12.0, (0, 1): -3.0}
    for name in ("old", "new"):
        given[f"{name}_revenue"] = np.array(
            [amount.get(pair, 0.0) for pair in zip(given["label"], given[name], strict=True)]
        )
    business = {"value": Business(0.5), "revenue": Business(0.5)}
    found = findings(sides(given), Criteria(values=values, business=business))
    by_matrix, by_column = found
    assert replace(by_matrix, subject="") == replace(by_column, subject="")
    assert by_matrix.candidate == pytest.approx(given["new_revenue"].mean())
    assert by_matrix.decision is Decision.PASS
    given["new_revenue"] = given["new_revenue"] - 2
    assert decisions(sides(given), Criteria(business={"revenue": Business(0.5)})) == {
        "revenue": "fail"
    }


def test_against_a_baseline_without_champion() -> None:
    """The case's own reference: the log of the same model is drifted, and as good."""
    given = labelled("car_loan")
    report = judge_table(
        evaluation(
            given,
            task=Task.BINARY,
            label="label",
            candidate=Columns("prediction", {"": "score"}),
            baseline=baseline("car_loan"),
        ),
        Criteria(scores={"accuracy": 0.03}, calibration=Calibration(margin=0.05)),
    )
    assert report.passed
    assert report.reference == "baseline"
    accuracy = report.findings[0]
    assert accuracy.candidate == pytest.approx((given["prediction"] == given["label"]).mean())


def test_tables_joined_by_id_are_pairs() -> None:
    """In any order; without ids in common they are two samples."""
    given = table()
    order = np.random.default_rng(1).permutation(ROWS)
    other = {name: column[order] for name, column in given.items()}
    names = {name: Columns(name) for name in ("old", "new")}
    criteria = Criteria(scores={"accuracy": 0.02})
    options = {"task": Task.BINARY, "label": "label", "candidate": names["new"]}
    options |= {"champion": names["old"], "ids": "id"}
    one = judge_table(evaluation(given, **options), criteria)
    joined = judge_table(evaluation(given, champion_table=other, **options), criteria)
    assert joined.paired
    assert joined.findings[0].lower == pytest.approx(one.findings[0].lower)
    apart = {**other, "id": other["id"] + ROWS}
    unjoined = judge_table(evaluation(given, champion_table=apart, **options), criteria)
    assert not unjoined.paired
    assert unjoined.findings[0].lower < one.findings[0].lower
    twice = {**other, "id": other["id"] // 2}
    with pytest.raises(SchemaError, match="an id comes twice"):
        evaluation(given, champion_table=twice, **options)


def test_a_score_that_is_undefined_cannot_be_told() -> None:
    given = {**table(), "label": np.zeros(ROWS, dtype=int)}
    found = decisions(sides(given), Criteria(scores={"roc_auc": 0.01, "accuracy": 0.9}))
    assert found == {"roc_auc": "cannot tell", "accuracy": "pass"}


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        (Criteria(), "asks for nothing"),
        (Criteria(scores={"accuracy": 0.0}), "margin of accuracy is 0"),
        (Criteria(scores={"mae": 0.1}), "a binary model has no score 'mae'"),
        (Criteria(scores={"bias": 0.1}), "bias takes no margin"),
        (Criteria(calibration=Calibration()), "calibration: give a `margin`"),
    ],
)
def test_what_cannot_be_asked_is_refused(criteria: Criteria, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        judge_table(sides(table()), criteria)


def test_what_needs_a_champion_says_so() -> None:
    found = replace(sides(table()), champion=None, paired=False)
    for criteria in (Criteria(segments={"accuracy": 0.1}), Criteria(scores={"accuracy": 0.1})):
        with pytest.raises(ConfigError, match="champion"):
            judge_table(found, criteria)


def test_assert_gate() -> None:
    """It returns the report of one that passes, and raises with the table of one that fails."""
    given = table()
    columns = {name: {"prediction": name, "score": f"{name}_score"} for name in ("old", "new")}
    options = {"task": "binary", "candidate": columns["new"], "champion": columns["old"]}
    assert assert_gate(given, margins={"accuracy": 0.02}, **options).passed
    with pytest.raises(AssertionError, match=r"fail: candidate against the champion"):
        assert_gate({**given, "new": 1 - given["new"]}, margins={"accuracy": 0.02}, **options)
    few = {name: column[:30] for name, column in given.items()}
    with pytest.raises(AssertionError, match="cannot tell"):
        assert_gate(few, margins={"accuracy": 0.02}, **options)
    report = assert_gate(few, margins={"accuracy": 0.02}, allow_undecided=True, **options)
    assert report.decision is Decision.CANNOT_TELL
    with pytest.raises(ConfigError, match="unknown key 'scroe'"):
        assert_gate(given, task="binary", candidate={"scroe": "x"}, margins={"accuracy": 0.1})
