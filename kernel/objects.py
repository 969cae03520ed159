"""Object storage over S3's API (aiobotocore): what builds and releases put there and read back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kernel.errors import define
from kernel.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client  # type: ignore[import-not-found]

OBJECT_NOT_FOUND = define("OBJECT_NOT_FOUND", status=404, hint="the object store lost it, or it was never written")
STORE_UNAVAILABLE = define(
    "STORE_UNAVAILABLE", status=503, retryable=True, hint="the object store is down or overloaded; try again"
)
CHUNK: Final = 1024 * 1024
MOST_DELETED: Final = 1000  # objects in one call, by S3's protocol


class StoreSettings(Settings):
    """Where the object store is.

    Attributes:
        s3_endpoint: URL of the server.
        s3_access_key: public half of the credentials.
        s3_secret_key: secret half.
        s3_bucket: everything of one platform lies in one bucket.
        s3_region: as the server wants it in signatures; self-hosted ones take any.
    """

    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    s3_bucket: str = "shipoff"
    s3_region: str = "us-east-1"


class ObjectStore:
    """One bucket. Every call is bounded by botocore's timeouts and tried three times."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._client: S3Client | None = None
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Closes the connections."""
        await self._stack.aclose()

    async def ensure_bucket(self) -> None:
        """Makes the bucket unless it exists.

        Raises:
            ShipoffError: STORE_UNAVAILABLE.
        """
        try:
            await self._call("create_bucket")
        except _S3RefusedError as refused:
            if refused.code not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
                raise STORE_UNAVAILABLE(f"cannot make the bucket: {refused.code}") from refused

    async def put(self, key: str, body: bytes | Path, content_type: str = "application/octet-stream") -> None:
        """Writes an object from memory or from a file.

        Raises:
            ShipoffError: STORE_UNAVAILABLE.
        """
        try:
            if isinstance(body, bytes):
                await self._call("put_object", Key=key, Body=body, ContentType=content_type)
            else:
                with body.open("rb") as file:
                    await self._call("put_object", Key=key, Body=file, ContentType=content_type)
        except _S3RefusedError as refused:
            raise STORE_UNAVAILABLE(f"cannot write {key}: {refused.code}") from refused

    async def exists(self, key: str) -> bool:
        """Whether there is an object."""
        try:
            await self._call("head_object", Key=key)
        except _S3RefusedError as refused:
            if refused.missing:
                return False
            raise STORE_UNAVAILABLE(f"cannot look at {key}: {refused.code}") from refused
        return True

    async def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error.

        Raises:
            ShipoffError: STORE_UNAVAILABLE.
        """
        try:
            await self._call("delete_object", Key=key)
        except _S3RefusedError as refused:
            if not refused.missing:
                raise STORE_UNAVAILABLE(f"cannot delete {key}: {refused.code}") from refused

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Removes at most MOST_DELETED objects; those that are not there are no error.

        Raises:
            ShipoffError: STORE_UNAVAILABLE; some may be gone.
        """
        try:
            wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
            answer = await self._call("delete_objects", Delete=wanted)
        except _S3RefusedError as refused:
            raise STORE_UNAVAILABLE(f"cannot delete {len(keys)} objects: {refused.code}") from refused
        for refused_one in answer.get("Errors") or ():
            raise STORE_UNAVAILABLE(f"cannot delete {refused_one.get('Key')}: {refused_one.get('Code')}")

    async def get(self, key: str) -> bytes:
        """An object whole; for small ones (manifests).

        Raises:
            ShipoffError: OBJECT_NOT_FOUND, STORE_UNAVAILABLE.
        """
        return b"".join([chunk async for chunk in self.stream(key)])

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """An object in pieces of at most 1 MiB."""
        from aiohttp import ClientError

        try:
            answer = await self._call("get_object", Key=key)
            async with answer["Body"] as body:
                async for chunk in body.iter_chunks(CHUNK):
                    yield chunk
        except _S3RefusedError as refused:
            kind = OBJECT_NOT_FOUND if refused.missing else STORE_UNAVAILABLE
            raise kind(f"cannot read {key}: {refused.code}") from refused
        except (ClientError, TimeoutError) as error:
            raise STORE_UNAVAILABLE(f"reading {key} broke off: {error!r}") from error

    async def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        client = await self._connected()
        try:
            return await getattr(client, operation)(Bucket=self._settings.s3_bucket, **arguments)
        except ClientError as error:
            raise _S3RefusedError(error.response["Error"].get("Code", "?")) from error
        except (BotoCoreError, OSError, TimeoutError) as error:
            raise STORE_UNAVAILABLE(f"{operation}: {error!r}") from error

    async def _connected(self) -> S3Client:
        async with self._lock:
            if self._client is None:
                self._client = await self._stack.enter_async_context(_make_client(self._settings))
            return self._client


# What S3 says of a signature that it does not take; to a HEAD it says no more than the status.
_DOUBTED: Final = frozenset(("403", "AccessDenied", "RequestTimeTooSkewed", "SignatureDoesNotMatch"))


class _S3RefusedError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = (
            f"{code}: wrong credentials, or a clock that is off by a quarter of an hour" if code in _DOUBTED else code
        )
        self.missing = code in ("404", "NoSuchKey", "NotFound")


def _make_client(settings: StoreSettings) -> Any:
    # Imported here: botocore costs a process 40 MB, and most never open the store.
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    config = AioConfig(
        connect_timeout=3,
        read_timeout=30,
        retries={"total_max_attempts": 3, "mode": "standard"},
        max_pool_connections=16,
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return get_session().create_client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        config=config,
    )
