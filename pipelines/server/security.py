"""Who is let in, and how what is said is kept from others."""

from __future__ import annotations

import hmac
import pathlib
import ssl

import grpc

from pipelines.server.refusals import Refusal, Why
from pipelines.system.errors import UserError


class Tokens:
    """Bearer tokens; without any, everybody who reaches the port is let in.

    Args:
      path: of a file with a token a line.

    Raises:
      UserError: there is none in it, or it cannot be read.
    """

    def __init__(self, path: str | None) -> None:
        self._known: list[bytes] = []
        if path is not None:
            self._known = [line.strip() for line in _read(path, "--token_file").splitlines()]
            self._known = [token for token in self._known if token]
            if not self._known:
                raise UserError(f"--token_file: there is no token in '{path}'; expected one a line")

    def check(self, header: str) -> None:
        """Raises Refusal unless `header` is `Bearer` and one of the tokens."""
        if not self._known:
            return
        scheme, _, token = header.partition(" ")
        given = token.strip().encode(errors="replace")
        # All of them, so that the time says nothing of which was near.
        fits = [hmac.compare_digest(given, known) for known in self._known]
        if scheme.lower() != "bearer" or not any(fits):
            text = "expected the header 'Authorization: Bearer' with a token of this server"
            raise Refusal(Why.UNAUTHENTICATED, text)


def tls_context(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    """For HTTPS; None: without.

    Raises:
      UserError: only one of them is given, or they do not fit.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UserError("--tls_certificate and --tls_key: expected both or neither")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UserError(f"cannot use --tls_certificate={certificate}: {reason}") from error
    return context


def check(token_file: str | None, certificate: str | None, key: str | None) -> None:
    """Raises UserError where one of the files does not do."""
    Tokens(token_file)
    tls_context(certificate, key)


def grpc_credentials(certificate: str | None, key: str | None) -> grpc.ServerCredentials | None:
    """For gRPC; None: without. What is wrong with them `tls_context` has said."""
    if certificate is None or key is None:
        return None
    pair = _read(key, "--tls_key"), _read(certificate, "--tls_certificate")
    return grpc.ssl_server_credentials([pair])


def _read(path: str, flag: str) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{flag}: cannot read '{path}': {error.strerror}") from error
