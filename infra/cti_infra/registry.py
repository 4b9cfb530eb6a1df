"""The repositories of container images."""

import json

from aws_cdk import aws_ecr as ecr
from constructs import Construct

from cti_infra.config import PROJECT, Environment
from cti_infra.deployment import Deployment
from cti_infra.layer import Layer

# How many images each keeps: those that were pushed last, deployed or not (rollback.md tells it to
# people). `web` holds the front door of each commit as well; one of `ollama` has a model inside and
# weighs as much as a hundred others.
KEPT = {"web": 60, "worker": 30, "scheduler": 30, "ollama": 3}
UNTAGGED_DAYS = 7


class Registry(Layer):
    """A repository for each service; tags are commits, and never move."""

    def __init__(
        self, scope: Construct, environment: Environment, deployment: Deployment | None
    ) -> None:
        super().__init__(scope, "Registry", environment, deployment, description="container images")
        self.repositories = {name: self._repository(name) for name in KEPT}

    def _repository(self, name: str) -> ecr.CfnRepository:
        made = ecr.CfnRepository(
            self,
            f"{name.title()}Repository",
            repository_name=f"{PROJECT}/{name}",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=ecr.CfnRepository.ImageScanningConfigurationProperty(
                scan_on_push=True
            ),
            encryption_configuration=ecr.CfnRepository.EncryptionConfigurationProperty(
                encryption_type="KMS"
            ),
            lifecycle_policy=ecr.CfnRepository.LifecyclePolicyProperty(
                lifecycle_policy_text=json.dumps(_life(KEPT[name]))
            ),
        )
        self.tell(f"{name.title()}Uri", made.attr_repository_uri, f"Where to push {name}")
        return made

    def image(self, name: str, tag: str) -> str:
        """Return the address of an image."""
        return f"{self.repositories[name].attr_repository_uri}:{tag}"

    def arn(self, name: str) -> str:
        """Return the ARN of a repository."""
        return self.repositories[name].attr_arn


def _life(kept: int) -> dict[str, object]:
    untagged = {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": UNTAGGED_DAYS,
    }
    newest = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": kept}
    return {
        "rules": [
            {"rulePriority": number, "selection": selection, "action": {"type": "expire"}}
            for number, selection in ((1, untagged), (2, newest))
        ]
    }
