"""What a model is scored by beyond the scores that every model has, as the configuration says."""

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import category_text
from model_exporter.job.yaml_section import Section
from model_exporter.records import Task

CELLS = {
    "tp": ("positive", "positive"),
    "fp": ("negative", "positive"),
    "fn": ("positive", "negative"),
    "tn": ("negative", "negative"),
}
"""The cells of a binary matrix: label, then prediction."""
OUTCOMES = ("negative", "positive")


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """The further measures of one model.

    Attributes
    ----------
    thresholds
        Scores from which on a row of a binary model would be predicted positive, by the text they
        were written as.
    values
        What a row is worth, by label and predicted class (`OUTCOMES` for a binary model); 0 where
        nothing is said. Empty where nobody asks.
    top_k
        Rows of a ranked list that count; empty where predictions are no lists.
    functions
        Scores that the user wrote, by name.
    """

    thresholds: Mapping[str, float]
    values: Mapping[tuple[str, str], float]
    top_k: tuple[int, ...]
    functions: Mapping[str, Callable[..., Any]]

    def matrix(self, classes: tuple[str, ...]) -> NDArray[np.float64]:
        """Return the values of the cells in the order of some classes, shape (k, k)."""
        return np.array([[self.values.get((a, p), 0.0) for p in classes] for a in classes])


def read_scoring(section: Section, task: Task, *, lists: bool) -> Scoring:
    """Read the keys of a model that ask for further measures; `lists` where requests are known."""
    return Scoring(
        thresholds=_thresholds(section, task),
        values=read_values(section, task),
        top_k=_top_k(section, task, lists=lists),
        functions=_functions(section),
    )


def read_quantiles(columns: Section) -> Mapping[str, str]:
    """Read which column holds the predicted quantile of which level, in ascending order."""
    given = columns.mapping("quantiles")
    levels = {text: _ratio(columns, "quantiles", text) for text in given}
    if not all(0 < level < 1 for level in levels.values()):
        columns.refuse("a level lies between 0 and 1, as 0.1 or 0.9", key="quantiles")
    return {str(levels[text]): given[text] for text in sorted(given, key=levels.__getitem__)}


def _thresholds(section: Section, task: Task) -> Mapping[str, float]:
    texts = section.texts("thresholds")
    if texts and task is not Task.BINARY:
        section.refuse(f"only a binary model has thresholds, this one is {task}", key="thresholds")
    return {text: _ratio(section, "thresholds", text) for text in texts}


def _ratio(section: Section, key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        section.refuse(f"expected numbers from 0 to 1, found {text!r}", key=key)
    return value


def read_values(section: Section, task: Task) -> Mapping[tuple[str, str], float]:
    """Read what a row is worth, by label and predicted class, from the key `value`."""
    values = section.section("value")
    if values is None:
        return {}
    if task is Task.REGRESSION:
        section.refuse("a regression model has no classes to give a value to", key="value")
    if task is Task.BINARY:
        values.only(CELLS)
        return {CELLS[name]: values.number(name) for name in values}
    found = {}
    for label in values:
        row = values.required_section(label, example="value: {rain: {rain: 5, sun: -20}}")
        for predicted in row:
            cell = (category_text(label) or label, category_text(predicted) or predicted)
            found[cell] = row.number(predicted)
    return found


def _top_k(section: Section, task: Task, *, lists: bool) -> tuple[int, ...]:
    texts = section.texts("top_k", default=("10",) if lists else ())
    if texts and not lists:
        section.refuse("name the column of the request as predictions.columns.group", key="top_k")
    if texts and task is Task.MULTICLASS:
        section.refuse(
            "a multiclass model ranks nothing; `group` and `top_k` are for binary and "
            "regression models"
        )
    if not all(text.isdecimal() and int(text) > 0 for text in texts):
        section.refuse(f"expected whole numbers from 1 on, found {', '.join(texts)}", key="top_k")
    return tuple(map(int, texts))


def _functions(section: Section) -> Mapping[str, Callable[..., Any]]:
    scores = section.section("scores")
    return {} if scores is None else {name: _function(scores, name) for name in scores}


def _function(scores: Section, name: str) -> Callable[..., Any]:
    text = scores.text(name, expected="package.module:function")
    module, _, path = text.partition(":")
    if not module or not path:
        scores.refuse(f"expected package.module:function, found {text!r}", key=name)
    try:
        found = functools.reduce(getattr, path.split("."), importlib.import_module(module))
    except Exception as error:  # whatever the module does when it is imported
        scores.refuse(
            f"cannot import {text!r}: {type(error).__name__}: {error}; install the module where "
            "model-exporter runs, or add its directory to PYTHONPATH",
            key=name,
        )
    if not callable(found):
        scores.refuse(f"{text!r} is a {type(found).__name__}, not a function", key=name)
    return found
