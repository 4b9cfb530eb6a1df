"""The contract holds in every environment, and its checks have something to look at."""

import pytest

from contract import CHECKS, faults
from cti_infra.config import ENVIRONMENTS
from cti_infra.task_roles import METRICS_NAMESPACE
from cti_infra.waf import ANALYST_PATHS
from model import ROOT, asking, load
from product import compose, metrics, nginx_variables, paths, settings


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_holds(name: str, check: object) -> None:
    assert callable(check)
    assert list(check(load(name))) == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_there_are_no_faults(name: str) -> None:
    assert faults(load(name)) == []
    assert faults(asking(name)) == []


def test_the_product_is_read() -> None:
    assert metrics()["QueueDepth"] == {
        frozenset({"Environment"}),
        frozenset({"Environment", "Tier"}),
    }
    assert metrics()["BacklogPerWorker"] == {frozenset({"Environment"})}
    assert {"DATABASE_URL", "CTISCRAPER_PULSE_FILE"} <= settings()
    assert "NGINX_TRUSTED_PROXIES" in nginx_variables()
    assert {"web", "worker", "beat", "migrate", "nginx"} <= set(compose())
    assert "/health/live" in paths()


def test_the_namespace_is_the_products() -> None:
    config = (ROOT / "src" / "ctiscraper" / "config.py").read_text("utf-8")
    assert f'default="{METRICS_NAMESPACE}"' in config


@pytest.mark.parametrize("path", [p for p in ANALYST_PATHS if p != "/api/v1/"])
def test_addresses_of_analysts_are_pages_of_the_product(path: str) -> None:
    pages = "\n".join(
        file.read_text("utf-8")
        for file in (ROOT / "src" / "ctiscraper" / "web" / "pages").glob("*.py")
    )
    assert f'"{path}' in pages


def test_the_ports_of_sources_are_those_that_the_network_lets_out() -> None:
    config = (ROOT / "src" / "ctiscraper" / "config.py").read_text("utf-8")
    assert "default=frozenset({80, 443})" in config
    prod = load("prod")
    open_ports = {
        rule["FromPort"]
        for rule in prod.of("EC2::SecurityGroupEgress")
        if rule.get("CidrIp") and rule["GroupId"] == "network.WorkerSecurityGroup.GroupId"
    }
    assert open_ports == {80, 443}
