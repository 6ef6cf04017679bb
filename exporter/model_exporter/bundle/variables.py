"""The dashboards' variables."""

from model_exporter.bundle.grafana import DATASOURCE, Json
from model_exporter.bundle.selectors import MODEL, TARGET

ON_TIME_RANGE_CHANGE = 2
ALPHABETICAL = 1
NUMERICAL = 3


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
    name: str, label: str, *, query: str, several: bool, regex: str = "", sort: int = ALPHABETICAL
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
    return variable


COMMON = (
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
    _query(
        "model_name",
        "Model",
        query=f'label_values({{__name__=~"model_info|model_window_predictions", {TARGET}}},'
        " model_name)",
        several=True,
    ),
    _query(
        "model_version",
        "Version",
        query=f'label_values({{__name__=~"model_info|model_window_predictions", {MODEL}}},'
        " model_version)",
        several=True,
        regex="/^(?!all$).*/",
    ),
    _query(
        "window",
        "Window",
        query=f"label_values(model_window_predictions{{{MODEL}}}, window)",
        several=False,
        sort=NUMERICAL,
    ),
)

FEATURE = _query(
    "feature",
    "Feature",
    query=(
        f'label_values({{__name__=~"model_drift_psi|model_baseline_ratio", {MODEL}, '
        'subject="feature"}, feature)'
    ),
    several=False,
)
