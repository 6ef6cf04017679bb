"""The files that the demo writes for the programs it starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from model_exporter.demo.datasets import DATASETS, Dataset

WINDOWS = ("30s", "5m")
"""In place of days: what was lately, and the whole story."""
POLL_INTERVAL = "2s"
SCRAPE_INTERVAL = "1s"


def exporter(
    directory: Path,
    listen: str,
    *,
    state: Path | None = None,
    windows: Sequence[str] = WINDOWS,
    poll_interval: str = POLL_INTERVAL,
) -> str:
    """Return the exporter.yml of the job; its state is kept below `directory` by default."""
    return _yaml(
        {
            "listen": listen,
            "state": str(state or directory / "state"),
            "poll_interval": poll_interval,
            "models": [_model(dataset, directory, windows) for dataset in DATASETS],
        }
    )


def label_file(dataset: Dataset, directory: Path) -> Path:
    """Return where the labels of a model arrive."""
    return directory / "labels" / f"{dataset.model}.csv"


def prediction_log(dataset: Dataset, directory: Path) -> Path:
    """Return the directory of a model's prediction log."""
    return directory / "predictions" / dataset.model


def _model(dataset: Dataset, directory: Path, windows: Sequence[str]) -> dict[str, Any]:
    model: dict[str, Any] = {
        "name": dataset.model,
        "task": dataset.task,
        "baseline": str(directory / f"{dataset.model}.baseline.json"),
        "predictions": {
            "type": "jsonl",
            "path": str(prediction_log(dataset, directory) / "*.jsonl"),
        },
        "labels": {"type": "csv", "path": str(label_file(dataset, directory))},
        "features": {"numeric": list(dataset.numeric), "categorical": list(dataset.categorical)},
        "segments": list(dataset.segments),
        "windows": list(windows),
        "expectations": {score: dict(bounds) for score, bounds in dataset.expectations.items()},
    }
    if dataset.positive_label is not None:
        model["positive_label"] = dataset.positive_label
    return model


def prometheus(targets: Mapping[str, str], *, rules: Path, alertmanager: str | None = None) -> str:
    """Return a prometheus.yml that scrapes `targets` (address by job name) every second."""
    document: dict[str, Any] = {
        "global": {"scrape_interval": SCRAPE_INTERVAL, "evaluation_interval": SCRAPE_INTERVAL},
        "rule_files": [str(rules / "*.yml")],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [address]}]}
            for name, address in targets.items()
        ],
    }
    if alertmanager is not None:
        document["alerting"] = {
            "alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]
        }
    return _yaml(document)


def alertmanager(shipped: dict[str, Any], *, secrets: Path, templates: Path, url: str) -> str:
    """Return the shipped Alertmanager configuration with every way out turned to `url`.

    Replaced are the addresses (Slack's, PagerDuty's, the webhook's), their secrets, by
    placeholders, and the directory of the templates; e-mail is left out. Routes and messages are
    those shipped.
    """
    document: dict[str, Any] = yaml.safe_load(yaml.safe_dump(shipped))  # a deep copy
    document["global"]["slack_api_url_file"] = _secret(secrets, "slack_api_url", f"{url}/slack")
    document["templates"] = [str(templates / "*.tmpl")]
    for receiver in document["receivers"]:
        receiver.pop("email_configs", None)  # nobody listens there
        for slack in receiver.get("slack_configs", ()):
            slack.pop("api_url", None)
        for pager in receiver.get("pagerduty_configs", ()):
            pager["url"] = f"{url}/pagerduty"
            pager["routing_key_file"] = _secret(secrets, "pagerduty_routing_key", "placeholder")
        for hook in receiver.get("webhook_configs", ()):
            hook["url"] = f"{url}/{receiver['name']}"
            token = _secret(secrets, "webhook_token", "placeholder")
            hook["http_config"] = {"authorization": {"credentials_file": token}}
    return _yaml(document)


def _secret(directory: Path, name: str, content: str) -> str:
    path = directory / name
    path.touch(mode=0o600)
    path.write_text(content, "utf-8")
    return str(path)


def _yaml(document: Any) -> str:
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
