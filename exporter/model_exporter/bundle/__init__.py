"""The bundle: dashboards, rules and the metric table, generated from the catalogue.

Development time only: `model-exporter bundle write` makes the files, `model-exporter bundle check`
compares them as a set, and nothing edits them afterwards.
"""

from model_exporter.bundle.artifacts import check, write
from model_exporter.bundle.rules.objectives import parse

__all__ = ["check", "parse", "write"]
