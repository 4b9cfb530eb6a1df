"""Traces on a machine: registry keys, paths and names of files, mutexes, user agents."""

import re
from collections.abc import Iterator
from itertools import pairwise

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.marks import QUOTES, TAIL
from ctiscraper.enrich.scan import LETTER, Pattern, Scan, pattern

# A part of a path between two strokes may hold spaces; the last ends where the word does.
_INNER = r"[^\\/:*?\x22<>|\n\r\t\x60;]+"
_LAST = r"[^\\/:*?\x22<>|\s\x60;,)\]\xe2]+"
_REGISTRY = pattern(
    r"""
    \b(?:Computer\\)?
    (?:HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG|PERFORMANCE_DATA)
    |HK(?:LM|CU|CR|U|CC))(?:64|32)?:?
    \\{1,2}(?:[^\\:*?\x22'()|\n\r\t\x60;,]+\\{1,2})*(?:[^\\*?\x22'|\s\x60;,)\]\xe2]+)?
    """,
    ignore_case=True,
)
_WINDOWS = pattern(
    rf"""
    (?:\b[A-Za-z]:\\{{1,2}}|%[A-Za-z_()0-9]+%\\{{1,2}}|\\\\[A-Za-z0-9_.$%-]+\\{{1,2}})
    (?:{_INNER}\\{{1,2}})*(?:{_LAST})?
    """
)
# Folders of macOS whose names have a space.
_SPACED = r"Application\x20Support|Group\x20Containers|Mobile\x20Documents"
_UNIX = pattern(
    rf"""
    (?:~|\$HOME|\$\{{HOME\}})?
    /(?:bin|boot|cgi-bin|data|dev|etc|home|lib|lib64|mnt|opt|private|proc|root|run|sbin|sdcard|srv
    |storage|sys|tmp|usr|var|Applications|Library|System|Users|Volumes)
    (?:/(?:{_SPACED}|[A-Za-z0-9_.@+~$%*{{}}\[\]-]+))+/?
    |(?:~|\$HOME)/[A-Za-z0-9_.@+~$%*-]+(?:/(?:{_SPACED}|[A-Za-z0-9_.@+~$%*-]+))*
    """
)
_ENDINGS = """
    7z ace accdb apk app appx arj asmx asp aspx bak bash bat bin bmp bz2 cab cfg chm class cmd conf
    config cpl crt csv dat db deb desktop dex diagcab dll dmg dmp doc docm docx dot dotm drv dylib
    elf eml etl evt evtx exe gif gz hlp hta htm html ico img inf ini ipa iso jar java jpeg jpg js
    jse json jsp jspx kdbx key kext lnk log lua mht msg msi msix msp mst ocx one ost ova pcap pdf
    pem pfx php php5 pkg pl plist png ppt pptm pptx ps1 psd1 psm1 pst py pyc pyd pyw rar rb reg rpm
    rtf scr service settingcontent-ms sh so sql sqlite svg sys tar tgz theme tmp txt url vbe vbs vhd
    vhdx vmdk war wsf wsh xam xlam xll xls xlsb xlsm xlsx xml xz yaml yml zip
"""
_FILE = pattern(
    rf"(?:[A-Za-z0-9_]|{LETTER})(?:[A-Za-z0-9_.()~+@#$%&-]|{LETTER})*\.(?:"
    + "|".join(sorted(_ENDINGS.split(), key=len, reverse=True))
    + r")\b",
    ignore_case=True,
)
# A cell below the head of a column of names is one, though it has spaces.
_HEAD = re.compile(r"(?:files?|file[\s_-]?names?|names?\sof\s(?:the\s)?files?)", re.IGNORECASE)
_CELL = re.compile(rf"[^\\/:*?\"<>|\n]{{1,120}}\.(?:{'|'.join(_ENDINGS.split())})", re.IGNORECASE)
_PARTED = " | "
_LONGEST_NAME, _LONGEST_MUTEX = 128, 80
# Names of products and of calls in code.
_NO_FILES = frozenset(("node.js", "vue.js", "next.js", "react.js", "angular.js", "console.log"))
_MUTEX = pattern(
    r"""
    \bmutex(?:es)?(?:\s(?:named?|called|object|name|is|with|the))*\s?[:=]?\s?
    (?:\x22|'|\x60|\xe2\x80\x9c|\xe2\x80\x98)?(?:Global\\|Local\\)?[A-Za-z0-9_{}\\.!@\x23$%&-]{4,80}
    """,
    ignore_case=True,
)
# The lines of a list below a heading that says what they are.
_MUTEXES = pattern(
    r"""
    (?:\A|\n)\W{0,4}mutex(?:es)?(?:\x20names?)?:?\x20*(?:\n\x20*)+
    (?:(?:[-*]\x20+)?[A-Za-z0-9_{}\\.!@\x23$%&-]{4,}\x20*(?:\n|\z))+
    """,
    ignore_case=True,
)
_MUTEX_VALUE = re.compile(r"(?:Global\\|Local\\)?[A-Za-z0-9_{}\\.!@#$%&-]{4,80}$")
_AGENT = pattern(
    r"""
    Mozilla/\d\.\d{1,2}\s\([^)\n]{1,200}\)
    (?:\x20[A-Za-z][A-Za-z._-]+/[0-9A-Za-z.+-]+|\s\([^)\n]{1,60}\)
    |\s(?:AppleWebKit|Chrome|Edge?|Firefox|Gecko|Mobile|OPR|Safari|Version)/[0-9A-Za-z.+-]+)*
    |\b(?:curl|Wget|python-requests|Go-http-client|okhttp)/\d[\d.]*
    """
)
_ROOTS = {
    "hklm": "HKEY_LOCAL_MACHINE", "hkcu": "HKEY_CURRENT_USER", "hkcr": "HKEY_CLASSES_ROOT",
    "hku": "HKEY_USERS", "hkcc": "HKEY_CURRENT_CONFIG",
}  # fmt: skip
# What a part with spaces has in it when the text went on to another key or path.
_NEXT_ROOT = re.compile(
    r"""
    \s(?:(?:and|or|to|in|under|from)\s)?(?:HK(?:EY_|LM|CU|CR|U\b|CC)|[A-Za-z]:$|%|\\)
    |(?<=\.exe)[\s,]|(?<=\.dll)[\s,]|,\s|\]\s(?:(?:and|or)\s)?\[?HK
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Last names of keys that are two words and more.
_TWO_WORDS = re.compile(
    r"""
    Active\ Setup|Authentication\ Packages|Browser\ Helper\ Objects|Command\ Processor
    |Control\ Panel|Credential\ Providers|Image\ File\ Execution\ Options|Installed\ Components
    |Internet\ Settings|Microsoft\ Antimalware|Notification\ Packages|Print\ Processors
    |Protected\ Storage|Real-Time\ Protection|Security\ Center|Security\ Packages|Session\ Manager
    |Shell\ Folders|Terminal\ Server(?:\ Client)?|User\ Shell\ Folders|Windows\ Defender
    |Windows\ Error\ Reporting|Windows\ NT|Windows\ Script\ Host
    """,
    re.IGNORECASE | re.VERBOSE,
)
# A byte as code writes it, and not the name of a server.
_ESCAPED = re.compile(r"\\\\x[0-9A-Fa-f]{2}\\")
_QUOTED = 64
_DRIVE = 3


def find_artefacts(scan: Scan) -> Iterator[Observable]:
    """Return traces on a machine that a text names, in no order; they may overlap."""
    yield from _registry(scan)
    yield from _windows(scan)
    yield from _unix(scan)
    cells = list(_named_cells(scan))
    ends = {one.end for one in cells}
    yield from cells
    yield from (one for one in _files(scan) if one.end not in ends)
    yield from _mutexes(scan)
    for start, end in scan.find(_AGENT):
        raw = scan.text[start:end].rstrip(TAIL + " ")
        yield Observable(Kind.USER_AGENT, raw, start, start + len(raw))


def _pieces(scan: Scan, wanted: Pattern) -> Iterator[tuple[int, int]]:
    """Return the places of a pattern; where a sentence joins several they are told apart."""
    for start, end in scan.find(wanted):
        cuts = [start, *(turn.start() for turn in _NEXT_ROOT.finditer(scan.text, start, end)), end]
        if len(cuts) == 2:  # noqa: PLR2004 - its start and its end
            yield start, end
            continue
        for begin, stop in pairwise(cuts):
            for first, last in Scan(scan.text[begin:stop]).find(wanted):
                yield begin + first, begin + last


def _registry(scan: Scan) -> Iterator[Observable]:
    for start, matched in _pieces(scan, _REGISTRY):
        end = _key_end(scan.text, start, matched)
        raw = scan.text[start:end]
        root, *parts = [part for part in raw.replace("Computer\\", "").split("\\") if part]
        root = root.rstrip(":")
        if parts:
            value = "\\".join([_ROOTS.get(root.lower(), root.upper()), *parts])
            yield Observable(Kind.REGISTRY_KEY, value, start, end)


def _key_end(text: str, start: int, end: int) -> int:
    """Return where a key ends: its last name may be of two words."""
    raw = text[start:end]
    known = _TWO_WORDS.match(text, start + raw.rfind("\\") + 1)
    if known is not None:
        return known.end()
    closer = QUOTES.get(text[start - 1 : start])
    if closer is not None:
        closing = text.find(closer, start + len(raw), start + len(raw) + _QUOTED)
        if closing > 0 and "\n" not in text[start:closing]:
            return closing
    return start + len(raw.rstrip(TAIL + " "))


def _windows(scan: Scan) -> Iterator[Observable]:
    for start, end in _pieces(scan, _WINDOWS):
        raw = scan.text[start:end].rstrip(TAIL)
        if len(raw.rstrip("\\")) > _DRIVE and not _ESCAPED.match(raw):
            share = raw.startswith("\\\\")
            value = raw if share else raw.replace("\\\\", "\\")
            yield Observable(Kind.FILE_PATH, value, start, start + len(raw))


def _unix(scan: Scan) -> Iterator[Observable]:
    for start, end in scan.find(_UNIX):
        before = scan.text[start - 1 : start]
        if before and (before.isalnum() or before in "./:\\%-_"):
            continue
        raw = scan.text[start:end].rstrip(".,:*")
        yield Observable(Kind.FILE_PATH, raw, start, start + len(raw))


def _files(scan: Scan) -> Iterator[Observable]:
    for start, end in scan.find(_FILE):
        before = scan.text[start - 1 : start]
        name = scan.text[start:end]
        if (
            len(name) <= _LONGEST_NAME
            and not (before and before in "\\/.@-")
            and name.lower() not in _NO_FILES
        ):
            yield Observable(Kind.FILE_NAME, name, start, end)


def _named_cells(scan: Scan) -> Iterator[Observable]:
    """Return the names with spaces in columns of tables that hold names of files."""
    if _PARTED not in scan.text:
        return
    at, columns, in_table = 0, frozenset[int](), False
    for line in scan.text.splitlines(keepends=True):
        cells = line.split(_PARTED) if _PARTED in line else []
        if cells and not in_table:
            columns = frozenset(n for n, cell in enumerate(cells) if _HEAD.fullmatch(cell.strip()))
        in_table = bool(cells)
        start = at
        for number, cell in enumerate(cells if columns else ()):
            name = cell.strip()
            if number in columns and " " in name and _CELL.fullmatch(name):
                first = start + cell.index(name)
                yield Observable(Kind.FILE_NAME, name, first, first + len(name))
            start += len(cell) + len(_PARTED)
        at += len(line)


def _mutexes(scan: Scan) -> Iterator[Observable]:
    text = scan.text
    for start, end in scan.find(_MUTEX):
        found = _MUTEX_VALUE.search(text, start, end)
        if found is None:
            continue
        value = found[0].rstrip(".,")
        # Unquoted, a word of letters alone is a word of the sentence.
        is_meant = text[found.start() - 1] in QUOTES or not value.isalpha()
        if is_meant and any(map(str.isalnum, value)):
            yield Observable(Kind.MUTEX, value, found.start(), found.start() + len(value))
    for start, end in scan.find(_MUTEXES):
        listed = text[start:end].lstrip().partition("\n")
        at = end - len(listed[2])
        for line in listed[2].splitlines(keepends=True):
            value = line.strip(" -*\n")
            if value and len(value) <= _LONGEST_MUTEX and not value.isalpha():
                first = at + line.index(value)
                yield Observable(Kind.MUTEX, value, first, first + len(value))
            at += len(line)
