"""What every part of a monitor stands on: its pipeline, made once the task is known."""

from prometheus_client import CollectorRegistry

from model_exporter.errors import ConfigError
from model_exporter.records import Task
from model_exporter.sidecar.collector import ModelCollector
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.settings import Settings


class Adopted:
    """The part of a monitor that the others share."""

    registry: CollectorRegistry
    _collector: ModelCollector
    _settings: Settings
    _adopted: Pipeline | None

    def _adopt(self, task: Task) -> Pipeline:
        self._settings = self._settings._replace(task=task)
        self._adopted = self._collector.adopt(self._settings)
        return self._adopted

    @property
    def _pipeline(self) -> Pipeline:
        if self._adopted is None:
            expected = ", ".join(repr(str(task)) for task in Task)
            raise ConfigError(f"task=None: expected one of {expected}; say what the model predicts")
        return self._adopted
