"""The description of the API says how to show who asks, and what each operation needs."""

from fastapi import FastAPI

from ctiscraper.web.rules import RULES, Public


def test_each_operation_names_what_it_needs(app: FastAPI) -> None:
    document = app.openapi()
    schemes = document["components"]["securitySchemes"]
    assert (schemes["token"]["type"], schemes["token"]["scheme"]) == ("http", "bearer")
    assert (schemes["session"]["type"], schemes["session"]["in"]) == ("apiKey", "cookie")
    told = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            rule = RULES[f"{method.upper()} {path}"]
            if isinstance(rule, Public):
                assert operation["security"] == []
                continue
            told += 1
            assert operation["security"] == [{"token": []}, {"session": []}]
            assert operation["x-permission"] == rule
            assert f"Needs `{rule}`." in operation["description"]
            assert {"401", "403", "429"} <= operation["responses"].keys()
    assert told > 50
    # Asked for again it is the same.
    assert app.openapi() is document
