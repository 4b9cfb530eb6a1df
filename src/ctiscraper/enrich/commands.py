"""Command lines that a text quotes: lines of code, and commands within sentences."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.marks import QUOTES, TAIL, closing_quote
from ctiscraper.enrich.scan import Scan, pattern

# Programs that intruders and administrators call by their names.
_TOOLS = """
    7z 7za 7zr adfind anydesk arp at atera attrib auditpol base64 bash bcdedit bginfo bitsadmin
    cacls cat certreq certutil chattr chisel chmod chown cipher cloudflared cmd cmdkey cmstp
    code copy cp crackmapexec crontab cscript csvde curl date dd del devtunnel dir diskshadow
    dism dnscmd docker dsquery dumpcap echo esentutl eventvwr expand export extrac32 fc find
    findstr for forfiles fsutil ftp gpresult gpupdate grep gt_net hashcat hydra icacls ifconfig
    impacket-secretsdump insmod installutil ipconfig iptables java javaw kill killall klist
    kubectl launchctl lazagne ldapsearch ldifde lsmod makecab masscan mavinject md mimikatz
    mkdir mklink mofcomp mount mountvol move msbuild msdt mshta msiexec mstsc mv nbtstat nc ncat
    net net1 netcat netexec netscan netsh netstat ngrok nircmd nltest nmap node nohup nslookup
    ntdsutil nuclei odbcconf openssl osascript passwd pcalua pcwrun perl ping pip plink pnputil
    powershell presentationhost procdump procdump64 ps psexec psexec64 psql pwsh python python3
    pythonw qprocess query quser qwinsta rar rasdial rclone reg regasm regini regsvcs regsvr32
    ren rename replace rm rmdir robocopy route rpcping rsync rubeus runas rundll32 rustdesk sc
    sccm schtasks scp screenconnect seatbelt secedit secretsdump sed set setx sftp sh sharphound
    shutdown smbexec socat sqlcmd sqlmap ssh start sudo systemctl systeminfo tailscale takeown
    tar taskkill tasklist tcpdump telnet timeout tor touch tracert type uname unzip useradd
    usermod vssadmin w32tm wbadmin wbemtest wevtutil wget where whoami winrar winrm winrs wmic
    wmiexec wscript wsl wusa xcopy zip
"""
_GENERAL = frozenset(_TOOLS.split())
# Those whose names sentences use as well: a command only with an argument right behind them.
_WORDS = frozenset(
    """
    anydesk at atera attrib bash cat certutil chisel cloudflared code copy cp curl date del dir
    docker echo expand export find for ftp java klist md mimikatz mount move msbuild mshta mv net
    ngrok nmap node ping pip plink powershell python query rar rclone reg regsvr32 rename replace rm
    route rubeus rundll32 rustdesk sc screenconnect seatbelt set sftp ssh start systeminfo tar
    timeout tor touch tracert type unzip wget where winrar wmic zip
    """.split()  # noqa: SIM905 - read as words
)
_NAMES = "|".join(sorted(map(re.escape, _TOOLS.split()), key=len, reverse=True))
_VERBS = """
    Add Clear Compress Convert ConvertFrom ConvertTo Copy Disable Enable Enter Exit Expand Export
    Find Get Import Install Invoke Move New Read Receive Register Remove Rename Restart Save Send
    Set Start Stop Test Uninstall Unregister Update
"""
# Lines of a script that do nothing to a machine by themselves.
_INNER = re.compile(r"(?:New-Object|New-Variable|Add-Type|Add-Member|Set-Variable|Get-Variable)\b")
_START = pattern(
    rf"""
    (?:\b[A-Za-z]:\\[^\s\x22|<>]{{0,160}}\.(?:exe|com|bat|cmd|ps1|vbs|js|dll)\x22?
    |\x22[A-Za-z%][^\x22\n|<>]{{2,160}}\.(?:exe|com|bat|cmd|ps1)\x22
    |%[A-Za-z]{{1,32}}%\\[^\s\x22|<>]{{0,160}}\.(?:exe|com|bat|cmd|ps1)
    |\b[A-Za-z0-9_.-]{{1,64}}\.exe
    |\b(?:{_NAMES})
    |\b(?:{"|".join(_VERBS.split())})-[A-Z][A-Za-z]+
    |\bIEX\b|\biwr\b|\birm\b
    |(?:\./|/(?:usr|bin|tmp|opt|var|etc|home|root)/)[A-Za-z0-9_./-]{{1,160}}
    )
    [\s(]
    """,
    ignore_case=True,
)
# What makes words behind a program's name arguments of it: an option, a path, an address, a sign.
_ARGUMENT = re.compile(
    r"""
    (?:^|\s)(?:
        [-/]{1,2}[A-Za-z?][\w:=.-]*|\+[a-z]+|[A-Za-z]:\\|\\\\|%\w+%|https?:|hxxps?
        |\S+\.(?:exe|dll|ps1|bat|vbs|js|txt|zip|7z|dat|tmp|log|sh|py|xml|hta|msi|csv|gif|jpg)\b
        |\$\w|\{|[|>&]|\d{1,3}(?:\.\d{1,3}){3}|/\S+/|"[^"]+"|'[^']+'|~/|\.\\|\./|\w+=\S
    )
    """,
    re.VERBOSE,
)
# Commands that say enough by themselves.
_WHOLE = re.compile(
    r"""
    whoami(?:\s/\w+|$)|ipconfig\s/
    |net1?\s(?:user|group|localgroup|view|use|share|start|stop|accounts|config|time|session|file)\b
    |nltest\s/|(?:systeminfo|quser|qwinsta|tasklist|klist)(?:\.exe)?\b|netstat\s-|arp\s-a|route\sprint
    |query\s(?:user|session)|sc\s(?:create|config|query|start|stop|delete|\\\\)
    |reg\s(?:add|query|save|delete|export)|schtasks\s/
    |vssadmin\s(?:add|create|delete|list|query|resize|revert)\b
    |wevtutil\s(?:[aceg]l|epl?|gli|gp|im|qe|sl|um
        |(?:archive|clear|enum|export|get|install|query|set|uninstall)-[a-z]+)\b
    |wmic\s(?:baseboard|bios|computersystem|cpu|csproduct|desktop|diskdrive|environment|group|job
        |logicaldisk|logon|netlogin|netuse|nic|nicconfig|ntdomain|os|pagefile|partition|process
        |product|qfe|registry|server|service|shadowcopy|share|startup|sysaccount|sysdriver
        |useraccount|volume|path\s\w+
        |(?!(?:and|can|could|may|or|then|to|will)\s)\w+\s(?=(?:assoc|call|create|delete|get|list|set
            |where)\b))\b(?:\s?call\s\w+)?
    |bcdedit\s/|chmod\s[+\d]|crontab\s-|uname\s-|cat\s/|nslookup\s\S+\.|ping\s\S+\.|cmdkey\s/
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What stands behind a program's name, or a word of its own, when the sentence speaks of it.
_SENTENCE = re.compile(
    r"""
    \s*(?:(?:a|an|and|are|as|attempts?|binary|by|calls?|can|cmdlets?|commands?|communicat\w+|connect(?:ed|s)
    |creat(?:ed|es)|did|does|enumeration|executable|executes?|executed|executing|files?|for|from|had|has
    |have|in|into|is|launch(?:ed|es)|module|of|on|or|output|payload|process|processes|quer(?:ied|ies)
    |renamed|running|runs|sample|script|service|spawn(?:ed|s)|that|the|then|to|tools?|utility|was
    |were|which|will|with|writ(?:es|ing)|wrote)\b
    |[/,&]\s|\([A-Za-z]|\)|.\s?\(as\b)
    """,
    re.IGNORECASE | re.VERBOSE,
)
# With these a time, another computer or a variable has to follow: they are words everywhere else.
_NEEDS = {
    "at": re.compile(r"\s*(?:\\\\|\d{1,2}:\d\d)"),
    "for": re.compile(r"\s*(?:/[a-zA-Z]\s|%|[a-z_]\w*\sin\s)"),
    "where": re.compile(r"\s*/"),
}
# Where a sentence takes over again.
_PROSE = re.compile(
    r"""
    \n|\s{3,}(?=[A-Z][a-z])|[.;]\s+(?=[A-Z][a-z]+\s[a-z])
    |["\s](?<!\s\s)(?=(?:Command\sline|Example|Figure|Listing|Note|Source|Table)[\s:])
    |\s(?=(?!Windows)[A-Z][a-z]{3,}s(?:/[a-z]+)?\s[A-Za-z][a-z]+\b)
    |\s(?=[A-Z][a-z]+\s(?:a|an|any|for|if|in|its|on|our|that|the|this|to|was|which|with)\s)
    |\s(?=(?:A|Additionally|After|Also|An|As|During|Figure|Finally|Here|In|It|Later|Next|Note|Once
        |Our|Subsequently|Table|The|Then|These|They|This|We|When)\s[a-z]+\s[a-z]+)
    |\sto\s(?=[a-z]{3,}\s[a-z]{3,}\s[a-z]{2,}(?:[\s.,;]|$))
    |,?\s(?:after|and|are|as\swell|before|commands?|followed|in\sorder|is|that|then|to|used|using|was
        |were|which|with)\s
      (?:(?:a|an|are|be|by|executed|for|from|had|has|have|in|is|it|of|on|that|the|then|they|this|to
        |used|was|we|were|which|with)\b)
    """,
    re.VERBOSE,
)
# A command that stands right behind one of these belongs to the one before it.
_JOINED = re.compile(
    r"""
    (?:,$|(?:[|&(="'{;<>`]
    |\b(?:cmd(?:\.exe)?|sudo|start|call|do|echo|runas|nohup|then|else|in)
    |/(?:b|c|d|i|im|k|min|q|r|s|tr|v:on|wait)
    |--?(?:a|argumentlist|c|command|d|e|exec|exe|f|filepath|headless|i|name|o|p|process|x))\s*$)
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What stands between the start of a command and a path that is another argument of it.
_ARGUMENTS = re.compile(
    r"[\w./-]+(?:\s(?:[-+/.~$%>\d][^\s;|&`]*|\w+\.\w+|\x22[^\x22]*\x22|'[^']*'))*\s"
)
# A bar between two cells of a table, unless a command stands behind it.
_BAR = re.compile(r"\s\|{1,2}\s*(?=(\S*))")
_PIPED = re.compile(
    rf"""
    (?:[\"']?(?:\S*[\\/])?(?:{_NAMES}
    |awk|clip|cut|egrep|head|jq|less|more|select|sls|sort|tail|tee|tr|uniq|wc|xargs|zcat)(?:\.exe)?
    |[A-Za-z]+-[A-Z][A-Za-z]+|iex|[?%]|\$\(?.*|[&(@{{].*)[\"')|;`]*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OPEN = re.compile(r"\s/\w+$")
# What a command has of one intrusion: an address, something encoded, a file outside of Windows.
_OWN = re.compile(
    r"""
    ://|\[\.\]|\b\d{1,3}(?:\.\d{1,3}){3}\b|[A-Za-z0-9+/=]{32}|\b[\w-]+(?:\.[\w-]+)*\.(?:com|info|net|org|ru|top|xyz)\b
    |\s\S*(?:[a-z]:\\(?!windows\\)|%\w+%\\|\\\\\w)[^\s"]*\.\w|\s\S*/(?:dev/shm|home|opt|tmp|var/tmp)/\S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PROGRAM = re.compile(r"\"?(?:[^\s\"]*[\\/])?([^\s\"\\/(]+?)(?:\.exe)?(?:[\s\"(]|$)", re.IGNORECASE)
_VERB = re.compile(rf"(?:{'|'.join(_VERBS.split())})-[A-Z]\w+", re.IGNORECASE)
# So much of a command says what it does.
_TOLD = 500
_LONGEST = 2000
_LINE = 160
_LOOK_BACK = 24
_HEAD = 40
# An argument may stand so many words behind a program's name.
_FEW = 2
# What tables and marked-up words have behind a word as well.
_SIGNS = "|>&{"
_CLOSES = frozenset("])}")
# Some of these are in what a quoted argument names: a path, a file, a variable.
_NAMING = frozenset("\\/.:%=*$-")


def find_commands(scan: Scan) -> Iterator[Observable]:
    """Return the command lines of a text in their order."""
    text, last = scan.text, 0
    starts = [start for start, head in scan.find(_START) if _begins(text, start, head)]
    joined = [_is_joined(text, before, at) for before, at in pairwise((-1, *starts))]
    for number, start in enumerate(starts):
        if start >= last:
            limit = _cell_end(text, start, _line_end(text, start))
            for other in range(number + 1, len(starts)):
                if starts[other] >= limit:
                    break
                if not joined[other]:
                    limit = starts[other]
            last = _stripped(text, start, _end(text, start, limit))
            command = text[start:last]
            # A program's name alone is no command, but of those that say enough by it.
            if len(command.split()) > 1 or _WHOLE.match(command):
                yield Observable(Kind.COMMAND_LINE, command, start, last)


# As many as one comparison of articles asks for again and again. What is kept for longer pins the
# pages that it lies in among what is long gone.
@lru_cache(maxsize=256)
def is_general(command: str) -> bool:
    """Whether any administrator may type a command: a known program, and nothing of one's own."""
    found = _PROGRAM.match(command)
    if found is None or _OWN.search(command, 0, _TOLD):
        return False
    return found[1].lower() in _GENERAL or _VERB.fullmatch(found[1]) is not None


def _is_joined(text: str, before: int, start: int) -> bool:
    """Whether what stands at a place belongs to the command that may begin before it."""
    is_path = before >= 0 and start - before <= _LINE and text[start] in "/."
    if is_path and _ARGUMENTS.fullmatch(text, before, start) is not None:
        return True
    return _JOINED.search(text, max(0, start - _LOOK_BACK), start) is not None


def _stripped(text: str, start: int, end: int) -> int:
    """Return where a command ends without the punctuation behind it; its own quotes stay."""
    last = start + len(text[start:end].rstrip(TAIL + " "))
    after = text[last : last + 1]
    if after == '"' and last < end and text.count('"', start, last) % 2:
        return last + 1
    # An option that wants a value has it behind a colon, which may be left empty.
    return last + 1 if after == ":" and last < end and _OPEN.search(text, start, last) else last


def _line_end(text: str, start: int) -> int:
    """Return how far a command may go at most: to the end of its line."""
    limit = min(len(text), start + _LONGEST)
    line = text.find("\n", start, limit)
    return line if line >= 0 else limit


def _cell_end(text: str, start: int, limit: int) -> int:
    """Return how far the cell of a table goes that a command stands in."""
    for bar in _BAR.finditer(text, start, limit):
        within = text.count('"', start, bar.start()) % 2 or text.count("'", start, bar.start()) % 2
        if not within and not _PIPED.fullmatch(bar[1]):
            return bar.start()
    return limit


def _begins(text: str, start: int, head: int) -> bool:
    """Whether a program's name is the start of a command and not a word of a sentence."""
    before = text[start - 1 : start]
    if before and (before.isalnum() or before in "\\/.-_@"):
        return False
    if before in _CLOSES and text[start - 2 : start - 1] == ".":
        # The end of a defanged name: evil[.]net.
        return False
    whole = _WHOLE.match(text, start, start + _HEAD)
    if whole is not None:
        return not _SENTENCE.match(text, whole.end(), whole.end() + _HEAD)
    line = text[head - 1 : _cell_end(text, head - 1, min(len(text), head + _LINE))]
    line = line.partition("\n")[0]
    found = _ARGUMENT.search(line)
    if found is None or _SENTENCE.match(line) or _INNER.match(text, start):
        return False
    name = text[start : head - 1].strip('"')
    if name.lower() in _WORDS:
        # In capitals it is a word of SQL, or the first of a sentence.
        argument = found[0].strip()
        meant = name.islower() and found.start() == 0 and argument[0] not in _SIGNS
        if argument[0] in "\"'" and name != "echo":
            # A sentence quotes as well: type "yes".
            meant = meant and not _NAMING.isdisjoint(argument)
        return meant and (name not in _NEEDS or _NEEDS[name].match(line) is not None)
    return len(line[: found.start()].split()) <= _FEW


def _end(text: str, start: int, limit: int) -> int:
    """Return where a command ends: with its line, its quotes or the sentence."""
    closer = QUOTES.get(text[start - 1 : start])
    if closer is not None:
        closing = closing_quote(text, start, limit, closer)
        if closing is not None:
            return closing
    for found in _PROSE.finditer(text, start, limit):
        # Within quotes of the command itself nothing ends it.
        if text.count('"', start, found.start()) % 2 == 0 or found[0] == "\n":
            return found.start()
    return limit
