"""What a port of ours asks of its clients, whichever server listens on it.

Prometheus' web configuration file (TLS, client certificates, users, headers, rate) read and
enforced; no socket is listened on and no thread started here.
"""
