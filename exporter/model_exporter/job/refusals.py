"""Records that are refused, as they were read: for the quarantine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from model_exporter.job import staging
from model_exporter.job.config import ModelConfig
from model_exporter.job.session import Session
from model_exporter.job.sources import Batch

MAX_REFUSED = 20_000
"""Records that one transaction may put into quarantine; those beyond are counted, not kept."""


def read_refused(
    session: Session, model: ModelConfig, source: str, batches: Sequence[Batch]
) -> list[dict[str, Any]]:
    """Return the records of staged batches that are refused for the first time."""
    found: dict[int, dict[str, Any]] = {}
    for batch in batches:
        table = batch.table.append_column(staging.PLACE, pa.array(np.arange(batch.table.num_rows)))
        refused = session.query_batch(table, staging.refused(model, source, table.schema))
        places = pa.array([place for place, _, _ in refused][:MAX_REFUSED], pa.int64())
        for record, (place, reason, digest) in zip(
            batch.table.take(places).to_pylist(), refused, strict=False
        ):
            found.setdefault(
                digest,
                {
                    "source": source,
                    "file": batch.file,
                    "row": place + 1,
                    "rows_end_at": batch.cursor.position,
                    "reason": reason,
                    "record": record,
                },
            )
        if len(found) > MAX_REFUSED:
            break
    return list(found.values())
