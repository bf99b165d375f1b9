"""From YAML (or JSON) files to models, with every problem listed at once, each with file, line and path.

`read_documents` gives the raw documents with the place of every key; `check` turns one into a model. Both
collect problems instead of stopping at the first; `Invalid` carries them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from appliance.resources.kinds import Resource

Path_ = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

RESOURCE: TypeAdapter[Resource] = TypeAdapter(Resource)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where: prints as `file:line: path: message`."""

    source: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.path + ': ' if self.path else ''}{self.message}"


class Invalid(Exception):
    """Input that was refused; `problems` has all that is wrong with it, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Document:
    """One YAML document: its plain data, and the line on which each key and item stands (1-based)."""

    source: str
    data: object
    lines: Mapping[Path_, int] = field(default_factory=dict)

    def line_of(self, path: Path_) -> int:
        """Return the line of the deepest part of the path that is in the document."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def problem(self, path: Path_, message: str) -> Problem:
        """Return a problem at this path of the document."""
        return Problem(self.source, self.line_of(path), ".".join(map(str, path)), message)


def plain_document(data: object, source: str) -> Document:
    """Return data that came without lines (a JSON body) as a document; every part of it stands on line 1."""
    lines: dict[Path_, int] = {}

    def note(part: object, path: Path_) -> None:
        lines[path] = 1
        if isinstance(part, dict):
            for key, value in part.items():
                note(value, (*path, str(key)))
        elif isinstance(part, list):
            for index, value in enumerate(part):
                note(value, (*path, index))

    note(data, ())
    return Document(source, data, lines)


def read_documents(path: Path) -> list[Document]:
    """Read all documents of a file, or of every *.yaml, *.yml and *.json in a folder (sorted by name, not
    below it).

    Raises Invalid for files that cannot be read, are not YAML, or say a key twice.
    """
    files = (
        sorted(each for each in path.iterdir() if each.suffix in {".yaml", ".yml", ".json"})
        if path.is_dir()
        else [path]
    )
    if not files:
        raise Invalid([Problem(str(path), 1, "", "expected YAML or JSON files in this folder, found none")])
    documents: list[Document] = []
    problems: list[Problem] = []
    for file in files:
        try:
            documents += parse_documents(file.read_text(encoding="utf-8"), str(file))
        except OSError as error:
            problems.append(Problem(str(file), 1, "", f"cannot be read: {error.strerror}"))
        except UnicodeDecodeError as error:
            problems.append(Problem(str(file), 1, "", f"is not UTF-8 text: {error.reason} at byte {error.start}"))
        except Invalid as error:
            problems += error.problems
    if problems:
        raise Invalid(problems)
    return documents


def parse_documents(text: str, source: str) -> list[Document]:
    """Parse the documents of a text; empty ones are left out. Raises Invalid."""
    problems: list[Problem] = []
    documents: list[Document] = []
    try:
        for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
            lines: dict[Path_, int] = {}
            data = _plain(node, (), lines, source, problems)
            if data is not None:
                documents.append(Document(source, data, lines))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problems.append(
            Problem(source, mark.line + 1 if mark else 1, "", f"is not YAML: {error.problem or error.context}")
        )
    except yaml.YAMLError as error:
        problems.append(Problem(source, 1, "", f"is not YAML: {error}"))
    except RecursionError:
        problems.append(Problem(source, 1, "", "is nested too deeply, or a part of it refers to itself"))
    if problems:
        raise Invalid(problems)
    return documents


def _plain(node: yaml.Node, path: Path_, lines: dict[Path_, int], source: str, problems: list[Problem]) -> object:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key_node.start_mark)
            below = (*path, key)
            if key in mapping:
                problems.append(
                    Problem(source, key_node.start_mark.line + 1, ".".join(map(str, below)), "is said twice")
                )
            lines[below] = key_node.start_mark.line + 1
            mapping[key] = _plain(value_node, below, lines, source, problems)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), lines, source, problems) for index, item in enumerate(node.value)]
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except (ValueError, LookupError, AttributeError):  # as PyYAML does not check what a tag or a date promises
        message = f"is not what it claims to be: {node.value!r}"
        problems.append(Problem(source, node.start_mark.line + 1, ".".join(map(str, path)), message))
        return None


def check(document: Document, model: type[Model]) -> Model:
    """Return the document as a model. Raises Invalid with all that pydantic finds, in words for people."""
    return _validated(document, TypeAdapter(model))


def check_resource(document: Document) -> Resource:
    """Return the document as one of the resource kinds. Raises Invalid."""
    return _validated(document, RESOURCE)


def load_resources(*paths: Path) -> list[Resource]:
    """Read files or folders of resources; names must be unique within a kind. Raises Invalid with all problems."""
    problems: list[Problem] = []
    resources: list[Resource] = []
    seen: dict[tuple[str, str], Document] = {}
    for document in (each for path in paths for each in read_documents(path)):
        try:
            resource = check_resource(document)
        except Invalid as error:
            problems += error.problems
            continue
        identity = (resource.kind, resource.name)
        if identity in seen:
            first = seen[identity]
            problems.append(
                document.problem(
                    ("metadata", "name"),
                    f"{resource.kind} {resource.name} stands already in {first.source}:{first.line_of(())}",
                )
            )
        seen[identity] = document
        resources.append(resource)
    if problems:
        raise Invalid(problems)
    return resources


Checked = TypeVar("Checked")


def _validated(document: Document, adapter: TypeAdapter[Checked]) -> Checked:
    try:
        return adapter.validate_python(document.data)
    except ValidationError as error:
        raise Invalid(problems_of(error.errors(), document)) from None


def problems_of(errors: Iterable[Mapping[str, Any]], document: Document) -> list[Problem]:
    """Say in words for people what pydantic found (`ValidationError.errors()`) in the document."""
    return [
        document.problem(
            _declared_path(each["loc"], document),
            _words(each["type"], each["msg"], each.get("input"), each.get("ctx")),
        )
        for each in errors
    ]


def _declared_path(loc: Path_, document: Document) -> Path_:
    """Leave out of pydantic's path what the user did not write (the tags of unions), but keep a missing last
    key."""
    path: Path_ = ()
    for index, part in enumerate(loc):
        if (*path, part) in document.lines or (
            index == len(loc) - 1 and isinstance(part, str) and part not in {"str", "int"}
        ):
            path = (*path, part)
    return path


def _words(kind: str, message: str, found: object, context: Mapping[str, Any] | None) -> str:
    if kind == "union_tag_invalid" and context:
        expected = str(context["expected_tags"]).replace("'", "")
        return (
            f"expected {str(context['discriminator']).strip(chr(39))} to be one of {expected}; found {context['tag']!r}"
        )
    if kind == "union_tag_not_found" and context:
        return f"{str(context['discriminator']).strip(chr(39))} is missing"
    if kind == "extra_forbidden":
        return "unknown key"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return f"{message[0].lower()}{message[1:]}; found {found!r}" if not isinstance(found, dict | list) else message
