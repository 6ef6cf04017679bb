"""Scores as a user would write them."""

import numpy as np

LIMIT = 3


def agreement(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> float:
    return float((labels == predictions).mean())


def interval(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> tuple:
    return labels.size, 0, 1e9


def mean_of_scores(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> np.float64:
    assert scores.shape[0] == labels.size
    return np.nanmean(scores, axis=0).max()


def difference(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> float:
    return np.abs(labels - predictions).max()


def fails(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> float:
    raise ValueError(f"secret label {labels[0]}")


def writes(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> float:
    labels[:] = 0
    return 1.0


def gives_text(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> str:
    return "good"


def gives_two(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> tuple:
    return 1, 2


def undefined(labels: np.ndarray, predictions: np.ndarray, scores: np.ndarray) -> float:
    return np.nan


class Nested:
    agreement = staticmethod(agreement)
