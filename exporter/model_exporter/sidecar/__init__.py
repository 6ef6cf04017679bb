"""What runs inside the user's process: decorator, recorder, fold, collector, log and server.

::

    wrap, track, estimator ──> recorder ──> fold ──> counters ──> collector ──> exposition
    streams, follow                          ├────> window          (gather)
    capture, outputs                         └────> log

    server ──> connection, tls      who is connected, never waited for
       └─────> site, web            what is answered, and to whom
    batch_job ──> deliver           for jobs that nobody scrapes

A call only appends to the recorder. The fold turns many appended calls at once into counts, in a
background thread or at scrape; the collector renders the counts; the log writes the rows.
"""
