from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.fallback import body_blocks

TOKENS = "<p> </p> <!-- --> <script> </script> <br> <b> </b> < > word &amp; <svg> </svg> <nav> İ"


def test_blocks_end_where_their_tags_do() -> None:
    markup = (
        "<html><head><title>no</title></head><body><!-- no --><p>a <b>b</b></p><script>no</script>"
        "c<br>d<div>e &amp; f</div><nav><a>no</a></nav><style>no</style><ul><li>g<li>h</ul></body>"
    )
    assert body_blocks(markup) == ["a b", "c", "d", "e & f", "g", "h"]


def test_what_is_never_closed_hides_nothing() -> None:
    assert body_blocks("<body><script><p>a</p><!-- <p>b</p>") == ["a", "b"]
    assert body_blocks("<p>a</p><div class='cut") == ["a"]


def test_letters_that_change_length_do_no_harm() -> None:
    assert body_blocks("<p>\u0130</p><script>x</script>")[0] == "\u0130"


@given(st.text() | st.lists(st.sampled_from(TOKENS.split())).map("".join))
def test_any_markup_gives_blocks_of_text(markup: str) -> None:
    assert all(block.strip() == block != "" for block in body_blocks(markup))
