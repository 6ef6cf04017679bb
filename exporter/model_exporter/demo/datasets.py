"""The three data sets, and what the demo does with each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

DATA = Path(__file__).parent / "data"
VERSION = "v1"

Columns = Mapping[str, list[Any]]
"""A table as lists of one length, by column name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One model's data.

    Attributes
    ----------
    numeric, categorical
        Features that are watched.
    unwatched
        Categorical features that the model reads and nobody compares with a baseline: the
        calendar drifts by itself.
    logged
        Features whose values go to the prediction log. The loans log none: an income is personal,
        and its bin is enough for drift.
    judged
        The quality score that the table shows, as named in `expectations`.
    expectations
        Bounds for the configuration of the job, as somebody would write them who knows the
        quality at deployment (in the comments).
    """

    folder: str
    model: str
    task: str
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    segments: tuple[str, ...]
    judged: str
    expectations: Mapping[str, Mapping[str, float]]
    unwatched: tuple[str, ...] = ()
    logged: tuple[str, ...] = ()
    positive_label: int | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the model reads, numbers first."""
        return (*self.numeric, *self.categorical, *self.unwatched)

    def read(self, table: str) -> Columns:
        """Read ``reference``, ``predictions`` or ``labels``."""
        columns: Columns = pq.read_table(DATA / self.folder / f"{table}.parquet").to_pydict()
        return columns


BIKES = Dataset(
    folder="bike_2011",
    model="bike-demand",
    task="regression",
    numeric=("hr", "temp", "atemp", "hum", "windspeed"),
    categorical=("season", "holiday", "weekday", "workingday", "weathersit"),
    segments=("weathersit", "workingday"),
    logged=("hr", "temp", "atemp", "hum", "windspeed"),
    judged="mae",
    expectations={"mae": {"max": 44}, "bias": {"min": -10, "max": 15}},  # deployed at 40 and -5
)
LOANS = Dataset(
    folder="car_loan",
    model="car-loan",
    task="binary",
    numeric=("car_value", "debt_to_income_ratio", "loan_length", "driver_tenure"),
    categorical=("salary_range", "repaid_loan_on_prev_car", "size_of_downpayment"),
    segments=("salary_range", "repaid_loan_on_prev_car"),
    judged="accuracy",
    expectations={"accuracy": {"min": 0.925}, "roc_auc": {"min": 0.95}},  # deployed at 0.93, 0.97
    positive_label=1,
)
WEATHER = Dataset(
    folder="seattle_weather",
    model="seattle-weather",
    task="multiclass",
    numeric=("precipitation", "temp_max", "temp_min", "wind"),
    categorical=(),
    unwatched=("month",),
    segments=(),
    logged=("precipitation", "temp_max", "temp_min", "wind"),
    judged="accuracy",
    expectations={"accuracy": {"min": 0.7}},  # deployed at 0.80
)
DATASETS = (BIKES, LOANS, WEATHER)
