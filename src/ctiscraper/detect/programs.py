"""What command lines start, on which system, and what of it is general."""

import re

import msgspec

WINDOWS, LINUX = "windows", "linux"

_PROGRAM = re.compile(
    r"""\s*(?:&\s*)?(?:"([^"\n]{1,260})"|'([^'\n]{1,260})'|([A-Za-z]:\\[^"\n<>|]{1,200}?\.(?:exe|com|bat|cmd|ps1|scr))(?=\s|$)|(\S+))""",
    re.IGNORECASE,
)
# A shell that only hands on; what it starts is what a rule is about.
_WRAPPER = re.compile(
    r"""
    \s*(?:"?(?:[A-Za-z]:\\[^"\s]*\\)?(?:cmd|conhost)(?:\.exe)?"?\s+)
    (?:"?\s*(?:--headless|/min|min|/v:on|/q|/s|/d|/?start)\s+)*
    (?:(?:"?(?:[A-Za-z]:\\[^"\s]*\\)?cmd(?:\.exe)?"?\s+)?"?/[ckr]\s*)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_UNIX_WRAPPER = re.compile(r"\s*(?:/(?:usr/)?bin/)?(?:ba|z|da)?sh\s+-c\s+|\s*(?:sudo|nohup)\s+")
_JOINTS = re.compile(r"\s*(?:&&|\|\||;\s|(?<!2>)(?<!\d)&(?!\d)|\|)\s*")
_REDIRECT = re.compile(r"\s*\d?>{1,2}\s*(?:&\d|\"[^\"]*\"|\S+)")
_CMDLET = re.compile(
    r"(?:iex|irm|iwr)\b|(?:Add|Clear|Compress|Convert|ConvertFrom|ConvertTo|Copy|Disable|Enable|Enter|Expand|Export"
    r"|Find|Get|Import|Install|Invoke|Move|New|Read|Receive|Register|Remove|Rename|Restart|Save"
    r"|Send|Set|Start|Stop|Test|Uninstall|Unregister|Update)-[A-Z]\w+",
    re.IGNORECASE,
)
_LINUX_SIGN = re.compile(
    r"(?:^|[\s=@'\"(>])(?:/(?:bin|dev|etc|home|opt|proc|root|tmp|usr|var|mnt|lib|sbin)/|\./|~/)"
    r"|^\s*(?:sudo|nohup|bash|sh|wget|chmod|chown|chattr|crontab|systemctl|iptables|useradd|usermod|insmod"
    r"|lsmod|uname|launchctl|osascript|apt|yum|export|unzip|base64|pkill|touch|ps|tcpdump|kubectl"
    r"|docker|ssh|scp|rsync)\s"
)
_WINDOWS_SIGN = re.compile(r"[A-Za-z]:\\|\\\\|%\w+%|\.exe\b|\.dll\b|\.bat\b|\.ps1\b", re.IGNORECASE)
_ENDING = re.compile(r"\.(?:exe|com)$", re.IGNORECASE)
_NAME = re.compile(r"[\w.+-]{2,64}")
# Words of cmd itself: no process of theirs is ever seen.
_BUILTINS = frozenset(
    (
        *("call", "cd", "chdir", "cls", "copy", "date", "del", "dir", "echo", "erase", "exit"),
        *("for", "if", "md", "mkdir", "mklink", "move", "path", "pause", "popd", "prompt", "pushd"),
        *("rd", "rem", "ren", "rename", "rmdir", "set", "start", "time", "title", "type", "ver"),
    )
)
_SHELL_BUILTINS = frozenset(
    ("alias", "cd", "echo", "exit", "export", "history", "read", "set", "source", "type", "ulimit")
)
_GENERAL = frozenset(
    """
    arp at attrib base64 bash bcdedit bitsadmin cacls cat certreq certutil chmod chown cmd cmdkey
    cmstp crontab cscript curl dism dnscmd dsquery esentutl expand find findstr forfiles fsutil
    ftp gpresult gpupdate grep hostname icacls ifconfig installutil ipconfig java javaw klist
    ldifde makecab msbuild mofcomp mshta msiexec mstsc nbtstat net net1 netsh netstat nltest
    nslookup ntdsutil odbcconf openssl osascript perl ping pip powershell pwsh python python3
    query quser qwinsta reg regasm regsvcs regsvr32 robocopy route rsync rundll32 sc schtasks scp
    secedit setx sh shutdown ssh sudo systemctl systeminfo takeown tar taskkill tasklist tcpdump
    tracert uname vssadmin w32tm wbadmin wevtutil wget whoami winrm winrs wmic wscript wsl xcopy
    node npm git docker kubectl code nohup touch chattr iptables useradd usermod passwd unzip zip
    """.split()  # noqa: SIM905 - read as words
)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One process that a line starts, or one script: `line` is its command line."""

    name: str
    line: str
    product: str
    image: str = ""
    is_script: bool = False

    @property
    def is_general(self) -> bool:
        """Whether any administrator starts this program."""
        return self.name.lower() in _GENERAL


def commands_of(line: str) -> list[Command]:
    """Return what a command line starts, without the shells that only hand on."""
    product = _product(line)
    inner = line.strip()
    wrapper = (_UNIX_WRAPPER if product == LINUX else _WRAPPER).match(inner)
    was_wrapped = wrapper is not None
    if wrapper is not None:
        inner = _unquoted(inner[wrapper.end() :], is_open=wrapper[0].count('"') % 2 == 1)
    pieces = [inner] if _keeps_joints(inner) else _split(inner)
    found = (_command(piece, product, was_wrapped=was_wrapped) for piece in pieces)
    return [command for command in found if command is not None]


def _product(line: str) -> str:
    if _WINDOWS_SIGN.search(line):
        return WINDOWS
    return LINUX if _LINUX_SIGN.search(line) else WINDOWS


def _keeps_joints(line: str) -> bool:
    """Whether signs that join commands are a script's own."""
    return (
        bool(_CMDLET.match(line.lstrip()))
        or re.match(r"\s*(?:\S*\\)?(?:powershell|pwsh)", line, re.IGNORECASE) is not None
    )


def _split(line: str) -> list[str]:
    """Return the commands of a line, which are joined by signs outside of quotes."""
    pieces, last = [], 0
    for joint in _JOINTS.finditer(line):
        if (
            line.count('"', 0, joint.start()) % 2 == 0
            and line.count("'", 0, joint.start()) % 2 == 0
        ):
            pieces.append(line[last : joint.start()])
            last = joint.end()
    pieces.append(line[last:])
    return [piece for piece in pieces if piece.strip()]


def _unquoted(line: str, *, is_open: bool) -> str:
    """Return what stands in the quotes around a whole command, or behind the one that opens it."""
    line = line.strip()
    if is_open:
        return line.rpartition('"')[0] if line.count('"') % 2 else line
    if line[:1] in {'"', "'"} and line.count(line[0]) % 2 == 0 and line.endswith(line[0]):
        return line[1:-1]
    return line[:-1] if line.endswith('"') and line.count('"') % 2 else line


def _command(piece: str, product: str, *, was_wrapped: bool) -> Command | None:
    line = _REDIRECT.sub("", piece).strip() if product == LINUX or was_wrapped else piece.strip()
    line = re.split(r"\s>{1,2}\s", line, maxsplit=1)[0].rstrip()
    script = _CMDLET.match(line)
    if script is not None:
        return Command(name=script[0], line=line, product=WINDOWS, is_script=True)
    found = _PROGRAM.match(line)
    if found is None:
        return None
    path = next(part for part in found.groups() if part is not None).rstrip(",;")
    stroke = "/" if product == LINUX else "\\"
    name = _ENDING.sub("", path.replace("/", stroke).rpartition(stroke)[2])
    if not _NAME.fullmatch(name) or name.lower() in (
        _SHELL_BUILTINS if product == LINUX else _BUILTINS
    ):
        return None
    return Command(name=name, line=line, product=product, image=_image(path, name, product))


def _image(path: str, name: str, product: str) -> str:
    """Return the full path of a program as an event has it."""
    if product == LINUX:
        return path if path.startswith("/") else f"/usr/bin/{name}"
    file = path.rpartition("\\")[2]
    if not re.search(r"\.\w{2,4}$", file):
        file += ".exe"
    if re.match(r"[A-Za-z]:\\", path):
        return path.rpartition("\\")[0] + "\\" + file
    return f"C:\\Windows\\System32\\{file}"
