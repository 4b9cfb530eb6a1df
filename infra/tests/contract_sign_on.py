"""The contract of single sign-on: who is told, and who has people log in."""

from collections.abc import Iterator

from model import System, variables

WEB = ("app.WebTask", "web")
BALANCER_PATH = "/oidc/balancer"


def sign_on(system: System) -> Iterator[str]:
    """Yield each fault."""
    for task, container in system.containers():
        told = {name for name in variables(container) if name.startswith("CTISCRAPER_OIDC_")}
        if told and (task.place, container["Name"]) != WEB:
            yield f"{task.place}/{container['Name']}: is told of single sign-on"
    named = variables(system.container(*WEB)).get("CTISCRAPER_ALB_ARN")
    if "app.SignOnRule" not in system:
        if named is not None:
            yield "web believes a load balancer that has nobody log in"
        return
    if named != "app.LoadBalancer":
        yield "web believes another load balancer than its own"
    if "app.AlbToProvider" not in system:
        yield "the load balancer does not reach the provider"
    rule = system["app.SignOnRule"]
    paths = [path for one in rule["Conditions"] for path in one["PathPatternConfig"]["Values"]]
    if paths != [BALANCER_PATH]:
        yield f"programs with tokens are sent to the provider: {paths}"
    for action in rule["Actions"]:
        secret = action.get("AuthenticateOidcConfig", {}).get("ClientSecret", "{{resolve:")
        if not secret.startswith("{{resolve:"):
            yield "the client's secret is in a template"
