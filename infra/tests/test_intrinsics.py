"""The functions of CloudFormation, and properties in the shape of calls, without an emulator."""

from typing import Any

import botocore.session
import pytest

from emulation.errors import DeploymentError
from emulation.intrinsics import Evaluator, Made
from emulation.shapes import shaped

TEMPLATE = {
    "Conditions": {
        "Large": {"Fn::Equals": [{"Ref": "Size"}, "large"]},
        "Small": {"Fn::Not": [{"Condition": "Large"}]},
        "Either": {"Fn::Or": [{"Condition": "Large"}, {"Condition": "Small"}]},
        "Both": {"Fn::And": [{"Condition": "Large"}, {"Condition": "Small"}]},
    },
    "Mappings": {"Sizes": {"us-east-1": {"large": "db.t3.medium"}}},
}
HERE = Evaluator(
    stack="data",
    values={"AWS::Region": "us-east-1", "Size": "large"},
    template=TEMPLATE,
    made={"Bucket": Made("data.Bucket", "S3::Bucket", "kept", {"Arn": "arn:aws:s3:::kept"})},
    exported={"network:Vpc": "vpc-1"}.get,
    zones=lambda region: [f"{region}a", f"{region}b"],
    secret=lambda arn, key: f"{key} of {arn}",
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "Bucket"}, "kept"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:aws:s3:::kept"),
        ({"Fn::GetAtt": "Bucket.Arn"}, "arn:aws:s3:::kept"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Bucket"}]]}, "a-kept"),
        ({"Fn::Sub": "${Bucket}/${Bucket.Arn}/${!Left}"}, "kept/arn:aws:s3:::kept/${Left}"),
        ({"Fn::Sub": ["${Name}!", {"Name": {"Ref": "Size"}}]}, "large!"),
        ({"Fn::Select": [1, {"Fn::GetAZs": ""}]}, "us-east-1b"),
        ({"Fn::Select": ["1", {"Fn::Split": [":", "a:b"]}]}, "b"),
        ({"Fn::ImportValue": {"Fn::Sub": "network:Vpc"}}, "vpc-1"),
        ({"Fn::If": ["Large", 1, 2]}, 1),
        ({"Fn::If": ["Small", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "large"]}, "db.t3.medium"),
        ({"Kept": 1, "Gone": {"Ref": "AWS::NoValue"}}, {"Kept": 1}),
        ([1, {"Ref": "AWS::NoValue"}], [1]),
        (
            {"Fn::Join": ["", ["{{resolve:secretsmanager:", "arn:one", ":SecretString:key}}"]]},
            "key of arn:one",
        ),
    ],
)
def test_functions_are_evaluated(value: Any, expected: Any) -> None:
    assert HERE(value) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"Ref": "Bukket"}, "leads to nothing"),
        ({"Fn::GetAtt": ["Bukket", "Arn"]}, "which is not there"),
        ({"Fn::GetAtt": ["Bucket", "Name"]}, "it has Arn"),
        ({"Fn::ImportValue": "network:Vcp"}, "no export named"),
        ({"Fn::Select": [2, ["a", "b"]]}, "Select 2 of 2"),
        ({"Fn::If": ["Huge", 1, 2]}, "not in the template"),
        ({"Fn::FindInMap": ["Sizes", "us-west-2", "large"]}, "in no mapping"),
        ({"Fn::Guess": 1}, "not a function that is known"),
    ],
)
def test_what_leads_nowhere_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(DeploymentError, match=reason):
        HERE(value)


def test_properties_take_the_shape_of_a_call() -> None:
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    astray: list[str] = []
    made = shaped(
        {
            "Family": "web",
            "Cpu": 1024,
            "ContainerDefinitions": [
                {
                    "Name": "web",
                    "StopTimeout": "60",
                    "ReadonlyRootFilesystem": "true",
                    "LogConfiguration": {"LogDriver": "awslogs", "Options": {"Mode": "plain"}},
                    "Colour": "blue",
                }
            ],
        },
        shape,
        renames={},
        path="",
        unplaced=astray,
    )
    assert made == {
        "family": "web",
        "cpu": "1024",
        "containerDefinitions": [
            {
                "name": "web",
                "stopTimeout": 60,
                "readonlyRootFilesystem": True,
                "logConfiguration": {"logDriver": "awslogs", "options": {"Mode": "plain"}},
            }
        ],
    }
    assert astray == ["ContainerDefinitions.Colour"]
