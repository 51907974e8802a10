"""YAML documents that know their lines, and faults told in the words of their writer."""

from __future__ import annotations

import difflib
import os
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jitgym.errors import PlacedError, ScenarioError

Place = tuple[str | int, ...]
"""Keys and list positions that lead to a part of a document."""

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # a PyYAML that was built without libyaml
    _Loader = yaml.SafeLoader


@dataclass(frozen=True)
class Document:
    """Plain data with the line of each of its parts."""

    name: str  # the file, as the person named it
    data: Any
    lines: dict[Place, int] = field(default_factory=dict)  # empty: not read from a text

    def where(self, place: Place) -> str:
        """``FILE, line N: PLACE`` with the line of the nearest part that is written."""
        known = next((n for n in range(len(place), -1, -1) if place[:n] in self.lines), None)
        line = "" if known is None else f", line {self.lines[place[:known]]}"
        dotted = ".".join(map(str, place))
        return f"{self.name}{line}: {dotted}" if dotted else f"{self.name}{line}"


def read(text: str, name: str) -> Document:
    """Parse YAML; raises ScenarioError for bad syntax, duplicate keys and aliases."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        data = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ScenarioError(f"{name}{line}: {error.problem}; expected valid YAML") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ScenarioError(f"{name}: {error}; expected valid YAML") from None
    document = Document(name, data, {(): 1})
    if root is not None:
        _note_lines(root, (), document, set())
    return document


def read_file(path: Path) -> Document:
    """Parse a YAML file; raises ScenarioError where it cannot be read."""
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ScenarioError(f"{path}: no such file; expected a scenario in YAML") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read ({error}); expected YAML text") from None


def _note_lines(node: yaml.Node, place: Place, document: Document, seen: set[int]) -> None:
    if id(node) in seen:
        raise ScenarioError(f"{document.where(place)}: an alias (*); expected the value itself")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, _key(key, place, document))
            document.lines[inner] = key.start_mark.line + 1
            _note_lines(value, inner, document, seen)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            document.lines[*place, position] = value.start_mark.line + 1
            _note_lines(value, (*place, position), document, seen)


def _key(node: yaml.Node, place: Place, document: Document) -> str:
    line = node.start_mark.line + 1
    where = f"{document.name}, line {line}: {'.'.join(map(str, (*place, node.value)))}"
    if node.tag != "tag:yaml.org,2002:str":
        kind = node.tag.rpartition(":")[2]
        raise ScenarioError(f"{where}: YAML reads this key as {kind}; expected text, in quotes")
    key = str(node.value)
    first = document.lines.get((*place, key))
    if first is not None:
        raise ScenarioError(f"{where}: duplicate key, first on line {first}; expected it once")
    return key


def write(data: Mapping[str, Any], path: Path | None = None) -> str:
    """YAML of plain data; with a path also a file that is never half-written."""
    text = yaml.safe_dump(
        tidy(data), sort_keys=False, default_flow_style=None, width=100, allow_unicode=True
    )
    if path is not None:
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    return text


def tidy(value: Any) -> Any:
    """The same value as plain YAML data: lists, mappings, and whole numbers without a point."""
    if isinstance(value, BaseModel):
        return tidy(value.model_dump(exclude_defaults=True))
    if isinstance(value, Mapping):
        return {key: tidy(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return tidy(value.tolist())
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def put(data: dict[str, Any], path: str, value: Any) -> None:
    """Set the part of plain data at a dotted path, making mappings on the way.

    Raises ValueError where the way leads through something that has no parts.
    """
    *way, last = path.split(".")
    node: Any = data
    for key in way:
        node = node.setdefault(key, {}) if isinstance(node, dict) else node[_position(node, key)]
    node[last if isinstance(node, dict) else _position(node, last)] = value


def _position(node: Any, key: str) -> int:
    if not isinstance(node, list):
        raise ValueError(f"{node!r} has no part {key!r}")
    if not key.isdigit() or int(key) >= len(node):
        raise ValueError(f"a list of {len(node)} has no part {key!r}; expected a position from 0")
    return int(key)


def suggest(name: str, known: Iterable[str]) -> str:
    """What was expected: the close names first, else all of them."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"expected one of {', '.join(known)}" if known else "none is known"


def explain(error: ValidationError, model: type[BaseModel], document: Document) -> ScenarioError:
    """The first fault that pydantic found, as an error with file, line, place and expectation."""
    faults: dict[Place, str] = {}
    found = error.errors(include_url=False)
    # A misspelled key is unknown and its right spelling missing: the first says more.
    for details in sorted(found, key=lambda details: details["type"] != "extra_forbidden"):
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, ScenarioError):  # it names a file and a line of its own
            return cause
        place = find(document.data, details, cause)
        faults.setdefault(place, _complaint(details, model))
    place, text = next(iter(faults.items()))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ScenarioError(f"{document.where(place)}: {text}{more}")


def find(data: Any, details: ErrorDetails, cause: object = None) -> Place:
    """Where in the document a fault of pydantic lies.

    Its location also names the kind of distribution or forecast (which may be a key beside it), the
    one of several forms, as <form>, and the value that a bare number stands for: none is written.
    """
    extra = cause.place if isinstance(cause, PlacedError) else ()
    place: list[str | int] = []
    node, kind = data, None
    for key in (*details["loc"], *extra):
        if key == kind or (isinstance(key, str) and key.startswith("<")):
            kind = None
            continue
        listed = isinstance(node, list) and isinstance(key, int) and key < len(node)
        if listed or (isinstance(node, dict) and key in node):
            node = node[key]
        elif not isinstance(node, dict):
            continue
        else:
            node = {}
        kind = (node.get("distribution") or node.get("method")) if isinstance(node, dict) else None
        place.append(key)
    return tuple(place)


_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "date_type": "a date YYYY-MM-DD",
    "tuple_type": "a list",
    "dict_type": "names with their values",
    "model_type": "names with their values",
    "too_short": "at least one entry",
    "model_attributes_type": "a number, or a mapping such as {distribution: poisson, mean: 5}",
    "union_tag_not_found": "a number, or a mapping such as {distribution: poisson, mean: 5}",
}

_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _complaint(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context, given = details["type"], details.get("ctx", {}), details["input"]
    if kind == "extra_forbidden":
        key, known = str(details["loc"][-1]), _keys(model, details["loc"][:-1])
        close = difflib.get_close_matches(key, known, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        return f"unknown key; expected one of {', '.join(known)}{hint}"
    if kind == "missing":
        return "is missing; expected a value"
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"is {given!r}; expected {words} {context[name]:g}"
    if kind == "literal_error":
        return f"is {given!r}; expected {context['expected']}"
    if kind == "union_tag_invalid":
        what = context["discriminator"].strip("'")
        return f"unknown {what} {context['tag']!r}; expected {context['expected_tags']}"
    if kind in _EXPECTED:
        return f"is {_shown(given)}; expected {_EXPECTED[kind]}{_hint(given)}"
    return str(context.get("error", details["msg"]))


def _shown(given: object) -> str:
    if isinstance(given, Mapping):
        return "a mapping"
    if isinstance(given, Sequence) and not isinstance(given, str):
        return "a list" if given else "empty"
    return "empty" if given is None else repr(given)


def _hint(given: object) -> str:
    """YAML 1.1 reads 1e3 as text."""
    try:
        return f" (YAML reads this as text; write {float(given)})" if isinstance(given, str) else ""
    except ValueError:
        return ""


def _keys(model: Any, loc: Iterable[str | int]) -> list[str]:
    """The keys that a model of ours has at a location of pydantic's."""
    for key in loc:
        model = _inside(_bare(model), key)
    bare = _bare(model)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return [about.alias or name for name, about in bare.model_fields.items()]
    return []


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated[] and None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return _bare(members[0]) if len(members) == 1 else tuple(map(_bare, members))
    return annotation


def _kinds(model: type[BaseModel]) -> tuple[object, ...]:
    """The values of a model's discriminating field."""
    named = model.model_fields.get("distribution") or model.model_fields.get("method")
    return () if named is None else get_args(named.annotation)


def _inside(annotation: Any, key: str | int) -> Any:
    if isinstance(annotation, tuple):  # the key names one of several distributions or forms
        models = [m for m in annotation if isinstance(m, type) and issubclass(m, BaseModel)]
        if str(key).startswith("<"):
            return next(iter(models), None)
        return next((m for m in models if key in _kinds(m)), None)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {
            about.alias or n: about.annotation for n, about in annotation.model_fields.items()
        }
        return fields.get(str(key))
    arguments = get_args(annotation)
    return arguments[-1 if get_origin(annotation) is dict else 0] if arguments else None
