"""Who asks, as the proxies before this program say: believed of those that were named alone."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from ctiscraper.web.problems import problem_answer

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_SCHEMES = {"http", "https"}
_DIRECT = "This program is behind a proxy: ask there."


class Forwarded:
    """The layer that puts the asking client in the place of the proxy that passes it on.

    With hops nobody else may ask over plain HTTP, but this machine itself, for its health.
    """

    def __init__(self, app: ASGIApp, *, hops: Iterable[Network]) -> None:
        self.app = app
        self._hops = tuple(hops)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "http" and self._hops:
            peer = _address(scope["client"][0]) if scope["client"] else None
            if peer is not None and self._is_hop(peer):
                # In place: the layer outside reads there which route has answered.
                scope.update(self._told(scope, peer))
            elif scope["scheme"] != "https" and not (peer is not None and peer.is_loopback):
                await problem_answer(scope, 403, _DIRECT)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _told(self, scope: Scope, peer: Address) -> dict[str, object]:
        """Return what the hop before us says of a request."""
        given = Headers(scope=scope)
        told: dict[str, object] = {"client": (str(self._client(given, peer)), 0)}
        scheme = _last(given.getlist("x-forwarded-proto"))
        if scheme in _SCHEMES:
            told["scheme"] = scheme
        if host := _last(given.getlist("x-forwarded-host")):
            headers = MutableHeaders(raw=list(scope["headers"]))
            headers["host"] = host
            told["headers"] = headers.raw
        return told

    def _client(self, headers: Headers, peer: Address) -> Address:
        """Return the first address, from our end, that is no hop of ours."""
        client = peer
        for said in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
            address = _address(said.strip())
            if address is None:
                break
            client = address
            if not self._is_hop(address):
                break
        return client

    def _is_hop(self, address: Address) -> bool:
        return any(address in network for network in self._hops)


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _last(values: list[str]) -> str:
    """Return what the hop next to us said: what stands before it, others may have said."""
    return values[-1].rpartition(",")[2].strip().lower() if values else ""
