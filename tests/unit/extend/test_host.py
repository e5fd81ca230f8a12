from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from console.extend.host import PluginHost
from console.model.errors import PluginError
from console.model.place import Place, Size
from console.model.views import Table
from tests.support import panels

ROOT = Path(__file__).resolve().parents[3]
THIRD_PARTY = ROOT / "tests" / "data" / "plugins"


def write_plugin(folder, text, **files):
    folder.mkdir(parents=True)
    (folder / "plugin.yaml").write_text(text)
    for name, body in files.items():
        (folder / f"{name}.py").write_text(body)


def manifest(id_, **more):
    extra = "".join(f"{key}: {value}\n" for key, value in more.items())
    return f"id: {id_}\ntitle: T\nversion: 1.0.0\napi: 1\nprovides: {{panel: 'panel:PANEL'}}\n{extra}"


def host(*folders, **more):
    return PluginHost(folders, with_entry_points=False, **more)


def test_the_built_in_plugins_come_through_the_same_door_in_the_order_of_their_keys():
    assert list(host(ROOT / "plugins").panels) == ["fleet", "drilldown", "checks", "sources", "jobs", "disagreements"]


def test_reading_manifests_imports_no_plugin_code():
    code = (
        "import sys; from pathlib import Path; from console.extend.host import PluginHost;"
        "h = PluginHost([Path('plugins'), Path('tests/data/plugins')], with_entry_points=False); h.panels; h.plugins;"
        "bad = [m for m in sys.modules if m.startswith('gigadeck_plugins')]; sys.exit(bool(bad))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_third_party_plugin_offers_a_panel_a_detector_and_a_command():
    made = host(THIRD_PARTY)
    (info,) = made.plugins
    assert info.provides == ("panel", "detector", "command:identify")
    view = made.panels["stuck_sensors"].view(panels.normal(), Place(), Size(80, 24))
    assert isinstance(view, Table)
    assert [column.name for column in made.detectors["stuck_sensors"].state_columns] == ["last_c", "since"]


def test_a_broken_manifest_is_listed_with_its_line_and_the_others_run(tmp_path):
    write_plugin(tmp_path / "bad", "id: Bad Name\n")
    write_plugin(tmp_path / "good", manifest("good"), panel="class P:\n    pass\nPANEL = P()\n")
    made = host(tmp_path)
    assert [(info.id, info.state) for info in made.plugins] == [("good", "ok"), ("bad", "failed")]
    assert "plugin.yaml:1: id" in made.plugins[1].reason


def test_a_newer_api_is_refused_by_number(tmp_path):
    write_plugin(tmp_path / "new", manifest("new").replace("api: 1", "api: 2"))
    assert host(tmp_path).plugins[0].reason == "needs plugin API 2, this gigadeck offers 1"


def test_an_id_cannot_be_taken_from_a_plugin(tmp_path):
    write_plugin(tmp_path / "fleet", manifest("fleet"))
    made = host(ROOT / "plugins", tmp_path)
    assert made.plugins[-1].state == "failed"
    assert "its id is taken by" in made.plugins[-1].reason


def test_an_import_that_fails_is_the_plugin_s_error(tmp_path):
    write_plugin(tmp_path / "broken", manifest("broken"), panel="import no_such_module\n")
    with pytest.raises(PluginError, match="plugin broken: view failed: cannot be imported: ModuleNotFoundError"):
        host(tmp_path).panels["broken"].view(panels.normal(), Place(), Size(80, 24))


def test_a_missing_attribute_is_named(tmp_path):
    write_plugin(tmp_path / "empty", manifest("empty"), panel="")
    with pytest.raises(PluginError, match=r"panel\.py has no PANEL"):
        host(tmp_path).panels["empty"].view(panels.normal(), Place(), Size(80, 24))


def test_three_failures_disable_it_for_everybody_to_see(tmp_path):
    body = "class P:\n    def view(self, *_):\n        raise ValueError('boom')\nPANEL = P()\n"
    write_plugin(tmp_path / "boom", manifest("boom"), panel=body)
    made = host(tmp_path)
    for _ in range(3):
        with pytest.raises(PluginError):
            made.panels["boom"].view(panels.normal(), Place(), Size(80, 24))
    (info,) = made.plugins
    assert info.state == "disabled"
    assert "boom: disabled" in info.reason


def test_a_plugin_disabled_in_the_settings_is_not_offered():
    made = host(ROOT / "plugins", disabled=["checks"])
    assert "checks" not in made.panels
    assert [info.id for info in made.plugins if info.state == "disabled"] == ["checks"]


def test_an_installed_distribution_offers_a_plugin_by_entry_point(tmp_path, monkeypatch):
    package = tmp_path / "site" / "their_plugin"
    write_plugin(package, manifest("theirs"), panel="class P:\n    pass\nPANEL = P()\n")
    (package / "__init__.py").write_text("raise RuntimeError('reading the manifest must not import me')\n")
    info = tmp_path / "site" / "their_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gigadeck.plugins]\ntheirs = their_plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert [each.id for each in PluginHost([]).plugins] == ["theirs"]
