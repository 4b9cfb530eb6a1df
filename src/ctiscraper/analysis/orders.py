"""Sentences of an article that speak to a model: they prove nothing."""

import re

from ctiscraper.analysis.shown import shown

# What people write to a model and hardly ever to each other. Not all of it can be known: this
# makes the plainest orders worthless, while the fence and the proofs hold for all of them.
_ORDERS = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override|bypass)\b .{0,40}
        \b(?:previous|prior|above|earlier|preceding|all|any|your|these|system|safety)\b .{0,40}
        \b(?:instruction|prompt|rule|direction|guideline|context|message|command)s?\b
    | \b(?:system\sprompt|developer\s(?:prompt|message|mode)|jailbreak\smode|dan\smode)\b
    | \b(?:new|updated|revised|real|additional)\sinstructions?\b\s*
        (?::|-|for\s(?:the\s)?(?:ai|model|assistant))
    | \byou\sare\s(?:now\s(?:an?|in|the|acting|free|dan)|no\slonger\s(?:an?|bound)
        |an?\s(?:ai|assistant|language|helpful|large))\b
    | \b(?:as|dear|attention|hey|hello|note\sto)\s(?:an?\s|the\s|all\s|any\s)?
        (?:ai|llm|language)\s?(?:model|assistant|agent|system)?s?\b\s?[,:]
    | \b(?:ai|language|summari[sz]ation|automated)\s
        (?:model|assistant|agent|system|tool|summari[sz]er)s?\b
        .{0,60}\b(?:must|should|shall|are\sto|please|reading|processing|summari[sz]ing)\b
    | (?:^|[,:;]|\bplease|\band|\bmust|\bshould|\bonly|\bthen)\W{0,5}
        (?:respond|reply|answer|output|print|return)\b\s
        (?:only|exactly|just|with|in|as|nothing|the\sword)\b
    | \b(?:your|the)\s(?:answer|output|summary|analysis|json)\s(?:must|should|shall|has\sto)\b
    | (?:^|[,:;]|\bplease|\band|\bmust|\bshould|\bonly|\bthen)\W{0,5}
        (?:say|state|report|claim|write|conclude|tell\s(?:the\s)?(?:user|reader|analyst)s?)\s
        (?:that\b|the\b|severity\b).{0,120}
        \b(?:severity|fixed|patched|safe|harmless|benign|low|resolved|false\spositive
        |no\s(?:threat|risk|evidence))\b
    | (?:^|[,:;]|\bplease|\band|\bmust|\bshould|\bthen)\W{0,5}
        (?:set|mark|rate|classify|report)\b.{0,40}\b(?:severity|risk)\b.{0,20}\b(?:low|none|info)
    | (?:^|[,:;]|\bplease|\band|\bmust|\bshould|\bthen)\W{0,5}
        (?:do\snot|don't|never)\s(?:mention|summari[sz]e|include|reveal|tell|analy[sz]e)\b
    | <\s?[|\uff5c]?\s?/?(?:im_start|im_end|system|assistant|endoftext|begin_of_text|eot_id
        |start_header_id|start_of_turn|end_of_turn|think|tool_call)\b
    | \[\s?/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS)\s?\] | <\s?<\s?/?SYS
    | ^\W{0,6}(?:assistant|developer|human)\s?:\s
    | ^\W{0,6}(?:system|user)\s?:\s.{0,120}\b(?:you|must|ignore|instructions?|answer|summar\w+)\b
    | "(?:tool|tool_calls|function_call|recipient_name)"\s?:
    | \brole-?play\b | \bpretend\s(?:to\sbe|you|that\syou)\b
    | \bdecode\b.{0,60}\b(?:follow|obey|instructions?|do\swhat)\b
    | \b(?:ignor(?:iere|ieren|ez|a|e|er)|vergiss|oublie[zr]?|olvida|dimentica)\b.{0,50}
        (?:anweisung|instruction|instrucci|istruzion|instru\u00e7)
    | \u0438\u0433\u043d\u043e\u0440\u0438\u0440\u0443\u0439
    | \u5ffd\u7565.{0,12}(?:\u6307\u4ee4|\u6307\u793a|\u63d0\u793a)
    | \u4ee5\u524d\u306e\u6307\u793a | \uc774\uc804.{0,6}\uc9c0\uc2dc
    | \u062a\u062c\u0627\u0647\u0644.{0,20}\u0627\u0644\u062a\u0639\u0644\u064a\u0645\u0627\u062a
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n\u3002]+(?:[.!?\u3002]+|\n|\Z)")


# What is ordered is often said in the sentences behind the one that gives the order.
_FOLLOWING = 2
_REACH = 300
# Around a piece of an article: an order, what follows it, and the end of a sentence.
_BEFORE, _BEHIND = 1_000, 300


def orders_in(text: str) -> tuple[tuple[int, int], ...]:
    """Return where the sentences stand that speak to a model, with those that follow them."""
    sentences = [found.span() for found in _SENTENCE.finditer(text)]
    spans = []
    for at, (start, end) in enumerate(sentences):
        if _ORDERS.search(text[start:end]):
            after = sentences[at + 1 : at + 1 + _FOLLOWING]
            spans.append((start, max([end, *(e for s, e in after if s - end < _REACH)])))
    return tuple(spans)


def orders_within(text: str, start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return where a piece of an article speaks to a model, by what stands before it too.

    The places are those within the piece.
    """
    begun = max(0, start - _BEFORE)
    seen = shown(text[begun : end + _BEHIND]).traced
    spans = (seen.original(*span) for span in orders_in(seen.text))
    return tuple(
        (max(0, first + begun - start), min(end, last + begun) - start)
        for first, last in spans
        if last + begun > start and first + begun < end
    )


def without_orders(text: str) -> str:
    """Return a text without what is said to a model in it."""
    kept = []
    at = 0
    for start, end in orders_in(text):
        kept.append(text[at : max(at, start)])
        at = max(at, end)
    return "\n".join([*kept, text[at:]])
