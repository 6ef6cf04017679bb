"""The scores of a model where its training is tracked: MLflow and TensorBoard.

`names` says what a score is called there, `record` what a run is told, `windows` what a window is
told: pure functions. `mlflow`, `tensorboard` and `source` are the edges that write and read.
"""

from model_exporter.tracking.record import Record, baseline_record, gate_record
from model_exporter.tracking.training import score_metrics

__all__ = ["Record", "baseline_record", "gate_record", "score_metrics"]
