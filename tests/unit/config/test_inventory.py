from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from console.config.inventory import read_inventory
from console.config.values import AliasRule, InventoryConfig, InventoryFormat, SiteConfig
from console.model.errors import ConfigErrors
from console.model.inventory import NodeSpec

if TYPE_CHECKING:
    from pathlib import Path

CSV = """\
# our nodes
node,aliases,bmc,serial,hall,rack,gpus,model,cdu,feed

n1, n1.example ;pod-1,10.0.0.1,SN1,h1,r1,8,H100,c4,a;b
n2,,,,h1,r1,,,,
"""
NODES = (
    NodeSpec(
        "n1",
        "h1",
        "r1",
        8,
        ("n1.example", "pod-1"),
        "SN1",
        "10.0.0.1",
        "H100",
        (),
        {"cdu": ("c4",), "feed": ("a", "b")},
    ),
    NodeSpec("n2", "h1", "r1"),
)
ROWS = [
    {
        "node": "n1",
        "aliases": ["n1.example", "pod-1"],
        "bmc": "10.0.0.1",
        "serial": "SN1",
        "hall": "h1",
        "rack": "r1",
        "gpus": 8,
        "model": "H100",
        "cdu": "c4",
        "feed": ["a", "b"],
    },
    {"node": "n2", "hall": "h1", "rack": "r1", "cdu": None},
]


def read(base: Path, name: str, text: str, format: InventoryFormat = InventoryFormat.AUTO) -> tuple[NodeSpec, ...]:
    (base / name).write_text(text)
    return read_inventory(SiteConfig("muc1", inventory=InventoryConfig(name, format)), base)


def faults(base: Path, name: str, text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        read(base, name, text)
    return [str(error).removeprefix(f"{base}/") for error in caught.value.errors]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nodes.csv", CSV),
        ("nodes.yaml", json.dumps(ROWS)),
        ("nodes.yml", "nodes:\n" + "\n".join(f"- {json.dumps(row)}" for row in ROWS)),
        ("nodes.json", json.dumps({"nodes": ROWS})),
        ("nodes", CSV),
        ("nodes.txt", json.dumps(ROWS)),
    ],
)
def test_every_format_gives_the_same_nodes(tmp_path: Path, name: str, text: str) -> None:
    assert read(tmp_path, name, text) == NODES


def test_a_format_that_is_named_wins_over_the_file_name(tmp_path: Path) -> None:
    assert read(tmp_path, "nodes.csv", "- node: n1\n", InventoryFormat.YAML) == (NodeSpec("n1"),)


@pytest.mark.parametrize("text", [CSV, json.dumps(ROWS)])
def test_a_command_prints_csv_or_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "out").write_text(text)
    command = (sys.executable, "-c", "print(open('out').read())")
    assert read_inventory(SiteConfig("muc1", inventory=InventoryConfig(command=command)), tmp_path) == NODES


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    config = InventoryConfig(command=(sys.executable, "-c", "import time; time.sleep(600)"), timeout_s=0.3)
    with pytest.raises(
        ConfigErrors, match=r"inventory command of muc1: inventory\.command: .* gave no answer in 0\.3 s"
    ):
        read_inventory(SiteConfig("muc1", inventory=config), tmp_path)


def test_no_inventory_is_no_node(tmp_path: Path) -> None:
    assert read_inventory(SiteConfig("muc1"), tmp_path) == ()


def test_alias_rules_add_spellings(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("node,aliases\nn1,a\nx2,\n")
    rules = (AliasRule(r"n(\d+)", r"node-\1"), AliasRule(r"(.+)", r"\1.example"))
    site = SiteConfig("muc1", inventory=InventoryConfig("nodes.csv"), aliases=rules)
    assert [spec.aliases for spec in read_inventory(site, tmp_path)] == [
        ("a", "node-1", "n1.example"),
        ("x2.example",),
    ]


def test_uuids_count_the_gpus(tmp_path: Path) -> None:
    (spec,) = read(tmp_path, "nodes.csv", "node,gpu_uuids\nn1,GPU-a;GPU-b\n")
    assert (spec.gpus, spec.gpu_uuids) == (2, ("GPU-a", "GPU-b"))


def test_every_fault_of_a_csv_is_told_with_its_line(tmp_path: Path) -> None:
    text = "node,aliases,gpus,CDU x\n# c\nn1,a;b,8,c1\n\nn2,b,x,c2\n,c,8,c\nn1,q,8,d\nn3,8\nn4,a,8,c\nn5,,999,c\n"
    kinds = "node, hall, rack, gpus, aliases, bmc, serial, model, gpu_uuids"
    assert faults(tmp_path, "nodes.csv", text) == [
        f"nodes.csv:3: CDU x: is no kind of domain (lower-case letters, digits, '_') and none of {kinds}",
        'nodes.csv:5: gpus: expected 0 to 256, found "x"',
        "nodes.csv:6: node: is required",
        "nodes.csv:7: node n1 is a duplicate of line 3",
        "nodes.csv:8: has 2 columns, the header has 4",
        "nodes.csv:9: alias a is a duplicate of line 3",
        'nodes.csv:10: gpus: expected 0 to 256, found "999"',
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n.csv", "name,rack\nn1,r1\n", "n.csv:1: the first line must name the columns, one of them node"),
        ("n.csv", "node,rack,rack\nn1,r1,r2\n", "n.csv:1: rack: is the name of two columns"),
        ("n.csv", "", "n.csv:0: the first line must name the columns, one of them node"),
        ("n.csv", "node\n", "n.csv: names no node"),
        ("n.csv", 'node\n"n1\n', "n.csv:2: is not valid CSV: unexpected end of data"),
        ("n.csv", "node\nn\x1b1\n", "n.csv:2: n\\x1b1 is longer than 253 or holds what cannot be shown"),
        ("n.yaml", "- node: 0012\n", "n.yaml:1: [0].node: expected text, found the number; put it in quotes"),
        (
            "n.yaml",
            "- node: n1\n- {node: n2,\n   cdu: {a: b}}\n",
            "n.yaml:3: [1].cdu: expected text or a list of texts",
        ),
        ("n.yaml", "nodes: 3\n", "n.yaml: nodes: expected a list of nodes"),
        ("n.yaml", "nodes: [n1]\n", "n.yaml:1: nodes[0]: expected keys with values, such as node: n1"),
        ("n.yaml", "- {node: n1, node: n2}\n", "n.yaml:1: node: is a duplicate of line 1"),
        ("n.json", "[", "n.json:1: is not valid JSON: Expecting value"),
        ("n.json", '[{"node": "n1"}, {"node": "n1"}]', "n.json: [1]: node n1 is a duplicate of [0]"),
        ("n.json", "[" * 100_000, "n.json: is not valid JSON: a number or a nesting is too big"),
    ],
)
def test_one_fault_is_one_clear_message(tmp_path: Path, name: str, text: str, message: str) -> None:
    assert faults(tmp_path, name, text) == [message.replace(":0:", ":")]


def test_a_thousand_faults_are_told_as_a_hundred_and_how_many_more(tmp_path: Path) -> None:
    told = faults(tmp_path, "nodes.csv", "node,gpus\n" + "n,x\n" * 1000)
    assert len(told) == 101
    assert told[-1] == "nodes.csv: has 900 more faults"
