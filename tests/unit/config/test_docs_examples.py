"""Every example of a fleet file in the documents can be read as it stands there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
import yaml

from console.config.fleet import load_fleet
from console.config.kinds import OPTIONS

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
ONE_LINE = re.compile(r"`(\{kind: [^`]*\})`")
INVENTORY = re.compile(r"file: ([\w.-]+\.csv)")


def examples():
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        found = [each for each in BLOCK.findall(text) if "kind:" in each and "apiVersion:" not in each]
        found += [f"- {each}\n" for each in ONE_LINE.findall(text)]
        for number, block in enumerate(found):
            yield pytest.param(block, id=f"{page.stem}-{number}")


def as_fleet(block):
    """Return a fleet file round an example: a whole one, keys of a site, or a list of sources."""
    if re.search(r"^fleet:", block, re.MULTILINE):
        return block
    if block.startswith("sites:"):
        return f"fleet: x\n{block}"
    if block.startswith(("- kind", "- {kind")):
        block = f"sources:\n{textwrap.indent(block, '  ')}"
    return f"fleet: x\nsites:\n  - name: muc1\n{textwrap.indent(block, '    ')}"


@pytest.mark.parametrize("block", examples())
def test_an_example_of_the_documents_is_a_fleet_file_that_loads(block, tmp_path):
    file = tmp_path / "fleet.yaml"
    file.write_text(as_fleet(block))
    for name in INVENTORY.findall(block):
        (tmp_path / name).write_text("node,hall,rack\nn1,h1,r1\n")
    assert load_fleet(file).sites[0].sources


def test_every_kind_that_needs_words_has_an_example_among_the_sites():
    text = (DOCS / "sites.md").read_text()
    shown = {each["kind"] for block in BLOCK.findall(text) for each in sources_of(yaml.safe_load(block))}
    assert shown >= {"dcgm", "alertmanager", "slurm", "kubernetes", "ssh", "nvml", "logs", "redfish"}
    assert shown <= set(OPTIONS)


def sources_of(value):
    found = value.get("sources", []) if isinstance(value, dict) else value
    return [each for each in found if isinstance(each, dict) and "kind" in each]
