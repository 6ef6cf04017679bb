"""Placeholder until the sidecar lands."""


class ModelMonitor:
    """Placeholder."""
