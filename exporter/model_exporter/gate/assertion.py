"""A gate as an assertion, for pytest and for the end of a training script."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_exporter.baseline import Baseline
from model_exporter.errors import ConfigError
from model_exporter.gate.criteria import Criteria
from model_exporter.gate.outcome import Decision, Report
from model_exporter.gate.render import text
from model_exporter.gate.run import judge_table
from model_exporter.gate.sides import Columns, evaluation
from model_exporter.records import Task


def assert_gate(
    table: Any,
    *,
    task: str,
    candidate: Mapping[str, Any],
    champion: Mapping[str, Any] | None = None,
    champion_table: Any = None,
    baseline: Baseline | None = None,
    label: str = "label",
    id: str = "",  # as the key of the configuration
    segments: Sequence[str] = (),
    positive_label: object = 1,
    margins: Mapping[str, float] | None = None,
    criteria: Criteria | None = None,
    allow_undecided: bool = False,
) -> Report:
    """Raise unless a candidate passes; return the report.

    Parameters
    ----------
    table
        A dict of columns, a pandas, polars or arrow table, or a list of dicts.
    candidate, champion
        Columns of either version: `prediction`, `score` (binary), `scores` by class (multiclass),
        `latency`, and `amounts` by name. Without a champion the baseline is the reference.
    champion_table
        Where the champion's columns are in a table of their own; joined by `id`.
    margins
        By how much each score may be worse, in its unit; those of `criteria` are added.
    allow_undecided
        True lets a candidate through for which there are too few rows.

    Raises
    ------
    AssertionError
        With the table of the report.
    ConfigError
        If what is asked cannot be answered with what is given.

    Examples
    --------
    >>> labels = [0, 1] * 500
    >>> table = {"label": labels, "old": labels, "new": labels}
    >>> report = assert_gate(
    ...     table, task="binary", candidate={"prediction": "new"}, champion={"prediction": "old"},
    ...     margins={"accuracy": 0.01},
    ... )
    >>> report.decision
    <Decision.PASS: 'pass'>
    """
    asked = criteria or Criteria()
    asked = replace(asked, scores={**asked.scores, **(margins or {})})
    found = evaluation(
        table,
        task=Task(task),
        label=label,
        candidate=columns("candidate", candidate),
        champion=None if champion is None else columns("champion", champion),
        champion_table=champion_table,
        baseline=baseline,
        ids=id,
        segments=segments,
        positive_label=positive_label,
    )
    report = judge_table(found, asked)
    let_through = allow_undecided and report.decision is Decision.CANNOT_TELL
    if not (report.passed or let_through):
        raise AssertionError(text(report))
    return report


def columns(version: str, given: Mapping[str, Any]) -> Columns:
    """Return the columns of a version from plain keys.

    Raises
    ------
    ConfigError
        If there is a key that nobody knows.
    """
    known = ("prediction", "score", "scores", "latency", "amounts")
    wrong = next((key for key in given if key not in known), None)
    if wrong is not None:
        raise ConfigError(f"{version}: unknown key {wrong!r}; known here: {', '.join(known)}")
    scores = dict(given.get("scores") or {})
    if given.get("score"):
        scores[""] = given["score"]
    return Columns(
        prediction=given.get("prediction", "prediction"),
        scores=scores,
        latency=given.get("latency", ""),
        amounts=dict(given.get("amounts") or {}),
    )
