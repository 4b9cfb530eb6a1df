"""What ways in and out cost."""

from collections.abc import Iterator, Sequence

from cti_cost.errors import CostError
from cti_cost.figures import NOTHING, span
from cti_cost.lines import ALB, HOURS, NETWORK, Asked, Line
from cti_cost.templates import Resource


def gateways(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what ways out cost, and what goes through them."""
    for gateway in found:
        yield asked.line(NETWORK, "NAT gateway", gateway.place, "nat_hour", HOURS)
    if found:
        first = found[0].place
        sources = asked.usage["sources_gigabytes"]
        yield asked.line(NETWORK, "from sources", first, "nat_data", sources)
        services = NOTHING if _private(asked) else asked.usage["services_gigabytes"]
        yield asked.line(NETWORK, "to services of AWS", first, "nat_data", services)


def _private(asked: Asked) -> bool:
    """Return whether services of AWS are reached without a way out."""
    endpoints = asked.templates.of("EC2::VPCEndpoint")
    return any(endpoint.get("VpcEndpointType") == "Interface" for endpoint in endpoints)


def addresses(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what public addresses cost."""
    for address in found:
        yield asked.line(NETWORK, "public address", address.place, "public_address", HOURS)


def endpoints(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what doors to services of AWS cost; those of gateways cost nothing."""
    inside = [one for one in found if one.get("VpcEndpointType", "Gateway") != "Gateway"]
    for endpoint in inside:
        if endpoint["VpcEndpointType"] != "Interface":
            raise CostError(f"{endpoint.place}: no price of {endpoint['VpcEndpointType']}")
        hours = HOURS * len(endpoint["SubnetIds"])
        yield asked.line(NETWORK, "endpoint", endpoint.place, "interface_endpoint", hours)
    if inside:
        moved = asked.usage["services_gigabytes"]
        yield asked.line(NETWORK, "through endpoints", inside[0].place, "interface_data", moved)


def networks(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what traffic between zones costs, which both ends are asked for."""
    for network in found:
        moved = asked.usage["between_zones_gigabytes"] * 2
        yield asked.line(NETWORK, "between zones", network.place, "between_zones", moved)


def load_balancers(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what load balancers cost, their addresses, and what they send."""
    for balancer in found:
        if balancer.get("Type", "application") != "application":
            raise CostError(f"{balancer.place}: no price of a balancer of {balancer['Type']}")
        place = balancer.place
        yield asked.line(ALB, "load balancer", place, "alb_hour", HOURS)
        units = asked.usage["load_units"] * HOURS
        yield asked.line(ALB, "capacity units", place, "alb_capacity", units)
        if balancer["Scheme"] == "internet-facing":
            hours = HOURS * len(balancer["Subnets"])
            yield asked.line(NETWORK, "public addresses", place, "public_address", hours)
            sent = asked.usage["answers_gigabytes"]
            yield asked.line(NETWORK, "answers", place, "to_internet", sent)


def namespaces(asked: Asked, found: Sequence[Resource]) -> Iterator[Line]:
    """Yield what private names cost: each is a hosted zone."""
    for namespace in found:
        yield asked.line(NETWORK, "private names", namespace.place, "hosted_zone", span(1))
