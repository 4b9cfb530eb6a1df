"""What the elements of feeds mean: RSS, RDF, Atom and the modules met in them."""

from functools import lru_cache

# A field of an entry or feed, and its rank: of two elements for one field the higher counts.
Meaning = tuple[str, int]

_CORE: dict[str, Meaning] = {
    "title": ("title", 4),
    "link": ("link", 4),
    "id": ("guid", 4),
    "guid": ("guid", 4),
    "description": ("summary", 4),
    "summary": ("summary", 4),
    "abstract": ("summary", 2),
    "subtitle": ("summary", 4),
    "tagline": ("summary", 4),
    "encoded": ("content", 5),
    "content": ("content", 4),
    "body": ("content", 3),
    "fullitem": ("content", 3),
    "pubdate": ("published", 4),
    "published": ("published", 4),
    "issued": ("published", 3),
    "created": ("published", 2),
    "updated": ("updated", 4),
    "modified": ("updated", 4),
    "lastbuilddate": ("updated", 3),
    "author": ("author", 4),
    "category": ("tag", 4),
    "language": ("language", 4),
    "ttl": ("ttl", 4),
}
_BODY: dict[str, Meaning] = {"body": ("content", 3), "div": ("content", 2)}
_ATOM = {name: (field, rank if name == "encoded" else 3) for name, (field, rank) in _CORE.items()}
_DUBLIN: dict[str, Meaning] = {
    "title": ("title", 2),
    "description": ("summary", 2),
    "creator": ("author", 3),
    "author": ("author", 3),
    "date": ("date", 1),
    "issued": ("published", 2),
    "created": ("published", 1),
    "available": ("published", 1),
    "modified": ("updated", 2),
    "subject": ("tag", 4),
    "language": ("language", 2),
}
_PODCAST: dict[str, Meaning] = {
    "title": ("title", 1),
    "summary": ("summary", 1),
    "subtitle": ("summary", 0),
    "author": ("author", 2),
    "keywords": ("keywords", 4),
    "category": ("tag", 4),
}
_MEDIA: dict[str, Meaning] = {
    "title": ("title", 0),
    "description": ("summary", 0),
    "keywords": ("keywords", 4),
    "category": ("tag", 4),
    "group": ("nested", 4),
    "content": ("nested", 4),
}
_SYNDICATION: dict[str, Meaning] = {
    "updateperiod": ("period", 4),
    "updatefrequency": ("frequency", 4),
}
_PROXY: dict[str, Meaning] = {"origlink": ("original", 4)}
_PRISM: dict[str, Meaning] = {"publicationdate": ("published", 1)}

# Matched by what is stable in the many spellings of each namespace.
_MODULES: tuple[tuple[str, dict[str, Meaning]], ...] = (
    ("purl.org/dc/", _DUBLIN),
    ("purl.org/rss/1.0/modules/content", {"encoded": ("content", 5)}),
    ("purl.org/rss/1.0/modules/dc", _DUBLIN),
    ("purl.org/rss/1.0/modules/syndication", _SYNDICATION),
    ("purl.org/rss/1.0/modules/", {}),
    ("itunes", _PODCAST),
    ("/dtds/podcast", _PODCAST),
    ("search.yahoo.com/mrss", _MEDIA),
    ("rssnamespace.org/feedburner", _PROXY),
    ("pheedo.com/namespace", _PROXY),
    ("prismstandard.org", _PRISM),
    ("www.w3.org/1999/xhtml", _BODY),
)
_FEEDS = (
    "www.w3.org/2005/atom",
    "purl.org/atom/",
    "purl.org/rss/",
    "purl.org/net/rss",
    "backend.userland.com/rss",
    "blogs.law.harvard.edu/tech/rss",
    "my.netscape.com/",
    "channel.netscape.com/",
)


def split_tag(tag: str) -> tuple[str, str]:
    """Namespace and local name, both lower case, of a tag in Clark notation."""
    namespace, _, local = tag.rpartition("}")
    return namespace[1:].lower(), local.lower()


@lru_cache(maxsize=256)
def is_atom_tag(tag: str) -> bool:
    """True when the tag is of a namespace of Atom."""
    return "atom" in split_tag(tag)[0]


def meaning_of(tag: str, root_namespace: str) -> Meaning | None:
    """What an element says in a feed whose root has this namespace, or None."""
    namespace, local = split_tag(tag)
    if namespace in {"", root_namespace}:
        return _CORE.get(local)
    for words, table in _MODULES:
        if words in namespace:
            return table.get(local)
    if any(words in namespace for words in _FEEDS):
        return (_ATOM if "atom" in namespace else _CORE).get(local)
    return None
