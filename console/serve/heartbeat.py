"""The leader says that it lives: an alert that ends by itself when nobody renews it, or a call of a webhook."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.config.values import SourceConfig, Timeouts
from console.link.http import HttpLink
from console.model.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.config.serve_values import Heartbeat, Receiver

ALERT = "GigadeckWatchdog"
BEATS_MISSED = 3
LIMITS = Timeouts(connect_s=3.0, read_s=5.0, total_s=8.0)
FIRST_ERROR = 300
LOOK_S = 1.0

log = logging.getLogger("console.serve")


class HeartbeatSender:
    """Beats on the loop that runs it; `acts` is asked before each beat.

    `sent_at` is when every receiver last took one (UTC epoch seconds, 0: never), `trouble` which of them do not.
    """

    def __init__(
        self,
        config: Heartbeat,
        *,
        fleet: str,
        sites: Sequence[str],
        keeper: str,
        acts: Callable[[], bool],
        clock: Callable[[], float],
        base_dir: str = "",
    ) -> None:
        self.config = config
        self._names = {"fleet": fleet, "keeper": keeper}
        self._sites = tuple(sites)
        self._acts = acts
        self._clock = clock
        self._alertmanagers = [_link(each, base_dir) for each in config.alertmanagers]
        self._webhooks = [_link(each, base_dir) for each in config.webhooks]
        self.sent_at = 0.0
        self.beats = 0
        self.trouble = ""

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told."""
        return bool(self._alertmanagers or self._webhooks)

    async def run(self) -> None:
        """Beat until cancelled; whoever becomes leader beats at once."""
        if not self.wanted:
            return
        try:
            while True:
                if self._acts():
                    await self.beat()
                    await asyncio.sleep(self.config.every_s)
                else:
                    await asyncio.sleep(min(LOOK_S, self.config.every_s))
        finally:
            for link in (*self._alertmanagers, *self._webhooks):
                await link.aclose()

    async def beat(self) -> None:
        """Tell every receiver once, all at the same time; failures are told in `trouble`, never raised."""
        now = self._clock()
        calls = [self._tell(link, "/api/v2/alerts", self.alerts(now)) for link in self._alertmanagers]
        calls += [self._tell(link, "", self.word(now)) for link in self._webhooks]
        failures = [each for each in await asyncio.gather(*calls) if each]
        trouble = "; ".join(failures)
        if trouble and not self.trouble:
            log.warning("the heartbeat is not taken: %s", trouble)
        self.trouble = trouble
        self.beats += 1
        if not failures:
            self.sent_at = now

    def alerts(self, now: float) -> list[dict[str, object]]:
        """Return what an Alertmanager is told: an alert a site, which ends after three missed beats."""
        ends_at = now + BEATS_MISSED * self.config.every_s
        return [
            {
                "labels": {"alertname": ALERT, "severity": "none", "site": site, "fleet": self._names["fleet"]},
                "annotations": {
                    "summary": f"gigadeck serve watches {site}; when this alert is gone, nobody does",
                    "keeper": self._names["keeper"],
                },
                "startsAt": _rfc3339(now),
                "endsAt": _rfc3339(ends_at),
            }
            for site in self._sites
        ]

    def word(self, now: float) -> dict[str, object]:
        """Return what a webhook is told."""
        return {"type": "heartbeat", "at": now, "sites": self._sites, "every_s": self.config.every_s, **self._names}

    @staticmethod
    async def _tell(link: HttpLink, path: str, body: object) -> str:
        """Return what went wrong, empty if it was taken."""
        try:
            answer = await link.ask("POST", path, json.dumps(body).encode())
        except ConsoleError as error:
            return str(error)
        return f"{link.endpoint.shown_url} answers {answer.status}" if answer.status >= FIRST_ERROR else ""


def _link(receiver: Receiver, base_dir: str) -> HttpLink:
    config = SourceConfig(
        "heartbeat", url=receiver.url, auth=receiver.auth, tls=receiver.tls, timeouts=LIMITS, base_dir=base_dir
    )
    return HttpLink("serve", config)


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
