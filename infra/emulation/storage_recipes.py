"""What lasts: keys, roles, secrets, buckets, databases and their copies."""

import json
from collections.abc import Mapping
from typing import Any

from emulation.calls import Task
from emulation.intrinsics import Made
from emulation.recipes import Creation, Recipe, found, made


def _key(task: Task) -> Made:
    tags = [{"TagKey": t["Key"], "TagValue": t["Value"]} for t in task.take("Tags", [])]
    answer = task.send("kms", "create_key", {"Tags": tags}, renames={"KeyPolicy": "Policy"})
    identity = found(answer, "KeyMetadata.KeyId")
    if task.take("EnableKeyRotation"):
        task.call("kms", "enable_key_rotation", KeyId=identity)
    return made(task, identity, Arn=found(answer, "KeyMetadata.Arn"))


def _alias(task: Task) -> Made:
    task.send("kms", "create_alias")
    return made(task, task.properties["AliasName"])


def _role(task: Task) -> Made:
    policies, managed = task.take("Policies", []), task.take("ManagedPolicyArns", [])
    answer = task.send("iam", "create_role", {"RoleName": task.name[:64]})
    identity = found(answer, "Role.RoleName")
    for policy in policies:
        task.call(
            "iam",
            "put_role_policy",
            RoleName=identity,
            PolicyName=policy["PolicyName"],
            PolicyDocument=json.dumps(policy["PolicyDocument"]),
        )
    for arn in managed:
        task.call("iam", "attach_role_policy", RoleName=identity, PolicyArn=arn)
    return made(task, identity, Arn=found(answer, "Role.Arn"))


def _secret(task: Task) -> Made:
    wanted = dict(task.take("GenerateSecretString", {}))
    template, key = wanted.pop("SecretStringTemplate", None), wanted.pop("GenerateStringKey", None)
    text = task.call("secretsmanager", "get_random_password", **wanted)["RandomPassword"]
    if template:
        text = json.dumps({**json.loads(template), key: text})
    answer = task.send("secretsmanager", "create_secret", {"SecretString": text})
    return made(task, found(answer, "ARN"))


def _lifecycle(rule: Mapping[str, Any]) -> dict[str, Any]:
    known = {"ExpirationInDays", "Id", "Prefix", "Transitions"}
    made_rule = {key: value for key, value in rule.items() if key not in known}
    made_rule |= {"ID": rule["Id"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "ExpirationInDays" in rule:
        made_rule["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "Transitions" in rule:
        made_rule["Transitions"] = [
            {"StorageClass": one["StorageClass"], "Days": one["TransitionInDays"]}
            for one in rule["Transitions"]
        ]
    return made_rule


def _bucket(task: Task) -> Made:
    name = task.take("BucketName") or task.name
    place = {"LocationConstraint": task.region}
    task.call(
        "s3",
        "create_bucket",
        Bucket=name,
        **({} if task.region == "us-east-1" else {"CreateBucketConfiguration": place}),
    )
    for operation, member in (
        ("put_public_access_block", "PublicAccessBlockConfiguration"),
        ("put_bucket_ownership_controls", "OwnershipControls"),
        ("put_bucket_versioning", "VersioningConfiguration"),
    ):
        if value := task.take(member):
            task.call("s3", operation, Bucket=name, **{member: value})
    if sealed := task.take("BucketEncryption"):
        rules = [
            {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
            for rule in sealed["ServerSideEncryptionConfiguration"]
        ]
        task.call(
            "s3",
            "put_bucket_encryption",
            Bucket=name,
            ServerSideEncryptionConfiguration={"Rules": rules},
        )
    _bucket_documents(task, name)
    return made(task, name, Arn=f"arn:aws:s3:::{name}", DomainName=f"{name}.s3.amazonaws.com")


def _bucket_documents(task: Task, name: str) -> None:
    if tags := task.take("Tags"):
        task.call("s3", "put_bucket_tagging", Bucket=name, Tagging={"TagSet": tags})
    if cycle := task.take("LifecycleConfiguration"):
        kept = {"Rules": [_lifecycle(rule) for rule in cycle["Rules"]]}
        task.call(
            "s3", "put_bucket_lifecycle_configuration", Bucket=name, LifecycleConfiguration=kept
        )
    if log := task.take("LoggingConfiguration"):
        enabled = {
            "TargetBucket": log["DestinationBucketName"],
            "TargetPrefix": log.get("LogFilePrefix", ""),
        }
        task.call(
            "s3",
            "put_bucket_logging",
            Bucket=name,
            BucketLoggingStatus={"LoggingEnabled": enabled},
        )
    if copies := task.take("ReplicationConfiguration"):
        rules = [
            {("ID" if key == "Id" else key): value for key, value in rule.items()}
            for rule in copies["Rules"]
        ]
        task.call(
            "s3",
            "put_bucket_replication",
            Bucket=name,
            ReplicationConfiguration={"Role": copies["Role"], "Rules": rules},
        )


def _bucket_policy(task: Task) -> Made:
    document = task.take("PolicyDocument")
    # The two ways to say anybody mean the same; moto fails on the short one.
    statements = [
        {**one, "Principal": {"AWS": "*"}} if one.get("Principal") == "*" else one
        for one in document["Statement"]
    ]
    document["Statement"] = statements
    task.send("s3", "put_bucket_policy", {"Policy": json.dumps(document)})
    return made(task, task.properties["Bucket"])


def _parameters(task: Task) -> Made:
    parameters = task.take("Parameters", {})
    task.send(
        "rds",
        "create_db_parameter_group",
        {"DBParameterGroupName": task.name},
        renames={"Family": "DBParameterGroupFamily"},
    )
    # A restart applies what no running server can change; CloudFormation says so of all.
    changes = [
        {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
        for name, value in parameters.items()
    ]
    task.call(
        "rds", "modify_db_parameter_group", DBParameterGroupName=task.name, Parameters=changes
    )
    return made(task, task.name)


def _database(task: Task) -> Made:
    secret = task.take("MasterUserSecret", {})
    fixed = {"MasterUserSecretKmsKeyId": secret["KmsKeyId"]} if "KmsKeyId" in secret else {}
    answer = task.send(
        "rds", "create_db_instance", fixed, renames={"VPCSecurityGroups": "VpcSecurityGroupIds"}
    )
    # Only a change may ask for another major version.
    if "AllowMajorVersionUpgrade" in task.properties:
        task.call(
            "rds",
            "modify_db_instance",
            DBInstanceIdentifier=found(answer, "DBInstance.DBInstanceIdentifier"),
            AllowMajorVersionUpgrade=task.take("AllowMajorVersionUpgrade"),
        )
    instance = answer["DBInstance"]
    return made(
        task,
        instance["DBInstanceIdentifier"],
        DBInstanceArn=instance["DBInstanceArn"],
        Endpoint__Address=found(instance, "Endpoint.Address"),
        Endpoint__Port=found(instance, "Endpoint.Port"),
        MasterUserSecret__SecretArn=found(instance, "MasterUserSecret.SecretArn"),
    )


def _redis(task: Task) -> Made:
    answer = task.send("elasticache", "create_replication_group")["ReplicationGroup"]
    identity = answer["ReplicationGroupId"]
    [nodes] = (
        answer.get("NodeGroups")
        or task.call("elasticache", "describe_replication_groups", ReplicationGroupId=identity)[
            "ReplicationGroups"
        ][0]["NodeGroups"]
    )
    return made(
        task,
        identity,
        PrimaryEndPoint__Address=found(nodes, "PrimaryEndpoint.Address"),
        PrimaryEndPoint__Port=found(nodes, "PrimaryEndpoint.Port"),
    )


RECIPES: Mapping[str, Recipe] = {
    "KMS::Key": _key,
    "KMS::Alias": _alias,
    "IAM::Role": _role,
    "SecretsManager::Secret": _secret,
    "S3::Bucket": _bucket,
    "S3::BucketPolicy": _bucket_policy,
    "RDS::DBSubnetGroup": Creation(
        service="rds",
        operation="create_db_subnet_group",
        identity="DBSubnetGroup.DBSubnetGroupName",
        named="DBSubnetGroupName",
    ),
    "RDS::DBParameterGroup": _parameters,
    "RDS::DBInstance": _database,
    "ElastiCache::SubnetGroup": Creation(
        service="elasticache",
        operation="create_cache_subnet_group",
        identity="CacheSubnetGroup.CacheSubnetGroupName",
        named="CacheSubnetGroupName",
        renames={"Description": "CacheSubnetGroupDescription"},
    ),
    "ElastiCache::ParameterGroup": Creation(
        service="elasticache",
        operation="create_cache_parameter_group",
        identity="CacheParameterGroup.CacheParameterGroupName",
        named="CacheParameterGroupName",
    ),
    "ElastiCache::ReplicationGroup": _redis,
    "Backup::BackupVault": Creation(
        service="backup", operation="create_backup_vault", identity="BackupVaultName"
    ),
    "Backup::BackupPlan": Creation(
        service="backup",
        operation="create_backup_plan",
        identity="BackupPlanId",
        renames={"BackupPlanRule": "Rules", "TargetBackupVault": "TargetBackupVaultName"},
    ),
    "Backup::BackupSelection": Creation(
        service="backup", operation="create_backup_selection", identity="SelectionId"
    ),
}
