"""What stands in the place of a panel's view while there is none."""

from __future__ import annotations

from console.model.errors import ConsoleError
from console.model.views import Span, Text
from console.present.safe import clean

ERROR_LINES = 20


def waiting(text: str) -> Text:
    """Return one quiet line."""
    return Text(((), (Span(f"  {clean(text, 200)}", "text.dim"),)))


def failure(panel: str, error: BaseException | None) -> Text:
    """Return what is wrong with a panel, in its place."""
    told = str(error) if isinstance(error, ConsoleError) else f"{type(error).__name__}: {error}"
    return Text(
        (
            (Span(f"the panel {clean(panel, 40)} failed", "state.critical"),),
            *((Span(clean(line, 300)),) for line in told.splitlines()[:ERROR_LINES]),
            (Span("the other panels go on; this one is asked again with each snapshot", "text.dim"),),
        )
    )
