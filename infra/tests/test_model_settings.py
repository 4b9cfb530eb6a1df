"""Settings of models: those of the product, each with what it is there, and what is refused."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract import faults
from contract_models import KEY_FILE, of_models
from cti_infra.config import DEV, PROD, Environment
from cti_infra.deployment import Deployment, load_deployment
from cti_infra.errors import SettingsError
from cti_infra.model_settings import SETTINGS, Setting, model_faults
from made import ACCOUNT, DEPLOYMENT, SECRET_ARN, deployed
from model import asking, text, variables
from test_settings import GIVEN, write

ASKED = replace(DEPLOYMENT, model="llama3.2")


def product_fields() -> dict[str, dict[str, Any]]:
    """What the product says of each of its settings: default, bounds, choices."""
    tree = ast.parse(text("src/ctiscraper/models/settings.py"))
    (made,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "ModelSettings"]
    found: dict[str, dict[str, Any]] = {}
    for one in made.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.value, ast.Call):
            said = {k.arg: ast.literal_eval(k.value) for k in one.value.keywords if k.arg}
            choices = re.findall(r"'(\w+)'", ast.unparse(one.annotation))
            found[ast.unparse(one.target)] = {**said, "choices": choices}
    return found


def test_every_setting_of_the_product_can_be_set_on_aws() -> None:
    known = set(product_fields())
    assert {f"CTISCRAPER_{name.upper()}" for name in known} == set(of_models())
    assert {setting.field for setting in SETTINGS} == known - {"model_key_file"}
    assert {setting.variable for setting in SETTINGS} == set(of_models()) - {KEY_FILE}
    assert {setting.field for setting in SETTINGS} < set(Deployment.__slots__)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: one.field)
def test_a_setting_is_what_the_product_has(setting: Setting) -> None:
    wanted = product_fields()[setting.field]
    assert setting.default == str(wanted["default"])
    assert (setting.least, setting.most) == (wanted.get("ge"), wanted.get("le"))
    assert re.fullmatch(setting.pattern, setting.default)
    if wanted["choices"]:
        assert setting.pattern == f"({'|'.join(wanted['choices'])})"


def test_what_is_set_reaches_every_process_that_runs() -> None:
    system = deployed(replace(ASKED, model_day_tokens="7", model_price_out="0.25"))
    given = system.stacks["app"]["Parameters"]
    assert (given["ModelDayTokens"]["Default"], given["ModelPriceOut"]["Default"]) == ("7", "0.25")
    assert given["ModelSlots"]["Default"] == "1"
    for name in ("Web", "Worker", "Scheduler", "ModelWorker"):
        made = system[f"app.{name}Task"]["ContainerDefinitions"]
        (told,) = [t for t in map(variables, made) if "CTISCRAPER_ENVIRONMENT" in t]
        assert told["CTISCRAPER_MODEL_DAY_TOKENS"] == "app.ModelDayTokens"


def test_a_server_elsewhere_is_asked_with_its_key() -> None:
    there = replace(
        ASKED, model_url="https://m.example.org/v1", model_kind="openai", model_key_arn=SECRET_ARN
    )
    system = deployed(there)
    # What was set is told, and nothing else is amiss.
    assert [fault.partition(" at ")[0].partition(" by itself")[0] for fault in faults(system)] == [
        "models: the model is sought",
        "models: ModelKind is 'openai'",
    ]
    told = variables(system.container("app.ModelWorkerTask", "model-worker"))
    assert told[KEY_FILE] == "/secrets/model-key"
    assert KEY_FILE not in variables(system.container("app.WorkerTask", "worker"))
    assert "model-key" in system.container("app.ModelWorkerTask", "prepare")["Command"][0]


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_without_a_server_a_model_is_refused_by_the_template(name: str) -> None:
    app = asking(name).stacks["app"]
    (assertion,) = app["Rules"]["ModelHasAServer"]["Assertions"]
    assert assertion["Assert"] == {
        "Fn::Or": [
            {"Fn::Equals": [{"Ref": "Model"}, ""]},
            {"Fn::Not": [{"Fn::Equals": [{"Ref": "ModelUrl"}, ""]}]},
        ]
    }
    assert "app.ModelWorkerService" in asking(name)
    assert "Rules" not in asking("prod").stacks["app"]


@pytest.mark.parametrize(
    ("environment", "changes", "said"),
    [
        (PROD, {"model": "a b"}, "model: 'a b' is no name of the model"),
        (PROD, {"model_kind": "llama"}, "model_kind: 'llama' is no what the server speaks"),
        (PROD, {"model_slots": "65"}, "model_slots: 65 should be from 1 to 64"),
        (PROD, {"model_seconds": "0.5"}, "model_seconds: 0.5 should be from 1 to 3600"),
        (PROD, {"model_context": "100"}, "model_context: 100 should be from 512 to"),
        (PROD, {"model_day_tokens": "-1"}, "model_day_tokens: '-1' is no tokens"),
        (PROD, {"model_price_in": "free"}, "model_price_in: 'free' is no price"),
        (PROD, {"model_tlp": "white"}, "model_tlp: 'white' is no"),
        (PROD, {"model_url": "ftp://x"}, "model_url: 'ftp://x' is no address"),
        (PROD, {"model_url": "http://x:99999"}, "has no port from 1 to 65535"),
        (PROD, {"model_url": "http://x:11434"}, "on 80 and 443 alone, not on 11434"),
        (PROD, {"model_key_arn": "key"}, "model_key_arn: 'key' should read arn:aws:secrets"),
        (PROD, {"model": "", "model_slots": "2"}, "model_slots: there is no model beside it"),
        (DEV, {}, "model: dev has no server of models; name one in model_url"),
    ],
)
def test_what_cannot_hold_is_refused(
    environment: Environment, changes: dict[str, str], said: str
) -> None:
    found = list(model_faults(replace(ASKED, **changes), environment))
    assert [fault for fault in found if said in fault], found


def test_what_holds_is_taken(tmp_path: Path) -> None:
    changes = {"model": "gpt", "model_url": "https://m.example.org/v1", "model_kind": "openai"}
    assert list(model_faults(replace(DEPLOYMENT, **changes), DEV)) == []
    # Vectors may be made by a server that is asked nothing else.
    vectors = {"embedding": "nomic-embed-text", "model_url": "https://m.example.org/v1"}
    assert list(model_faults(replace(DEPLOYMENT, **vectors), DEV)) == []
    made = load_deployment(write(tmp_path, dev={**GIVEN, **changes}), DEV, account=ACCOUNT)
    assert (made.model, made.model_day_tokens) == ("gpt", "")
    with pytest.raises(SettingsError, match="model_slots: 99 should be from 1 to 64"):
        load_deployment(
            write(tmp_path, dev={**GIVEN, **changes, "model_slots": "99"}), DEV, account=ACCOUNT
        )
