"""The firewall before the pages: it lets analysts write what attackers write."""

from collections.abc import Sequence

from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf

from cti_infra.layer import Layer

RATE = 2000
RATE_SECONDS = 300
# Where people who are logged in search for, note and look up what attacks are made of.
ANALYST_PATHS = (
    "/api/v1/",
    "/articles",
    "/indicators",
    "/searches",
    "/sources",
    "/stories",
    "/techniques",
    "/triage",
    "/verdicts",
    "/watchlist",
)
# The list of articles, whose query is the search itself.
FRONT_PAGE = "/"
# What these rules find is labelled, and blocked by a rule of ours wherever analysts do not write.
LABELLED = {
    "AWSManagedRulesCommonRuleSet": (
        "CrossSiteScripting_BODY",
        "CrossSiteScripting_QUERYARGUMENTS",
        "EC2MetaDataSSRF_BODY",
        "EC2MetaDataSSRF_QUERYARGUMENTS",
        "GenericLFI_BODY",
        "GenericLFI_QUERYARGUMENTS",
        "GenericRFI_BODY",
        "GenericRFI_QUERYARGUMENTS",
        "RestrictedExtensions_QUERYARGUMENTS",
        # Look-ups and imports are larger; Nginx has the limit of each address.
        "SizeRestrictions_BODY",
        "SizeRestrictions_QUERYSTRING",
    ),
    "AWSManagedRulesKnownBadInputsRuleSet": (
        "JavaDeserializationRCE_BODY",
        "JavaDeserializationRCE_QUERYSTRING",
        "Log4JRCE_BODY",
        "Log4JRCE_QUERYSTRING",
        "ReactJSRCE_BODY",
    ),
    "AWSManagedRulesSQLiRuleSet": (
        "SQLiExtendedPatterns_BODY",
        "SQLiExtendedPatterns_QUERYARGUMENTS",
        "SQLi_BODY",
        "SQLi_QUERYARGUMENTS",
    ),
}
LABELS = (
    "awswaf:managed:aws:core-rule-set:",
    "awswaf:managed:aws:known-bad-inputs:",
    "awswaf:managed:aws:sql-database:",
)
_Statement = waf.CfnWebACL.StatementProperty


def make_firewall(stack: Layer, load_balancer: str) -> waf.CfnWebACL:
    """Return the firewall, in force before a load balancer."""
    rules = [
        _rate(0),
        _managed(1, "AWSManagedRulesAmazonIpReputationList", ()),
        *(
            _managed(number, name, labelled)
            for number, (name, labelled) in enumerate(LABELLED.items(), 2)
        ),
        _elsewhere(2 + len(LABELLED)),
    ]
    acl = waf.CfnWebACL(
        stack,
        "Firewall",
        name=stack.named("firewall"),
        scope="REGIONAL",
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        rules=rules,
        # What its alarm asks for is this name, not that of the list itself.
        visibility_config=_seen(stack.named("firewall")),
    )
    waf.CfnWebACLAssociation(
        stack, "FirewallAssociation", resource_arn=load_balancer, web_acl_arn=acl.attr_arn
    )
    _log(stack, acl)
    return acl


def _seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    # Samples would show what analysts write.
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )


def _rate(priority: int) -> waf.CfnWebACL.RuleProperty:
    return waf.CfnWebACL.RuleProperty(
        name="Rate",
        priority=priority,
        statement=_Statement(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=RATE, evaluation_window_sec=RATE_SECONDS
            )
        ),
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_seen("Rate"),
    )


def _managed(priority: int, name: str, labelled: Sequence[str]) -> waf.CfnWebACL.RuleProperty:
    overrides = [
        waf.CfnWebACL.RuleActionOverrideProperty(
            name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={})
        )
        for rule in labelled
    ]
    return waf.CfnWebACL.RuleProperty(
        name=name.removeprefix("AWSManagedRules"),
        priority=priority,
        statement=_Statement(
            managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS", name=name, rule_action_overrides=overrides or None
            )
        ),
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_seen(name.removeprefix("AWSManagedRules")),
    )


def _elsewhere(priority: int) -> waf.CfnWebACL.RuleProperty:
    """Return the rule that blocks what was labelled, wherever analysts do not write."""
    labelled = _Statement(
        or_statement=waf.CfnWebACL.OrStatementProperty(
            statements=[
                _Statement(
                    label_match_statement=waf.CfnWebACL.LabelMatchStatementProperty(
                        scope="NAMESPACE", key=label
                    )
                )
                for label in LABELS
            ]
        )
    )
    written = _Statement(
        or_statement=waf.CfnWebACL.OrStatementProperty(
            statements=[
                _path(FRONT_PAGE, "EXACTLY"),
                *(_path(path, "STARTS_WITH") for path in ANALYST_PATHS),
            ]
        )
    )
    nowhere_written = _Statement(
        not_statement=waf.CfnWebACL.NotStatementProperty(statement=written)
    )
    return waf.CfnWebACL.RuleProperty(
        name="LabelledElsewhere",
        priority=priority,
        statement=_Statement(
            and_statement=waf.CfnWebACL.AndStatementProperty(statements=[labelled, nowhere_written])
        ),
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_seen("LabelledElsewhere"),
    )


def _path(path: str, constraint: str) -> waf.CfnWebACL.StatementProperty:
    return _Statement(
        byte_match_statement=waf.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=waf.CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint=constraint,
            search_string=path,
            text_transformations=[
                waf.CfnWebACL.TextTransformationProperty(priority=0, type="NORMALIZE_PATH")
            ],
        )
    )


def _log(stack: Layer, acl: waf.CfnWebACL) -> None:
    group = logs.CfnLogGroup(
        stack,
        "FirewallLogGroup",
        # WAF takes names alone that begin so.
        log_group_name=f"aws-waf-logs-{stack.named('firewall')}",
        retention_in_days=stack.environment_settings.log_days,
    )
    # What is let through says nothing here; what analysts write, and what opens doors, is left out.
    waf.CfnLoggingConfiguration(
        stack,
        "FirewallLog",
        resource_arn=acl.attr_arn,
        log_destination_configs=[
            f"arn:aws:logs:{stack.region}:{stack.account}:log-group:{group.ref}"
        ],
        logging_filter={
            "DefaultBehavior": "DROP",
            "Filters": [
                {
                    "Behavior": "KEEP",
                    "Requirement": "MEETS_ANY",
                    "Conditions": [
                        {"ActionCondition": {"Action": action}} for action in ("BLOCK", "COUNT")
                    ],
                }
            ],
        },
        redacted_fields=[
            waf.CfnLoggingConfiguration.FieldToMatchProperty(
                single_header={"Name": "authorization"}
            ),
            waf.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": "cookie"}),
            waf.CfnLoggingConfiguration.FieldToMatchProperty(query_string={}),
            waf.CfnLoggingConfiguration.FieldToMatchProperty(uri_path={}),
        ],
    )
