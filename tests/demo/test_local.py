"""Nothing that the demo starts talks to another machine."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from model_exporter.demo import stack
from model_exporter.demo.processes import Processes, fetch, free_port

URL = re.compile(r"https?://[^\s\"'}]+")


@pytest.fixture
def alertmanager(tmp_path):
    """Return the configuration that the demo gives to Alertmanager."""
    return stack.write_alertmanager(tmp_path, factor=360, receiver_url="http://127.0.0.1:1234")


def test_alertmanager_only_sends_to_the_receiver(alertmanager):
    """Each integration has an address of the loopback interface; so has Slack's secret."""
    config = yaml.safe_load(alertmanager.read_text("utf-8"))
    assert set(map(loopback, URL.findall(json.dumps(config)))) == {True}
    secret = config["global"]["slack_api_url_file"]
    assert loopback(Path(secret).read_text("utf-8"))
    for receiver in config["receivers"]:
        for kind, integrations in receiver.items():
            if kind in ("webhook_configs", "pagerduty_configs"):
                assert all(loopback(i["url"]) for i in integrations)
            else:
                assert kind in ("name", "slack_configs"), "an integration the demo does not know"


def loopback(url):
    return url.startswith("http://127.0.0.1:")


def test_alertmanager_keeps_routes_and_inhibitions(alertmanager):
    """Only addresses, secrets and times are replaced."""
    shipped = yaml.safe_load((stack.SHIPPED_ALERTING / "alertmanager.yml").read_text("utf-8"))
    ours = yaml.safe_load(alertmanager.read_text("utf-8"))
    assert ours["inhibit_rules"] == shipped["inhibit_rules"]
    routes = [[r.get("matchers") for r in c["route"]["routes"]] for c in (ours, shipped)]
    assert routes[0] == routes[1]
    assert [r["name"] for r in ours["receivers"]] == [r["name"] for r in shipped["receivers"]]


def test_amtool_accepts_it(alertmanager, require_tool):
    """The real tool reads the configuration, secrets and templates."""
    command = [require_tool("amtool"), "check-config", str(alertmanager)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


FAKE_GRAFANA = """#!/usr/bin/env python3
import http.server, json, os
environment = {k: v for k, v in os.environ.items() if k.startswith("GF_")}
root = environment["GF_PATHS_PROVISIONING"]
assert os.listdir(root + "/datasources") and os.listdir(root + "/dashboards")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(environment).encode())
address = environment["GF_SERVER_HTTP_ADDR"], int(environment["GF_SERVER_HTTP_PORT"])
http.server.HTTPServer(address, Handler).serve_forever()
"""


def test_grafana_is_started_and_ended(tmp_path, monkeypatch):
    """With a stand-in for Grafana: it gets its settings, files and a port, and is ended."""
    program = tmp_path / "bin" / "grafana-server"
    program.parent.mkdir()
    program.write_text(FAKE_GRAFANA)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with Processes(tmp_path) as processes:
        url = stack._grafana(processes, tmp_path, f"http://127.0.0.1:{free_port()}")
        settings = json.loads(fetch(f"{url}/api/health"))
    assert settings["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert settings["GF_ANALYTICS_REPORTING_ENABLED"] == "false"
    found = list((tmp_path / "grafana" / "dashboards").glob("*.json"))
    assert len(found) == len(stack.DASHBOARDS)
    with pytest.raises(OSError):
        fetch(url)
