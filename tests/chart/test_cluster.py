"""A real API server takes the chart, under the restricted standard for pods.

`make cluster` builds etcd and kube-apiserver; without them this is skipped. There is no kubelet:
nothing is started.
"""

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_exporter.demo.processes import free_port

BUILT = Path(__file__).parents[2] / ".venv/cluster"
TOKEN = "a-token-of-this-test"
NAMESPACES = ("models", "monitoring")
RESTRICTED = {"pod-security.kubernetes.io/" + m: "restricted" for m in ("enforce", "warn")}
PATIENCE = 60.0


class Cluster:
    """An API server, and what may be asked of it."""

    def __init__(self, address: str, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._address = address
        context = ssl._create_unverified_context()
        handlers = (urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, path: str, body: object = None) -> Any:
        """GET, or POST a body."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, data, headers)
        with self._opener.open(request, timeout=30) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text


def program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path=str(BUILT))
    if path is None:
        pytest.skip(f"{name} is missing, `make cluster` builds it: no API server is asked")
    return path


def started(running: ExitStack, folder: Path, *words: str) -> None:
    log = running.enter_context((folder / f"{Path(words[0]).name}.log").open("w"))
    child = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder)
    running.callback(child.wait, PATIENCE)
    running.callback(child.terminate)


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, custom_resources: list[dict[str, Any]]
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    etcd, peers, port = free_port(), free_port(), free_port()
    subprocess.run(["openssl", "genrsa", "-out", folder / "key"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
    address = f"https://127.0.0.1:{port}"
    server = {"server": address, "insecure-skip-tls-verify": True}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": server}],
        "users": [{"name": "it", "user": {"token": TOKEN}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    with ExitStack() as running:
        clients = f"http://127.0.0.1:{etcd}"
        started(
            *(running, folder, program("etcd"), "--data-dir=etcd"),
            *(f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}"),
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
        )
        started(
            *(running, folder, program("kube-apiserver"), f"--etcd-servers={clients}"),
            *("--bind-address=127.0.0.1", f"--secure-port={port}", "--cert-dir=certificates"),
            *("--service-account-issuer=https://it", "--service-account-key-file=key"),
            *("--service-account-signing-key-file=key", "--token-auth-file=tokens.csv"),
            *("--disable-admission-plugins=ServiceAccount", "--authorization-mode=RBAC"),
            "--service-cluster-ip-range=10.96.0.0/16",
        )
        found = Cluster(address, folder / "kubeconfig")
        wait_for(found, "/readyz")
        prepare(found, custom_resources)
        yield found


def wait_for(cluster: Cluster, path: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            cluster.ask(path)
        except OSError:
            assert time.monotonic() < deadline, f"{path} does not answer"
            time.sleep(0.2)
        else:
            return


def prepare(cluster: Cluster, custom_resources: list[dict[str, Any]]) -> None:
    for one in custom_resources:
        cluster.ask("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", one)
    for name in NAMESPACES:
        metadata = {"name": name, "labels": RESTRICTED}
        cluster.ask("/api/v1/namespaces", {"metadata": metadata})
    for one in custom_resources:
        spec = one["spec"]
        version = next(version["name"] for version in spec["versions"] if version["storage"])
        wait_for(cluster, f"/apis/{spec['group']}/{version}/{spec['names']['plural']}")


def helm(cluster: Cluster, helm: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Helm, which passes on what the server warns of."""
    command = [helm, *map(str, words), "--namespace", "models"]
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done


def test_every_case_is_installed_upgraded_and_removed(
    cluster: Cluster, case: Path, chart: Path, require_tool: Callable
) -> None:
    tool, name = require_tool("helm"), case.name.removesuffix("-values.yaml")
    installed = helm(cluster, tool, "install", name, chart, "--values", case)
    assert "STATUS: deployed" in installed.stdout
    changed = ("--values", case, "--set", "commonLabels.changed=yes")
    upgraded = helm(cluster, tool, "upgrade", name, chart, *changed)
    for done in (installed, upgraded):
        assert "violate" not in done.stderr
        assert "unknown field" not in done.stderr
    helm(cluster, tool, "rollback", name, "1")
    helm(cluster, tool, "uninstall", name)


def test_pods_are_admitted_as_restricted(cluster: Cluster, case: Path, render: Callable) -> None:
    for one in render(case):
        template = one if one["kind"] == "Pod" else one.get("spec", {}).get("template")
        if template is None:
            continue
        spec = template["spec"] | {"priorityClassName": None, "runtimeClassName": None}
        claimed = {mount["name"] for c in spec["containers"] for mount in c.get("volumeMounts", ())}
        volumes = list(spec.get("volumes", ()))
        absent = claimed - {volume["name"] for volume in volumes}
        spec["volumes"] = [*volumes, *({"name": name, "emptyDir": {}} for name in absent)]
        body = {"metadata": {"name": "pod"}, "spec": spec}
        cluster.ask("/api/v1/namespaces/models/pods?dryRun=All", body)


def test_a_pod_that_is_not_restricted_would_be_refused(cluster: Cluster) -> None:
    body = {"metadata": {"name": "pod"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    with pytest.raises(urllib.error.HTTPError) as refused:
        cluster.ask("/api/v1/namespaces/models/pods?dryRun=All", body)
    assert "violates PodSecurity" in refused.value.read().decode()
