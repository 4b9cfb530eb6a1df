"""The network: subnets, ways out, and who may speak to whom."""

from collections.abc import Sequence
from ipaddress import IPv4Network

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

from cti_infra.config import ENDPOINTS, Environment
from cti_infra.deployment import Deployment
from cti_infra.layer import Layer, role, statement

POSTGRESQL = 5432
REDIS = 6379
OLLAMA = 11434
FRONT_DOOR = 8080
HTTP, HTTPS = 80, 443
ANYWHERE = "0.0.0.0/0"
EPHEMERAL = (1024, 65535)


class Network(Layer):
    """Subnets of three kinds in two zones, and the security groups of all services."""

    def __init__(
        self, scope: Construct, environment: Environment, deployment: Deployment | None
    ) -> None:
        super().__init__(
            scope, "Network", environment, deployment, description="subnets and security groups"
        )
        here = environment.addresses
        self.vpc = ec2.CfnVPC(
            self,
            "Vpc",
            cidr_block=str(here.vpc),
            enable_dns_hostnames=True,
            enable_dns_support=True,
        )
        self._name(self.vpc, "vpc")
        self.public = self._subnets("Public", here.public)
        self.private = self._subnets("Private", here.private)
        self.database = self._subnets("Database", here.database)
        self._ways_out(here.nat_gateways)
        self._guard_databases(here.private)
        self._flow_logs(environment.log_days)
        self._security_groups()
        if environment.interface_endpoints:
            self._endpoints()

    def _name(self, resource: cdk.CfnResource, name: str) -> None:
        cdk.Tags.of(resource).add("Name", self.named(name))

    def _subnets(self, kind: str, blocks: Sequence[IPv4Network]) -> list[ec2.CfnSubnet]:
        made = []
        for number, block in enumerate(blocks, 1):
            subnet = ec2.CfnSubnet(
                self,
                f"{kind}Subnet{number}",
                vpc_id=self.vpc.ref,
                cidr_block=str(block),
                availability_zone=cdk.Fn.select(number - 1, cdk.Fn.get_azs(self.region)),
                map_public_ip_on_launch=False,
            )
            self._name(subnet, f"{kind.lower()}-{number}")
            made.append(subnet)
        return made

    def _ways_out(self, gateways: int) -> None:
        internet = ec2.CfnInternetGateway(self, "InternetGateway")
        attached = ec2.CfnVPCGatewayAttachment(
            self,
            "InternetGatewayAttachment",
            vpc_id=self.vpc.ref,
            internet_gateway_id=internet.ref,
        )
        public = self._table("Public", self.public)
        route = ec2.CfnRoute(
            self,
            "PublicRoute",
            route_table_id=public.ref,
            destination_cidr_block=ANYWHERE,
            gateway_id=internet.ref,
        )
        route.add_resource_dependency(attached)
        ways = [self._nat(number, attached) for number in range(1, gateways + 1)]
        tables = []
        for number, subnet in enumerate(self.private, 1):
            table = self._table(f"Private{number}", [subnet])
            ec2.CfnRoute(
                self,
                f"Private{number}Route",
                route_table_id=table.ref,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=ways[min(number, gateways) - 1].ref,
            )
            tables.append(table)
        # Databases have no way out at all: their table knows the network alone.
        self._table("Database", self.database)
        ec2.CfnVPCEndpoint(
            self,
            "S3Endpoint",
            vpc_id=self.vpc.ref,
            service_name=f"com.amazonaws.{self.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.ref for table in tables],
        )

    def _table(self, kind: str, subnets: Sequence[ec2.CfnSubnet]) -> ec2.CfnRouteTable:
        table = ec2.CfnRouteTable(self, f"{kind}RouteTable", vpc_id=self.vpc.ref)
        self._name(table, kind.lower())
        for number, subnet in enumerate(subnets, 1):
            ec2.CfnSubnetRouteTableAssociation(
                self,
                f"{kind}RouteTableOf{number}",
                subnet_id=subnet.ref,
                route_table_id=table.ref,
            )
        return table

    def _nat(self, number: int, attached: ec2.CfnVPCGatewayAttachment) -> ec2.CfnNatGateway:
        address = ec2.CfnEIP(self, f"NatAddress{number}", domain="vpc")
        address.add_resource_dependency(attached)
        self._name(address, f"nat-{number}")
        gateway = ec2.CfnNatGateway(
            self,
            f"NatGateway{number}",
            subnet_id=self.public[number - 1].ref,
            allocation_id=address.attr_allocation_id,
        )
        self._name(gateway, f"nat-{number}")
        return gateway

    def _guard_databases(self, clients: Sequence[IPv4Network]) -> None:
        """Let the private subnets alone reach the databases, whatever a security group says."""
        guard = ec2.CfnNetworkAcl(self, "DatabaseAcl", vpc_id=self.vpc.ref)
        self._name(guard, "database")
        rules = [
            ((port, port), client, False) for port in (POSTGRESQL, REDIS) for client in clients
        ]
        rules += [(EPHEMERAL, client, True) for client in clients]
        for number, ((low, high), client, egress) in enumerate(rules, 1):
            ec2.CfnNetworkAclEntry(
                self,
                f"DatabaseAcl{'Out' if egress else 'In'}{number}",
                network_acl_id=guard.ref,
                rule_number=number * 10,
                protocol=6,
                rule_action="allow",
                egress=egress,
                cidr_block=str(client),
                port_range=ec2.CfnNetworkAclEntry.PortRangeProperty(from_=low, to=high),
            )
        for number, subnet in enumerate(self.database, 1):
            ec2.CfnSubnetNetworkAclAssociation(
                self,
                f"DatabaseAclOf{number}",
                subnet_id=subnet.ref,
                network_acl_id=guard.ref,
            )

    def _flow_logs(self, days: int) -> None:
        group = logs.CfnLogGroup(
            self,
            "FlowLogGroup",
            log_group_name="/aws/vpc/cti-scraper/flow",
            retention_in_days=days,
        )
        writer = role(
            self,
            "FlowLogRole",
            service="vpc-flow-logs.amazonaws.com",
            description="Writes the flow logs of the network",
            statements=[
                statement(
                    [
                        "logs:CreateLogStream",
                        "logs:DescribeLogStreams",
                        "logs:PutLogEvents",
                    ],
                    [group.attr_arn],
                )
            ],
        )
        flow = ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self.vpc.ref,
            resource_type="VPC",
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_group_name=group.log_group_name,
            deliver_logs_permission_arn=writer.attr_arn,
            max_aggregation_interval=600,
        )
        flow.add_resource_dependency(group)
        self._name(flow, "flow")

    def _security_groups(self) -> None:
        self.alb_sg = self._group("Alb", "The load balancer")
        self.web_sg = self._group("Web", "Web tasks")
        self.worker_sg = self._group("Worker", "Workers, scheduler and migrations")
        self.rds_sg = self._group("Rds", "PostgreSQL")
        self.redis_sg = self._group("Redis", "Redis")
        for port, name in ((HTTP, "Http"), (HTTPS, "Https")):
            ec2.CfnSecurityGroupIngress(
                self,
                f"AlbFromInternet{name}",
                group_id=self.alb_sg.attr_group_id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_ip=ANYWHERE,
                description=f"{name} from the internet",
            )
        self._let("Alb", self.alb_sg, "Web", self.web_sg, FRONT_DOOR)
        clients = {"Web": self.web_sg, "Worker": self.worker_sg}
        servers = {"Rds": (self.rds_sg, POSTGRESQL), "Redis": (self.redis_sg, REDIS)}
        self.ollama_sg: ec2.CfnSecurityGroup | None = None
        if self.environment_settings.ollama is not None:
            self.ollama_sg = self._group("Ollama", "The language model")
            servers["Ollama"] = (self.ollama_sg, OLLAMA)
            # Its image comes from ECR and the layers from S3.
            self._let_out("Ollama", self.ollama_sg, HTTPS)
        for client, group in clients.items():
            for server, (target, port) in servers.items():
                self._let(client, group, server, target, port)
            # Sources are read over both; services of AWS are asked over the latter.
            for port in (HTTP, HTTPS):
                self._let_out(client, group, port)

    def _endpoints(self) -> None:
        """Let tasks reach services of AWS without leaving the network."""
        doors = self._group("Endpoints", "Doors to services of AWS")
        clients = {"Web": self.web_sg, "Worker": self.worker_sg}
        if self.ollama_sg is not None:
            clients["Ollama"] = self.ollama_sg
        for client, group in clients.items():
            self._let(client, group, "Endpoints", doors, HTTPS)
        for name in ENDPOINTS:
            ec2.CfnVPCEndpoint(
                self,
                "".join(part.title() for part in name.split(".")) + "Endpoint",
                vpc_id=self.vpc.ref,
                service_name=f"com.amazonaws.{self.region}.{name}",
                vpc_endpoint_type="Interface",
                # The names that tasks know lead here.
                private_dns_enabled=True,
                subnet_ids=[subnet.ref for subnet in self.private],
                security_group_ids=[doors.attr_group_id],
            )

    def _group(self, name: str, description: str) -> ec2.CfnSecurityGroup:
        # A rule that says nothing takes the place of the one that lets everything out.
        group = ec2.CfnSecurityGroup(
            self,
            f"{name}SecurityGroup",
            vpc_id=self.vpc.ref,
            group_name=self.named(f"{name.lower()}-sg"),
            group_description=f"{description} of CTIScraper",
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    ip_protocol="icmp",
                    from_port=252,
                    to_port=86,
                    cidr_ip="255.255.255.255/32",
                    description="Nothing goes out but what other rules allow",
                )
            ],
        )
        self._name(group, f"{name.lower()}-sg")
        return group

    def _let(
        self,
        client: str,
        group: ec2.CfnSecurityGroup,
        server: str,
        target: ec2.CfnSecurityGroup,
        port: int,
    ) -> None:
        """Let one group reach another on a port, seen from both."""
        ec2.CfnSecurityGroupEgress(
            self,
            f"{client}To{server}",
            group_id=group.attr_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            destination_security_group_id=target.attr_group_id,
            description=f"{client} to {server}",
        )
        ec2.CfnSecurityGroupIngress(
            self,
            f"{server}From{client}",
            group_id=target.attr_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            source_security_group_id=group.attr_group_id,
            description=f"{server} from {client}",
        )

    def _let_out(self, client: str, group: ec2.CfnSecurityGroup, port: int) -> None:
        ec2.CfnSecurityGroupEgress(
            self,
            f"{client}ToInternet{port}",
            group_id=group.attr_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ip=ANYWHERE,
            description=f"{client} to the internet on {port}",
        )
