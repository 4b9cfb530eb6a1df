"""Names: believed where they are meant, and never where a word is only a word."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.enrich.names import MOST_HITS
from ctiscraper.intelligence import MOST_PLACES, Extractor, Name
from ctiscraper.packs.records import Entry
from name_packs import found, names, small


def entry(value: str, name: str, *aliases: str, kind: Name = Name.ACTOR) -> Entry:
    """An entry that ATT&CK has."""
    return Entry(kind=kind, value=value, name=name, aliases=aliases, attack=value)


APT = entry("G1", "APT99", "Plum Otter", "NICKEL")
RIVAL = entry("G2", "Slate Group", "Wobblefox", "Slate")
OTHER = entry("G3", "Marsh Team", "Wobblefox")


@pytest.mark.parametrize(
    "text",
    [
        "He will pay, and Will agreed; the will of the court was read.",
        "Researchers say that Will and May will play Snake at the Royal Hotel.",
        "Play the video, then Press Play again. Silence. Empire.",
        "Acme Inc. bought Widgets inc. from Agent Smith of the Hive team.",
        "LEAD ENGINEER WANTED FOR ZINC MINE; PLAY YOUR PART IN THE ROYAL MAZE",
        "The Shadow Brokerage, the Dark Side and the Black Hole Cafe are open.",
        "The group of the will, an actor of the stage, the gang of the maze.",
        "Hidden malware and Critical Ransomware Threats in May",
        "The malware will then play a sound, and the ransomware may snatch the key.",
        "The oil group Shell and the banker James Carbon met the crew of the Mantis.",
        "The striker Bruno Conti and the minister Yoshiro Mori left.",
        "This ransomware, Play it safe, costs a lot; the malware: Silence is golden.",
        "We help you to Stop cyber threats. Our tools Stop them, and Notepad is no editor.",
    ],
)
def test_everyday_words_are_no_names(text: str) -> None:
    assert found(text, Name.ACTOR, Name.MALWARE, Name.RANSOMWARE, Name.TOOL) == {}


@pytest.mark.parametrize(
    ("text", "kind", "name", "rule"),
    [
        ("The Royal ransomware spread.", Name.RANSOMWARE, "Royal", "context:ransomware"),
        ("They paid the ransomware gang Snatch.", Name.RANSOMWARE, "Snatch", "context:gang"),
        ("It drops a backdoor called Carbon today.", Name.MALWARE, "Carbon", "context:backdoor"),
        ("Maze, Egregor and others.", Name.RANSOMWARE, "Maze", "beside:Egregor"),
        ("APT41 was once BARIUM to some.", Name.ACTOR, "APT41", "telling"),
        ("They ran net.exe twice.", Name.TOOL, "Net", "program:net.exe"),
        ("They ran psexec twice.", Name.TOOL, "PsExec", "telling"),
        ("UNC9876 was seen.", Name.ACTOR, "UNC9876", "scheme"),
        ("Emotet is back.", Name.MALWARE, "Emotet", "telling"),
        ("A loader dubbed QuuxPanther ran.", Name.MALWARE, "QuuxPanther", "named in the text"),
        ("In Microsoft Exchange there is a hole.", Name.PRODUCT, "Exchange Server", "exact"),
        ("An attack on Peru began.", Name.COUNTRY, "Peru", "country"),
        ("A Peruvian and a Chinese bank.", Name.COUNTRY, "China", "adjective"),
        ("Hospitals were closed.", Name.SECTOR, "Health", "phrase"),
        ("It hit energy and water companies.", Name.SECTOR, "Water", "sector"),
    ],
)
def test_each_mention_says_why_it_is_believed(text: str, kind: Name, name: str, rule: str) -> None:
    mention = found(text, kind)[name]
    assert mention.rule == rule
    assert mention.extractor is Extractor.NAMES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Then Cobalt Strike ran", "Cobalt Strike"),
        ("the CobaltStrike server", "CobaltStrike"),
        ("the Cobalt-Strike server", "Cobalt-Strike"),
        ("“Cobalt Strike’s” beacons", "Cobalt Strike"),  # noqa: RUF001 - as texts quote
        ("Über Cobalt\u00a0Strike – naïve 🦠", "Cobalt\u00a0Strike"),  # noqa: RUF001 - a dash
        ("🦠🦠 сервер Cobalt Strike", "Cobalt Strike"),
        ("İİİ nutzte Cobalt Strike", "Cobalt Strike"),
    ],
)
def test_places_are_those_of_the_text_as_given(text: str, words: str) -> None:
    text += "; by Emotet"
    mention = found(text, Name.MALWARE)["Cobalt Strike"]
    (place,) = mention.places
    assert text[slice(*place)] == words
    assert mention.alias == " ".join(words.split())


def test_the_alias_that_matched_is_told_beside_the_name() -> None:
    mention = found("Fancy Bear wrote, and Fancy Bear or Sednit read.", Name.ACTOR)["APT28"]
    assert (mention.alias, mention.count, mention.value) == ("Fancy Bear", 3, "G0007")


def test_another_name_of_a_thing_makes_an_everyday_word_believed() -> None:
    text = "The group Plum Otter, also known by others. Some say Nickel did it."
    (mention,) = small(APT, ordinary=("nickel", "plum", "otter")).find(text)
    assert (mention.value, mention.count) == ("G1", 2)
    assert small(APT, ordinary=("nickel",)).find("Some say Nickel did it.") == []


def test_a_number_in_a_row_is_no_name() -> None:
    recogniser = small(entry("G9", "Group5"), APT, ordinary=("group",))
    assert recogniser.find("== Group 4 (one) ==\n== Group 5 (two) ==\nThe Group 5 hackers") == []
    row = recogniser.find("APT98 and APT99 and APT100 attacked")
    assert "G1" in {one.value for one in row}
    assert recogniser.find("The hackers of Group5 attacked.")[0].value == "G9"


def test_a_contested_name_says_what_else_it_may_be() -> None:
    recogniser = small(RIVAL, OTHER)
    (mention,) = recogniser.find("Then Wobblefox came.")
    assert (mention.value, mention.reasons) == ("G2", ("may be:Marsh Team (G3)",))
    mentions = recogniser.find("Then Wobblefox came, whom we call Marsh Team.")
    assert [(one.value, one.count, one.reasons) for one in mentions] == [("G3", 2, ())]


def test_what_the_words_say_decides_between_a_group_and_its_malware() -> None:
    recogniser = small(entry("G1", "Quibbler"), entry("S1", "Quibbler", kind=Name.MALWARE))
    assert [it.value for it in recogniser.find("The Quibbler backdoor.")] == ["S1"]
    assert [it.value for it in recogniser.find("The Quibbler group.")] == ["G1"]


def test_a_brand_of_ransomware_is_its_gang_where_a_text_calls_it_so() -> None:
    brand = small(Entry(Name.RANSOMWARE, "R1", "Zubrat"))
    gang = "The Zubrat gang threatens. The Zubrat group waits. Zubrat operators write."
    assert [it.kind for it in brand.find(gang)] == [Name.ACTOR]
    assert [it.kind for it in brand.find("The Zubrat ransomware.")] == [Name.RANSOMWARE]


def test_software_of_attack_is_a_program_though_a_text_calls_its_gang_so() -> None:
    text = "Zubrat actors scan. Zubrat actors wait. Zubrat actors write. Zubrat has called cmd.exe."
    program = Entry(Name.RANSOMWARE, "S9446", "Zubrat", attack="S9446")
    assert {it.kind for it in small(program).find(text)} == {Name.ACTOR, Name.RANSOMWARE}
    group = entry("G1", "Zubrat")
    assert {(it.kind, it.value) for it in small(program, group).find(text)} == {(Name.ACTOR, "G1")}


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/emotet/x", "c:\\emotet\\a", "emotet.example.org", "me@emotet.example",
        "emotet_dump", '[x](https://example.org/a "Emotet is back")', "Emotet.dll",
    ],
)  # fmt: skip
def test_parts_of_addresses_and_paths_are_no_mentions(text: str) -> None:
    assert found(text, Name.MALWARE) == {}


def test_detection_names_are_mentions() -> None:
    assert set(found("Win32/Emotet.A, Trojan:Win32/Qakbot!MTB", Name.MALWARE)) == {
        "Emotet",
        "QakBot",
    }


def test_a_plain_name_that_attack_has_not_needs_the_field_near_it() -> None:
    recogniser = small(Entry(kind=Name.MALWARE, value="m1", name="Bublik"))
    assert recogniser.find("Then Bublik won the first set.") == []
    assert [it.rule for it in recogniser.find("Victims ran Bublik.")] == ["telling:victims"]
    assert recogniser.find("Victims ran a bublik.") == []
    assert len(small(Entry(kind=Name.MALWARE, value="m1", name="BubLik")).find("Then BubLik.")) == 1


def test_short_names_need_their_case_and_the_field() -> None:
    assert found("The SEA and the sea", Name.ACTOR) == {}
    assert found("Kpot was a town", Name.MALWARE) == {}
    assert set(found("They spread the KPOT malware", Name.MALWARE)) == {"KPOT Stealer"}


def test_a_vendor_and_its_product_of_one_name_are_both_named() -> None:
    assert {it.kind for it in names().find("We opened Jenkins.")} == {Name.VENDOR, Name.PRODUCT}


def test_a_brand_that_is_a_word_needs_what_is_sold_near_it() -> None:
    assert found("The Edge of the world and a Word of thanks", Name.PRODUCT) == {}
    assert set(found("A malicious Word document for users", Name.PRODUCT)) == {"Word"}


@pytest.mark.parametrize(
    "text",
    [
        "Jordan Smith spoke.", "Chad is a name.", "He lives in Georgia Tech housing.",
        "Polish the glass.", "it is for us all",
    ],
)  # fmt: skip
def test_other_meanings_of_countries_are_no_countries(text: str) -> None:
    assert found(text, Name.COUNTRY) == {}


def test_places_are_capped_and_counted() -> None:
    (mention,) = small(APT).find("APT99 " * 200)
    assert (len(mention.places), mention.count) == (MOST_PLACES, 200)


def test_a_text_longer_than_a_piece_is_read_across_its_cuts() -> None:
    text = ("x" * 199_995) + " Plum Otter " + ("y" * 300_000) + " APT99"
    (mention,) = small(APT).find(text)
    assert [text[slice(*place)] for place in mention.places] == ["Plum Otter", "APT99"]


@pytest.mark.parametrize(
    "piece",
    [
        ".[", "Emotet ", "Play ransomware ", "A dubbed B ", "Maze, ", "\ud800", "\u202e", "a\n",
        "malware named Xy", "](", "the energy, ", "Xx Panda ", "![x](y ", "Fooo RAT ", "APT1/",
    ],
)  # fmt: skip
def test_hostile_texts_take_linear_time(piece: str) -> None:
    short, long = piece * (100_000 // len(piece)), piece * (800_000 // len(piece))
    names().find(short)
    begun = time.process_time()
    names().find(short)
    middle = time.process_time()
    names().find(long)
    ended = time.process_time()
    assert ended - middle < 24 * (middle - begun) + 0.5


def test_only_so_many_places_are_looked_at() -> None:
    (mention,) = small(RIVAL).find("Wobblefox " * (MOST_HITS + 1_000))
    assert mention.count == MOST_HITS


PIECES = st.sampled_from(
    ["Emotet", "Play", "ransomware", "group", "APT29", " ", ", ", ". ", "\n", "’", "é", "🦠",  # noqa: RUF001 - as texts have it
     "the", "Cobalt", "Strike", "-", "dubbed ", "FooBar", "RAT", "(", ")", "energy", "companies",
     "US", "\ud800", "İ", "net.exe", "Fuzzy Panda", "actor ", "\u202e"]
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_gives_places_that_hold_a_name(text: str) -> None:
    for mention in names().find(text):
        assert mention.count >= len(mention.places) > 0
        assert mention.rule
        assert mention.alias
        assert list(mention.places) == sorted(mention.places)
        for start, end in mention.places:
            assert 0 <= start < end <= len(text)
            assert text[start:end].strip() == text[start:end]


def test_a_brand_in_capitals_is_written_in_capitals() -> None:
    assert found("Djvu is ransomware. Stop it. We Stop cyber threats.") == found(
        "Djvu is ransomware. We do more."
    )
    stop = next(one for one in names().find("STOP ransomware (Djvu) came.") if one.name == "STOP")
    assert stop.count == 2


def test_signs_that_end_a_name_belong_to_it() -> None:
    text = "It hides in Notepad++ and not in Notepad."
    product = next(one for one in names().find(text) if one.kind == Name.PRODUCT)
    assert [text[start:end] for start, end in product.places] == ["Notepad++"]


@pytest.mark.parametrize(
    ("text", "is_meant"),
    [
        ("The malware lookback period is 7 days.", False),
        ("Emotet, lookback and TrickBot.", False),
        ("LookBack is malware.\n\nUse a lookback tool.", False),
        ("The group lookback period; APT41 attacks.", False),
        ("a patchwork of malware and tools", False),
        ("The lookback malware ran.", True),
        ("It drops a backdoor called lookback here.", True),
        ("LookBack was seen.", True),
        ("They deployed LOOKBACK against utilities.", True),
    ],
)
def test_a_word_made_of_two_is_a_name_in_its_case_or_with_what_it_is(
    text: str,
    is_meant: bool,
) -> None:
    told = found(text, Name.MALWARE, Name.ACTOR)
    written = {one.alias for one in told.values()}
    assert bool(written & {"lookback", "LOOKBACK", "patchwork", "LookBack"}) is (
        is_meant or "LookBack" in text
    )
    assert is_meant or not written & {"lookback", "patchwork"}
