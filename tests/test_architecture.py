"""The arrows between the modules, read from their imports, are those of the design.

::

    catalogue  records  errors  web       standard library only
       ^
    scores  estimates  drift  baseline    numpy, scipy; no clock, no log, no files but baseline's
       ^             ^
    tracking                              mlflow and tensorboardX, at first use
       ^             ^
    sidecar -> integrations   job         the sidecar: prometheus_client and numpy, and
                                          evaluation (over scores and drift) at first use
       ^             ^
    cli  demo        bundle -> catalogue only
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import model_exporter

SOURCE = Path(model_exporter.__file__).parent
STATISTICS = {"errors", "records", "distribution"}
FOUNDATION = {*STATISTICS, "catalogue", "baseline"}

BASELINE_PARTS = {"design_effect", "reference_errors", "reference_table"}
STATISTICAL = {"comparison", "scores", "estimates", "drift"}
PROCESSES = {"sidecar", "job", "bundle", "demo", "tracking"}
COMMANDS = {"cli_gate", "cli_job", "cli_report", "cli_tracking"}
GATE = {"gate", "gate_file", "gate_live"}
OURS: dict[str, set[str]] = {
    "catalogue": set(),
    "records": set(),
    "errors": set(),
    "distribution": {"errors", "records"},
    "design_effect": {"errors"},
    "reference_errors": set(),
    "reference_table": STATISTICS,
    "scores": STATISTICS,
    "estimates": {*STATISTICS, "reference_errors", "scores"},
    "comparison": {*STATISTICS, "scores"},
    "drift": {*STATISTICS, "baseline"},
    "evaluation": {*STATISTICS, "catalogue", "drift", "scores"},
    "baseline": {*STATISTICS, "baseline_quality", *BASELINE_PARTS},
    "baseline_quality": {*STATISTICS, "estimates", *BASELINE_PARTS, "scores"},
    "web": {"errors"},
    "tracking": {*STATISTICS, "catalogue", "baseline", "scores"},
    "sidecar": {*FOUNDATION, "evaluation", "tracking", "web"},
    "integrations": {*FOUNDATION, "sidecar"},
    "testing": {"sidecar"},
    "gate": {*FOUNDATION, "comparison", "drift", "reference_table", "scores"},
    "gate_file": {*FOUNDATION, "gate", "job", "tracking"},
    "gate_live": {*FOUNDATION, "gate", "gate_file", "job"},
    "report": {*FOUNDATION, "job"},
    "job": {*FOUNDATION, *STATISTICAL, "reference_errors", "tracking", "web"},
    "bundle": {"catalogue"},
    "demo": {*FOUNDATION, "scores", "drift", "sidecar", "job", "bundle", "demo"},
    "cli": {*FOUNDATION, *PROCESSES, *COMMANDS, "scores", "drift"},
    "cli_job": {"errors", "job", "cli_tracking"},
    "cli_gate": {*FOUNDATION, "cli_job", "cli_tracking", *GATE, "job", "tracking"},
    "cli_report": {"cli_job", "job", "report"},
    "cli_tracking": {"errors", "job", "tracking"},
    "__init__": {"baseline", "errors", "sidecar"},
    "__main__": {"cli"},
}
"""What a part may import of ours, itself apart."""

THEIRS: dict[str, set[str]] = {
    "catalogue": set(),
    "records": set(),
    "errors": set(),
    "distribution": {"numpy"},
    "design_effect": {"numpy"},
    "reference_errors": {"numpy"},
    "reference_table": set(),
    "scores": {"numpy", "scipy"},
    "estimates": {"numpy"},
    "comparison": {"numpy", "scipy"},
    "drift": {"numpy", "scipy"},
    "evaluation": {"matplotlib", "numpy"},
    "gate": {"numpy", "scipy"},
    "tracking": {"numpy"},
    "baseline": {"numpy"},
    "baseline_quality": {"numpy"},
    "web": set(),
    "sidecar": {"numpy", "prometheus_client"},
    "testing": {"numpy", "prometheus_client"},
    "__init__": set(),
}
"""What a part may import of others'; parts that are not here may import any dependency."""

FRAMEWORKS: dict[str, set[str]] = {
    "aiohttp": {"aiohttp"},
    "bentoml": {"prometheus_client"},
    "django": {"django", "asgiref"},
    "fastapi": {"fastapi"},
    "flask": {"flask"},
    "kserve": {"numpy"},
    "mlflow": set(),
    "starlette": {"starlette"},
}
"""What a file of `integrations` may import of others': whoever uses Flask has no Django."""

LAZY: dict[str, set[str]] = {
    "sidecar": {"opentelemetry", "pyarrow"},
    "web": {"bcrypt", "yaml"},
    "baseline_quality": {"estimates", "scores"},
    "tracking": {"mlflow", "scores", "tensorboardX"},
}
"""What may be imported inside functions only, so that who does not need it does not pay."""

NO_SIDE_EFFECTS = {"time", "datetime", "logging", "pathlib", "os", "io", "threading", "random"}
"""Not for the pure parts: no clock, no logging, no files."""
PURE = (
    *("catalogue", "records", "errors", "distribution", "reference_table", "baseline_quality"),
    *("reference_errors", "scores", "comparison", "estimates", "drift", "gate"),
)


class Import(NamedTuple):
    """One import: in which part and file, of what, and whether inside a function."""

    part: str
    file: str
    module: str
    lazy: bool

    def __str__(self) -> str:
        return f"{self.file} imports {self.module}"


def imports_of(tree: ast.AST, *, lazy: bool = False) -> Iterator[tuple[str, bool]]:
    """Return every imported module, with whether it is imported inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            modules = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from ((module, lazy) for module in modules)
        else:
            inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from imports_of(node, lazy=lazy or inside)


def all_imports() -> list[Import]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE)
        part = relative.parts[0].removesuffix(".py")
        tree = ast.parse(path.read_text("utf-8"))
        found += [Import(part, str(relative), *pair) for pair in imports_of(tree)]
    return found


IMPORTS = all_imports()


def ours(found: Import) -> str | None:
    """Return the part of ours that is imported; None if it is not ours."""
    package, _, rest = found.module.partition(".")
    if package != "model_exporter":
        return None
    target = rest.partition(".")[0]
    is_part = (SOURCE / target).is_dir() or (SOURCE / f"{target}.py").is_file()
    return target if is_part else "__init__"


def test_every_part_has_its_place() -> None:
    """A new module or package must be placed among the arrows first."""
    assert {found.part for found in IMPORTS} <= set(OURS)


@pytest.mark.parametrize("part", OURS)
def test_the_arrows_hold(part: str) -> None:
    """No part imports a part of ours that the design does not put below it."""
    allowed = {*OURS[part], part}
    wrong = []
    for found in IMPORTS:
        target = ours(found)
        if found.part != part or target is None or target in allowed:
            continue
        # The package itself holds the version and the public names, for whoever stands above it.
        if target == "__init__" and (
            part in ("cli", "cli_job", "demo") or found.module.endswith("__version__")
        ):
            continue
        wrong.append(str(found))
    assert wrong == []


@pytest.mark.parametrize("part", THEIRS)
def test_dependencies_stay_where_they_belong(part: str) -> None:
    """The parts that run in other people's processes, and the pure ones, import little."""
    allowed = {*THEIRS[part], *LAZY.get(part, ()), *sys.stdlib_module_names, "model_exporter"}
    wrong = [
        str(found)
        for found in IMPORTS
        if found.part == part and found.module.partition(".")[0] not in allowed
    ]
    assert wrong == []


def test_an_integration_imports_its_own_framework_only() -> None:
    """And none imports one that is not there: the package itself is imported by all of them."""
    wrong = []
    for found in IMPORTS:
        name = Path(found.file).stem
        allowed = {*FRAMEWORKS.get(name, ()), *sys.stdlib_module_names, "model_exporter"}
        if found.part == "integrations" and found.module.partition(".")[0] not in allowed:
            wrong.append(str(found))
    assert wrong == []


def test_heavy_imports_are_inside_functions() -> None:
    """What only some users need, only they import."""
    wrong = [
        str(found)
        for found in IMPORTS
        if not found.lazy
        and (ours(found) or found.module.partition(".")[0]) in LAZY.get(found.part, ())
    ]
    assert wrong == []


@pytest.mark.parametrize("part", PURE)
def test_pure_parts_have_no_clock_no_log_and_no_files(part: str) -> None:
    """Statistics are functions of their arguments."""
    wrong = [
        str(found)
        for found in IMPORTS
        if found.part == part and found.module.partition(".")[0] in NO_SIDE_EFFECTS
    ]
    assert wrong == []


def test_the_checks_can_fail() -> None:
    """The reader of imports sees each form, and tells lazy from eager."""
    tree = ast.parse("import a.b\nfrom c import d\ndef f():\n    import e\nif 1:\n    import g")
    assert list(imports_of(tree)) == [("a.b", False), ("c.d", False), ("e", True), ("g", False)]
