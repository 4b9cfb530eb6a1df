"""Deploys the rendered templates into what emulates AWS, by the calls that AWS takes."""

from emulation.deployer import Deployer, deploy
from emulation.errors import DeploymentError

__all__ = ["Deployer", "DeploymentError", "deploy"]
