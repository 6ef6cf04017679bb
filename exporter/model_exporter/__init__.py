"""The Prometheus exporter for machine-learning models.

`ModelMonitor` instruments a `predict` function in its own process; `Baseline` freezes the
reference that drift and data quality are measured against. The exporter job, the demo and the
bundle are reached through the command `model-exporter`.
"""

import importlib
from typing import TYPE_CHECKING

from model_exporter.errors import (
    BaselineError,
    ConfigError,
    DeliveryError,
    ModelExporterError,
    SchemaError,
    SourceError,
    StateError,
)

if TYPE_CHECKING:
    from model_exporter.baseline import Baseline
    from model_exporter.sidecar.constraints import Constraint
    from model_exporter.sidecar.monitor import ModelMonitor

__version__ = "0.1.0"

__all__ = [
    "Baseline",
    "BaselineError",
    "ConfigError",
    "Constraint",
    "DeliveryError",
    "ModelExporterError",
    "ModelMonitor",
    "SchemaError",
    "SourceError",
    "StateError",
]

# Loaded at first use: a job has no use for the sidecar, nor a model server for what it does not
# touch, and both import this package.
_AT_FIRST_USE = {
    "Baseline": "model_exporter.baseline",
    "Constraint": "model_exporter.sidecar.constraints",
    "ModelMonitor": "model_exporter.sidecar.monitor",
}


def __getattr__(name: str) -> object:
    if name not in _AT_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_AT_FIRST_USE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
