"""Tells what the templates cost in a month, or writes the page of it."""

import argparse
import json
import sys
from pathlib import Path

from cti_cost.errors import CostError
from cti_cost.figures import load_prices, load_usage
from cti_cost.lines import Asked
from cti_cost.page import document, page, sections
from cti_cost.templates import environments, load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "aws-cost.md"


def main() -> None:
    """Write to the terminal, or the page. Raises CostError."""
    parser = argparse.ArgumentParser(prog="ctiscraper infra cost", description=__doc__)
    known = environments()
    parser.add_argument("--env", choices=known, help="one environment; all by itself")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for a program to read")
    form.add_argument("--write", action="store_true", help="write docs/reference/aws-cost.md")
    given = parser.parse_args()
    if given.write:
        PAGE.write_text(page([asked_of(name) for name in known]), "utf-8")
        sys.stdout.write(f"{PAGE}\n")
        return
    wanted = [asked_of(name) for name in ([given.env] if given.env else known)]
    if given.json:
        documents = [document(asked) for asked in wanted]
        text = json.dumps(documents[0] if given.env else documents, indent=2) + "\n"
    else:
        text = "\n".join(part for asked in wanted for part in sections(asked))
    sys.stdout.write(text)


def asked_of(environment: str) -> Asked:
    """Return what the cost of an environment hangs on. Raises CostError."""
    return Asked(load(environment), load_usage(environment), load_prices())


if __name__ == "__main__":
    try:
        main()
    except CostError as error:
        sys.exit(f"cost: {error}")
