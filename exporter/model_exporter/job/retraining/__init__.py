"""Starts a retraining when, and only when, it is due.

::

    Alertmanager -> alert -> decision -> outbox -> call -> CI, Airflow, Argo, Jenkins, any URL
                                 |
                              journal

Alertmanager delivers at least once, cannot sign, and may lose "resolved". So who calls shows a
token, every decision is on the disk before it is acted on, and nothing waits for the end of an
alert.
"""
