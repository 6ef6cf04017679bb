"""Cost: what Prometheus scrapes, and how many series that is."""

from model_exporter.bundle import queries
from model_exporter.bundle.charts import bar_gauge, state_timeline
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import NO_TARGETS, UP
from model_exporter.bundle.panels import timeseries
from model_exporter.bundle.selectors import MODEL, TARGET

ROW = Row(
    "Scrapes and series",
    [
        state_timeline(
            "Targets",
            "Whether Prometheus reaches each target of the chosen jobs; the thirty that were down"
            " first.",
            queries=[
                Query(
                    queries.lowest_state(f"up{{{TARGET}}}", by="job, instance", lines=30),
                    "{{job}} {{instance}}",
                )
            ],
            states=UP,
            empty=NO_TARGETS,
            width=8,
        ),
        timeseries(
            "Scrape time",
            "Duration of a scrape, of the ten slowest targets. A scrape of the job computes"
            " nothing; of a model server it folds what came since the last.",
            unit="s",
            queries=[
                Query(
                    queries.top_gauge(f"scrape_duration_seconds{{{TARGET}}}", by="instance"),
                    "{{instance}}",
                )
            ],
            empty=NO_TARGETS,
            width=8,
        ),
        timeseries(
            "Series by target",
            "Samples of a scrape, of the ten largest targets: series that Prometheus keeps.",
            unit="short",
            queries=[
                Query(
                    queries.top_gauge(
                        f"scrape_samples_post_metric_relabeling{{{TARGET}}}", by="instance"
                    ),
                    "{{instance}}",
                )
            ],
            empty=NO_TARGETS,
            width=8,
        ),
    ],
)

SERIES = Row(
    "Series by model (open when needed: the query counts every series)",
    [
        bar_gauge(
            "Series by model",
            "Series of every model, the ten with most: segments, classes, features, bins and"
            " versions multiply.",
            unit="short",
            query=Query(
                f'topk(10, count by (model_name) ({{__name__=~"model_.+", {MODEL}}}))',
                "{{model_name}}",
            ),
            empty=NO_TARGETS,
            width=24,
        ),
    ],
    collapsed=True,
)
