"""What runs inside the user's process: decorator, recorder, fold, collector, log and server.

::

    wrap, track, estimator ──> recorder ──> fold ──> counters ──> collector ──> exposition, server
    streams, follow                          ├────> window
    capture, outputs                         └────> log

A call only appends to the recorder. The fold turns many appended calls at once into counts, in a
background thread or at scrape; the collector renders the counts; the log writes the rows.
"""
