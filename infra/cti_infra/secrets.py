"""The secrets that tasks are given; none of them is known before they are made."""

import json

from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

from cti_infra.layer import Layer, keep

# Names of secrets, what they are, and whose name stands beside the password.
USERS = {
    "web-database": ("The role of web in the database", "ctiscraper_web"),
    "worker-database": ("The role of workers in the database", "ctiscraper_worker"),
    "redis": ("The password of Redis", "default"),
    "first-administrator": ("Who may log in first", "admin"),
}
PASSWORD_LENGTH = 48
# The key of the installation is 32 bytes (ctiscraper.access.sealing).
KEY_BYTES = 32


class Secrets:
    """Database credentials, the password of Redis, and the keys of the program."""

    def __init__(self, stack: Layer, key: kms.CfnKey) -> None:
        self._stack = stack
        self._key = key
        self._made = {name: self._with_user(name, *about) for name, about in USERS.items()}
        self._made["installation-key"] = self._secret(
            "installation-key",
            "The key that seals second factors and forms",
            secretsmanager.CfnSecret.GenerateSecretStringProperty(
                password_length=KEY_BYTES, exclude_characters="\"'\\`$"
            ),
        )

    def arn(self, name: str) -> str:
        """Return the ARN of a secret."""
        return self._made[name].ref

    def resolved(self, name: str, field: str) -> str:
        """Return what CloudFormation replaces by a field of a secret, never seen in a template."""
        return f"{{{{resolve:secretsmanager:{self.arn(name)}:SecretString:{field}}}}}"

    def _with_user(self, name: str, description: str, user: str) -> secretsmanager.CfnSecret:
        return self._secret(
            name,
            description,
            secretsmanager.CfnSecret.GenerateSecretStringProperty(
                secret_string_template=json.dumps({"username": user}),
                generate_string_key="password",
                password_length=PASSWORD_LENGTH,
                # Passwords stand in URLs, files and an AUTH token: each refuses others.
                exclude_punctuation=True,
            ),
        )

    def _secret(
        self,
        name: str,
        description: str,
        generated: secretsmanager.CfnSecret.GenerateSecretStringProperty,
    ) -> secretsmanager.CfnSecret:
        logical = name.title().replace("-", "") + "Secret"
        made = secretsmanager.CfnSecret(
            self._stack,
            logical,
            name=f"cti-scraper/{self._stack.environment_settings.name}/{name}",
            description=description,
            kms_key_id=self._key.attr_arn,
            generate_secret_string=generated,
        )
        keep(made)
        return made
