"""The uids of the dashboards, and the links to them."""

from model_exporter.bundle.grafana import Json

OVERVIEW = "models-overview"
QUALITY = "model-quality-drift"
"""Of Model quality, which drift was once a part of: bookmarks and alerts go on leading here."""
DRIFT = "model-drift"
SERVING = "model-serving"
DATA_QUALITY = "model-data-quality"
VERSIONS = "model-versions"
BUSINESS = "model-business"
MONITORING_HEALTH = "model-monitoring-health"

OF_A_MODEL = (
    ("Model quality", QUALITY),
    ("Drift", DRIFT),
    ("Serving", SERVING),
    ("Data quality", DATA_QUALITY),
    ("Versions", VERSIONS),
    ("Business", BUSINESS),
)

MODEL_OF_ROW = "&var-model_name=${__data.fields.Model}&var-model_version=${__data.fields.Version}"
MODEL_OF_SERIES = "&var-model_name=${__field.labels.model_name}"
VERSION_OF_SERIES = f"{MODEL_OF_SERIES}&var-model_version=${{__field.labels.model_version}}"
MODEL_OF_CELL = "&var-model_name=${__value.raw}"
FEATURE_OF_CELL = "&var-feature=${__value.raw}"
FEATURE_OF_SERIES = "&var-feature=${__field.labels.feature}"
SAME_MODEL = "&${model_name:queryparam}&${model_version:queryparam}"


def link(title: str, uid: str, variables: str) -> Json:
    """Return a data link to a dashboard, in the same time range, data source, job and window."""
    return {
        "targetBlank": False,
        "title": title,
        "url": (
            f"/d/{uid}?${{__url_time_range}}&${{datasource:queryparam}}&${{job:queryparam}}"
            f"&${{instance:queryparam}}&${{window:queryparam}}{variables}"
        ),
    }


def to_model(variables: str) -> list[Json]:
    """Return links to every dashboard about one model."""
    return [link(title, uid, variables) for title, uid in OF_A_MODEL]
