"""The raw store in an S3 bucket; the only module that speaks to the AWS SDK.

With its client it costs .3 s and 27 MB, so it is imported only where a bucket is set.
"""

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - the SDK's own name; nothing here means the built-in one
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSLError,
)
from urllib3.exceptions import HTTPError

from ctiscraper.db.raw import UNTOUCHED_SECONDS, digest_of, name_of, pack, unpack
from ctiscraper.errors import Reason, SettingsError, StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
# One more try mends a connection that went stale in the pool; what lasts longer is the outbox's.
ATTEMPTS = 2
# asyncio's own pool of threads is never larger.
CONNECTIONS = 32

_CREDENTIALS = (
    "give the task a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: "
    "credentials are never read from our own settings"
)
_REGION = (
    "set CTISCRAPER_S3_REGION to the region of the bucket, and CTISCRAPER_S3_ENDPOINT, if at all, "
    "to an address that does not redirect"
)
_RENEW = "renew the credentials, or use a task role, which renews them by itself"
_UNKNOWN_KEY = "check the AWS credentials, and that CTISCRAPER_S3_ENDPOINT is where they are for"
_KMS = "check that CTISCRAPER_S3_KMS_KEY is an enabled key of the bucket's region, and its policy"
_NOT_S3 = "check that CTISCRAPER_S3_ENDPOINT is the address of an S3 API"
_WAYS_OUT = {
    "AccessDenied": (
        "allow s3:PutObject, s3:GetObject and s3:DeleteObject under this prefix and "
        "s3:ListBucket on the bucket, and with CTISCRAPER_S3_KMS_KEY kms:GenerateDataKey and "
        "kms:Decrypt on the key"
    ),
    "NoSuchBucket": "make the bucket, or name another in CTISCRAPER_RAW_STORE",
    "InvalidBucketName": "mend the name of the bucket in CTISCRAPER_RAW_STORE",
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "ExpiredToken": _RENEW,
    "TokenRefreshRequired": _RENEW,
    "InvalidToken": _RENEW,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": _UNKNOWN_KEY,
    "RequestTimeTooSkewed": "set the clock of this machine (NTP)",
    "NotImplemented": (
        "this store lacks something that was asked of it: unset CTISCRAPER_S3_KMS_KEY if it is set"
    ),
}
# What S3 says about bytes that were harmed on the way, or about another writer.
_PASSING_CODES = {
    "BadDigest",
    "IncompleteBody",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
}
_PASSING_STATUSES = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_PASSING = (
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    HTTPError,
    IncompleteReadError,
    MetadataRetrievalError,
)


class S3Store:
    """A raw store in a bucket; one may be used by many threads.

    Without an `endpoint` it is AWS, and objects are encrypted with AES256 or the KMS key; with
    one and no key the store's own default holds. Raises SettingsError.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str = "",
        region: str = "",
        kms_key: str = "",
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._kms_key = kms_key
        self._endpoint = endpoint
        self._region = region
        self._making = threading.Lock()
        self._made: S3Client | None = None
        try:
            self._client()
        except CredentialRetrievalError:
            # The role of a task may be had a moment later, like the bucket itself.
            pass
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(
                f"no S3 client can be made: {error}; check CTISCRAPER_S3_ENDPOINT, "
                "CTISCRAPER_S3_REGION and the AWS_… variables"
            ) from error

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def put(self, body: bytes) -> bytes:
        """Return the hash under which `body` now stands. Raises StorageError.

        What stands there already is written again: that heals a damaged object, and asking
        first would cost a request each time to spare one seldom.
        """
        digest = hashlib.sha256(body).digest()
        request = self._request(digest, pack(body))
        with self._told():
            answer = self._client().put_object(**request)
        if not answer.get("ETag"):
            raise StorageError(
                Reason.STORAGE,
                f"{self}: what answers there is not S3; {_NOT_S3}",
                transient=False,
                of_one=True,
            )
        return digest

    def get(self, sha256: bytes) -> bytes | None:
        """Return the bytes of a hash, None when they are gone or damaged. Raises StorageError."""
        with self._told():
            client = self._client()
            try:
                answer = client.get_object(Bucket=self._bucket, Key=self._key(sha256))
            except client.exceptions.NoSuchKey:
                return None
            packed = answer["Body"].read()
        return unpack(packed, sha256)

    def delete(self, sha256: bytes, *, untouched: float = UNTOUCHED_SECONDS) -> bool:
        """Return whether the bytes of a hash are gone; those put within `untouched` seconds stay.

        S3 has no lock: a put in the moment between the look and the deletion is undone by it.
        Raises StorageError.
        """
        bucket, key = self._bucket, self._key(sha256)
        with self._told():
            client = self._client()
            # A listing, as an answer to HEAD has no words for what is wrong.
            answer = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
            found = [item for item in answer.get("Contents", ()) if item["Key"] == key]
            if not found:
                return True
            # By the clock of the store, which dates what it keeps.
            dated = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            now = parsedate_to_datetime(dated) if dated else datetime.now(UTC)
            if (now - found[0]["LastModified"]).total_seconds() < untouched:
                return False
            client.delete_object(Bucket=bucket, Key=key)
        return True

    def hashes(self, after: bytes = b"") -> Iterator[bytes]:
        """Return the hashes that are kept, in order, from the first past `after` on.

        Raises StorageError.
        """
        # The prefix itself comes before every key under it.
        start = self._key(after) if after else self._prefix
        with self._told():
            pages = self._client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix, StartAfter=start):
                for item in page.get("Contents", ()):
                    digest = digest_of(item["Key"].removeprefix(self._prefix))
                    if digest is not None:
                        yield digest

    def remove_parts(self) -> int:
        """Return 0: S3 shows whole objects or none, and bodies go there in one piece."""
        return 0

    def close(self) -> None:
        """Close the connections."""
        with self._making:
            if self._made is not None:
                self._made.close()
                self._made = None

    def _client(self) -> "S3Client":
        """Return the client, made once for all threads."""
        with self._making:
            if self._made is None:
                self._made = _make_client(self._endpoint, self._region)
            return self._made

    def _key(self, digest: bytes) -> str:
        return self._prefix + name_of(digest)

    def _request(self, digest: bytes, packed: bytes) -> "PutObjectRequestTypeDef":
        checksum = base64.b64encode(hashlib.sha256(packed).digest()).decode()
        request: PutObjectRequestTypeDef = {
            "Bucket": self._bucket,
            "Key": self._key(digest),
            "Body": packed,
            "ContentType": "application/zstd",
            "ChecksumSHA256": checksum,
        }
        if self._kms_key:
            request["ServerSideEncryption"] = "aws:kms"
            request["SSEKMSKeyId"] = self._kms_key
        elif not self._endpoint:
            request["ServerSideEncryption"] = "AES256"
        return request

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise StorageError, with the way out, for whatever the SDK raises."""
        try:
            yield
        except (BotoCoreError, ClientError, HTTPError) as error:
            if isinstance(error, NoCredentialsError):
                # The SDK looks for them when a client is made, and then never again.
                self.close()
            raise _fault_of(error, str(self)) from error


def _make_client(endpoint: str, region: str) -> "S3Client":
    """Return a client that gives up soon and takes no proxy from the environment."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
        proxies={},
        # Names of buckets below a private host name would need DNS and certificates of their own.
        s3={"addressing_style": "path" if endpoint else "auto"},
        # We send a SHA-256 of our own; stores that are not AWS refuse the SDK's further ones.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    # A session is no good to several threads, the client that it makes is.
    client = Session().client(
        "s3", endpoint_url=endpoint or None, region_name=region or None, config=config
    )
    if endpoint:
        client.meta.events.register("before-call.s3", _stay_here)
    return client


def _stay_here(context: dict[str, dict[str, object]], **_: object) -> None:
    """Say that a request was redirected already.

    The SDK would ask which region a redirect means, and where every answer is a redirect ask
    that again without end.
    """
    context.setdefault("s3_redirect", {})["redirected"] = True


def _fault_of(error: Exception, place: str) -> StorageError:
    """Return what an error of the SDK means, and its way out when it will not pass by itself."""
    of_one = False
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        passing = _passes(code, status)
        way_out = _way_out_of_answer(code, status)
        of_one = not way_out and not _is_throttled(code, status)
    else:
        passing = isinstance(error, _PASSING) and not isinstance(error, SSLError)
        way_out = _way_out_of(error)
    words = f"{place}: {error}"
    if not passing:
        words += f"; {way_out or 'check CTISCRAPER_RAW_STORE and the CTISCRAPER_S3_… settings'}"
    return StorageError(Reason.STORAGE, words, transient=passing, of_one=of_one)


def _is_throttled(code: str, status: int) -> bool:
    return (
        status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
        or code == "SlowDown"
        or "Throttl" in code
    )


def _passes(code: str, status: int) -> bool:
    """Return whether an answer of S3 may be another one later."""
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return False
    return (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or status in _PASSING_STATUSES
        or code in _PASSING_CODES
        or "Throttl" in code
    )


def _way_out_of_answer(code: str, status: int) -> str:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _REGION
    return _KMS if code.startswith("KMS.") else _WAYS_OUT.get(code, "")


def _way_out_of(error: Exception) -> str:
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return _CREDENTIALS
    if isinstance(error, SSLError):
        return "for a private certificate authority set AWS_CA_BUNDLE to its PEM file"
    if isinstance(error, ParamValidationError):
        return "check the bucket in CTISCRAPER_RAW_STORE"
    return ""
