"""The exporter job: what it reads, how far behind it is, what became of each label."""

from model_exporter.bundle import queries, thresholds
from model_exporter.bundle.charts import state_timeline
from model_exporter.bundle.grafana import Panel, Query, Row
from model_exporter.bundle.looks import NO_JOB, UP, steps
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import MODEL

BY = "model_name, source"
LEGEND = "{{model_name}} {{source}}"

SOURCES = state_timeline(
    "Sources over time",
    "Whether the last read of each source of predictions and labels succeeded; the thirty that"
    " failed most recently first.",
    queries=[
        Query(
            queries.lowest_state(f"model_source_up{{{MODEL}}}", by=BY, lines=30),
            LEGEND,
        )
    ],
    states=UP,
    empty=NO_JOB,
    width=12,
)


def _age(title: str, description: str, *, family: str, by: str, legend: str, marks: float) -> Panel:
    return timeseries(
        title,
        f"{description} The ten oldest.",
        unit="s",
        queries=[
            Query(
                queries.top(
                    f"time() - max by ({by}) ({family}{{{MODEL}}})",
                    f"time() - max by ({by}) (last_over_time({family}{{{MODEL}}}[$__range]"
                    " @ end()))",
                    by=by,
                ),
                legend,
            )
        ],
        empty=NO_JOB,
        marks=steps((marks, "red")) if marks else None,
    )


READING = Row(
    "Sources",
    [
        SOURCES,
        timeseries(
            "Records read",
            "Records read from each source per second: the ten with most in the time range.",
            unit="cps",
            queries=[Query(queries.top_rate(f"model_source_rows_total{{{MODEL}}}", by=BY), LEGEND)],
            empty=NO_JOB,
            width=12,
        ),
        _age(
            "Age of last read",
            "Time since each source was last read with success.",
            family="model_source_last_success_timestamp_seconds",
            by=BY,
            legend=LEGEND,
            marks=0,
        ),
        _age(
            "Lag of predictions",
            "Time since the newest prediction that the job knows.",
            family="model_newest_prediction_timestamp_seconds",
            by="model_name",
            legend="{{model_name}}",
            marks=0,
        ),
        _age(
            "Lag of labels",
            "Time since the newest label that the job knows. The dashed line is where"
            " ModelLabelsStale begins.",
            family="model_newest_label_timestamp_seconds",
            by="model_name",
            legend="{{model_name}}",
            marks=thresholds.LABELS_STALE_SECONDS,
        ),
    ],
)

EVALUATING = Row(
    "Evaluation and ledger",
    [
        timeseries(
            "Evaluation time",
            "Duration of the last evaluation: the ten slowest models. It should stay below the poll"
            " interval.",
            unit="s",
            queries=[
                Query(
                    queries.top_gauge(
                        f"model_evaluation_duration_seconds{{{MODEL}}}", by="model_name"
                    ),
                    "{{model_name}}",
                )
            ],
            empty=NO_JOB,
            width=6,
        ),
        timeseries(
            "Labels by outcome",
            "Label records per second by what became of them. With those that wait they are all"
            " that were read: an imbalance is a bug of ours.",
            unit="cps",
            queries=[
                Query(queries.rate(f"model_labels_total{{{MODEL}}}", by="outcome"), "{{outcome}}")
            ],
            empty="No `labels:` in exporter.yml, or no label yet",
            width=6,
            stacked="normal",
        ),
        timeseries(
            "Labels waiting",
            "Label records whose prediction is not known yet: the ten models with most. It grows"
            " where ids do not match.",
            unit="short",
            queries=[
                Query(
                    queries.top_gauge(f"model_labels_waiting{{{MODEL}}}", by="model_name"),
                    "{{model_name}}",
                )
            ],
            empty="No `labels:` in exporter.yml",
            width=6,
        ),
        timeseries(
            "Failing scores of your own",
            "Calls of a score of the configuration per second that raised, or gave what is no"
            " number.",
            unit="cps",
            queries=[
                Query(
                    queries.top_rate(
                        f"model_custom_score_errors_total{{{MODEL}}}", by="model_name, score"
                    ),
                    "{{model_name}} {{score}}",
                )
            ],
            empty="No `scores:` in exporter.yml",
            width=6,
        ),
    ],
)
