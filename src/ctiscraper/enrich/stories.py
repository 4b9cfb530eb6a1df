"""Which story an article belongs to, and why."""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from ctiscraper.enrich.evidence import (
    ALSO_SHARES,
    days_apart,
    fading,
    is_anchor,
    is_name,
    is_new,
    shared_reasons,
    worth,
)
from ctiscraper.enrich.kinds import Kind
from ctiscraper.enrich.roundups import breadth_of, is_roundup, is_titled_roundup
from ctiscraper.story_facts import (
    ArticleFacts,
    Candidate,
    EntityFacts,
    Neighbourhood,
    Placement,
    Seeds,
    StoryFacts,
    StoryReason,
)
from ctiscraper.types import Fingerprint

# How alike two texts are, from 0 to 1, and whether one repeats the other.
Alike = Callable[[Fingerprint, Fingerprint], tuple[float, bool]]

JOIN = 1.0
"""From this weight on two articles are taken to tell of one event."""

# Who is in a story stays there with less: near the edge nothing is to go in and out.
STAY = 0.7
# An article that calls itself a digest, or names as much as one, must be sure of its event.
SURE = 1.5
# Two that share so little still speak for a third being of their story.
WEAK = 0.15
NEAR = 3.0
# So much of both texts is one where either is a digest, which holds others whole.
LEAST_COPY = 0.5

# Other articles are looked for by things that at most so many have.
RARE = 50
MOST_SEEDS = 60
MOST_COMMON = 40
LEAST_SEED = 0.3

LONGEST_STORY = timedelta(days=120)
LONGEST_SILENCE = timedelta(days=45)
MOST_ARTICLES = 400
# Five of a story's articles are enough to speak for another, however many it has.
MOST_SUPPORT = 5
SUPPORT_SHARE = 3
# An article that names so much could be what two events have in common by chance.
HUB_BREADTH = 10
# What touches so many events that have nothing to do with each other tells of all of them.
MOST_EVENTS = 3
LEAST_SPREAD = 5

LIST_SHARE = 0.6
LEAST_LIST = 5
LIST_DAYS = 5

TITLE = 0.5
TEXT = 1.5
MOST_TEXT = 0.6
LEAST_TEXT = 0.08
# What is common, and words, make no event: they bear out what rare things say, as much at most.
MOST_BORNE_OUT = 0.7
LIKENESS_DAYS = 10
LEAST_WORDS = 2

_WORD = re.compile(r"[^\W_][\w.'-]*")
# What headlines of the field are made of, whatever they tell.
_USUAL_WORDS = """
a about active actively actor actors advisory after against all an analysis anatomy and apt are
as at attack attackers attacks back be behind being breach brief bug bugs by campaign campaigns
can china chinese cisa critical customers cve cyber cyberattack cybersecurity cybercriminals
data day deep deliver delivers devices dive espionage exploit exploited exploiting exploits
first fix fixed fixes flaw flaws for found from get gets group hacked hacker hackers hacking has
have high how hunting if in inside into intrusion iranian is it its just korean latest like
loader malicious malware may more multiple new news north not now of on online or out over
patch patched patches patching phishing ransomware rat released releases remote report
researchers return returns russian says security severity sigma spotted spread spyware state
steal stealer stealing steals still supply sysmon target targeted targeting targets than that
the their then they this threat threats through to trojan under uncovered unpatched update
updates urgent use used users uses using via victims vulnerabilities vulnerability vulnerable
warn warning warns was week weekly what when which who why wild will windows with without
your zero zero-day
"""
_USUAL = frozenset(_USUAL_WORDS.split())


@dataclass(frozen=True, slots=True)
class _Pair:
    """How much an article and a candidate have in common; `near`: the same text, or list."""

    candidate: Candidate
    score: float
    near: bool
    reasons: tuple[StoryReason, ...]


@dataclass(frozen=True, slots=True)
class _Event:
    """A story, or an article that stands alone, with what links the new article to it."""

    story: StoryFacts | None
    pairs: tuple[_Pair, ...]

    @property
    def best(self) -> _Pair:
        return max(self.pairs, key=lambda pair: (pair.score, -pair.candidate.article.id))

    @property
    def near(self) -> bool:
        return any(pair.near for pair in self.pairs)

    @property
    def named(self) -> frozenset[int]:
        return frozenset().union(*(pair.candidate.shared for pair in self.pairs))


@dataclass(frozen=True, slots=True)
class _Thread:
    """Events that have something in common with the new article and with each other."""

    events: tuple[_Event, ...]
    told: frozenset[int]

    @property
    def near(self) -> bool:
        return any(one.near for one in self.events)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What an article is like whatever it is compared with.

    `linked` are the rare things in it that candidates name too.
    """

    titled: bool
    roundup: bool
    breadth: int
    linked: frozenset[int] = frozenset()

    @property
    def wide(self) -> bool:
        return self.titled or self.roundup or self.breadth >= HUB_BREADTH


class Stories:
    """Decides by things that are rare, words that are alike, and days; it keeps nothing."""

    def __init__(self, alike: Alike) -> None:
        self._alike = alike

    def seeds(self, article: ArticleFacts) -> Seeds:
        """Return by which things of an article others are looked for, the most telling first."""
        # The size of the collection changes no order among rare things.
        weighed = sorted(
            ((worth(one, article.at, 1_000_000), one) for one in article.entities),
            key=lambda each: (-each[0], each[1].id),
        )
        telling = [one for weight, one in weighed if weight > 0]
        rare = [
            one.id for weight, one in weighed if weight >= LEAST_SEED and _is_seed(one, article)
        ][:MOST_SEEDS]
        found = set(rare)
        common = [one.id for one in telling if one.id not in found][:MOST_COMMON]
        return Seeds(tuple(rare), tuple(common))

    def place(self, asked: Neighbourhood) -> Placement:
        """Return where an article belongs, with the reasons."""
        shape = _shape_of(asked.article)
        pairs = [self._pair(asked, one, shape) for one in asked.candidates]
        touched = [pair for pair in pairs if pair.candidate.roundup and not pair.near]
        judged = [pair for pair in pairs if pair not in touched]
        shape = replace(shape, linked=_linked(asked, judged))
        linked = [one for one in _events(asked, judged) if _links(asked, one, shape)]
        return _placed(shape, _threads(linked, shape), touched)

    def _pair(self, asked: Neighbourhood, other: Candidate, shape: _Shape) -> _Pair:
        article, theirs = asked.article, other.article
        alike, near = self._likeness(article, theirs)
        if near and _is_copy(article, other, alike, shape):
            reason = StoryReason(name="near_duplicate", weight=NEAR, detail=f"{alike:.2f}")
            return _Pair(other, NEAR + alike, near=True, reasons=(reason,))
        if shape.roundup and (listed := _same_list(article, other)):
            reason = StoryReason(name="same_list", weight=SURE, detail=f"{listed:.2f}")
            return _Pair(other, SURE, near=True, reasons=(reason,))
        named = shared_reasons(article, other, asked.corpus)
        evidence = [one for one in named if one.name != ALSO_SHARES]
        bears_out = _word_reasons(article, theirs, alike)
        if not all(map(is_name, evidence)):
            # Names alone are a subject: that common things are named with them tells nothing.
            bears_out += [one for one in named if one.name == ALSO_SHARES]
        telling = sum(one.weight for one in evidence)
        said = sum(one.weight for one in bears_out)
        most = min(telling, MOST_BORNE_OUT)
        if said > most:
            bears_out = [replace(one, weight=one.weight * most / said) for one in bears_out]
        apart = days_apart(article.at, theirs.at)
        days = StoryReason(name="days_apart", weight=0.0, detail=f"{apart:.1f}")
        return _Pair(
            other,
            telling + min(said, most),
            near=False,
            reasons=(*evidence, *bears_out, days),
        )

    def _likeness(self, one: ArticleFacts, other: ArticleFacts) -> tuple[float, bool]:
        alike, near = 0.0, False
        if one.mark is not None and other.mark is not None:
            alike, near = self._alike(one.mark, other.mark)
        return alike, near or one.root_id == other.root_id


def _placed(shape: _Shape, threads: list[_Thread], touched: list[_Pair]) -> Placement:
    kept = [one for one in threads if _is_most(one, shape)]
    most = 1 if shape.titled else MOST_EVENTS - 1
    roundup = shape.roundup or len(kept) > most or bool(threads and not kept)
    bare = Placement(roundup=roundup, breadth=shape.breadth)
    if roundup:
        events = [event for one in threads for event in one.events]
        also = tuple(one.story.id for one in events if one.story and not one.near)
        bare = replace(bare, also=also)
        joined = [one for one in events if one.near][:1]
    elif shape.breadth >= HUB_BREADTH:
        joined = [one.events[0] for one in kept[:1]]
    else:
        joined = _together(kept)
    if not joined:
        return bare
    best = joined[0].best
    return replace(
        bare,
        stories=tuple(sorted(one.story.id for one in joined if one.story)),
        lone=tuple(one.best.candidate.article.id for one in joined if one.story is None),
        near=best.candidate.article.id,
        score=best.score,
        reasons=best.reasons,
        touched_by=tuple(pair.candidate.article.id for pair in touched if pair.score >= JOIN),
    )


def _shape_of(article: ArticleFacts) -> _Shape:
    return _Shape(
        titled=is_titled_roundup(article.title),
        roundup=is_roundup(article.entities),
        breadth=breadth_of(article.entities),
    )


def _linked(asked: Neighbourhood, judged: list[_Pair]) -> frozenset[int]:
    """Return the rare things of an article that others name too, its copies aside."""
    article = asked.article
    named = frozenset().union(*(pair.candidate.shared for pair in judged if not pair.near))
    return frozenset(
        one.id
        for one in article.entities
        if one.id in named and is_anchor(one, article.at, asked.corpus)
    )


def _is_seed(one: EntityFacts, article: ArticleFacts) -> bool:
    return one.articles <= RARE or is_new(one, article.at)


def _is_copy(article: ArticleFacts, other: Candidate, alike: float, shape: _Shape) -> bool:
    """Return whether near-duplicates tell of one event.

    Texts of one template that name other vulnerabilities each do not, nor does a text that is
    but a part of a digest.
    """
    mine = _cves(article)
    if mine and other.breadth > 0 and not mine & other.shared:
        return False
    wide = shape.wide or other.roundup or _is_wide(other)
    return not wide or alike >= LEAST_COPY


def _cves(article: ArticleFacts) -> frozenset[int]:
    return frozenset(one.id for one in article.entities if one.kind == Kind.CVE)


def _same_list(article: ArticleFacts, other: Candidate) -> float:
    """Return how much two lists have in common, 0 when they are not the same list.

    Who writes of a month's patches names the same vulnerabilities as the others who do.
    """
    if not other.roundup or days_apart(article.at, other.article.at) > LIST_DAYS:
        return 0.0
    mine = _cves(article)
    both = len(mine & other.shared)
    share = both / max(1, len(mine))
    return share if both >= LEAST_LIST and share >= LIST_SHARE else 0.0


def _word_reasons(one: ArticleFacts, other: ArticleFacts, alike: float) -> list[StoryReason]:
    """Return what titles and texts have in common, less with the days between them."""
    left = fading(days_apart(one.at, other.at), LIKENESS_DAYS)
    reasons = []
    if one.language == other.language:
        mine, theirs = _words(one.title), _words(other.title)
        both = mine & theirs
        if len(both) >= LEAST_WORDS:
            weight = TITLE * len(both) / min(len(mine), len(theirs)) * left
            detail = " ".join(sorted(both)[:6])
            reasons.append(StoryReason(name="title", weight=weight, detail=detail))
    if alike >= LEAST_TEXT:
        weight = min(MOST_TEXT, TEXT * alike) * left
        reasons.append(StoryReason(name="text", weight=weight, detail=f"{alike:.2f}"))
    return reasons


def _words(title: str) -> frozenset[str]:
    return frozenset(_WORD.findall(title.casefold())) - _USUAL


def _events(asked: Neighbourhood, pairs: list[_Pair]) -> list[_Event]:
    """Return the candidates by their stories; those that stand alone each by itself."""
    grouped: dict[tuple[str, int], list[_Pair]] = defaultdict(list)
    for pair in pairs:
        number, article = pair.candidate.story_id, pair.candidate.article.id
        if number is None and article not in asked.apart_articles:
            grouped["article", article].append(pair)
        elif number is not None and number not in asked.apart_stories:
            grouped["story", number].append(pair)
    return [
        _Event(asked.stories[number] if sort == "story" else None, tuple(found))
        for (sort, number), found in grouped.items()
    ]


def _links(asked: Neighbourhood, event: _Event, shape: _Shape) -> bool:
    """Return whether an article belongs to an event, not only to one article of it."""
    if event.near:
        return True
    story = event.story
    present = story is not None and story.id == asked.present
    if event.best.score < JOIN * (STAY if present else 1):
        return False
    best = event.best
    wide = shape.wide or (story is None and _is_wide(best.candidate))
    if wide and best.score < SURE:
        return False
    if story is None:
        return True
    return (
        _fits(asked.article, story, present=present)
        and _supports(event, story.articles - present)
        and not _through_a_hub(event, story.articles - present)
    )


def _threads(linked: list[_Event], shape: _Shape) -> list[_Thread]:
    """Return the events by what they have in common with the article: those that share any of it.

    The best thread comes first, and its best event.
    """
    threads: list[tuple[set[int], list[_Event]]] = []
    for event in linked:
        told = set(event.named & shape.linked)
        meeting = [one for one in threads if one[0] & told]
        threads = [one for one in threads if not one[0] & told]
        events = [event, *(each for one in meeting for each in one[1])]
        threads.append((told.union(*(one[0] for one in meeting)), events))
    made = [_Thread(tuple(sorted(events, key=_rank)), frozenset(told)) for told, events in threads]
    return sorted(made, key=lambda one: _rank(one.events[0]))


def _rank(event: _Event) -> tuple[float, int]:
    return -event.best.score, event.best.candidate.article.id


def _is_most(thread: _Thread, shape: _Shape) -> bool:
    """Return whether enough of the rare things in an article have to do with these events."""
    if thread.near:
        return True
    if shape.titled:
        return len(thread.told) > 1 and len(thread.told) * 2 >= len(shape.linked)
    return len(shape.linked) < LEAST_SPREAD or len(thread.told) * MOST_EVENTS >= len(shape.linked)


def _fits(article: ArticleFacts, story: StoryFacts, *, present: bool) -> bool:
    """Return whether a story with this article stays within what one event may take."""
    if present:
        return True
    first, last = min(article.at, story.first_at), max(article.at, story.last_at)
    silence = max(article.at - story.last_at, story.first_at - article.at)
    return (
        last - first <= LONGEST_STORY
        and silence <= LONGEST_SILENCE
        and story.articles < MOST_ARTICLES
    )


def _supports(event: _Event, articles: int) -> bool:
    """Return whether enough of a story's articles speak for this one: no chain grows by its end."""
    speaking = sum(pair.score >= WEAK for pair in event.pairs)
    return speaking >= min(-(-articles // SUPPORT_SHARE), MOST_SUPPORT)


def _is_wide(other: Candidate) -> bool:
    """Return whether a candidate calls itself a digest, or names as much as one."""
    return other.breadth >= HUB_BREADTH or is_titled_roundup(other.article.title)


def _through_a_hub(event: _Event, articles: int) -> bool:
    """Return whether all that links to a story is one article that tells of much else."""
    speaking = [pair for pair in event.pairs if pair.score >= WEAK]
    return articles > 1 and len(speaking) == 1 and _is_wide(speaking[0].candidate)


def _together(threads: list[_Thread]) -> list[_Event]:
    """Return the events that are one through the new article, the one it is most like first."""
    joined: list[_Event] = []
    for event in (each for one in threads for each in one.events):
        if not joined or _bridges(joined, event):
            joined.append(event)
    return joined


def _bridges(joined: list[_Event], other: _Event) -> bool:
    stories = [one.story for one in (*joined, other) if one.story]
    if len(stories) > 1:
        span = max(one.last_at for one in stories) - min(one.first_at for one in stories)
        articles = sum(one.articles for one in stories)
        if span > LONGEST_STORY or articles >= MOST_ARTICLES:
            return False
    return not any(
        pair.candidate.breadth >= HUB_BREADTH and not pair.near
        for one in (*joined, other)
        for pair in one.pairs
    )
