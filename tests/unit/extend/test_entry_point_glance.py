from __future__ import annotations

from console.extend.host import GROUP, _offers


def distribution(folder, name, text=None):
    made = folder / name
    made.mkdir(parents=True)
    if text is not None:
        (made / "entry_points.txt").write_text(text)


def test_a_folder_offers_plugins_only_where_a_distribution_names_the_group(tmp_path):
    distribution(tmp_path / "a", "other-1.0.dist-info", "[console_scripts]\nx = y:z\n")
    distribution(tmp_path / "a", "none-1.0.dist-info")
    distribution(tmp_path / "b", "ours-1.0.dist-info", f"[{GROUP}]\npower = acme.power\n")
    assert not _offers(str(tmp_path / "a"))
    assert _offers(str(tmp_path / "b"))
    assert not _offers(str(tmp_path / "is-not-there"))


def test_what_cannot_be_glanced_at_may_offer_some(tmp_path):
    archive = tmp_path / "packed.zip"
    archive.write_bytes(b"PK")
    assert _offers(str(archive))
