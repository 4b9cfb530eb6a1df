"""The plan, line by line: its networks, and who may speak to whom."""

from model import Resource, load
from planned import line

PROD = load("prod")
DATABASE, REDIS = "data.Database", "data.Redis"


def only(kind: str) -> Resource:
    found = PROD.of(kind)
    assert len(found) == 1
    return found[0]


def blocks(kind: str) -> list[str]:
    return [PROD[f"network.{kind}Subnet{n}"]["CidrBlock"] for n in (1, 2)]


def zones(kind: str) -> set[str]:
    return {PROD[f"network.{kind}Subnet{n}"]["AvailabilityZone"] for n in (1, 2)}


def ingress(group: str) -> set[tuple[int, str]]:
    """Who may come into a group, and to which port."""
    return {
        (rule["FromPort"], rule.get("CidrIp") or rule["SourceSecurityGroupId"].split(".")[1])
        for rule in PROD.of("EC2::SecurityGroupIngress")
        if rule["GroupId"] == f"network.{group}SecurityGroup.GroupId"
    }


def egress(group: str) -> set[tuple[int, str]]:
    return {
        (rule["FromPort"], rule.get("CidrIp") or rule["DestinationSecurityGroupId"].split(".")[1])
        for rule in PROD.of("EC2::SecurityGroupEgress")
        if rule["GroupId"] == f"network.{group}SecurityGroup.GroupId"
    }


@line("VPC Configuration", "CIDR: 10.0.0.0/16", at="network.Vpc")
def test_the_network_is_the_plans() -> None:
    assert only("EC2::VPC")["CidrBlock"] == "10.0.0.0/16"


@line(
    "VPC Configuration",
    "Public Subnets: 2 AZs (10.0.1.0/24, 10.0.2.0/24)",
    at="network.PublicSubnet1",
)
def test_public_subnets_lead_to_the_internet() -> None:
    assert blocks("Public") == ["10.0.1.0/24", "10.0.2.0/24"]
    assert len(zones("Public")) == 2
    assert PROD["network.PublicRoute"]["GatewayId"] == "network.InternetGateway"


@line(
    "VPC Configuration",
    "Private Subnets: 2 AZs (10.0.11.0/24, 10.0.12.0/24)",
    at="network.PrivateSubnet1",
)
def test_private_subnets_have_a_way_out_in_their_own_zone() -> None:
    assert blocks("Private") == ["10.0.11.0/24", "10.0.12.0/24"]
    assert len(zones("Private")) == 2
    for number in (1, 2):
        route = PROD[f"network.Private{number}Route"]
        assert route["NatGatewayId"] == f"network.NatGateway{number}"
        gateway = PROD[f"network.NatGateway{number}"]
        assert gateway["SubnetId"] == f"network.PublicSubnet{number}"


@line(
    "VPC Configuration",
    "Database Subnets: 2 AZs (10.0.21.0/24, 10.0.22.0/24)",
    at="network.DatabaseSubnet1",
)
def test_database_subnets_have_no_way_out() -> None:
    assert blocks("Database") == ["10.0.21.0/24", "10.0.22.0/24"]
    assert len(zones("Database")) == 2
    tables = {route["RouteTableId"] for route in PROD.of("EC2::Route")}
    assert "network.DatabaseRouteTable" not in tables


@line("Security Groups", "ALB-SG: Allow HTTP/HTTPS from internet", at="network.AlbSecurityGroup")
def test_the_internet_reaches_the_load_balancer_alone() -> None:
    assert ingress("Alb") == {(80, "0.0.0.0/0"), (443, "0.0.0.0/0")}
    from_anywhere = {r.name for r in PROD.of("EC2::SecurityGroupIngress") if r.get("CidrIp")}
    assert from_anywhere == {"AlbFromInternetHttp", "AlbFromInternetHttps"}


@line("Security Groups", "Web-SG: Allow traffic from ALB-SG", at="network.WebSecurityGroup")
def test_the_load_balancer_reaches_web() -> None:
    assert ingress("Web") == {(8080, "AlbSecurityGroup")}


@line(
    "Security Groups",
    "Worker-SG: Allow outbound to RDS and ElastiCache",
    at="network.WorkerSecurityGroup",
)
def test_workers_reach_databases_the_model_and_sources() -> None:
    assert ingress("Worker") == set()
    assert egress("Worker") == {
        (5432, "RdsSecurityGroup"),
        (6379, "RedisSecurityGroup"),
        (11434, "OllamaSecurityGroup"),
        (80, "0.0.0.0/0"),
        (443, "0.0.0.0/0"),
    }


@line(
    "Security Groups",
    "RDS-SG: Allow PostgreSQL from Web-SG and Worker-SG",
    at="network.RdsSecurityGroup",
)
def test_web_and_workers_reach_postgresql() -> None:
    assert ingress("Rds") == {(5432, "WebSecurityGroup"), (5432, "WorkerSecurityGroup")}
    assert PROD[DATABASE]["VPCSecurityGroups"] == ["network.RdsSecurityGroup.GroupId"]


@line(
    "Security Groups",
    "Redis-SG: Allow Redis from Web-SG and Worker-SG",
    at="network.RedisSecurityGroup",
)
def test_web_and_workers_reach_redis() -> None:
    assert ingress("Redis") == {(6379, "WebSecurityGroup"), (6379, "WorkerSecurityGroup")}
    assert PROD[REDIS]["SecurityGroupIds"] == ["network.RedisSecurityGroup.GroupId"]


@line("Load Balancer", "Type: Application Load Balancer", at="app.LoadBalancer")
@line("Load Balancer", "Scheme: Internet-facing", at="app.LoadBalancer")
@line("VPC and Networking", "Configure Application Load Balancer", at="app.LoadBalancer")
def test_the_load_balancer_faces_the_internet() -> None:
    balancer = only("ElasticLoadBalancingV2::LoadBalancer")
    assert (balancer["Type"], balancer["Scheme"]) == ("application", "internet-facing")
    assert balancer["Subnets"] == ["network.PublicSubnet1", "network.PublicSubnet2"]


@line("Load Balancer", "SSL Certificate: ACM certificate", at="app.HttpsListener")
@line("Load Balancer Configuration", "Set up SSL certificate", at="app.HttpsListener")
def test_the_certificate_is_of_acm() -> None:
    listener = PROD["app.HttpsListener"]
    assert listener["Certificates"] == [{"CertificateArn": "app.CertificateArn"}]
    assert "TLS13-1-2" in listener["SslPolicy"]
    pattern = PROD.stacks["app"]["Parameters"]["CertificateArn"]["AllowedPattern"]
    assert pattern.startswith("arn:aws:acm:us-east-1:")
    assert PROD["app.HttpListener"]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    # People are led on; a program would go on sending its token in the clear.
    programs = PROD["app.HttpPrograms"]
    assert programs["ListenerArn"] == "app.HttpListener"
    assert programs["Conditions"][0]["PathPatternConfig"]["Values"] == [
        "/api/*", "/feeds/*", "/metrics",
    ]  # fmt: skip
    assert programs["Actions"][0]["FixedResponseConfig"]["StatusCode"] == "403"
