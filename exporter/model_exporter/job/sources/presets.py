"""Prediction logs as others write them.

A preset names the columns of such a log, or explodes its rows: one row of a request with many
instances becomes one record for each prediction, with the names of our own log
(``prediction_id``, ``timestamp``, ``model_version``, ``prediction``, ``features.<name>``). Of what
else a model returned, named outputs become ``outputs.<name>``, and a list of numbers is taken for
the probabilities of the classes in their order: ``scores.0``, ``scores.1``, ..., with the index of
the greatest as the prediction.

The id of a prediction is the id of its request; where a request holds several, ``<id>-0``,
``<id>-1``, ... in their order.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from model_exporter.errors import SourceError
from model_exporter.job.sources import payloads
from model_exporter.job.sources.batch import NOTHING, Batch, Cursor, Source
from model_exporter.job.sources.jsonl import records_table
from model_exporter.job.sources.payloads import Record


@dataclass(frozen=True, slots=True)
class Preset:
    """How to read a log of one kind.

    Attributes
    ----------
    predictions, labels
        Our names to those of the log, where they are not those of our own log.
    explode
        From one row, and where it stands, to its records; None where a row is a record.
    """

    predictions: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    explode: Callable[[Record, str], Iterator[Record]] | None = None


PRESETS: Mapping[str, Preset] = {
    "none": Preset(),
    "kserve": Preset(explode=payloads.kserve),
    "seldon": Preset(explode=payloads.seldon),
    "bentoml": Preset(
        predictions={"id": "request_id", "version": "bento_meta.bento_version"},
        labels={"id": "request_id", "timestamp": "timestamp"},
    ),
    "sagemaker": Preset(explode=payloads.sagemaker),
    "azureml": Preset(explode=payloads.azureml),
    "databricks": Preset(explode=payloads.databricks),
    "vertex": Preset(explode=payloads.vertex),
    "evidently": Preset(
        predictions={"id": "id", "timestamp": "datetime"},
        labels={"id": "id", "label": "target", "timestamp": "datetime"},
    ),
    "nannyml": Preset(
        predictions={"id": "identifier", "prediction": "y_pred", "score": "y_pred_proba"},
        labels={"id": "identifier", "label": "y_true", "timestamp": "timestamp"},
    ),
}


class PresetSource:
    """A source whose rows are exploded."""

    def __init__(self, source: Source, explode: Callable[[Record, str], Iterator[Record]]) -> None:
        self._source = source
        self._explode = explode

    def read(self, cursors: Mapping[str, Cursor], *, final: bool = False) -> Iterator[Batch]:
        """Yield the records of what the source yields."""
        for batch in self._source.read(cursors, final=final):
            yield Batch(batch.file, self._table(batch.table, batch.file), batch.cursor)

    def sample(self) -> tuple[str, pa.Table] | None:
        """Return the records of the first rows; None if they hold none."""
        found = self._source.sample()
        if found is None:
            return None
        table = self._table(found[1], found[0])
        return (found[0], table) if table.num_rows else None

    def _table(self, table: pa.Table, where: str) -> pa.Table:
        if not table.num_rows:
            return table
        try:
            rows = [record for row in table.to_pylist() for record in self._explode(row, where)]
        except (ValueError, TypeError, LookupError, AttributeError, csv.Error) as error:
            # The type only: what is in a payload is nobody's business in a log.
            raise SourceError(
                f"{where}: a record is not one of this preset ({type(error).__name__}); "
                "check `preset`"
            ) from error
        return records_table(rows) if rows else NOTHING


def opener(preset: Preset, opened: Callable[[], Source]) -> Callable[[], Source]:
    """Return what opens a source and reads it by a preset."""
    explode = preset.explode
    return opened if explode is None else lambda: PresetSource(opened(), explode)
