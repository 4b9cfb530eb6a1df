"""Writes the templates that are committed, of the environments named or of all."""

import sys

from cti_infra.config import ENVIRONMENTS, environment_of
from cti_infra.errors import SettingsError
from cti_infra.rendering import write

if __name__ == "__main__":
    try:
        for name in sys.argv[1:] or ENVIRONMENTS:
            for file in write(environment_of(name)):
                sys.stdout.write(f"{file}\n")
    except SettingsError as error:
        sys.exit(str(error))
