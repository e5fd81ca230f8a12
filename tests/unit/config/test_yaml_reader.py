from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from console.config.yaml_reader import MAX_DEPTH, parse_yaml, read_yaml

if TYPE_CHECKING:
    from pathlib import Path


def faults(text: str) -> list[str]:
    return [str(error) for error in parse_yaml(text, "f.yaml").errors]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("y", "y"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2001-01-01", "2001-01-01"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        (".INF", math.inf),
        ("1 %", "1 %"),
        ("5m", "5m"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("٣", "٣"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    document = parse_yaml(f"key: {text}\n", "f.yaml")
    assert document.errors == ()
    assert document.data == {"key": value}
    assert type(document.data["key"]) is type(value)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(parse_yaml("[.nan]", "f.yaml").data[0])


def test_keys_are_always_text() -> None:
    assert parse_yaml("{NO: 1, 12: 2, true: 3, 1.0: 4}", "f.yaml").data == {"NO": 1, "12": 2, "true": 3, "1.0": 4}


def test_every_key_and_item_knows_its_line() -> None:
    document = parse_yaml("a:\n  b:\n    - x\n    - {name: web,\n       c: 1}\n", "f.yaml")
    assert document.line_of(("a", "b")) == 2
    assert document.line_of(("a", "b", 0)) == 3
    assert document.line_of(("a", "b", 1, "c")) == 5
    assert document.line_of(("a", "b", 1, "missing")) == 4
    assert document.key_of(("a", "b", 1, "c")) == "a.b.web.c"
    assert document.key_of(("a", "b", 0)) == "a.b[0]"


def test_duplicate_keys_are_faults_wherever_they_are() -> None:
    assert faults("a: 1\nb: {x: 1, x: 2}\na: 3\n") == [
        "f.yaml:2: x: is a duplicate of line 2",
        "f.yaml:3: a: is a duplicate of line 1",
    ]


def test_aliases_and_merges_share_values() -> None:
    text = "base: &b {x: 1, y: 2}\none: *b\ntwo: {<<: *b, y: 3}\nthree: {<<: [{y: 9}, *b], z: 4}\n"
    data = parse_yaml(text, "f.yaml").data
    assert data["one"] == {"x": 1, "y": 2}
    assert data["two"] == {"x": 1, "y": 3}
    assert data["three"] == {"x": 1, "y": 9, "z": 4}


def test_a_billion_laughs_are_not_laughed() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert faults("\n".join(lines)) == ["f.yaml:6: holds more than 1,000,000 values (aliases written out)"]


def test_merged_laughter_is_bounded_too() -> None:
    lines = ["a0: &a0 {x: [1, 2, 3, 4, 5, 6, 7, 8, 9]}"]
    lines += [
        f"a{n}: &a{n} {{p: {{<<: *a{n - 1}}}, q: {{<<: *a{n - 1}}}, r: *a{n - 1}, s: *a{n - 1}}}" for n in range(1, 30)
    ]
    assert "more than" in faults("\n".join(lines))[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", "f.yaml:1: is not valid YAML: mapping values are not allowed in this context"),
        ("a: *x", "f.yaml:1: refers to *x, which is not defined before"),
        ("&a [*a]", "f.yaml:1: refers to *a, which is not defined before"),
        ("a: 1\n--- \nb: 2", "f.yaml:2: holds more than one document (---)"),
        ("? [a]: b\n: c", "f.yaml:1: has a key that is not text"),
        ("a: !!python/none x", "f.yaml:1: uses a tag (tag:yaml.org,2002:python/none); write plain values"),
        ("a: !secret x", "f.yaml:1: uses a tag (!secret); write plain values"),
        ("<<: 3", "f.yaml:1: <<: must refer to a mapping, or to a list of them"),
        ("a: \x07", "f.yaml:1: is not valid YAML: it holds a character that YAML does not allow"),
        ("[" * 100_000, f"f.yaml:1: is nested more than {MAX_DEPTH} levels deep"),
        ("- " * 100_000, f"f.yaml:1: is nested more than {MAX_DEPTH} levels deep"),
    ],
)
def test_what_is_not_one_plain_document_is_one_clear_fault(text: str, message: str) -> None:
    assert faults(text) == [message]


def test_nesting_through_aliases_counts() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 5))]
    assert "levels deep" in faults("\n".join(lines))[0]


def test_a_file_is_read_with_its_limit_and_encoding(tmp_path: Path) -> None:
    good, big, latin = tmp_path / "good.yaml", tmp_path / "big.yaml", tmp_path / "latin.yaml"
    good.write_bytes(b"\xef\xbb\xbfa: 1\n")
    big.write_bytes(b"x" * 101)
    latin.write_bytes(b"a: 1\nb: \xe9\n")
    assert read_yaml(good).data == {"a": 1}
    assert [str(error) for error in read_yaml(big, 100).errors] == [f"{big}: is larger than the limit of 100 bytes"]
    assert [str(error) for error in read_yaml(latin).errors] == [f"{latin}:2: is not UTF-8 text"]
    missing = tmp_path / "missing.yaml"
    assert [str(e) for e in read_yaml(missing).errors] == [f"{missing}: cannot be read: No such file or directory"]
    assert [str(e) for e in read_yaml(tmp_path).errors] == [f"{tmp_path}: cannot be read: Is a directory"]
