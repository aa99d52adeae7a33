"""A connection that cannot be made says why: what trying again will not mend is told apart."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from bearpit.client import BearpitError, connect
from bearpit.v1 import market_pb2

# Made for these tests, good for a century, known to everybody.
KEY = b"""-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3vgX4hukwVih9EIi
Wpaxpp4wkKceNpSnGpfx1H7jBfGhRANCAATDDXtmRD88KL7OUNv0ZgVOToCN4qbg
H8e9IXBRGFhzbML0lpc+mOgRmMxosAv2+77GCId0EmjBspTMv5GmRwx/
-----END PRIVATE KEY-----
"""
CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIIBljCCATygAwIBAgIUWxxCxaTKWMhFFKvARw2aG+BrIxcwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMYmVhcnBpdCB0ZXN0MCAXDTI2MTEyMTA0NDc0MloYDzIxMjYx
MDI4MDQ0NzQyWjAXMRUwEwYDVQQDDAxiZWFycGl0IHRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAATDDXtmRD88KL7OUNv0ZgVOToCN4qbgH8e9IXBRGFhzbML0
lpc+mOgRmMxosAv2+77GCId0EmjBspTMv5GmRwx/o2QwYjAdBgNVHQ4EFgQUEIWs
Xl9Nu+3bcmxyDvX64M0/V2MwHwYDVR0jBBgwFoAUEIWsXl9Nu+3bcmxyDvX64M0/
V2MwDwYDVR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMC
A0gAMEUCICFR0q5HiN0+3wmD0ZqznEgVWevSnW4RKvA+HCcPqnIhAiEA+lVK0EbE
XvAxOb0ccvU1r0xghmtgs9A3b/vkIO8e924=
-----END CERTIFICATE-----
"""
OF_ANOTHER = b"""-----BEGIN CERTIFICATE-----
MIIBnjCCAUSgAwIBAgIUEoIhOoeGKj2WhKYcXecqzci2JyYwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMYmVhcnBpdCB0ZXN0MCAXDTI2MTEyMTA0NDg1OVoYDzIxMjYx
MDI4MDQ0ODU5WjAXMRUwEwYDVQQDDAxiZWFycGl0IHRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAATDDXtmRD88KL7OUNv0ZgVOToCN4qbgH8e9IXBRGFhzbML0
lpc+mOgRmMxosAv2+77GCId0EmjBspTMv5GmRwx/o2wwajAdBgNVHQ4EFgQUEIWs
Xl9Nu+3bcmxyDvX64M0/V2MwHwYDVR0jBBgwFoAUEIWsXl9Nu+3bcmxyDvX64M0/
V2MwDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxjYW1wLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSAAwRQIgIQ4H7G1Z76xavH3GFHkOyOQMkVjPPyNelT/bUIW/z9YC
IQCZAP/boSLZ6z3npmLxN+NHvPg5eq2PeTySylQqmdpDvA==
-----END CERTIFICATE-----
"""
"""The same, but for camp.example instead of 127.0.0.1."""


@asynccontextmanager
async def serving(encrypted: bool, certificate: bytes = CERTIFICATE) -> AsyncIterator[int]:
    """A server that knows no RPC, which is enough to shake hands with; its port."""
    server = grpc.aio.server()
    if encrypted:
        credentials = grpc.ssl_server_credentials([(KEY, certificate)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


async def failure(address: str, tls: bool | str | Path) -> BearpitError:
    async with connect(address, tls=tls) as client:
        with pytest.raises(BearpitError) as caught:
            await client.market.GetBook(market_pb2.GetBookRequest(symbol="A"))
        return caught.value


def kept(folder: Path, certificate: bytes) -> Path:
    path = folder / "authority.pem"
    path.write_bytes(certificate)
    return path


@pytest.fixture(name="authority")
def make_authority(tmp_path: Path) -> Path:
    return kept(tmp_path, CERTIFICATE)


async def test_a_certificate_of_ones_own_is_trusted_by_its_file(authority: Path) -> None:
    async with serving(encrypted=True) as port:
        error = await failure(f"127.0.0.1:{port}", authority)
    assert error.code is grpc.StatusCode.UNIMPLEMENTED  # it was asked, so the handshake was made


async def test_a_certificate_of_an_unknown_authority_is_said_to_be_that() -> None:
    async with serving(encrypted=True) as port:
        error = await failure(f"127.0.0.1:{port}", True)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "")
    assert "not trusted" in error.message


async def test_a_certificate_for_another_name_is_said_to_be_that(tmp_path: Path) -> None:
    authority = kept(tmp_path, OF_ANOTHER)
    async with serving(encrypted=True, certificate=OF_ANOTHER) as port:
        assert "another name" in (await failure(f"127.0.0.1:{port}", authority)).message


async def test_a_server_that_wants_tls_is_said_to(authority: Path) -> None:
    async with serving(encrypted=True) as port:
        assert "may want TLS" in (await failure(f"127.0.0.1:{port}", False)).message


async def test_a_server_without_tls_is_said_to_have_none(authority: Path) -> None:
    async with serving(encrypted=False) as port:
        assert "does not encrypt" in (await failure(f"127.0.0.1:{port}", authority)).message


async def test_an_authority_that_is_no_certificate_is_said_to_be_none(tmp_path: Path) -> None:
    authority = kept(tmp_path, b"junk")
    async with serving(encrypted=True) as port:
        assert "no certificate" in (await failure(f"127.0.0.1:{port}", authority)).message


async def test_a_host_that_does_not_exist_is_said_not_to() -> None:
    assert "no host" in (await failure(f"{'a' * 64}.invalid:1", False)).message  # too long to be looked up


TRY = """
import asyncio, sys
from bearpit.client import BearpitError, connect

async def main() -> None:
    async with connect(sys.argv[1], tls=True) as client:
        try:
            await client.sign_in("ada", "correct horse")
        except BearpitError as error:
            print(error.message)

asyncio.run(main())
"""


async def test_a_failed_handshake_writes_nothing_across_the_screen() -> None:
    async with serving(encrypted=True) as port:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", TRY, f"127.0.0.1:{port}", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        said, complained = await process.communicate()
    assert b"not trusted" in said
    assert complained == b""
