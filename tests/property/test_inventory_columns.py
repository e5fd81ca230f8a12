from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from console.config.inventory_columns import sound_specs
from console.config.inventory_rows import Faults, csv_rows
from console.config.inventory_specs import node_specs
from console.core.naming import natural_key, natural_keys

CELLS = {
    "node": st.sampled_from(["n1", "n2", "n3", " n4", "n 5", "", "x" * 254, "n\t6", "n,7", 'n"8'])
    | st.text(max_size=3),
    "hall": st.sampled_from(["h1", "h/2", ""]),
    "gpus": st.sampled_from(["8", " 4 ", "", "0", "256", "257", "-1", "eight", "٣", "99999999999"]),
    "aliases": st.sampled_from(["", "a1", "a2;a3", "n1", ";;", " a4 ; a5 ", "x" * 254]),
    "gpu_uuids": st.sampled_from(["", "GPU-1", "GPU-1;GPU-2", "GPU-1; ;GPU-3"]),
    "cdu": st.sampled_from(["", "c1", "c1;c2"]),
    "Bad Kind": st.sampled_from(["", "x"]),
}


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell


@st.composite
def texts(draw):
    header = draw(st.lists(st.sampled_from([*CELLS] * 3 + ["node"]), min_size=1, max_size=5))
    rows = draw(st.lists(st.tuples(*(CELLS[name] for name in header)), max_size=4))
    lines = [",".join(map(quoted, row)) for row in (header, *rows)]
    odd = draw(st.lists(st.sampled_from(["", "# a comment", "one,cell,too,many,by,far", '"open', " "]), max_size=1))
    for line in odd:
        lines.insert(draw(st.integers(0, len(lines))), line)
    return "\n".join(lines) + draw(st.sampled_from(["\n", "", "\r\n"]))


@given(texts())
@settings(max_examples=400, deadline=None)
def test_whole_columns_say_what_rows_say_or_leave_it_to_them(text):
    faults = Faults("inventory.csv")
    careful = node_specs(csv_rows(text, faults), faults)
    sound = sound_specs(text)
    if sound is not None:
        assert not faults.errors
        assert sound == careful


def test_a_usual_inventory_is_read_by_columns():
    text = "node,hall,rack,gpus,aliases,cdu\nn1,h1,r1,8,n1.example,c1\n# out\nn2,h1,r1,4,,c1;c2\n"
    found = sound_specs(text)
    assert found is not None
    assert [(spec.name, spec.gpus, spec.aliases, spec.domains) for spec in found] == [
        ("n1", 8, ("n1.example",), {"cdu": ("c1",)}),
        ("n2", 4, (), {"cdu": ("c1", "c2")}),
    ]


@given(st.lists(st.from_regex(r"[a-c]{0,2}[0-9]{0,3}[a-c]?[0-9]{0,2}", fullmatch=True), max_size=8))
@settings(max_examples=200, deadline=None)
def test_keys_of_many_names_sort_as_the_keys_of_each(names):
    keys = natural_keys(names)
    assert sorted(range(len(names)), key=keys.__getitem__) == sorted(
        range(len(names)), key=lambda i: natural_key(names[i])
    )
