"""The exit codes of every command, in one place."""

from enum import IntEnum

from ctiscraper.errors import (
    ArchiveError,
    CatalogError,
    ConflictError,
    CTIScraperError,
    FetchError,
    InputError,
    ModelError,
    NotFoundError,
    PackError,
    ParseError,
    SearchSyntaxError,
    SettingsError,
    StorageError,
)


class Exit(IntEnum):
    """What a command tells the program that called it."""

    OK = 0
    FAILED = 1  # anything that has no number of its own
    USAGE = 2  # the command line was not understood
    SETTINGS = 3  # a setting is wrong, or the environment does not offer what it names
    SOURCES_FAILED = 4  # it was done, but not every source answered well
    NOT_FOUND = 5  # what was named does not exist
    CONFLICT = 6  # what was asked for contradicts what is stored
    BAD_FILE = 7  # a catalogue, import file, value, archive or data pack has faults; all are listed
    STORAGE = 8  # the database or the disk cannot be used
    DEGRADED = 9  # something is not as it should be; what it is and what to do was said
    MODEL = 10  # the language model gave no answer that can be used; why and what to do was said
    INTERRUPTED = 130  # a signal, such as Ctrl-C, before a command was done (128 + SIGINT)


_BY_ERROR: dict[type[CTIScraperError], Exit] = {
    SettingsError: Exit.SETTINGS,
    FetchError: Exit.SOURCES_FAILED,
    ParseError: Exit.SOURCES_FAILED,
    NotFoundError: Exit.NOT_FOUND,
    ConflictError: Exit.CONFLICT,
    CatalogError: Exit.BAD_FILE,
    InputError: Exit.BAD_FILE,
    SearchSyntaxError: Exit.USAGE,
    ArchiveError: Exit.BAD_FILE,
    PackError: Exit.BAD_FILE,
    StorageError: Exit.STORAGE,
    ModelError: Exit.MODEL,
}


def exit_of(error: CTIScraperError) -> Exit:
    """Return the code that an error ends a command with."""
    for kind in type(error).__mro__:
        if kind in _BY_ERROR:
            return _BY_ERROR[kind]
    return Exit.FAILED
