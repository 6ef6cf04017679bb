"""Champion and challengers: how much better or worse, beyond chance or not."""

from model_exporter.bundle import queries
from model_exporter.bundle.charts import state_timeline
from model_exporter.bundle.grafana import Query, Row
from model_exporter.bundle.looks import BOUND_STYLE, COLOURED_TEXT, WORSE, merged, override
from model_exporter.bundle.panels import table, timeseries
from model_exporter.bundle.selectors import WINDOWED

NO_COMPARISON = (
    "No `comparison: {}` of this model in exporter.yml, or no second version with labels"
)
PAIR = "model_version, champion, pairing"

TABLE = table(
    "Difference from the champion",
    "Score of a version minus that of the champion, with its 95 % confidence interval: it is beyond"
    " chance where the interval leaves out 0. Paired: on the rows that both predicted. The p-value"
    " is for one look and one score; who looks every day will see a small one by chance.",
    unit="none",
    queries=[
        Query(f"max by ({PAIR}, score) (model_version_difference{{{WINDOWED}}})"),
        Query(f"max by ({PAIR}, score) (model_version_difference_lower{{{WINDOWED}}})"),
        Query(f"max by ({PAIR}, score) (model_version_difference_upper{{{WINDOWED}}})"),
        Query(f"max by ({PAIR}, score) (model_version_difference_p_value{{{WINDOWED}}})"),
        Query(f"max by ({PAIR}, score) (model_version_worse{{{WINDOWED}}})"),
    ],
    empty=NO_COMPARISON,
    width=16,
    height=10,
    sort="p-value",
    ascending=True,
    transformations=merged(
        rename={
            "score": "Score",
            "model_version": "Version",
            "champion": "Champion",
            "Value #A": "Difference",
            "Value #B": "Lower",
            "Value #C": "Upper",
            "Value #D": "p-value",
            "Value #E": "State",
            "pairing": "Pairing",
        }
    ),
    overrides=[
        override("/^(Difference|Lower|Upper|p-value)$/", {"decimals": 4}, regexp=True),
        override("State", {"mappings": [WORSE], **COLOURED_TEXT}),
    ],
)

ROWS = timeseries(
    "Labelled rows compared",
    "Rows behind the differences: pairs, or rows of the smaller side. Below 100 no version is"
    " called worse.",
    unit="short",
    queries=[
        Query(
            queries.top_gauge(f"model_version_difference_rows{{{WINDOWED}}}", by=PAIR),
            "{{model_version}} {{pairing}}",
        )
    ],
    empty=NO_COMPARISON,
    height=10,
)

CHOSEN = f'{WINDOWED}, score="$score"'

OVER_TIME = timeseries(
    "Difference in $score over time",
    "Of the chosen score, each version minus the champion, and dotted the ends of the 95 %"
    " confidence interval. It narrows as labels come.",
    unit="none",
    queries=[
        Query(
            queries.top_gauge(f"{family}{{{CHOSEN}}}", by="model_version, pairing"),
            f"{{{{model_version}}}} {{{{pairing}}}}{end}",
        )
        for family, end in (
            ("model_version_difference", ""),
            ("model_version_difference_lower", " lower"),
            ("model_version_difference_upper", " upper"),
        )
    ],
    empty=NO_COMPARISON,
    width=12,
    lowest=None,
    overrides=[BOUND_STYLE],
)

WORSE_OVER_TIME = state_timeline(
    "Worse than the champion",
    "Versions that score worse than the champion beyond chance, corrected for the number of scores,"
    " on 100 rows or more; of the twenty pairs of version and score that were worst.",
    queries=[
        Query(
            queries.top_state(
                f"model_version_worse{{{WINDOWED}}}", by="model_version, score", lines=20
            ),
            "{{model_version}} {{score}}",
        )
    ],
    states=WORSE,
    empty=NO_COMPARISON,
    width=12,
)

ROW = Row("Quality against the champion", [TABLE, ROWS, OVER_TIME, WORSE_OVER_TIME])
