"""Tokens and TLS: who has none of them gets nothing, over either protocol."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import urllib.request

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipelines.server import messages, security
from pipelines.server.refusals import Refusal
from pipelines.system.errors import UserError
from tests.pipelines.server import served

STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


@pytest.fixture(scope="module")
def secured(saved, tmp_path_factory):
    """A server with a token and a certificate of its own, and where these are."""
    folder = tmp_path_factory.mktemp("secured")
    (folder / "tokens").write_text("first\nsecond\n")
    certificate(folder)
    flags = {
        "token_file": str(folder / "tokens"),
        "tls_certificate": str(folder / "certificate.pem"),
        "tls_key": str(folder / "key.pem"),
    }
    with served.serving(saved, **flags) as running:
        yield running, folder


def certificate(folder) -> None:
    """For 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.mark.parametrize(
    ("header", "status"),
    [("Bearer second", 200), ("Bearer third", 401), ("Basic second", 401), (None, 401)],
)
def test_rest_lets_in_who_has_a_token(secured, header, status):
    running, folder = secured
    url = f"https://127.0.0.1:{running.server.port}/v1/models/small"
    headers = {} if header is None else {"Authorization": header}
    context = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, context=context, timeout=30) as response:
            assert response.status == status
    except urllib.error.HTTPError as error:
        assert error.code == status
        assert b"expected the header 'Authorization: Bearer'" in error.read()


@pytest.mark.parametrize(("token", "good"), [("first", True), ("", False)])
def test_grpc_lets_in_who_has_a_token(secured, token, good):
    running, folder = secured
    credentials = grpc.ssl_channel_credentials((folder / "certificate.pem").read_bytes())
    request = messages.GetModelStatusRequest()
    request.model_spec.name = "small"
    address = f"127.0.0.1:{running.server.grpc_port}"
    with grpc.secure_channel(address, credentials) as channel:
        call = channel.unary_unary(STATUS, type(request).SerializeToString)
        metadata = [("authorization", f"Bearer {token}")]
        if good:
            assert call(request, metadata=metadata, timeout=30)
            return
        with pytest.raises(grpc.RpcError) as raised:
            call(request, metadata=metadata, timeout=30)
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_without_tokens_everybody_is_let_in():
    security.Tokens(None).check("")


def test_what_does_not_do_is_said(tmp_path, secured):
    _, folder = secured
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UserError, match="there is no token in"):
        security.Tokens(str(tmp_path / "empty"))
    with pytest.raises(UserError, match="--token_file: cannot read"):
        security.Tokens(str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="expected both or neither"):
        security.tls_context(str(folder / "certificate.pem"), None)
    with pytest.raises(UserError, match="cannot use --tls_certificate"):
        security.tls_context(str(folder / "tokens"), str(folder / "key.pem"))
    with pytest.raises(Refusal):
        security.Tokens(str(folder / "tokens")).check("Bearer ")
