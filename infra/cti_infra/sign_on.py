"""Single sign-on: what web is told of a provider, and a load balancer that has people log in.

All of it hangs on parameters, so that a pipeline that knows no deployment file keeps what was set.
"""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb

from cti_infra.containers import SECRETS, Secret
from cti_infra.layer import Layer
from cti_infra.network import ANYWHERE, HTTPS

ON, WITH_SECRET, AT_BALANCER = "SingleSignOn", "OidcClientSecret", "LogInAtLoadBalancer"
# Where the product takes the load balancer's word for who somebody is.
BALANCER_PATH = "/oidc/balancer"
SECRET_FILE = f"{SECRETS}/oidc-client"
# The product gives a session of its own; the balancer's only leads to it.
SESSION_SECONDS = 600
_ADDRESS = r"(https://\S{3,500})?"
_RULE_PRIORITY = 10


class SignOn:
    """The provider that people log in by, where there is one."""

    def __init__(self, stack: Layer) -> None:
        self._stack = stack
        self._issuer = self._given("Issuer", "The issuer's URL; empty for none", _ADDRESS)
        self._client_id = self._given("ClientId", "Client id that it gave", r"\S{0,255}")
        self._roles = self._given("Roles", "value=role, comma separated", r".{0,2000}")
        self._claim = self._given(
            "RoleClaim", "Claim whose values give roles", r".{1,200}", default="groups"
        )
        self._scopes = self._given(
            "Scopes", "What it is asked to tell", r".{6,500}", default="openid profile email"
        )
        self._days = self._given(
            "UnseenDays", "Days until who stays away is shut out", r"\d{1,4}", default="90"
        )
        self._secret_arn = stack.given(
            # A parameter that calls itself a secret is taken for one.
            "OidcClientArn",
            "oidc_secret_arn",
            description="Single sign-on: ARN of the secret in Secrets Manager that the client has",
            pattern=r"(arn:aws:secretsmanager:\S{20,300})?",
            default="",
        )
        self._endpoints = [
            self._given(f"{name}Endpoint", f"Its {name.lower()} endpoint", _ADDRESS)
            for name in ("Authorization", "Token", "Userinfo")
        ]
        for name, value in (
            (ON, self._issuer),
            (WITH_SECRET, self._secret_arn),
            (AT_BALANCER, self._endpoints[0]),
        ):
            unset = cdk.Fn.condition_equals(value, "")
            cdk.CfnCondition(stack, name, expression=cdk.Fn.condition_not(unset))

    def _given(self, name: str, description: str, pattern: str, *, default: str = "") -> str:
        field = "oidc_" + "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        return self._stack.given(
            f"Oidc{name}",
            field,
            description=f"Single sign-on: {description}",
            pattern=pattern,
            default=default,
        )

    def told(self, load_balancer: str) -> Mapping[str, tuple[str, str]]:
        """Return what web is told, each value with the condition that it is told under."""
        return {
            "CTISCRAPER_OIDC_ISSUER": (ON, self._issuer),
            "CTISCRAPER_OIDC_CLIENT_ID": (ON, self._client_id),
            "CTISCRAPER_OIDC_CLIENT_SECRET_FILE": (WITH_SECRET, SECRET_FILE),
            "CTISCRAPER_OIDC_SCOPES": (ON, self._scopes),
            "CTISCRAPER_OIDC_ROLE_CLAIM": (ON, self._claim),
            "CTISCRAPER_OIDC_ROLES": (ON, self._roles),
            "CTISCRAPER_OIDC_UNSEEN_DAYS": (ON, self._days),
            "CTISCRAPER_ALB_ARN": (AT_BALANCER, load_balancer),
        }

    @property
    def secret(self) -> Secret:
        """The client's secret, as a file of web."""
        return Secret(
            variable="OIDC_CLIENT_SECRET",
            arn=self._secret_arn,
            file=SECRET_FILE.rpartition("/")[2],
            under=WITH_SECRET,
        )

    def log_in_at(self, listener: elb.CfnListener, targets: str, group: str) -> None:
        """Have the load balancer log people in, at the one address that takes its word."""
        authorization, token, userinfo = self._endpoints
        secret = f"{{{{resolve:secretsmanager:{self._secret_arn}:SecretString}}}}"
        rule = elb.CfnListenerRule(
            self._stack,
            "SignOnRule",
            listener_arn=listener.ref,
            priority=_RULE_PRIORITY,
            conditions=[
                elb.CfnListenerRule.RuleConditionProperty(
                    field="path-pattern",
                    path_pattern_config=elb.CfnListenerRule.PathPatternConfigProperty(
                        values=[BALANCER_PATH]
                    ),
                )
            ],
            actions=[
                elb.CfnListenerRule.ActionProperty(
                    type="authenticate-oidc",
                    order=1,
                    authenticate_oidc_config=elb.CfnListenerRule.AuthenticateOidcConfigProperty(
                        issuer=self._issuer,
                        client_id=self._client_id,
                        client_secret=secret,
                        authorization_endpoint=authorization,
                        token_endpoint=token,
                        user_info_endpoint=userinfo,
                        scope=self._scopes,
                        on_unauthenticated_request="authenticate",
                        session_timeout=SESSION_SECONDS,
                    ),
                ),
                elb.CfnListenerRule.ActionProperty(
                    type="forward", order=2, target_group_arn=targets
                ),
            ],
        )
        rule.cfn_options.condition = self._condition(AT_BALANCER)
        # It asks the provider by itself.
        way = ec2.CfnSecurityGroupEgress(
            self._stack,
            "AlbToProvider",
            group_id=group,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            cidr_ip=ANYWHERE,
            description="The load balancer to the provider that people log in by",
        )
        way.cfn_options.condition = self._condition(AT_BALANCER)

    def _condition(self, name: str) -> cdk.CfnCondition:
        found = self._stack.node.find_child(name)
        assert isinstance(found, cdk.CfnCondition)
        return found
