"""What of a command line a rule looks for, and whether that is enough to tell it from others."""

import msgspec

from ctiscraper.detect.programs import Command
from ctiscraper.detect.tokens import Part, Token, tokens_of

MOST_ATOMS = 6
ENOUGH = 2.0
"""A rule whose parts weigh less would match what happens every day."""

_GENERAL_PROGRAM, _OWN_PROGRAM = 0.5, 2.0
_LONG_OPTION = 8
_LONG_WORD = 6
# Behind these stands what somebody chose at the keyboard: names, passwords, computers.
_OWN_VALUE = frozenset(
    """
    -u --user /u -p --password --pass /p /user /pass -pw -l --login --set-password /ru /rp -host
    -s /s /node -computername -credential -username --username -password -server
    """.split()  # noqa: SIM905 - read as words
)
# What names of things differ most: an account, a file of results.
_NAMED = {"net": 2, "net1": 2, "useradd": 1, "usermod": 1, "passwd": 1}
_EVERYWHERE = frozenset(
    """
    /c /k /f /q /y /s /a /v /d /t -c -e -f -i -o -n -p -r -s -x -y -h -v -a /all -all /? /domain
    """.split()  # noqa: SIM905 - as above
)


class Atom(msgspec.Struct, frozen=True):
    """A part of a command line that stays, and how much it tells."""

    value: str
    weight: float


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a command that a rule looks for; `lacking` says why they are too few."""

    atoms: tuple[Atom, ...]
    weight: float
    lacking: str = ""

    @property
    def has_own(self) -> bool:
        """Whether something of it is of this intrusion, such as a file of its own."""
        return any(atom.weight >= _OWN_PROGRAM for atom in self.atoms)


def picked(command: Command) -> Picked:
    """Return what a rule for a command looks for, the most telling of its stable parts."""
    tokens = tokens_of(command.line)
    atoms = _unlike(command, _atoms(command, tokens[1:]))
    best = sorted(atoms, key=lambda atom: -atom.weight)[:MOST_ATOMS]
    kept = tuple(atom for atom in atoms if atom in best)
    program = 0.0
    if not command.is_script:
        program = _GENERAL_PROGRAM if command.is_general else _OWN_PROGRAM
    weight = program + sum(atom.weight for atom in kept)
    return Picked(atoms=kept, weight=weight, lacking=_lacking(command, kept, weight))


def _lacking(command: Command, atoms: tuple[Atom, ...], weight: float) -> str:
    if not atoms and command.is_general:
        return f"only the program {command.name} stays of it, which every machine runs"
    if not atoms:
        return f"nothing but the name of the program, {command.name}, stays of it"
    if weight < ENOUGH:
        said = ", ".join(atom.value.strip() for atom in atoms)
        return f"{command.name} with {said} is what administrators run every day"
    return ""


def _atoms(command: Command, tokens: list[Token]) -> list[Atom]:
    found: list[Atom] = []
    own_names = _NAMED.get(command.name.lower(), 0)
    # Groups stand in quotes for their spaces and are the same everywhere; accounts are not.
    is_account = bool(tokens) and tokens[0].raw.lower() == "user"
    chosen = {Part.WORD, Part.QUOTED} if is_account else {Part.WORD}
    before = ""
    for number, token in enumerate(tokens):
        is_value = before in _OWN_VALUE
        before = token.raw.lower() if token.part is Part.OPTION else ""
        is_name = own_names and number >= own_names - 1 and token.part in chosen
        if token.part is Part.VOLATILE or is_value or is_name:
            continue
        found.extend(_atom(token, tokens[number - 1] if number else None, is_first=number == 0))
    return found


def _atom(token: Token, before: Token | None, *, is_first: bool) -> list[Atom]:
    """Return what a word gives: nothing, where it tells nothing."""
    stable = token.stable
    long = len(stable) >= _LONG_WORD
    match token.part:
        case Part.OPTION:
            return [Atom(f" {stable}", _option_weight(stable))]
        case Part.PATH:
            return [Atom(stable, _OWN_PROGRAM)]
        case Part.QUOTED:
            return [Atom(stable, 1.5 if long else 0.75)]
    if any(sign in stable for sign in "=_.,:$/@-(){}"):
        return [Atom(stable, 1.5 if long else 0.5)]
    follows = before is not None and before.part is Part.OPTION and stable.isalnum()
    return [Atom(f" {stable}", 0.75)] if stable and (is_first or follows) else []


def _option_weight(option: str) -> float:
    if option.lower() in _EVERYWHERE:
        return 0.25
    return 1.5 if len(option) >= _LONG_OPTION else 0.75


def _unlike(command: Command, atoms: list[Atom]) -> list[Atom]:
    """Return atoms each once, those that stand in the line as they are and in no other atom."""
    line = f" {command.line}".lower()
    values = dict.fromkeys(atoms)
    there = [atom for atom in values if atom.value.lower() in line]
    lowered = [atom.value.lower().strip() for atom in there]
    return [
        atom
        for number, atom in enumerate(there)
        if not any(
            lowered[number] in other and (lowered[number] != other or number > at)
            for at, other in enumerate(lowered)
            if at != number
        )
    ]
