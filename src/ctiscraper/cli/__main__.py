"""`python -m ctiscraper.cli`."""

from ctiscraper.cli.app import main

main()
