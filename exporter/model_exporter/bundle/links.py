"""The uids of the dashboards, and the links to them."""

from model_exporter.bundle.grafana import Json

OVERVIEW = "models-overview"
QUALITY = "model-quality-drift"


def to_quality(model_name: str) -> Json:
    """Return a data link to the quality dashboard of a model, in the same time range."""
    return {
        "targetBlank": False,
        "title": "Quality and drift",
        "url": (
            f"/d/{QUALITY}?var-model_name={model_name}"
            "&var-datasource=${datasource}&${__url_time_range}"
        ),
    }
