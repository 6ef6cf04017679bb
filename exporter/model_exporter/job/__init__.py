"""The exporter job: joins late labels to logged predictions and serves quality and drift.

::

    sources -> ingest -> join -> tiles -> windows -> scores, drift -> snapshot -> /metrics
"""
