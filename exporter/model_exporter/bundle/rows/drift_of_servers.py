"""Drift as the model servers alone can tell it: no exporter job, no log, no labels."""

from model_exporter.bundle import queries, thresholds
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_BINS, PSI_HELP, PSI_STEPS
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import VERSION

SUBJECT = "subject, feature"


def psi(labels: str, span: str) -> str:
    """Return the PSI of what the model servers counted over `span`, against their baseline."""
    bins = f"{SUBJECT}, bin"
    counts = f"sum by ({bins}) (increase(model_distribution_total{{{labels}}}[{span}]))"
    baseline = f"max by ({bins}) (model_baseline_ratio{{{labels}}})"
    floored = f"clamp_min({baseline}, {thresholds.PSI_FLOOR})"
    enough = f"sum by ({SUBJECT}) ({counts}) >= {thresholds.DRIFT_ROWS}"
    shares = (
        f"clamp_min({counts} / on ({SUBJECT}) group_left () ({enough}), {thresholds.PSI_FLOOR})"
    )
    return f"sum by ({SUBJECT}) (({shares} - {floored}) * ln({shares} / {floored}))"


ROW = Row(
    "From the model servers (open where there is no exporter job)",
    [
        timeseries(
            "PSI from the model servers, last hour",
            "Population stability index of what the model servers counted in the hour before,"
            " summed over the chosen instances: the ten largest at the end of the time range."
            f" Absent below {thresholds.DRIFT_ROWS} values an hour." + PSI_HELP,
            unit="none",
            queries=[
                Query(
                    queries.top_now(psi(VERSION, "1h"), by=SUBJECT),
                    "{{subject}} {{feature}}",
                )
            ],
            empty=f"{NO_BINS}, and {thresholds.DRIFT_ROWS} values an hour",
            width=24,
            marks=PSI_STEPS,
            points=60,
        )
    ],
    collapsed=True,
)
