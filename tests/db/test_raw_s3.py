"""The raw store in a bucket: what is asked of S3, and what its faults mean."""

import base64
import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from botocore.utils import ContainerMetadataFetcher

from ctiscraper.db import raw_s3
from ctiscraper.db.raw import name_of, pack
from ctiscraper.db.raw_s3 import S3Store
from ctiscraper.errors import Reason, SettingsError, StorageError
from s3_server import (
    CREDENTIALS,
    REGION,
    Harm,
    HarmfulProxy,
    Request,
    S3Server,
    harmful_proxy,
    s3_server,
)

PAGE = b"<p>a page</p>" * 1000
SHA = hashlib.sha256(PAGE).digest()
KEY = f"raw/{name_of(SHA)}"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some stores here have no server; without credentials the SDK would ask the machine's role."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def proxy(server: S3Server) -> Iterator[HarmfulProxy]:
    server.make_bucket()
    with harmful_proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def store(server: S3Server, proxy: HarmfulProxy) -> Iterator[S3Store]:
    with closing(S3Store(server.bucket, "raw", endpoint=proxy.url, region=REGION)) as store:
        yield store


def fault(ask: Callable[[], object]) -> StorageError:
    """The error with which something ends."""
    with pytest.raises(StorageError) as caught:
        ask()
    assert caught.value.reason is Reason.STORAGE
    return caught.value


def always(harm: Harm) -> Callable[[Request], Harm]:
    return lambda _: harm


def test_an_object_has_its_type_its_checksum_and_the_stores_own_encryption(
    server: S3Server, store: S3Store, proxy: HarmfulProxy
) -> None:
    assert store.put(PAGE) == SHA
    [request] = proxy.requests
    assert (request.method, request.path) == ("PUT", f"/{server.bucket}/{KEY}")
    assert request.headers["content-type"] == "application/zstd"
    checksum = base64.b64encode(hashlib.sha256(pack(PAGE)).digest()).decode()
    assert request.headers["x-amz-checksum-sha256"] == checksum
    assert request.body == pack(PAGE)
    unsent = {"x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-sdk-checksum-algorithm"}
    assert not unsent & set(request.headers)


def test_aws_is_told_to_encrypt(
    server: S3Server, proxy: HarmfulProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    with closing(S3Store(server.bucket, region=REGION)) as store:
        store.put(PAGE)
        assert store.get(SHA) == PAGE
    found = server.client.head_object(Bucket=server.bucket, Key=name_of(SHA))
    assert found["ServerSideEncryption"] == "AES256"


def test_a_kms_key_is_used_when_one_is_set(server: S3Server, proxy: HarmfulProxy) -> None:
    with closing(
        S3Store(server.bucket, "raw", endpoint=proxy.url, region=REGION, kms_key="alias/ours")
    ) as store:
        store.put(PAGE)
        assert store.get(SHA) == PAGE
    found = server.client.head_object(Bucket=server.bucket, Key=KEY)
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", "alias/ours")


def test_other_objects_under_the_prefix_and_beside_it_are_no_hashes(
    server: S3Server, store: S3Store
) -> None:
    store.put(PAGE)
    for key in ("raw/notes.txt", f"other/{name_of(SHA)}", f"raw/old/{name_of(SHA)}"):
        server.client.put_object(Bucket=server.bucket, Key=key, Body=b"theirs")
    assert list(store.hashes()) == [SHA]


@pytest.mark.parametrize(
    ("status", "code", "way_out"),
    [
        (403, "AccessDenied", "s3:PutObject"),
        (403, "InvalidAccessKeyId", "CTISCRAPER_S3_ENDPOINT"),
        (403, "SignatureDoesNotMatch", "AWS credentials"),
        (403, "RequestTimeTooSkewed", "NTP"),
        (400, "ExpiredToken", "task role"),
        (400, "AuthorizationHeaderMalformed", "CTISCRAPER_S3_REGION"),
        (301, "PermanentRedirect", "CTISCRAPER_S3_REGION"),
        (400, "KMS.DisabledException", "CTISCRAPER_S3_KMS_KEY"),
        (501, "NotImplemented", "CTISCRAPER_S3_KMS_KEY"),
        (404, "NoSuchBucket", "CTISCRAPER_RAW_STORE"),
        (400, "SomethingNew", "CTISCRAPER_RAW_STORE"),
    ],
)
def test_what_only_somebody_can_mend_names_the_way_out(
    store: S3Store, proxy: HarmfulProxy, status: int, code: str, way_out: str
) -> None:
    proxy.harm = lambda _: Harm(status, code)
    asks: list[Callable[[], object]] = [
        lambda: store.put(PAGE),
        lambda: store.get(SHA),
        lambda: store.delete(SHA),
        lambda: list(store.hashes()),
    ]
    for ask in asks:
        error = fault(ask)
        assert not error.transient
        assert str(store) in error.detail
        assert code in error.detail
        assert way_out in error.detail


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (429, "TooManyRequests"),
        (400, "RequestTimeout"),
        (400, "BadDigest"),
        (400, "KMS.ThrottlingException"),
        (409, "OperationAborted"),
    ],
)
def test_what_passes_by_itself_is_tried_twice_at_most(
    store: S3Store, proxy: HarmfulProxy, status: int, code: str
) -> None:
    proxy.harm = lambda _: Harm(status, code)
    assert fault(lambda: store.put(PAGE)).transient
    assert len(proxy.requests) <= 2
    assert fault(lambda: store.get(SHA)).transient
    proxy.harm = lambda _: None
    store.put(PAGE)
    assert store.get(SHA) == PAGE


def test_one_fault_alone_is_not_even_noticed(store: S3Store, proxy: HarmfulProxy) -> None:
    proxy.harm = lambda _: Harm(503, "SlowDown") if len(proxy.requests) == 1 else None
    store.put(PAGE)
    assert store.get(SHA) == PAGE


def test_a_bucket_that_does_not_exist_is_named(server: S3Server) -> None:
    with closing(S3Store("no-such-bucket", endpoint=server.url, region=REGION)) as store:
        error = fault(lambda: store.put(PAGE))
        assert not error.transient
        assert "s3://no-such-bucket/" in error.detail
        assert "CTISCRAPER_RAW_STORE" in error.detail
        assert not fault(lambda: store.get(SHA)).transient


def test_missing_credentials_are_named(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with closing(S3Store(server.bucket, endpoint=server.url, region=REGION)) as store:
        error = fault(lambda: store.put(PAGE))
        assert not error.transient
        assert "AWS_ACCESS_KEY_ID" in error.detail
        # They may come later, as those of a machine's role do.
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        assert store.get(store.put(PAGE)) == PAGE


def test_a_role_that_cannot_be_had_at_the_start_is_had_later(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    with harmful_proxy(server.port) as role:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{role.url}/role")
        role.harm = always(Harm(500, body=b"{}"))
        with closing(S3Store(server.bucket, endpoint=server.url, region=REGION)) as store:
            assert fault(lambda: store.put(PAGE)).transient
            key = {"AccessKeyId": "A", "SecretAccessKey": "B", "Token": "C"}
            lasting = {**key, "Expiration": "2199-01-01T00:00:00Z"}
            role.harm = always(Harm(200, body=json.dumps(lasting).encode()))
            assert store.get(store.put(PAGE)) == PAGE


def test_a_store_of_ones_own_needs_no_region(server: S3Server) -> None:
    with closing(S3Store(server.bucket, endpoint=server.url)) as store:
        assert store.get(store.put(PAGE)) == PAGE


def test_nobody_there_passes_and_is_told_soon() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with closing(S3Store("bucket", endpoint=endpoint, region=REGION)) as store:
            assert fault(lambda: store.put(PAGE)).transient


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert raw_s3.CONNECT_SECONDS + raw_s3.READ_SECONDS * raw_s3.ATTEMPTS < 30
    monkeypatch.setattr(raw_s3, "READ_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with closing(S3Store("bucket", endpoint=endpoint, region=REGION)) as store:
            assert fault(lambda: store.get(SHA)).transient


def test_a_private_authority_is_hinted_at() -> None:
    """A port without TLS is as near to a bad certificate as the SDK cares."""
    with harmful_proxy(1) as proxy:
        endpoint = proxy.url.replace("http:", "https:")
        with closing(S3Store("bucket", endpoint=endpoint, region=REGION)) as store:
            error = fault(lambda: store.get(SHA))
    assert (error.transient, "AWS_CA_BUNDLE" in error.detail) == (False, True)


@pytest.mark.parametrize("harm", [Harm(cut=40), Harm(cut=0), Harm(lose=True)])
def test_an_upload_that_breaks_off_is_an_error_and_the_next_one_heals(
    store: S3Store, proxy: HarmfulProxy, harm: Harm
) -> None:
    proxy.harm = lambda _: harm
    assert fault(lambda: store.put(PAGE)).transient
    proxy.harm = lambda _: None
    assert store.get(SHA) in {None, PAGE}
    store.put(PAGE)
    assert store.get(SHA) == PAGE


def test_an_answer_that_breaks_off_passes(store: S3Store, proxy: HarmfulProxy) -> None:
    store.put(PAGE)
    proxy.harm = lambda _: Harm(short=True)
    assert fault(lambda: store.get(SHA)).transient


def test_bytes_that_change_on_the_way_do_not_match_what_was_signed_for(
    server: S3Server, store: S3Store, proxy: HarmfulProxy
) -> None:
    """AWS refuses them; a store that looks at no checksum is found out when they are read."""
    proxy.harm = lambda request: Harm(flip=True) if request.method == "PUT" else None
    store.put(PAGE)
    stored = server.client.get_object(Bucket=server.bucket, Key=KEY)["Body"].read()
    signed = proxy.requests[0].headers["x-amz-checksum-sha256"]
    assert base64.b64encode(hashlib.sha256(stored).digest()).decode() != signed
    assert store.get(SHA) is None


def test_what_is_not_s3_is_not_taken_for_it(store: S3Store, proxy: HarmfulProxy) -> None:
    for welcome in (b"<html>Welcome to the guest network</html>", b""):
        proxy.harm = always(Harm(200, body=welcome))
        error = fault(lambda: store.put(PAGE))
        assert (error.transient, "CTISCRAPER_S3_ENDPOINT" in error.detail) == (False, True)
        assert store.get(SHA) is None
    proxy.harm = lambda _: Harm(200, body=b"<html>Welcome")
    fault(lambda: store.put(PAGE))
    fault(lambda: list(store.hashes()))


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_told_and_not_chased(
    store: S3Store, proxy: HarmfulProxy, status: int
) -> None:
    proxy.harm = lambda _: Harm(status, body=b"<html>Moved")
    error = fault(lambda: store.put(PAGE))
    assert (error.transient, "CTISCRAPER_S3_REGION" in error.detail) == (False, True)
    assert len(proxy.requests) == 1


def test_proxies_of_the_environment_are_not_used(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with closing(S3Store(server.bucket, endpoint=server.url, region=REGION)) as store:
        assert store.get(store.put(PAGE)) == PAGE


def test_an_endpoint_that_is_no_url_is_a_fault_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="CTISCRAPER_S3_ENDPOINT"):
        S3Store("bucket", endpoint="nowhere")
