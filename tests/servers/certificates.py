"""A throw-away certificate authority, and what it signs."""

import hashlib
import ssl
from pathlib import Path

import trustme


class Certificates:
    """Each certificate is one file, with its private key and its chain.

    authority: what to trust. server: for localhost and 127.0.0.1. wrong_host: for somewhere else.
    """

    def __init__(self, folder: Path) -> None:
        """Make them in a folder; this takes some milliseconds."""
        self._ca = trustme.CA()
        self._folder = folder
        folder.mkdir()
        self.authority = folder / "authority.pem"
        self._ca.cert_pem.write_to_path(str(self.authority))
        self.server = self._write("server", self._ca.issue_cert("localhost", "127.0.0.1"))
        self.wrong_host = self._write("wrong-host", self._ca.issue_cert("elsewhere.test"))

    def client(self, name: str) -> Path:
        """A client's certificate, for each name another."""
        path = self._folder / f"client-{name}.pem"
        if not path.exists():
            self._write(path.stem, self._ca.issue_cert(f"{name}@tocsin.test", common_name=name))
        return path

    def context(self, client: Path | None = None) -> ssl.SSLContext:
        """What trusts the authority and nobody else. client: the certificate to show to servers."""
        context = ssl.create_default_context(cafile=self.authority)
        if client is not None:
            context.load_cert_chain(client)
        return context

    def server_context(self, certificate: Path | None = None) -> ssl.SSLContext:
        """What a server shows: the certificate for localhost, or another one."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate or self.server)
        return context

    def _write(self, name: str, certificate: trustme.LeafCert) -> Path:
        path = self._folder / f"{name}.pem"
        path.touch(mode=0o600)
        certificate.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


def fingerprint(certificate: Path) -> str:
    """SHA-256, as services keep it to know a client again: lower-case hexadecimal digits without colons."""
    head, begin, rest = certificate.read_text().partition("-----BEGIN CERTIFICATE-----")
    body, end, _ = rest.partition("-----END CERTIFICATE-----")
    assert begin, head
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(begin + body + end)).hexdigest()
