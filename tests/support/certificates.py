"""Makes certificates for tests: an authority, servers and people, sound and expired."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its key."""

    cert: str
    key: str


class Authority:
    """Signs certificates; `file` is its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        made = (
            self._builder(self._name, self._key, -DAY, 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = str(folder / f"{name}.pem")
        (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))

    def server(self, name: str = "serve") -> Pair:
        """Return a certificate of 127.0.0.1."""
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return self._issued(name, ExtendedKeyUsageOID.SERVER_AUTH, 10 * DAY, alternative)

    def person(self, name: str, *, lasts: timedelta = 10 * DAY, email: str = "") -> Pair:
        """Return a client certificate; one that `lasts` a negative time has expired."""
        alternative = x509.SubjectAlternativeName([x509.RFC822Name(email)]) if email else None
        return self._issued(name, ExtendedKeyUsageOID.CLIENT_AUTH, lasts, alternative)

    def _issued(
        self, name: str, usage: x509.ObjectIdentifier, lasts: timedelta, more: x509.SubjectAlternativeName | None
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_named(name), key, -20 * DAY, lasts)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if more is not None:
            builder = builder.add_extension(more, critical=False)
        cert, secret = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        cert.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Pair(str(cert), str(secret))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, since: timedelta, lasts: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + since)
            .not_valid_after(now + lasts)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
