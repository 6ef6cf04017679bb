"""The public surface: what it is, and that it resolves."""

import subprocess
import sys

import pytest

import model_exporter


def test_every_public_name_resolves() -> None:
    assert sorted(model_exporter.__all__) == model_exporter.__all__
    for name in model_exporter.__all__:
        assert getattr(model_exporter, name).__module__.startswith("model_exporter.")
        assert name in dir(model_exporter)


def test_no_other_name_does() -> None:
    with pytest.raises(AttributeError, match="ModelMonitr"):
        _ = model_exporter.ModelMonitr


def test_importing_the_package_imports_nothing_heavy() -> None:
    """Model servers and jobs import it; each loads what it uses when it uses it."""
    program = (
        "import sys, model_exporter\n"
        "heavy = {'numpy', 'prometheus_client', 'scipy', 'duckdb', 'ibis', 'yaml', 'requests'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert out.stdout.strip() == "[]"
