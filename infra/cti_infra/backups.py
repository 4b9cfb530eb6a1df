"""Daily copies of the database, kept in this region and in another."""

from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from cti_infra.layer import Layer, keep, trust

# After RDS's own window of the night.
DAILY = "cron(0 5 * * ? *)"
KEPT_DAYS = 35
COPIES_KEPT_DAYS = 7
BACKUP_POLICY = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"


def copies_vault(environment: str) -> str:
    """Return the name of the vault in the other region."""
    return f"cti-scraper-{environment}-copies"


def make_backups(stack: Layer, database: str, key: kms.CfnKey) -> None:
    """Have the database copied every day, here and to the region for recovery."""
    environment = stack.environment_settings
    vault = backup.CfnBackupVault(
        stack,
        "Vault",
        backup_vault_name=stack.named("backups"),
        encryption_key_arn=key.attr_arn,
    )
    keep(vault)
    there = (
        f"arn:aws:backup:{environment.recovery_region}:{stack.account}:backup-vault:"
        f"{copies_vault(environment.name)}"
    )
    plan = backup.CfnBackupPlan(
        stack,
        "BackupPlan",
        backup_plan=backup.CfnBackupPlan.BackupPlanResourceTypeProperty(
            backup_plan_name=stack.named("daily"),
            backup_plan_rule=[
                backup.CfnBackupPlan.BackupRuleResourceTypeProperty(
                    rule_name="daily",
                    target_backup_vault=vault.ref,
                    schedule_expression=DAILY,
                    start_window_minutes=60,
                    completion_window_minutes=240,
                    lifecycle=backup.CfnBackupPlan.LifecycleResourceTypeProperty(
                        delete_after_days=KEPT_DAYS
                    ),
                    copy_actions=[
                        backup.CfnBackupPlan.CopyActionResourceTypeProperty(
                            destination_backup_vault_arn=there,
                            lifecycle=backup.CfnBackupPlan.LifecycleResourceTypeProperty(
                                delete_after_days=COPIES_KEPT_DAYS
                            ),
                        )
                    ],
                )
            ],
        ),
    )
    copier = iam.CfnRole(
        stack,
        "BackupRole",
        description="Makes the daily copies of the database",
        assume_role_policy_document=trust("backup.amazonaws.com", stack.account),
        managed_policy_arns=[BACKUP_POLICY],
    )
    backup.CfnBackupSelection(
        stack,
        "BackupSelection",
        backup_plan_id=plan.ref,
        backup_selection=backup.CfnBackupSelection.BackupSelectionResourceTypeProperty(
            selection_name="database", iam_role_arn=copier.attr_arn, resources=[database]
        ),
    )
