from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from console.serve.own_metrics import by, counter, exposition, gauge


def test_the_text_reads_back_with_every_odd_character() -> None:
    odd = 'a "quoted" \\ back\nline'
    text = exposition(
        [gauge("x", "An x.", 1.5, site=odd), counter("n_total", "Many.", 3.0), by("s", "gauge", "S.", "k", {})]
    )
    families = {each.name: each for each in text_string_to_metric_families(text)}
    assert families["gigadeck_serve_x"].samples[0].labels == {"site": odd}
    assert families["gigadeck_serve_n"].samples[0].value == 3.0
    assert "gigadeck_serve_s" not in families


def test_what_is_not_known_is_left_out() -> None:
    assert exposition([gauge("fence", "Number.", None)]) == "\n"
