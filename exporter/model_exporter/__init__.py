"""The Prometheus exporter for machine-learning models.

`ModelMonitor` instruments a `predict` function in its own process; `Baseline` freezes the
reference that drift and data quality are measured against. The exporter job, the demo and the
bundle are reached through the command `model-exporter`.
"""

from model_exporter.baseline import Baseline
from model_exporter.errors import (
    BaselineError,
    ConfigError,
    ModelExporterError,
    SchemaError,
    SourceError,
    StateError,
)
from model_exporter.sidecar.monitor import ModelMonitor

__version__ = "0.1.0"

__all__ = [
    "Baseline",
    "BaselineError",
    "ConfigError",
    "ModelExporterError",
    "ModelMonitor",
    "SchemaError",
    "SourceError",
    "StateError",
]
