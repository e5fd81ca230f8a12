"""How an endpoint is signed in to and trusted: where credentials come from, and which certificates count."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Secret:
    """Where a credential comes from: one of an environment variable, a file, a command, or (private files) a text."""

    env: str = ""
    file: str = ""
    command: tuple[str, ...] = ()
    value: str = field(default="", repr=False)

    @property
    def origin(self) -> str:
        """Where the credential comes from, in words that never hold it (a command is named without its arguments)."""
        if self.env:
            return f"environment variable {self.env}"
        if self.file:
            return f"file {self.file}"
        return f"command {self.command[0]}" if self.command else "the fleet file"


@dataclass(frozen=True)
class Auth:
    """Credentials of one endpoint: at most one of bearer, basic, `jwt` (Slurm) and a header of the site's own."""

    bearer: Secret | None = None
    basic_user: str = ""
    basic_password: Secret | None = None
    jwt: Secret | None = None
    header: str = ""
    header_value: Secret | None = None


@dataclass(frozen=True)
class Tls:
    """How an endpoint is trusted (`ca_file`, `verify`, `server_name`) and how we identify (`cert_file`, `key_file`).

    Paths are absolute once read.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True
    server_name: str = ""
