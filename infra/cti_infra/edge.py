"""The way in: the load balancer, its certificate, and where it sends requests."""

from aws_cdk import aws_elasticloadbalancingv2 as elb

from cti_infra.data import Data
from cti_infra.layer import Layer
from cti_infra.network import FRONT_DOOR, HTTP, HTTPS, Network

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
HEALTH_PATH = "/health"
# As Nginx has them where it speaks TLS itself.
PROGRAM_PATHS = ("/api/*", "/feeds/*", "/metrics")
# The path asks the database as well, and a target that fails is replaced: not before a fail-over of
# the database, one or two minutes, is over. A web process that hangs is found by its own check.
HEALTH_INTERVAL = 30
UNHEALTHY_AFTER = 10
# Nginx holds connections for longer (deploy/nginx): the load balancer is who hangs up.
IDLE_SECONDS = 60
DEREGISTRATION_SECONDS = 30


class Edge:
    """The load balancer: plain HTTP leads people to HTTPS, and that to the front doors of web."""

    def __init__(self, stack: Layer, network: Network, data: Data, certificate: str) -> None:
        self._stack = stack
        environment = stack.environment_settings
        self.load_balancer = elb.CfnLoadBalancer(
            stack,
            "LoadBalancer",
            name=stack.named("alb"),
            type="application",
            scheme="internet-facing",
            ip_address_type="ipv4",
            subnets=[subnet.ref for subnet in network.public],
            security_groups=[network.alb_sg.attr_group_id],
            load_balancer_attributes=[
                elb.CfnLoadBalancer.LoadBalancerAttributeProperty(key=key, value=value)
                for key, value in self._attributes(data.storage.logs.ref).items()
            ],
        )
        self.targets = self._group("WebTargets", f"cti-{environment.name}-web", network)
        self.green = (
            self._group("GreenTargets", f"cti-{environment.name}-web-green", network)
            if environment.blue_green
            else None
        )
        self.http = self._listener(
            "HttpListener",
            HTTP,
            elb.CfnListener.ActionProperty(
                type="redirect",
                redirect_config=elb.CfnListener.RedirectConfigProperty(
                    protocol="HTTPS", port=str(HTTPS), status_code="HTTP_301"
                ),
            ),
        )
        # Led on, a program with a wrong address would go on sending its token in the clear.
        elb.CfnListenerRule(
            stack,
            "HttpPrograms",
            listener_arn=self.http.ref,
            priority=1,
            conditions=[
                elb.CfnListenerRule.RuleConditionProperty(
                    field="path-pattern",
                    path_pattern_config=elb.CfnListenerRule.PathPatternConfigProperty(
                        values=list(PROGRAM_PATHS)
                    ),
                )
            ],
            actions=[
                elb.CfnListenerRule.ActionProperty(
                    type="fixed-response",
                    fixed_response_config=elb.CfnListenerRule.FixedResponseConfigProperty(
                        status_code="403",
                        content_type="text/plain",
                        message_body="Ask over https. A token that was sent over http may have "
                        "been read: revoke it.",
                    ),
                )
            ],
        )
        self.https = self._listener(
            "HttpsListener",
            HTTPS,
            elb.CfnListener.ActionProperty(type="forward", target_group_arn=self.targets.ref),
            certificate=certificate,
        )

    def _group(self, name: str, full_name: str, network: Network) -> elb.CfnTargetGroup:
        return elb.CfnTargetGroup(
            self._stack,
            name,
            name=full_name,
            target_type="ip",
            protocol="HTTP",
            protocol_version="HTTP1",
            port=FRONT_DOOR,
            vpc_id=network.vpc.ref,
            health_check_enabled=True,
            health_check_protocol="HTTP",
            health_check_path=HEALTH_PATH,
            health_check_interval_seconds=HEALTH_INTERVAL,
            health_check_timeout_seconds=10,
            healthy_threshold_count=2,
            unhealthy_threshold_count=UNHEALTHY_AFTER,
            matcher=elb.CfnTargetGroup.MatcherProperty(http_code="200"),
            target_group_attributes=[
                elb.CfnTargetGroup.TargetGroupAttributeProperty(key=key, value=value)
                for key, value in {
                    "deregistration_delay.timeout_seconds": str(DEREGISTRATION_SECONDS),
                    "load_balancing.algorithm.type": "least_outstanding_requests",
                    # Sessions are in PostgreSQL: any task may answer.
                    "stickiness.enabled": "false",
                }.items()
            ],
        )

    def _attributes(self, log_bucket: str) -> dict[str, str]:
        protected = self._stack.environment_settings.database.protected
        return {
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": log_bucket,
            "access_logs.s3.prefix": "alb",
            "deletion_protection.enabled": str(protected).lower(),
            "idle_timeout.timeout_seconds": str(IDLE_SECONDS),
            "routing.http.drop_invalid_header_fields.enabled": "true",
            "routing.http.desync_mitigation_mode": "strictest",
            "routing.http.xff_header_processing.mode": "append",
            "routing.http2.enabled": "true",
        }

    def _listener(
        self,
        name: str,
        port: int,
        action: elb.CfnListener.ActionProperty,
        *,
        certificate: str | None = None,
    ) -> elb.CfnListener:
        return elb.CfnListener(
            self._stack,
            name,
            load_balancer_arn=self.load_balancer.ref,
            port=port,
            protocol="HTTPS" if certificate else "HTTP",
            ssl_policy=TLS_POLICY if certificate else None,
            certificates=[elb.CfnListener.CertificateProperty(certificate_arn=certificate)]
            if certificate
            else None,
            default_actions=[action],
        )
