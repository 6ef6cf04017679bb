"""Recording and alert rules: tables in Python, rendered as Prometheus rule files."""
