"""The dashboards' variables."""

from collections.abc import Sequence

from model_exporter.bundle.grafana import DATASOURCE, Json
from model_exporter.bundle.selectors import MODEL, TARGET, VERSION, WINDOWED

ON_TIME_RANGE_CHANGE = 2
ALPHABETICAL = 1
NUMERICAL = 3
NUMERICAL_DESCENDING = 4


def datasource() -> Json:
    """Return the variable through which every panel finds its Prometheus."""
    return {
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }


def _query(
    name: str,
    label: str,
    *,
    query: str,
    several: bool,
    regex: str = "",
    sort: int = ALPHABETICAL,
    default: str | None = None,
) -> Json:
    variable: Json = {
        "datasource": DATASOURCE,
        "definition": query,
        "hide": 0,
        "includeAll": several,
        "label": label,
        "multi": several,
        "name": name,
        "query": {"query": query, "refId": name},
        "refresh": ON_TIME_RANGE_CHANGE,
        "regex": regex,
        "skipUrlSync": False,
        "sort": sort,
        "type": "query",
    }
    if several:
        variable["allValue"] = ".+"
        variable["current"] = {"selected": True, "text": ["All"], "value": ["$__all"]}
    elif default is not None:
        variable["current"] = {"selected": True, "text": default, "value": default}
    return variable


def _choice(name: str, label: str, *, values: Sequence[str], default: str) -> Json:
    return {
        "current": {"selected": True, "text": default, "value": default},
        "hide": 0,
        "includeAll": False,
        "label": label,
        "multi": False,
        "name": name,
        "options": [
            {"selected": value == default, "text": value, "value": value} for value in values
        ],
        "query": ",".join(values),
        "skipUrlSync": False,
        "type": "custom",
    }


def _model(*, several: bool) -> Json:
    return _query(
        "model_name",
        "Model",
        query=f'label_values({{__name__=~"model_info|model_window_predictions", {TARGET}}},'
        " model_name)",
        several=several,
    )


def _version(*, several: bool) -> Json:
    """Return the versions, the newest first: it is what a single choice begins with."""
    return _query(
        "model_version",
        "Version",
        query=f'label_values({{__name__=~"model_info|model_window_predictions", {MODEL}}},'
        " model_version)",
        several=several,
        regex="/^(?!all$).*/",
        sort=NUMERICAL_DESCENDING,
    )


TARGETS = (
    datasource(),
    _query(
        "job",
        "Job",
        query='label_values({__name__=~"model_info|model_exporter_build_info"}, job)',
        several=True,
    ),
    _query(
        "instance",
        "Instance",
        query=(
            'label_values({__name__=~"model_info|model_exporter_build_info", job=~"$job"},'
            " instance)"
        ),
        several=True,
    ),
)
WINDOW = _query(
    "window",
    "Window",
    query=f"label_values(model_window_predictions{{{MODEL}}}, window)",
    several=False,
    sort=NUMERICAL,
)

ALL_MODELS = (*TARGETS, _model(several=True), _version(several=True), WINDOW)
"""Of dashboards that show many models beside each other."""
ONE_MODEL = (*TARGETS, _model(several=False), _version(several=True), WINDOW)
"""Of dashboards that show versions of one model beside each other."""
ONE_VERSION = (*TARGETS, _model(several=False), _version(several=False), WINDOW)
"""Of dashboards that show one model closely: with one version, an interval is a band."""

FEATURE = _query(
    "feature",
    "Feature",
    query=(
        f'label_values({{__name__=~"model_drift_psi|model_baseline_ratio", {VERSION}, '
        'subject="feature"}, feature)'
    ),
    several=False,
)
SEGMENT = _query(
    "segment",
    "Segment",
    query=f'label_values(model_window_predictions{{{WINDOWED}, segment!=""}}, segment)',
    several=True,
)
SCORE = _query(
    "score",
    "Score",
    query=f"label_values(model_version_difference{{{WINDOWED}}}, score)",
    several=False,
)
OBJECTIVE = _choice(
    "objective",
    "Objective",
    values=("0.9", "0.95", "0.99", "0.995", "0.999", "0.9995", "0.9999"),
    default="0.99",
)
LATENCY_TARGET = _query(
    "latency_target",
    "Latency target (s)",
    query=f"label_values(model_prediction_latency_seconds_bucket{{{VERSION}}}, le)",
    several=False,
    regex="/^(?!.Inf).*/",
    sort=NUMERICAL,
    default="0.25",
)
