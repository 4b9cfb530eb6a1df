"""Where the program may go: the operator's policy, checked URLs and addresses."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from ada_url import URL, HostType

from ctiscraper.errors import FetchError, Reason, Scope, SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL_BYTES = 4096
# RFC 1035 section 2.3.4, as it is written: a name that is longer resolves nowhere.
MAX_HOST = 253
DEFAULT_PORTS = {"http": 80, "https": 443}

# IANA special-purpose registry, multicast and reserved space, and Azure's
# platform address, which is public by number only.
_DENIED_V4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)

# What is left is 2000::/3 less its special blocks, and the part of 0000::/8
# that IETF reserves and nobody routes: a literal in it reaches nothing.
_DENIED_V6 = tuple(
    IPv6Network(net)
    for net in (
        "::/32",  # unspecified, loopback, v4-compatible, v4-mapped, SIIT
        "64:ff9b::/32",  # NAT64, well-known and local-use
        "100::/8",  # discard-only
        "200::/7",
        "400::/6",
        "800::/5",
        "1000::/4",
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3fff::/20",
        "4000::/2",
        "8000::/1",  # unique local, link local, site local, multicast
    )
)

# Cloud metadata: credentials of the machine we run on.
_NEVER: tuple[Network, ...] = (
    IPv4Network("169.254.0.0/16"),
    IPv6Network("fd00:ec2::/32"),
)
_NAT64 = IPv6Network("64:ff9b::/96")
# Ends of names that no public name service has: RFC 6761, 6762 and 8375, and ICANN's own.
_PRIVATE_ENDS = frozenset({"localhost", "local", "internal"})
_HOME = ".home.arpa"
_PROXY_FORM = "it should read http://host:port"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyServer:
    """The one server that a policy is for, which the operator named.

    It may be on this machine or in a private network; where it is `private` it may be nowhere
    else, so that what is taken for near cannot be far.
    """

    scheme: str
    host: str
    port: int
    private: bool

    def admits(self, address: Address) -> bool:
        """Tell whether the server may be at this address, which is no cloud's metadata."""
        return not (self.private and is_public_address(address))


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPolicy:
    """What the operator lets out; nothing in it can be set per source.

    With `only`, nothing but that server may be asked, and ports and networks do not matter.
    `allow_networks` opens non-public networks; `host_map` gives names (A-labels)
    an "address" or "address:port" of their own, which must be allowed as well;
    `ca_bundle` is trusted beside the default roots; `proxy` is an http(s) URL, and
    then what a name leads to is checked here only where it can be resolved here.
    Raises SettingsError when a part of it can never be allowed.
    """

    user_agent: str
    allow_networks: tuple[Network, ...] = ()
    allow_ports: frozenset[int] = frozenset({80, 443})
    host_map: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    only: OnlyServer | None = None

    def __post_init__(self) -> None:
        for network in self.allow_networks:
            _refuse_metadata(network)
        for name in self.host_map:
            self._check_mapping(name)
        if self.proxy is not None:
            _check_proxy(self.proxy)

    def mapped(self, host: str) -> tuple[Address, int | None] | None:
        """Return the address (and port) that the operator gave this name."""
        text = self.host_map.get(host) or self.host_map.get(host.rstrip("."))
        return None if text is None else _parse_mapping(text)

    def _check_mapping(self, name: str) -> None:
        try:
            address, _ = _parse_mapping(self.host_map[name])
        except ValueError as error:
            raise SettingsError(
                f"CTISCRAPER_EGRESS_HOST_MAP: {name}: {self.host_map[name]!r} is not an address "
                "or address:port"
            ) from error
        if not is_allowed_address(address, self):
            raise SettingsError(
                f"CTISCRAPER_EGRESS_HOST_MAP: {name}: {address} is not public; add its network "
                "to CTISCRAPER_EGRESS_ALLOW_CIDRS"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL that may be asked for, in WHATWG normal form without its fragment.

    `host` is an A-label or an unbracketed literal, `path` the request target.
    """

    href: str
    scheme: str
    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def authority(self) -> str:
        """Return host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Return scheme, host and port (RFC 6454)."""
        return f"{self.scheme}://{self.authority}"


def check_url(url: str, policy: EgressPolicy, *, base: str | None = None) -> Target:
    """Return where the URL leads, read by WHATWG rules as browsers do.

    Raises FetchError for its length, syntax, scheme, user information, port or
    literal address; names are checked once they are resolved.
    """
    parsed = _parse(url, base)
    href = parsed.href.partition("#")[0]
    if len(href) > MAX_URL_BYTES:
        raise _refused(Reason.URL_TOO_LONG, f"more than {MAX_URL_BYTES} bytes", href[:200])
    scheme = parsed.protocol[:-1]
    if scheme not in DEFAULT_PORTS:
        raise _refused(Reason.SCHEME_REFUSED, f"{scheme[:40]}: is neither http nor https", href)
    if parsed.username or parsed.password:
        raise _refused(Reason.URL_INVALID, "user information in the URL", parsed.host)
    port = int(parsed.port) if parsed.port else DEFAULT_PORTS[scheme]
    host = parsed.hostname.strip("[]")
    if len(host.removesuffix(".")) > MAX_HOST:
        raise _refused(Reason.URL_INVALID, f"a host name of more than {MAX_HOST} characters", href)
    _check_place(policy, scheme, host, port, href)
    address = None
    if parsed.host_type != HostType.DEFAULT:
        address = ipaddress.ip_address(host)
        if not is_allowed_address(address, policy):
            raise _refused(Reason.ADDRESS_REFUSED, f"{address} is not a public address", href)
    return Target(
        href=href,
        scheme=scheme,
        host=host,
        port=port,
        path=parsed.pathname + parsed.search,
        address=address,
    )


def _check_place(policy: EgressPolicy, scheme: str, host: str, port: int, href: str) -> None:
    """Raise FetchError where the policy is for another server, or closes this port."""
    only = policy.only
    if only is not None:
        if (scheme, host, port) != (only.scheme, only.host, only.port):
            raise _refused(Reason.ADDRESS_REFUSED, "not the server that was named", href)
    elif port not in policy.allow_ports:
        raise _refused(Reason.PORT_REFUSED, f"port {port} is not allowed", href)


def only_server(url: str, host_map: Mapping[str, str]) -> OnlyServer:
    """Return the one server that a URL of the operator's names. Raises FetchError.

    It is private when its address is, or its name is one that only private networks know; of
    any other name nobody can say where it leads tomorrow.
    """
    parsed = _parse(url, None)
    scheme = parsed.protocol[:-1]
    if scheme not in DEFAULT_PORTS or parsed.username or parsed.password:
        raise _refused(Reason.URL_INVALID, "should read http://host:port, without a login", "")
    host = parsed.hostname.strip("[]")
    port = int(parsed.port) if parsed.port else DEFAULT_PORTS[scheme]
    at = _address_of(parsed, host, host_map)
    if at is not None and is_metadata_address(at):
        raise _refused(Reason.ADDRESS_REFUSED, f"{at} is the metadata service of a cloud", "")
    private = _is_private_name(host) if at is None else not is_public_address(at)
    return OnlyServer(scheme=scheme, host=host, port=port, private=private)


def _address_of(parsed: URL, host: str, host_map: Mapping[str, str]) -> Address | None:
    """Return the address that is written, or that the operator gave the name."""
    if parsed.host_type != HostType.DEFAULT:
        return _unmapped(ipaddress.ip_address(host))
    given = host_map.get(host)
    return None if given is None else _unmapped(_parse_mapping(given)[0])


def _unmapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_private_name(host: str) -> bool:
    name = host.rstrip(".").lower()
    last = name.rpartition(".")[2]
    return "." not in name or last in _PRIVATE_ENDS or name.endswith(_HOME)


def is_allowed_address(address: str | Address, policy: EgressPolicy) -> bool:
    """Tell whether a connection to the address may be made.

    IPv4-mapped addresses count as what they map to; metadata addresses are
    refused whatever the policy says.
    """
    if isinstance(address, str):
        address = ipaddress.ip_address(address.partition("%")[0])
    if is_metadata_address(address):
        return False
    address = _unmapped(address)
    if policy.only is not None:
        return policy.only.admits(address)
    return is_public_address(address) or any(address in net for net in policy.allow_networks)


def is_public_address(address: Address) -> bool:
    """Tell whether the address belongs to the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in net for net in _DENIED_V4)
    return not any(address in net for net in _DENIED_V6)


def is_metadata_address(address: Address) -> bool:
    """Tell whether the address, or one wrapped in it, is a cloud's metadata service."""
    return any(
        candidate in net
        for candidate in (address, *_embedded_v4(address))
        for net in _NEVER
        if candidate.version == net.version
    )


def admissible(
    url: str,
    resolve: Callable[[str], Iterable[str]],
    policy: EgressPolicy | None = None,
) -> bool:
    """Tell whether the URL may be asked for, given what its name resolves to."""
    policy = policy or EgressPolicy(user_agent="ctiscraper")
    try:
        target = check_url(url, policy)
    except FetchError:
        return False
    if target.address is not None:
        return True
    try:
        answers = list(resolve(target.host))
    except OSError:
        return False
    return bool(answers) and all(is_allowed_address(answer, policy) for answer in answers)


def _parse(url: str, base: str | None) -> URL:
    try:
        size = len(url.encode())
        if size <= MAX_URL_BYTES:
            return URL(url, base)
    except ValueError as error:
        raise _refused(Reason.URL_INVALID, "not a URL", url[:200]) from error
    raise _refused(Reason.URL_TOO_LONG, f"{size} bytes", url[:200])


def _refused(reason: Reason, detail: str, url: str) -> FetchError:
    return FetchError(reason, detail, scope=Scope.ITEM, transient=False, url=url)


def _embedded_v4(address: Address) -> tuple[IPv4Address, ...]:
    if isinstance(address, IPv4Address):
        return ()
    wrapped = [address.ipv4_mapped, address.sixtofour]
    if address in _NAT64 or int(address) >> 32 == 0:
        wrapped.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(found for found in wrapped if found is not None)


def _refuse_metadata(network: Network) -> None:
    for never in _NEVER:
        if network.version == never.version and network.overlaps(never):
            raise SettingsError(
                f"CTISCRAPER_EGRESS_ALLOW_CIDRS: {network} contains {never}, the metadata service "
                "of clouds, which can never be allowed; name smaller networks"
            )


def _parse_mapping(text: str) -> tuple[Address, int | None]:
    try:
        return ipaddress.ip_address(text), None
    except ValueError:
        host, _, port = text.rpartition(":")
        return ipaddress.ip_address(host.strip("[]")), int(port)


def _check_proxy(proxy: str) -> None:
    try:
        parsed = URL(proxy)
    except ValueError as error:
        # What was given may hold a password.
        raise SettingsError(f"CTISCRAPER_PROXY: not a URL; {_PROXY_FORM}") from error
    if parsed.protocol not in {"http:", "https:"}:
        raise SettingsError(
            f"CTISCRAPER_PROXY: {parsed.protocol} is neither http nor https; {_PROXY_FORM}"
        )
