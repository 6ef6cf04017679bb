"""Secrets of the configuration: from the environment or from a file, never written out."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from model_exporter.errors import SourceError
from model_exporter.job.redaction import hide
from model_exporter.job.yaml_section import Section

VARIABLE = re.compile(r"\$\{(\w+)\}")
HIDDEN = "<secret>"


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is; read anew at each use, so that it may be rotated."""

    variable: str = field(default="", repr=False)
    file: Path | None = field(default=None, repr=False)

    def read(self) -> str:
        """Return the secret.

        Raises
        ------
        SourceError
            If the variable is not set, or the file cannot be read, or either is empty.
        """
        if self.file is None:
            value = os.environ.get(self.variable, "")
            if not value:
                raise SourceError(f"the environment variable {self.variable} is not set; set it")
            hide(value)
            return value
        try:
            value = self.file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{self.file}: cannot read the secret: {error}") from error
        if not value:
            raise SourceError(f"{self.file}: the file of the secret is empty")
        hide(value)
        return value


def take_secret(section: Section, key: str) -> Secret | None:
    """Take ``<key>: ${VARIABLE}`` or ``<key>_file: path`` from a section; None if neither is there.

    A secret written out is refused: configuration files are committed, copied and shown.
    """
    text = section.text(key, default="", expected="${VARIABLE}")
    file = section.text(f"{key}_file", default="", expected="the path of a file")
    if text and file:
        section.refuse(f"`{key}` and `{key}_file` are both given; keep one", key=key)
    if file:
        return Secret(file=section.path.parent / Path(file).expanduser())
    if not text:
        return None
    found = VARIABLE.fullmatch(text)
    if found is None:
        section.refuse(
            f"a secret is not written here; write ${{VARIABLE}}, or name a file with `{key}_file`",
            key=key,
        )
    return Secret(variable=found[1])


def redacted(text: str, *secrets: str) -> str:
    """Return a text without the secrets that a library may have quoted in it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return text
