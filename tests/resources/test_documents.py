"""From files to models: everything that is wrong, at once, each with its file, line and path."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.resources.documents import (
    Invalid,
    check,
    check_resource,
    load_resources,
    parse_documents,
    plain_document,
    read_documents,
)
from appliance.resources.fault import Trigger

GOOD = """\
apiVersion: tidegate/v1
kind: Cluster
metadata: {name: primary}
spec:
  bootstrap: [127.0.0.1:9092]
"""


def problems(text: str) -> list[str]:
    """Return all that is wrong with the documents of a text."""
    found: list[str] = []
    try:
        for document in parse_documents(text, "f.yaml"):
            try:
                check_resource(document)
            except Invalid as error:
                found += map(str, error.problems)
    except Invalid as error:
        found += map(str, error.problems)
    return found


def test_a_good_document_is_a_resource():
    (document,) = parse_documents(GOOD, "f.yaml")
    assert check_resource(document).name == "primary"


def test_every_key_and_item_has_its_line():
    (document,) = parse_documents("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", "f.yaml")
    assert document.data == {"a": {"b": 1, "c": ["x", {"y": 2}]}}
    lines = {"": 1, "a": 1, "a.b": 2, "a.c": 3, "a.c.0": 4, "a.c.1": 5, "a.c.1.y": 5}
    assert {".".join(map(str, path)): line for path, line in document.lines.items()} == lines
    assert document.line_of(("a", "c", 1, "z", "deeper")) == 5


def test_each_problem_says_file_line_and_path():
    text = GOOD.replace("kind: Cluster", "kind: Listener").replace(
        "  bootstrap: [127.0.0.1:9092]", "  bind: nowhere\n  colour: red"
    )
    assert problems(text) == [
        "f.yaml:5: spec.bind: expected HOST:PORT, such as broker-1.example:9092; found 'nowhere'",
        "f.yaml:4: spec.virtual_cluster: is missing",
        "f.yaml:6: spec.colour: unknown key",
    ]


def test_the_item_of_a_list_is_named():
    text = GOOD.replace("[127.0.0.1:9092]", "\n    - 127.0.0.1:9092\n    - 17\n")
    assert problems(text) == ["f.yaml:7: spec.bootstrap.1: input should be a valid string; found 17"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "kind: Klaster",
            "f.yaml:1: expected kind to be one of Cluster, Listener, VirtualCluster, User, TokenRevocation, "
            "FailoverPolicy, Fault; "
            "found 'Klaster'",
        ),
        ("x: y", "f.yaml:1: kind is missing"),
    ],
)
def test_an_unknown_kind_names_the_known_ones(kind: str, said: str):
    assert problems(GOOD.replace("kind: Cluster", kind)) == [said]


def test_a_key_said_twice_is_found_at_its_second_place():
    assert problems("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n") == [
        "f.yaml:4: b.c: is said twice",
        "f.yaml:5: a: is said twice",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\n", 3),
        ("a: 1\n\tb: 2\n", 2),
        ("a: 'no end\n", 2),
        ("a: 1\nb: *nobody\n", 2),
        ("a: !!python/object/apply:os.system ['true']\nb: !mine 1\n", 2),
        ("a: \x00\n", 1),
        ("a: &a [*a]\n", 1),
        ("[" * 1500, 1),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text: str, line: int):
    (said,) = problems(text)
    assert said.startswith(f"f.yaml:{line}: is ")


@pytest.mark.parametrize("value", ["2024-13-45", "!!int x", "!!float x", "!!bool x", "!!timestamp x", "!!int ''"])
def test_a_value_that_is_not_what_it_claims_is_refused_with_its_place(value: str):
    said = problems(f"a:\n  b: {value}\n  b: 2\n")
    assert said[0].startswith("f.yaml:2: a.b: is not what it claims to be: ")
    assert said[1] == "f.yaml:3: a.b: is said twice"


def test_empty_documents_are_left_out():
    assert len(parse_documents(f"---\n---\n{GOOD}---\n{GOOD}---\n", "f.yaml")) == 2
    assert parse_documents("", "f.yaml") == []
    assert parse_documents("# only a remark\n", "f.yaml") == []


def test_json_is_read_too():
    (document,) = parse_documents('{\n  "kind": "Cluster",\n  "spec": {"bootstrap": ["h:1"]}\n}', "f.json")
    assert document.line_of(("spec", "bootstrap", 0)) == 3


@pytest.mark.parametrize("text", ["just words\n", "- a list\n", "17\n"])
def test_a_document_that_is_no_mapping_is_refused(text: str):
    assert len(problems(text)) == 1


# -- files and folders


def said_of(path: Path) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        load_resources(path)
    assert str(refusal.value) == "\n".join(map(str, refusal.value.problems))
    return [str(each).replace(f"{path}/", "").replace(str(path), path.name) for each in refusal.value.problems]


def test_a_folder_is_read_by_name_and_not_below(tmp_path: Path):
    for name, cluster in (("b.yaml", "second"), ("a.yml", "first"), ("c.json", "third"), ("notes.txt", "none")):
        (tmp_path / name).write_text(GOOD.replace("primary", cluster) if name != "notes.txt" else "[")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x.yaml").write_text("[")
    assert [each.name for each in load_resources(tmp_path)] == ["first", "second", "third"]


def test_several_files_are_one_set_in_which_names_are_unique(tmp_path: Path):
    for name, cluster in (("a.yaml", "first"), ("b.yaml", "second"), ("c.yaml", "first")):
        (tmp_path / name).write_text(GOOD.replace("primary", cluster))
    one, two, again = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    assert [each.name for each in load_resources(one, two)] == ["first", "second"]
    with pytest.raises(Invalid, match=r"Cluster first stands already in .*a\.yaml:1"):
        load_resources(one, again)


def test_an_empty_folder_is_refused(tmp_path: Path):
    assert said_of(tmp_path) == [f"{tmp_path.name}:1: expected YAML or JSON files in this folder, found none"]


def test_all_files_are_read_before_anything_is_refused(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_bytes(b"name: caf\xe9\n")
    (tmp_path / "c.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "d.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "e.yaml").mkdir()
    assert [each.split(": ", 1)[0] + ": " + each.split(": ", 1)[1][:16] for each in said_of(tmp_path)] == [
        "a.yaml:1: is not YAML: exp",
        "b.yaml:1: is not UTF-8 tex",
        "c.yaml:2: a: is said twice",
        "d.yaml:1: cannot be read: ",
        "e.yaml:1: cannot be read: ",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(Invalid, match=r"nowhere\.yaml:1: cannot be read: No such file or directory"):
        read_documents(tmp_path / "nowhere.yaml")


def test_problems_of_all_resources_are_listed_at_once(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(GOOD.replace("primary", "Primary"))
    (tmp_path / "b.yaml").write_text(GOOD.replace("127.0.0.1:9092", "nowhere"))
    said = said_of(tmp_path)
    assert [each.split(": ")[:2] for each in said] == [["a.yaml:3", "metadata.name"], ["b.yaml:5", "spec.bootstrap.0"]]


def test_a_name_is_taken_once_within_a_kind(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(GOOD)
    other_kind = GOOD.replace("kind: Cluster", "kind: VirtualCluster").replace(
        "bootstrap: [127.0.0.1:9092]", "cluster: x"
    )
    (tmp_path / "b.yaml").write_text(f"{GOOD}---\n{other_kind}")
    assert said_of(tmp_path) == ["b.yaml:3: metadata.name: Cluster primary stands already in a.yaml:1"]


# -- what comes without a file


def test_data_without_lines_stands_on_line_1():
    document = plain_document({"first": 1, "colour": ["red"]}, "request body")
    with pytest.raises(Invalid, match=r"^request body:1: colour: unknown key$"):
        check(document, Trigger)
    assert check(plain_document({"first": 1}, "request body"), Trigger) == Trigger(first=1)
