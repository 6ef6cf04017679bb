"""Differences between two versions of a model: one file per way to compare, all pure functions.

Versions that scored other rows (a canary) are compared by their scores and intervals, see
`unpaired`; versions that scored the same rows (a shadow) row by row, see `paired`, which is far
sharper: what makes a row hard for one version mostly makes it hard for the other.
"""

from model_exporter.comparison.difference import Difference
from model_exporter.comparison.paired import Outputs, paired_differences
from model_exporter.comparison.unpaired import unpaired_difference

__all__ = ["Difference", "Outputs", "paired_differences", "unpaired_difference"]
