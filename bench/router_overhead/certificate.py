"""One certificate for all proxies: ECDSA P-256, as most public sites have today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM.

    Attributes:
        chain: the certificate.
        key: its key.
        both: one after the other, as HAProxy wants it.
    """

    chain: Path
    key: Path
    both: Path


def make(directory: Path) -> Certificate:
    """A certificate for localhost and *.test, signed by itself, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("*.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = Certificate(directory / "chain.pem", directory / "key.pem", directory / "both.pem")
    made.chain.write_bytes(chain)
    made.key.write_bytes(private)
    made.both.write_bytes(chain + private)
    return made
