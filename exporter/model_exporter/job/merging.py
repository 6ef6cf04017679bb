"""The SQL that takes staged records into the tables, and forgets old ones."""

from model_exporter.job import shadow
from model_exporter.job.columns import sql_text
from model_exporter.job.config import ModelConfig
from model_exporter.job.staging import digest_of
from model_exporter.job.tables import HOUR, TILES, names_of, truth_columns
from model_exporter.records import LabelOutcome

UNIQUE = "SELECT count(*) = count(DISTINCT key) FROM incoming"

# Of a prediction that is logged twice with unlike content, the first counts.

STORED = (
    "CREATE OR REPLACE TEMP TABLE stored AS SELECT * FROM prediction SEMI JOIN incoming USING (key)"
)


def first_logged(model: ModelConfig) -> list[str]:
    """Return the statements that have `incoming` and `stored` keep one prediction of each id."""
    if model.shadow:
        return shadow.first_logged(digest_of(model, "predictions"))
    new, old = (digest_of(model, "predictions", f"{table}.") for table in ("i", "s"))
    return [
        "CREATE OR REPLACE TEMP TABLE winners AS SELECT i.* FROM (SELECT * FROM incoming i "
        f"QUALIFY row_number() OVER (PARTITION BY key ORDER BY ts, {new}) = 1) i "
        "LEFT JOIN stored s USING (key) WHERE s.key IS NULL OR i.ts < s.ts "
        f"OR (i.ts = s.ts AND {new} < {old})",
        "CREATE OR REPLACE TEMP VIEW incoming AS SELECT * FROM winners",
        "DELETE FROM stored WHERE key NOT IN (SELECT key FROM winners)",
        "DELETE FROM prediction WHERE key IN (SELECT key FROM stored)",
    ]


WITH_LABELS = (
    "CREATE OR REPLACE TEMP TABLE adopted AS SELECT key FROM orphan SEMI JOIN incoming USING (key) "
    "UNION SELECT key FROM stored"
)
ADD_PREDICTIONS = (
    "INSERT INTO prediction BY NAME SELECT * FROM incoming",
    "DELETE FROM orphan WHERE key IN (SELECT key FROM adopted)",
)

# Of labels, every record is kept: which of them counts is decided when they are paired.

KNOWN_LABELS = (
    "CREATE OR REPLACE TEMP TABLE known AS SELECT * FROM label SEMI JOIN incoming USING (key)"
)


def new_labels(model: ModelConfig, *, unique: bool) -> list[str]:
    """Return the statements that name the label records that are not known yet.

    `unique` tells that there is one of each id, with those that are known, so that all are new.
    """
    if unique:
        return ["CREATE OR REPLACE TEMP VIEW news AS SELECT * FROM incoming"]
    record = f"key, ts, {names_of(truth_columns(model))}"
    return [
        f"CREATE OR REPLACE TEMP TABLE unseen AS SELECT DISTINCT {record} FROM incoming "
        f"ANTI JOIN known USING ({record})",
        "CREATE OR REPLACE TEMP VIEW news AS SELECT * FROM unseen",
    ]


ADD_LABELS = "INSERT INTO label BY NAME SELECT *, $arrived AS arrived FROM news"
UNMATCHED = (
    "SELECT (SELECT count(*) FROM pair WHERE sign >= 0) < (SELECT count(*) FROM changed_label)"
)
ADD_ORPHANS = (
    "INSERT INTO orphan SELECT DISTINCT key FROM news ANTI JOIN pair USING (key) "
    "ANTI JOIN orphan USING (key)"
)
BECAME_VALID = (
    "CREATE OR REPLACE TEMP TABLE touched AS SELECT key FROM prediction WHERE ts > $was "
    "AND ts <= $now UNION SELECT key FROM label WHERE ts > $was AND ts <= $now"
)
ALL_ORPHANS = "INSERT INTO orphan SELECT DISTINCT key FROM label ANTI JOIN prediction USING (key)"


def forget(model: ModelConfig, horizon: int) -> list[str]:
    """Return the statements that forget predictions before an hour, and labels that found none.

    Labels that wait for a prediction from before it can no longer be matched: they expire.
    """
    old = f"SELECT key FROM prediction WHERE ts < {horizon}"
    unmatched = (
        "SELECT key FROM orphan SEMI JOIN (SELECT key FROM label GROUP BY key "
        f"HAVING max(ts) < {horizon}) USING (key)"
    )
    forgotten = f"{old} UNION ALL SELECT key FROM expired"
    gone = (
        shadow.forget(horizon, forgotten)
        if model.shadow
        else [
            f"CREATE OR REPLACE TEMP TABLE forgotten AS {forgotten}",
            *(
                f"DELETE FROM {table} WHERE key IN (SELECT key FROM forgotten)"
                for table in ("label", "labeled", "orphan", "prediction")
            ),
        ]
    )
    return [
        f"CREATE OR REPLACE TEMP TABLE expired AS {unmatched}",
        f"INSERT INTO lifetime SELECT '', 'ledger', {sql_text(LabelOutcome.EXPIRED)}, '', count(*) "
        "FROM label SEMI JOIN expired USING (key)",
        *gone,
        *(f"DELETE FROM {kind} WHERE slot < {horizon // HOUR}" for kind in TILES),
    ]


def recent(horizon: int) -> str:
    """Return the statement that has `incoming` leave out predictions that would be forgotten."""
    return (
        "CREATE OR REPLACE TEMP VIEW incoming AS SELECT * EXCLUDE (reason) FROM staged "
        f"WHERE reason IS NULL AND ts >= {horizon}"
    )


WAITING = (
    "SELECT (SELECT count(*) FROM label SEMI JOIN orphan USING (key) WHERE ts <= $now) "
    "+ (SELECT count(*) FROM label SEMI JOIN (SELECT key FROM prediction WHERE ts > $now) "
    "USING (key) WHERE ts <= $now)"
)


def waiting(model: ModelConfig) -> str:
    """Return the query of the number of label records whose prediction is not known."""
    return shadow.WAITING if model.shadow else WAITING


def near(table: str, keys: str) -> str:
    """Return the query of the rows of a table whose key is in another."""
    return f"SELECT * FROM {table} SEMI JOIN {keys} USING (key)"
