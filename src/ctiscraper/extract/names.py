"""What the class and id names of a page's parts say: furniture, article body, or nothing."""

import re
from functools import lru_cache

FURNITURE, DOUBTFUL, NOTHING, BODY = -2, -1, 0, 2

_FURNITURE = re.compile(
    r"comment(?!ar)|disqus|respond\b|reply|side-?bar|breadcrumb|share(?!point|d\b)|sharing|sharedaddy|addthis"
    r"|social(?!-?(?:media-)?embed)|related|recommend|recirc|newsletter|subscri(?:be|ption)|sign-?up|mailing|opt-?in\b"
    r"|advert|\bads?\b|\bdfp\b|adsense|sponsor|outbrain|taboola|zergnet|cookie|consent|gdpr|gprd"
    r"|popup|pop-up|\bmodal|pagination|\bpager\b|post-nav|nav-links|navigation|navbar"
    r"|by-?line|author-?(?:bio|box|info|card|desc|profile|block)|about-(?:the-)?author|bio-box"
    r"|tag-?(?:list|cloud|links)|\btags\b|post-tags|cat-links"
    r"|most-(?:read|popular|viewed|recent)|trending|popular|more-(?:from|stories|news|posts|articles)"
    r"|read-?(?:next|also|more-link)|up-next|next-(?:post|article|up)|prev-(?:post|article)|also-like"
    r"|see-also|skip-link|login|paywall|print-only|no-?print|\brss\b|donat"
    r"|copyright|table-of-contents|\btoc\b|site-footer|page-footer|footer-|-footer|\bfooter\b"
    r"|slide-?show|carousel|(?<!block-)gallery|promo|teaser|masthead|site-header|page-header"
    r"|\bbreaking-?news\b(?!-?(?:article|post|story|content|body))|\bnews-?ticker\b"
    r"|\bhover-?(?:card|box)|\brollover-[a-z]+-block|\btooltip-?(?:text|content|popup)\b"
    r"|\bpopover-(?:content|body)"
    r"|call-to-action|\bcta\b|follow-us|feedback|screen-reader|sr-only|visually-?hidden"
)
_DOUBTFUL = re.compile(
    r"menu|\bnav\b|banner|(?<!elementor-)\bwidget|toolbar|\bmeta\b|-meta\b|rating|tooltip"
    r"|disclaimer|read-?more|caption-credit|image-credit|photo-credit|\bcredits?\b"
    r"|timestamp|\bdate\b|publish(?:ed)?-|reading-time|\bauthors?\b|contributor|topics|kicker|eyebrow"
)
_BODY = re.compile(
    r"(?:article|post|entry|story|blog|single|news|page)-?(?:[a-z]+-)?(?:body|content|text|copy|detail|main)"
    r"|(?:content|body|main|text|rich)-?(?:body|content|copy|text|article|story|post)"
    r"|(?:^|\s)(?:article|post|story|blog-?post|single-?post)(?=\s|$)"
    r"|markdown|prose\b|the-content|\bhentry\b|h-entry|articlebody"
)
_CODE = re.compile(
    r"code|highlight|syntax|snippet|crayon|\bgist|prettyprint|\biocs?\b|indicator|accordion"
)


@lru_cache(maxsize=16_384)
def sign_of(name: str) -> int:
    """FURNITURE, DOUBTFUL, BODY or NOTHING, by class and id in one lower-case string."""
    plain = name.replace("_", "-")
    if _CODE.search(plain):
        return NOTHING
    if _FURNITURE.search(plain):
        return FURNITURE
    if _BODY.search(plain):
        return BODY
    return DOUBTFUL if _DOUBTFUL.search(plain) else NOTHING
