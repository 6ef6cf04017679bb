"""Is a candidate fit to replace the champion? Pure functions from rows, or series, to a report.

One file for each criterion; `decide` says what all of them mean by pass, fail and cannot tell.
`assert_gate` is for pytest and training scripts, the command `model-exporter gate` for CI.
"""

from model_exporter.gate.assertion import assert_gate
from model_exporter.gate.criteria import (
    Business,
    Calibration,
    Criteria,
    Data,
    Drift,
    Latency,
    Rule,
)
from model_exporter.gate.outcome import Decision, Finding, Report

__all__ = [
    "Business",
    "Calibration",
    "Criteria",
    "Data",
    "Decision",
    "Drift",
    "Finding",
    "Latency",
    "Report",
    "Rule",
    "assert_gate",
]
