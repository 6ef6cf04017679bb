"""Thin adapters to serving frameworks; none ships yet: use `ModelMonitor` as a decorator."""
