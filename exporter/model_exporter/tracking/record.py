"""What a run, or a registered version of a model, is told: plain data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from model_exporter.baseline import Baseline
from model_exporter.tracking.names import LOWER, UPPER, metrics, slug

BASELINE_FILE = "baseline.json"
GATE_FILE = "gate.json"
PREFIX = "model_exporter."
"""Of tags and parameters, so that they meet nobody else's."""
CHECKSUM_TAG = f"{PREFIX}baseline_checksum"
PASSED = "pass"


@dataclass(frozen=True, slots=True)
class Record:
    """What is written.

    Attributes
    ----------
    name
        Of a run that is made for it.
    metrics, params, tags
        By name. The tags go to a registered version, too.
    artifacts
        Texts by file name. A registered version gets their address as a tag.
    fit
        Whether a registered version may get an alias for it.
    """

    name: str
    metrics: Mapping[str, float]
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    fit: bool = True


def baseline_record(baseline: Baseline) -> Record:
    """Return what a run is told of a baseline: its scores, its origin, its file."""
    params = {"task": str(baseline.task), "rows": str(baseline.rows)}
    if baseline.positive_label is not None:
        params["positive_label"] = baseline.positive_label
    return Record(
        name=" ".join(filter(None, ("baseline", baseline.model_name, baseline.model_version))),
        metrics=metrics(baseline.quality, baseline.task),
        params={f"{PREFIX}baseline_{key}": value for key, value in params.items()},
        tags={CHECKSUM_TAG: baseline.checksum},
        artifacts={BASELINE_FILE: baseline.to_text()},
    )


def gate_record(report: Mapping[str, Any]) -> Record:
    """Return what a run is told of a gate.

    Parameters
    ----------
    report
        What `to_json()` of the gate's report returns.

    Examples
    --------
    >>> finding = {"criterion": "quality", "subject": "accuracy", "candidate": 0.91,
    ...            "difference": 0.01, "lower": -0.005, "upper": 0.025}
    >>> record = gate_record({"decision": "pass", "rows": 900, "findings": [finding]})
    >>> record.metrics["accuracy"], record.metrics["gate/quality/accuracy_difference_lower"]
    (0.91, -0.005)
    """
    found: dict[str, float | None] = {"gate/rows": report["rows"]}
    for finding in report["findings"]:
        criterion, subject = slug(finding["criterion"]), slug(finding["subject"])
        name = f"gate/{criterion}/{subject}"
        for key in ("candidate", "reference", "difference", "margin", "rows"):
            found[f"{name}_{key}"] = finding.get(key)
        found[f"{name}_difference{LOWER}"] = finding.get("lower")
        found[f"{name}_difference{UPPER}"] = finding.get("upper")
        if criterion == "quality":  # in the chart of the score, beside the baseline's
            found[subject] = finding.get("candidate")
    return Record(
        name="gate",
        metrics={name: float(value) for name, value in found.items() if value is not None},
        tags={f"{PREFIX}gate_decision": report["decision"]},
        artifacts={GATE_FILE: json.dumps(report, indent=1) + "\n"},
        fit=report["decision"] == PASSED,
    )
