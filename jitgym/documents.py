"""YAML documents that know their lines, and messages about faults in the words of their writer."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import math
import os
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jitgym.errors import PlacedError, ScenarioError

Model = TypeVar("Model", bound=BaseModel)

Place = tuple[str | int, ...]
"""The keys and list positions that lead to a part of a document."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # faster, in C

DEEPEST = 50
"""The largest number of nested levels in a document."""

LARGEST_DOCUMENT = 5_000_000
"""Bytes of a file; a plant with five thousand items needs about one million."""

LONGEST_NUMBER = 400
"""Digits; no valid number of a plant is nearly as long."""

LONGEST_SHOWN = 80
"""The largest number of characters that a message quotes."""


@dataclass(frozen=True)
class Document:
    """Plain data with the line of each of its parts."""

    name: str  # the file, as the user named it
    data: Any
    lines: dict[Place, int] = field(default_factory=dict)  # empty if it was not read from a text

    def where(self, place: Place) -> str:
        """``FILE, line N: PLACE``, with the line of the place or of the nearest part around it."""
        known = next((n for n in range(len(place), -1, -1) if place[:n] in self.lines), None)
        line = "" if known is None else f", line {self.lines[place[:known]]}"
        return f"{self.name}{line}: {_dotted(place)}" if place else f"{self.name}{line}"


def read(text: str, name: str) -> Document:
    """Parse YAML, in time proportional to its length.

    Raises ScenarioError for bad syntax, for anything but plain data (aliases, tags, several
    documents, duplicate keys), and for numbers that YAML reads differently from how they look.
    """
    if len(text) > LARGEST_DOCUMENT:
        raise ScenarioError(
            f"{name}: has {len(text):,} characters; expected at most {LARGEST_DOCUMENT:,}"
        )
    document = Document(name, None, {(): 1})
    try:
        return dataclasses.replace(document, data=_Reader(document).read(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        hint = _syntax_hint(error, text.splitlines())
        raise ScenarioError(f"{name}{line}: {error.problem}; expected valid YAML{hint}") from None
    except yaml.reader.ReaderError as error:
        where = f"{name}, line {text.count(chr(10), 0, error.position) + 1}"
        code = int(error.character)
        raise ScenarioError(f"{where}: holds the character #x{code:04x}; expected text") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, ScenarioError):
            raise
        reason = str(error).splitlines()[0]
        raise ScenarioError(f"{name}: {reason}; expected valid YAML") from None


def read_file(path: Path, what: str = "a YAML file") -> Document:
    """Parse a YAML file, called `what` in messages; raises ScenarioError if it cannot be read."""
    return read(read_text(path, what), str(path))


def read_as(path: Path, model: type[Model], what: str) -> Model:
    """Read a YAML file as a model. Raises ScenarioError with file, line and expectation."""
    document = read_file(path, what)
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise explain(error, model, document) from None


def read_text(path: Path, what: str = "a YAML file") -> str:
    """The text of a file; raises ScenarioError if it cannot be read or is too large."""
    if "\0" in str(path):
        raise ScenarioError(f"{str(path)!r}: has a null character; expected {what}")
    try:
        if path.is_dir():
            raise ScenarioError(f"{path}: is a folder; expected {what}")
        if not path.is_file():
            found = "is not an ordinary file" if path.exists() else "no such file"
            raise ScenarioError(f"{path}: {found}; expected {what}")
        size = path.stat().st_size
        if size > LARGEST_DOCUMENT:
            raise ScenarioError(
                f"{path}: has {size:,} bytes; expected {what} of at most {LARGEST_DOCUMENT:,}"
            )
        content = path.read_bytes()
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read ({error.strerror}); expected {what}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ScenarioError(
            f"{path}, line {line}: is not UTF-8; expected YAML text, saved as UTF-8"
        ) from None
    if "\0" in text:
        raise ScenarioError(f"{path}: is a binary file; expected YAML text, saved as UTF-8")
    return text


def value(text: str, name: str) -> Any:
    """One value written in YAML, such as 3, [1, 2] or {distribution: poisson, mean: 5}.

    Raises ScenarioError, with `name` in place of the file name.
    """
    try:
        return read(text, name).data
    except ScenarioError as error:
        said = re.sub(r"^, line \d+", "", str(error).removeprefix(name))
        raise ScenarioError(f"{name}{said}") from None


_RESOLVER: Any = yaml.resolver.Resolver()
_CONSTRUCTOR: Any = yaml.constructor.SafeConstructor()
_YAML = "tag:yaml.org,2002:"
_PLAIN = tuple(f"{_YAML}{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp"))
_CONTAINERS = (f"{_YAML}map", f"{_YAML}seq")


@dataclass
class _Open:
    """A mapping or list that is being read."""

    node: dict[str, Any] | list[Any]
    place: Place
    is_flow: bool
    key: str | None = None  # the key whose value comes next

    @property
    def next(self) -> Place:
        """The place of the next value."""
        return (*self.place, len(self.node) if self.key is None else self.key)


class _Reader:
    """Turns the events of the parser into plain data, in one pass and without recursion."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: list[_Open] = []
        self.data: Any = None

    def read(self, text: str) -> Any:
        """The data of a text; also records the line of each part in the document."""
        documents = 0
        for event in yaml.parse(text, Loader=_Loader):
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        self._fault(event, "a second document begins (---); expected one", ())
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self.open.pop()
                case yaml.NodeEvent():
                    self._take(event)
        return self.data

    def _take(self, event: Any) -> None:
        inner = self.open[-1] if self.open else None
        if inner is not None and isinstance(inner.node, dict) and inner.key is None:
            inner.key = self._key(event, inner)
            self.document.lines[inner.next] = event.start_mark.line + 1
            return
        place = () if inner is None else inner.next
        if place and isinstance(place[-1], int):
            self.document.lines[place] = event.start_mark.line + 1
        value = self._value(event, place)
        if inner is None:
            self.data = value
        elif isinstance(inner.node, dict):
            inner.node[str(inner.key)] = value
            inner.key = None
        else:
            inner.node.append(value)
        if isinstance(value, dict | list):
            self.open.append(_Open(value, place, bool(event.flow_style)))
            if len(self.open) > DEEPEST:
                self._fault(event, f"more than {DEEPEST} levels; expected fewer", place[:1])

    def _value(self, event: Any, place: Place) -> Any:
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, "an alias (*); expected the value itself", place)
        known = _PLAIN if isinstance(event, yaml.ScalarEvent) else _CONTAINERS
        if event.tag not in (None, "!", *known):
            tag = event.tag.replace(_YAML, "!!")
            self._fault(event, f"the tag {cut(tag)}; expected a plain value", place)
        if isinstance(event, yaml.MappingStartEvent):
            return {}
        if isinstance(event, yaml.SequenceStartEvent):
            return []
        return self._scalar(event, place)

    def _scalar(self, event: Any, place: Place) -> Any:
        tag = _tag(event)
        text = str(event.value)
        if tag not in _PLAIN or tag == _PLAIN[0]:
            return text
        if fault := _misread(text, tag):
            self._fault(event, fault, place)
        node = yaml.ScalarNode(tag, text)
        try:
            return _CONSTRUCTOR.yaml_constructors[tag](_CONSTRUCTOR, node)
        except ValueError as error:
            self._fault(
                event,
                f"{cut(text)} is not a date ({error}); expected valid YAML: a date YYYY-MM-DD, "
                "or text in quotes",
                place,
            )

    def _key(self, event: Any, inner: _Open) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            is_alias = isinstance(event, yaml.AliasEvent)
            is_list = isinstance(event, yaml.SequenceStartEvent)
            found = "an alias (*)" if is_alias else "a list" if is_list else "a mapping"
            self._fault(event, f"the key is {found}; expected text", inner.place)
        key, tag = str(event.value), _tag(event)
        place = (*inner.place, cut(key))
        if tag == f"{_YAML}merge":
            self._fault(event, "a merge key (<<); expected the values themselves", place)
        if tag != _PLAIN[0]:
            kind = tag.rpartition(":")[2]
            decimals = ""
            if inner.is_flow and kind in ("int", "float") and isinstance(inner.node, dict):
                last = f"{next(reversed(inner.node.values()), '')}.{key}"
                decimals = f" (or, if it is a number, a point instead of the comma: {last})"
            self._fault(
                event, f"YAML reads this key as {kind}; expected text, in quotes{decimals}", place
            )
        first = self.document.lines.get((*inner.place, key))
        if first is not None:
            self._fault(event, f"duplicate key, first on line {first}; expected it once", place)
        return key

    def _fault(self, event: Any, text: str, place: Place) -> NoReturn:
        line = event.start_mark.line + 1
        where = f"{self.document.name}, line {line}" + (f": {_dotted(place)}" if place else "")
        raise ScenarioError(f"{where}: {text}")


def _tag(event: Any) -> str:
    if event.tag not in (None, "!"):
        return str(event.tag)
    return str(_RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit))


def _misread(text: str, tag: str) -> str:
    """What is wrong with a number that YAML reads differently from how it looks; else empty."""
    kind = tag.rpartition(":")[2]
    if kind not in ("int", "float"):
        return ""
    if len(text) > LONGEST_NUMBER:
        return f"is a number of {len(text):,} digits; expected fewer"
    digits = text.lstrip("+-")
    if ":" in text:
        seconds = _CONSTRUCTOR.yaml_constructors[tag](_CONSTRUCTOR, yaml.ScalarNode(tag, text))
        return (
            f"YAML reads {text} as {seconds}, in base 60; expected a number in one unit, or text "
            f"in quotes: '{text}'"
        )
    if kind == "int" and len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567_":
        plain = digits.lstrip("0_") or "0"
        return (
            f"YAML reads {text} as {int(digits.replace('_', ''), 8)}, in octal; expected text in "
            f"quotes, '{text}', or a number without leading zeros, {plain}"
        )
    return ""


_SYNTAX = {
    "mapping values are not allowed": (
        " (a colon followed by a space ends a name: put a text that contains one in quotes, and "
        "begin each entry on its own line)"
    ),
    "did not find expected ',' or '}'": " (write commas between entries, and a } at the end)",
    "did not find expected ',' or ']'": " (write commas between entries, and a ] at the end)",
    "could not find expected ':'": " (write a colon and a space after every name)",
    "did not find expected key": " (entries of one level begin in the same column)",
    "did not find expected '-' indicator": " (entries of one list begin in the same column)",
}


def _syntax_hint(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> str:
    """How to correct the most frequent mistakes of syntax."""
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
    shown = [lines[mark.line] for mark in marks if mark.line < len(lines)]
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in shown):
        return " (write spaces, not tabs, before a name)"
    if any(";" in line for line in shown):
        return " (write commas, not semicolons, between entries)"
    problem = str(error.problem)
    return next((hint for known, hint in _SYNTAX.items() if known in problem), "")


def _dotted(place: Place) -> str:
    """A place as dotted text on one line; keys with unprintable characters are quoted."""
    keys = [cut(str(key)) for key in place]
    return ".".join(key if key.isprintable() else repr(key) for key in keys)


def cut(text: str) -> str:
    """The text, or only its beginning if it is long."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def write(data: Mapping[str, Any], path: Path | None = None) -> str:
    """Plain data as YAML; with a path, it is also written to that file, wholly or not at all."""
    text = yaml.safe_dump(
        tidy(data), sort_keys=False, default_flow_style=None, width=100, allow_unicode=True
    )
    if path is not None:
        write_whole(path, text)
    return text


def write_whole(path: Path, text: str) -> None:
    """Write a text file wholly or not at all, also if the program is interrupted."""
    with whole(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` at the end, or is removed on failure."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


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
    if hasattr(value, "tolist"):  # a number or array of numpy
        return tidy(value.tolist())
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def put(data: dict[str, Any], path: str, value: Any) -> None:
    """Set the part of plain data at a dotted path; mappings that are missing are made.

    Raises ValueError if the path leads through something that has no parts.
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


MOST_SUGGESTED = 40


def suggest(name: str, known: Iterable[str]) -> str:
    """What was expected: the most similar names, or else all of them (of many, the first ones)."""
    known = list(known)
    close = difflib.get_close_matches(name[:LONGEST_SHOWN], known, n=3)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    more = f" and {len(known) - MOST_SUGGESTED} more" if len(known) > MOST_SUGGESTED else ""
    return (
        f"expected one of {', '.join(known[:MOST_SUGGESTED])}{more}" if known else "none is known"
    )


def explain(error: ValidationError, model: type[BaseModel], document: Document) -> ScenarioError:
    """The first fault that pydantic found, as an error with its file, line and place."""
    faults: dict[Place, ErrorDetails] = {}
    found = error.errors(include_url=False)
    # A misspelled key gives two faults, an unknown key and a missing one; the first is clearer.
    for details in sorted(found, key=lambda details: details["type"] != "extra_forbidden"):
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, ScenarioError):  # it already names a file and a line
            return cause
        place = find(document.data, details, cause)
        faults.setdefault(place, details)
    place, details = next(iter(faults.items()))
    text = _complaint(details, model)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ScenarioError(f"{document.where(place)}: {text}{more}")


def find(data: Any, details: ErrorDetails, cause: object = None) -> Place:
    """The place of a pydantic fault in the document.

    The location of pydantic has parts that the document does not have: the kind of distribution or
    forecast (a key may bear the same name), one of several forms, as <form>, and the value that a
    plain number stands for.
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


_NUMBER = "a number"
_WHOLE = "a whole number"
_TEXT = "text"
_DATE = "a date YYYY-MM-DD"
_LIST = "a list"
_NAMES = "names with their values"
_QUANTITY = "a number, or a mapping such as {distribution: poisson, mean: 5}"

_EXPECTED = {
    "float_type": _NUMBER,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "finite_number": "a finite number",
    "string_type": _TEXT,
    "bool_type": "true or false",
    "date_type": _DATE,
    "date_from_datetime_inexact": _DATE,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _NAMES,
    "model_type": _NAMES,
    "too_short": "at least one entry",
    "model_attributes_type": _QUANTITY,
    "union_tag_not_found": _QUANTITY,
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
        return _unknown_key(details["loc"], model)
    if kind == "missing":
        return "is missing; expected a value"
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"is {_shown(given)}; expected {words} {context[name]:g}"
    if kind == "literal_error":
        return f"is {_shown(given)}; expected {context['expected']}{_mended(given, _TEXT)}"
    if kind == "union_tag_invalid":
        what = context["discriminator"].strip("'")
        return f"unknown {what} {cut(repr(context['tag']))}; expected {context['expected_tags']}"
    if kind == "too_short" and context["min_length"] > 1:
        return f"is {_shown(given)}; expected at least {context['min_length']} entries"
    if kind in _EXPECTED:
        expected = _EXPECTED[kind]
        return f"is {_shown(given)}; expected {expected}{_mended(given, expected)}"
    return str(context.get("error", details["msg"]))


def _unknown_key(loc: Sequence[str | int], model: type[BaseModel]) -> str:
    key, known = str(loc[-1]), _keys(model, loc[:-1])
    close = difflib.get_close_matches(key[:LONGEST_SHOWN], known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    if not close and (elsewhere := paths_to(key, model)):
        hint = f" ({key} belongs to {' and '.join(path.rpartition('.')[0] for path in elsewhere)})"
    return f"unknown key; expected one of {', '.join(known)}{hint}"


def paths_to(key: str, model: type[BaseModel]) -> list[str]:
    """Dotted paths to the fields with this name, of a model and of its parts.

    NAME stands for a name that the writer chose: ``sources.NAME.lead_time``.
    """
    return [path for path in field_paths(model) if path.rpartition(".")[2] == key and "." in path]


def field_paths(model: type[BaseModel]) -> Iterator[str]:
    """Dotted paths to all fields of a model and of its parts."""
    return _paths(model, "")


def kinds(model: type[BaseModel], field: str) -> list[str]:
    """The names of the kinds of distribution that a field accepts."""
    several = _bare(model.model_fields[field].annotation)
    return [str(kind) for each in several for kind in _kinds(each)]


def written_paths(data: Any, key: str, path: str = "") -> Iterator[str]:
    """Dotted paths to every part of plain data with this key, below the top level."""
    if isinstance(data, Mapping):
        for name, inner in data.items():
            if name == key and path:
                yield f"{path}.{name}"
            yield from written_paths(inner, key, f"{path}.{name}".strip("."))


def _paths(annotation: Any, path: str) -> Iterator[str]:
    """The paths of all fields, except those inside distributions and other parts with kinds."""
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, about in annotation.model_fields.items():
            inner = f"{path}.{about.alias or name}".strip(".")
            yield inner
            yield from _paths(about.annotation, inner)
    elif get_origin(annotation) is dict:
        yield from _paths(get_args(annotation)[1], f"{path}.NAME")


def _shown(given: object) -> str:
    if isinstance(given, BaseModel | Mapping):
        return "a mapping"
    if isinstance(given, Sequence) and not isinstance(given, str):
        return "a list" if given else "empty"
    if isinstance(given, datetime.datetime):
        return f"the date and time {given}"
    if isinstance(given, datetime.date):
        return f"the date {given}"
    if isinstance(given, int) and given.bit_length() > 200:
        return "a number of more than 60 digits"
    return "empty" if given is None else cut(repr(given))


def _mended(given: object, expected: str) -> str:
    """The correction of a value, in parentheses, or "" if none is known."""
    hint = ""
    if isinstance(given, str):
        hint = _text_mended(given.strip(), expected)
    elif expected == _TEXT and isinstance(given, bool):
        hint = "YAML reads yes, no, on and off as true or false; write text in quotes"
    elif expected == _TEXT and isinstance(given, int | float | datetime.date):
        hint = f"write '{given}', in quotes"
    elif expected == _LIST and isinstance(given, int | float):
        hint = f"write [{given}]"
    elif expected == _NAMES and isinstance(given, list):
        hint = "write a name and a colon in place of each dash, such as `mill: {...}`"
    elif expected == _DATE and isinstance(given, datetime.datetime):
        hint = f"write {given.date()}"
    return f" ({hint})" if hint else ""


def _text_mended(text: str, expected: str) -> str:
    if expected == _DATE:
        return f"write {text}, without quotes" if _is_date(text) else ""
    if expected == _LIST and ";" in text:
        return f"write commas, not semicolons: {cut(text.replace(';', ','))}"
    if expected == _LIST and text:
        return f"write [{cut(text)}]"
    if expected not in (_NUMBER, _WHOLE, _QUANTITY):
        return ""
    if (number := _number(text)) is not None:
        return f"YAML reads this as text; write {number}"
    if ";" in text and (number := _number(text.rstrip("; "))) is not None:
        return f"write {number}, without a semicolon"
    if re.fullmatch(r"[+-]?\d+,\d+", text) and not re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", text):
        return f"write {text.replace(',', '.')}, with a decimal point"
    if re.fullmatch(r"[+-]?[\d.,' ]*\d[\d.,' ]*", text):
        return "write it without separators of thousands, and with a decimal point"
    if text.endswith("%") and (number := _number(text[:-1].strip())) is not None:
        return f"write {number / 100:g}"
    if found := re.match(r"[+-]?\d+(\.\d*)?\s*(?=[A-Za-z€$£])", text):
        return f"write {found[0].strip()}, without its unit"
    return ""


def _number(text: str) -> int | float | None:
    """The finite number that a text stands for, such as 1e3, which YAML 1.1 reads as text."""
    try:
        number = float(text) if len(text) <= LONGEST_NUMBER else math.nan
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else number


def _is_date(text: str) -> bool:
    try:
        return bool(datetime.date.fromisoformat(text)) and len(text) == len("YYYY-MM-DD")
    except ValueError:
        return False


def _keys(model: Any, loc: Iterable[str | int]) -> list[str]:
    """The keys that our model has at a location of pydantic."""
    for key in loc:
        model = _inside(_bare(model), key)
    bare = _bare(model)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return [about.alias or name for name, about in bare.model_fields.items()]
    return []


def _bare(annotation: Any) -> Any:
    """A type annotation without Annotated[] and None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return _bare(members[0]) if len(members) == 1 else tuple(map(_bare, members))
    return annotation


def _kinds(model: type[BaseModel]) -> tuple[object, ...]:
    """The values of the field that tells the kinds of a model apart."""
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
