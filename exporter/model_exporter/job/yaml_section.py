"""YAML read strictly: every refusal names file, line and key, and says what to write instead.

Plain YAML loaders accept a repeated key, expand aliases without bound and forget line numbers.
`Section` walks the composed nodes itself, and refuses what nobody asked for.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from model_exporter.errors import ConfigError

MAX_BYTES = 1 << 20
DURATION_UNITS = {
    "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000,
}  # fmt: skip
DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
_CONSTRUCTOR = yaml.SafeLoader("")


def read_section(path: Path) -> "Section":
    """Read a YAML file whose top level is a mapping."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot read the configuration: {error.strerror}; check the path given"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the configuration is not UTF-8 text: {error}") from error
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes; this is no configuration")
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1  # type: ignore[union-attr]  # set by the scanner
                raise ConfigError(f"{path}:{line}: YAML aliases are not supported; write it out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    return Section(path, "", node)


class Section:
    """A mapping of the configuration, consumed key by key; `finish` refuses what is left."""

    def __init__(self, path: Path, key: str, node: yaml.Node | None) -> None:
        self.path = path
        self.key = key
        self.line = node.start_mark.line + 1 if node else 1
        self._nodes: dict[str, yaml.Node] = {}
        self._known: list[str] = []
        if not isinstance(node, yaml.MappingNode):
            self.refuse(f"a mapping was expected, found {_describe(node)}")
        for key_node, value_node in node.value:
            name = str(_plain(key_node))
            if name in self._nodes:
                self.refuse(
                    f"key {name!r} is given twice (first on line "
                    f"{self._nodes[name].start_mark.line + 1}); keep one",
                    line=key_node.start_mark.line + 1,
                )
            self._nodes[name] = value_node

    def refuse(self, problem: str, *, key: str = "", line: int | None = None) -> NoReturn:
        """Raise a ConfigError about a key of this section, or about the section."""
        if key and line is None and key in self._nodes:
            line = self._nodes[key].start_mark.line + 1
        where = ".".join(part for part in (self.key, key) if part)
        place = f"{self.path}:{line or self.line}"
        raise ConfigError(f"{place}: {where}: {problem}" if where else f"{place}: {problem}")

    def __contains__(self, key: str) -> bool:
        return key in self._nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def value(self, key: str, *, default: Any = ..., expected: str = "a value") -> Any:
        """Return a scalar as YAML types it; `default` where the key is absent."""
        node = self._take(key, default, expected)
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(f"expected {expected}, found {_describe(node)}", key=key)
        return _plain(node)

    def text(self, key: str, *, default: Any = ..., expected: str = "text") -> str:
        """Return a non-empty text; numbers are taken as written."""
        node = self._take(key, default, expected)
        if node is None:
            return default  # type: ignore[no-any-return]  # the caller's own default
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            self.refuse(f"expected {expected}, found {_describe(node)}", key=key)
        return str(node.value)

    def choice(self, key: str, options: Iterable[str], *, default: Any = ...) -> str:
        """Return one of the options."""
        known = list(options)
        value = self.text(key, default=default, expected=f"one of {', '.join(known)}")
        if value not in known:
            self.refuse(
                f"{value!r} is not one of {', '.join(known)}{nearest(value, known)}", key=key
            )
        return value

    def number(self, key: str, *, default: Any = ...) -> float:
        """Return a finite number."""
        value = self.value(key, default=default, expected="a number")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.refuse(f"expected a number, found {value!r}", key=key)
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.value(key, default=default, expected="true or false")
        if not isinstance(value, bool):
            self.refuse(f"expected true or false, found {value!r}", key=key)
        return value

    def duration(self, key: str, *, default: str, positive: bool = True) -> "Duration":
        """Return a duration such as ``30s``, ``1h30m`` or ``7d``."""
        return self._duration(self.text(key, default=default, expected="a duration"), key, positive)

    def optional_duration(self, key: str) -> "Duration | None":
        """Return a positive duration, or None where the key is absent."""
        text = self.text(key, default="", expected="a duration")
        return self._duration(text, key, positive=True) if text else None

    def durations(self, key: str, *, default: tuple[str, ...]) -> tuple["Duration", ...]:
        """Return a list of positive durations without repeats."""
        texts = self.texts(key, default=default)
        found = tuple(self._duration(text, key, positive=True) for text in texts)
        if len({d.seconds for d in found}) < len(found):
            self.refuse("two of the durations are the same; keep one", key=key)
        return found

    def texts(self, key: str, *, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a list of texts without repeats."""
        node = self._take(key, default, "a list")
        if node is None:
            return default
        if not isinstance(node, yaml.SequenceNode) or not all(
            isinstance(item, yaml.ScalarNode) and item.value for item in node.value
        ):
            self.refuse(f"expected a list such as [a, b], found {_describe(node)}", key=key)
        found = tuple(str(item.value) for item in node.value)
        repeated = next((text for text in found if found.count(text) > 1), None)
        if repeated is not None:
            self.refuse(f"{repeated!r} is listed twice; keep one", key=key)
        return found

    def section(self, key: str) -> "Section | None":
        """Return a nested mapping; None where the key is absent."""
        node = self._take(key, None, "a mapping")
        return None if node is None else self._child(key, node)

    def required_section(self, key: str, *, example: str) -> "Section":
        """Return a nested mapping that must be there."""
        if key not in self._nodes:
            self.refuse(f"the key {key!r} is missing; add, for example: {example}")
        return self._child(key, self._take(key, ..., "a mapping"))

    def sections(self, key: str, *, example: str) -> list["Section"]:
        """Return a non-empty list of mappings."""
        if key not in self._nodes:
            self.refuse(f"the key {key!r} is missing; add, for example: {example}")
        node = self._take(key, ..., "a list")
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.refuse(f"expected a list of mappings, found {_describe(node)}", key=key)
        return [self._child(f"{key}[{i}]", item) for i, item in enumerate(node.value)]

    def mapping(self, key: str) -> Mapping[str, str]:
        """Return a flat mapping of texts; empty where the key is absent."""
        section = self.section(key)
        return {} if section is None else {name: section.text(name) for name in section}

    def tree(self, key: str, *, default: Any = ...) -> Any:
        """Return whatever is there as plain dicts, lists and scalars, as JSON could hold it."""
        node = self._take(key, default, "a value")
        return default if node is None else self._tree(key, node)

    def is_mapping(self, key: str) -> bool:
        """Tell whether the key holds a mapping."""
        return isinstance(self._nodes.get(key), yaml.MappingNode)

    def finish(self) -> None:
        """Refuse keys that nobody asked for."""
        self.only(self._known)

    def only(self, known: Iterable[str]) -> None:
        """Refuse keys that are not among `known`."""
        names = list(dict.fromkeys(known))
        for key in self._nodes:
            if key not in names:
                near = nearest(key, names)
                self.refuse(f"unknown key{near}; known here: {', '.join(names)}", key=key)

    def _take(self, key: str, default: Any, expected: str) -> yaml.Node | None:
        self._known.append(key)
        if key in self._nodes:
            return self._nodes[key]
        if default is ...:
            self.refuse(f"the key {key!r} is missing; it takes {expected}")
        return None

    def _child(self, key: str, node: yaml.Node | None) -> "Section":
        return Section(self.path, f"{self.key}.{key}" if self.key else key, node)

    def _tree(self, key: str, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            child = self._child(key, node)
            return {name: child.tree(name) for name in child}
        if isinstance(node, yaml.SequenceNode):
            return [self._tree(f"{key}[{i}]", item) for i, item in enumerate(node.value)]
        value = _plain(node)
        if isinstance(value, float) and not math.isfinite(value):
            self.refuse(f"expected a number that JSON has, found {value}", key=key)
        return value if isinstance(value, (bool, int, float, type(None))) else str(node.value)

    def _duration(self, text: str, key: str, positive: bool) -> "Duration":
        found = parse_duration(text)
        if found is None:
            problem = "is negative" if text.startswith("-") else "is not a duration"
            self.refuse(f"{text!r} {problem}; write for example 30s, 1h30m or 7d", key=key)
        if positive and found.seconds <= 0:
            self.refuse(f"{text!r} is no time at all; write for example 30s, 1h30m or 7d", key=key)
        return found


class Duration:
    """A length of time, with the text it was written as (which becomes a label value)."""

    __slots__ = ("seconds", "text")

    def __init__(self, text: str, seconds: float) -> None:
        self.text = text
        self.seconds = seconds

    @property
    def microseconds(self) -> int:
        """The length in microseconds."""
        return round(self.seconds * 1_000_000)

    def __repr__(self) -> str:
        return f"Duration({self.text!r})"


def parse_duration(text: str) -> Duration | None:
    """Return a duration such as ``30s``, ``1h30m`` or ``7d``; None if the text is none."""
    if not DURATION.fullmatch(text):
        return None
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    return Duration(text, sum(int(count) * DURATION_UNITS[unit] for count, unit in parts))


def _plain(node: yaml.Node) -> Any:
    construct: Callable[[yaml.Node], Any] = _CONSTRUCTOR.construct_object
    return construct(node)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the question whether one of the known words was meant, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _describe(node: yaml.Node | None) -> str:
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return "nothing"
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else repr(node.value)
