"""Thin adapters to serving frameworks, one file each; a file imports its own framework only.

None is needed to be monitored: a `ModelMonitor` decorates any function. They mount ``/metrics`` in
an application that is there already, find the features in what a framework hands to a model, and
carry the id of a request into the prediction log.
"""
