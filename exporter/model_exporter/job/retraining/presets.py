"""What the services want to be sent: method, path, headers, and where parameters go.

Each function takes the keys of its service from the section `request`. Sources: GitHub's REST API
2022-11-28, GitLab's pipeline trigger API, Airflow's stable REST API v1 and v2, Argo Workflows' API,
Jenkins' remote access API.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from model_exporter.job.retraining.template import (
    IDEMPOTENCY_KEY,
    VARIABLES,
    RequestTemplate,
    check_variables,
)
from model_exporter.job.secret import take_secret
from model_exporter.job.sources.address import (
    Credentials,
    take_ca_file,
    take_credentials,
    take_url,
)
from model_exporter.job.yaml_section import Section

CONFLICT = 409
GITHUB = "https://api.github.com"
GITLAB = "https://gitlab.com"
EXAMPLE = "https://train.example.com"
NAME_LENGTH = 30
"""Of an Argo template in the name of its workflow: with the key 63, as much as a label holds."""


def read_request(section: Section) -> RequestTemplate:
    """Take the section `request`."""
    preset = PRESETS[section.choice("type", PRESETS)]
    template = preset(section, section.duration("timeout", default="30s").seconds)
    section.finish()
    return template


def _github(section: Section, seconds: float) -> RequestTemplate:
    base = take_url(section, example=GITHUB, default=GITHUB).rstrip("/")
    owner, _, name = section.text("repository", expected="owner/name").partition("/")
    if not owner or not name or "/" in name:
        section.refuse("expected owner/name", key="repository")
    workflow, event = section.text("workflow", default=""), section.text("event", default="")
    if bool(workflow) == bool(event):
        section.refuse("give either `workflow`, a file such as retrain.yml, or `event`, a name")
    repository = f"{base}/repos/{quote(owner, safe='')}/{quote(name, safe='')}"
    if workflow:
        url = f"{repository}/actions/workflows/{quote(workflow, safe='')}/dispatches"
        body = {"ref": section.text("ref", default="main"), "inputs": _parameters(section)}
    else:
        url = f"{repository}/dispatches"
        body = {"event_type": event, "client_payload": _parameters(section)}
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    credentials = take_credentials(section)
    return RequestTemplate(
        url, _literal(body), headers=headers, credentials=credentials, seconds=seconds
    )


def _gitlab(section: Section, seconds: float) -> RequestTemplate:
    base = take_url(section, example=GITLAB, default=GITLAB).rstrip("/")
    project = quote(section.text("project", expected="group/name, or a number"), safe="")
    token = take_secret(section, "token")
    if token is None:
        section.refuse("the key 'token_file' is missing; name a file with the trigger token")
    fields = {f"variables[{name}]": text for name, text in _parameters(section).items()}
    return RequestTemplate(
        f"{base}/api/v4/projects/{project}/trigger/pipeline",
        _literal({"ref": section.text("ref", default="main")}) | fields,
        form=True,
        credentials=Credentials(ca_file=take_ca_file(section)),
        secret_field=("token", token),
        seconds=seconds,
    )


def _airflow(section: Section, seconds: float) -> RequestTemplate:
    base = take_url(section, example=EXAMPLE).rstrip("/")
    api = section.choice("api", ("v1", "v2"), default="v2")
    dag = quote(section.text("dag"), safe="")
    body: dict[str, Any] = {"dag_run_id": "retraining-$idempotency_key"}
    if api == "v2":
        body["logical_date"] = None  # must be there, and null lets two runs of one date be
    return RequestTemplate(
        f"{base}/api/{api}/dags/{dag}/dagRuns",
        body | {"conf": _parameters(section)},
        credentials=take_credentials(section),
        known=frozenset({CONFLICT}),
        seconds=seconds,
    )


def _argo(section: Section, seconds: float) -> RequestTemplate:
    base = take_url(section, example=EXAMPLE).rstrip("/")
    namespace = section.text("namespace")
    template, event = section.text("template", default=""), section.text("event", default="")
    if bool(template) == bool(event):
        section.refuse("give either `template`, a WorkflowTemplate, or `event`, a discriminator")
    parameters = _parameters(section)
    body: Any = parameters
    url = f"{base}/api/v1/events/{quote(namespace, safe='')}/{quote(event, safe='')}"
    if template:
        url = f"{base}/api/v1/workflows/{quote(namespace, safe='')}/submit"
        name = template[:NAME_LENGTH].rstrip("-.")
        body = _literal({"namespace": namespace, "resourceName": template}) | {
            "resourceKind": "WorkflowTemplate",
            "submitOptions": {
                "name": f"{name}-$idempotency_key",
                "parameters": [f"{_escaped(key)}={text}" for key, text in parameters.items()],
            },
        }
    return RequestTemplate(
        url,
        body,
        credentials=take_credentials(section),
        known=frozenset({CONFLICT} if template else ()),
        seconds=seconds,
    )


def _jenkins(section: Section, seconds: float) -> RequestTemplate:
    base = take_url(section, example=EXAMPLE).rstrip("/")
    job = section.text("job", expected="the name of a job, with its folders: folder/name")
    path = "".join(f"/job/{quote(part, safe='')}" for part in job.strip("/").split("/"))
    return RequestTemplate(
        f"{base}{path}/buildWithParameters",
        _parameters(section),
        form=True,
        credentials=take_credentials(section),
        seconds=seconds,
    )


def _url(section: Section, seconds: float) -> RequestTemplate:
    headers = section.mapping("headers")
    for name, value in headers.items():
        if not name.isascii() or not f"{name}{value}".isprintable() or ":" in name:
            section.refuse(f"{name!r} is no header", key="headers")
        if name.lower() in ("authorization", IDEMPOTENCY_KEY.lower(), "content-length"):
            section.refuse(
                f"{name} is not written here; use `token_file`, or `username` and `password_file`",
                key="headers",
            )
    body = section.tree("body", default={name: f"${name}" for name in VARIABLES})
    check_variables(section, "body", body)
    return RequestTemplate(
        take_url(section, example=EXAMPLE),
        body,
        method=section.choice("method", ("POST", "PUT"), default="POST"),
        headers=headers,
        credentials=take_credentials(section),
        seconds=seconds,
    )


PRESETS: Mapping[str, Callable[[Section, float], RequestTemplate]] = {
    "github": _github,
    "gitlab": _gitlab,
    "airflow": _airflow,
    "argo": _argo,
    "jenkins": _jenkins,
    "url": _url,
}


def _parameters(section: Section) -> dict[str, str]:
    parameters = dict(section.mapping("parameters"))
    check_variables(section, "parameters", parameters)
    return parameters


def _literal(texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return texts of the configuration that are no templates, as templates."""
    return {key: _escaped(v) if isinstance(v, str) else v for key, v in texts.items()}


def _escaped(text: str) -> str:
    return text.replace("$", "$$")
