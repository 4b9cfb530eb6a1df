# What one does most, `just` alone lists it; everything works without just too.
bin := justfile_directory() / ".venv/bin"

_list:
    @just --list --unsorted

# make or refresh the environment
setup:
    ./ctiscraper test --version

# start the product
up *arguments:
    ./ctiscraper up {{ arguments }}

# fill the product from the bundled sample site
demo *arguments:
    ./ctiscraper demo {{ arguments }}

# put every file into the house's form
fmt: setup
    {{ bin }}/ruff format .
    {{ bin }}/ruff check --fix .

# what needs no run of the program
lint: setup
    {{ bin }}/ruff format --check .
    {{ bin }}/ruff check .
    {{ bin }}/mypy
    {{ bin }}/lint-imports
    {{ bin }}/codespell

# pytest alone, with its arguments
test *arguments="tests":
    ./ctiscraper test {{ arguments }}

# the infrastructure on AWS: venv, render, table, test, cdk
infra *arguments="test":
    ./ctiscraper infra {{ arguments }}

# branch coverage of the program
cov: setup
    {{ bin }}/python -m pytest -n auto --cov --cov-report=term-missing:skip-covered

# the documentation as a site
docs: setup
    {{ bin }}/mkdocs build --strict

# bring the lock files up to date
lock *arguments:
    ./ctiscraper lock {{ arguments }}

# exactly what the continuous integration runs
check:
    .ci/run
