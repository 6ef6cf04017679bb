"""What panels about value and measures of the business share."""

from model_exporter.bundle import queries
from model_exporter.bundle.grafana import Query
from model_exporter.bundle.selectors import WHOLE

NO_VALUE = "No value: name `value` of this model in exporter.yml, or wait for labels"
NO_MEASURE = "No measure: name columns of labels in `business` of exporter.yml, or wait for labels"
NO_COUNT = "Nothing counted: monitor.business(...) was not called yet"


def means(families: tuple[str, str, str], *, by: str, legend: str) -> list[Query]:
    """Return mean and ends of the interval, of those with the largest mean."""
    mean = families[0]
    rank = f"max by ({by}) (max_over_time({mean}{{{WHOLE}}}[$__range] @ end()))"
    return [
        Query(
            queries.top(f"max by ({by}) ({family}{{{WHOLE}}})", rank, by=by, lines=5),
            f"{legend}{end}",
        )
        for family, end in zip(families, ("", " lower", " upper"), strict=True)
    ]


def top(family: str, *, by: str, legend: str) -> list[Query]:
    """Return the query of the largest sums of the whole model."""
    return [Query(queries.top_gauge(f"{family}{{{WHOLE}}}", by=by), legend)]
