"""The SQL of the store that differs where several versions score the same ids.

A prediction is then one of an id by a version. What is taken in or looked at is always all
predictions of an id together, so that what replaces them by id stays right. A label joins all
versions of its id; the ledger counts it once, by what became of it with the prediction that was
logged first.
"""

LEAD = "row_number() OVER (PARTITION BY key, before ORDER BY ts, version) = 1"
"""Of the predictions of an id as they were, or as they are; those that are not known yet are later
than those that are, and change nothing."""


def first_logged(digest: str) -> list[str]:
    """Return what `merging.first_logged` does; `digest` is the expression of a row's.

    `incoming` then holds the unchanged versions of an id as well.
    """
    return [
        f"CREATE OR REPLACE TEMP TABLE merged AS SELECT *, {digest} AS digest FROM "
        "(SELECT * FROM incoming UNION ALL BY NAME SELECT * FROM stored) "
        f"QUALIFY row_number() OVER (PARTITION BY key, version ORDER BY ts, {digest}) = 1",
        "CREATE OR REPLACE TEMP TABLE winners AS SELECT * EXCLUDE (digest) FROM merged SEMI JOIN "
        f"(SELECT key FROM merged ANTI JOIN (SELECT key, version, {digest} AS digest FROM stored) "
        "USING (key, version, digest)) USING (key)",
        "CREATE OR REPLACE TEMP VIEW incoming AS SELECT * FROM winners",
        "DELETE FROM stored WHERE key NOT IN (SELECT key FROM winners)",
        "DELETE FROM prediction WHERE key IN (SELECT key FROM stored)",
    ]


_AHEAD = "(SELECT key FROM prediction WHERE ts > $now)"
WAITING = (
    "SELECT (SELECT count(*) FROM label SEMI JOIN orphan USING (key) WHERE ts <= $now) "
    f"+ (SELECT count(*) FROM label SEMI JOIN {_AHEAD} USING (key) "
    f"ANTI JOIN (SELECT key FROM prediction SEMI JOIN {_AHEAD} USING (key) WHERE ts <= $now) "
    "USING (key) WHERE ts <= $now)"
)


def forget(horizon: int, forgotten: str) -> list[str]:
    """Return the statements that forget rows; labels stay while a version of their id does.

    `forgotten` is the query of the keys of predictions before the horizon and of labels that
    expired.
    """
    kept = f"SELECT key FROM prediction SEMI JOIN forgotten USING (key) WHERE ts >= {horizon}"
    return [
        f"CREATE OR REPLACE TEMP TABLE forgotten AS {forgotten}",
        f"DELETE FROM forgotten WHERE key IN ({kept})",
        *(f"DELETE FROM {table} WHERE ts < {horizon}" for table in ("labeled", "prediction")),
        *(
            f"DELETE FROM {table} WHERE key IN (SELECT key FROM forgotten)"
            for table in ("label", "orphan")
        ),
    ]
