"""What an article names, made ready for its page."""

import pytest

from ctiscraper.web.named import domains_of


@pytest.mark.parametrize(
    ("kind", "value", "domains"),
    [
        ("domain", "a.b.evil.co.uk", ("a.b.evil.co.uk", "b.evil.co.uk", "evil.co.uk")),
        ("domain", "co.uk", ()),
        ("url", "https://www.evil.com:8080/x", ("www.evil.com", "evil.com")),
        ("url", "http://10.0.0.1/", ()),
        ("url", "http://[broken", ()),
        ("email", "a@mail.evil.com", ("mail.evil.com", "evil.com")),
        ("onion", f"www.{'a' * 56}.onion", (f"www.{'a' * 56}.onion", f"{'a' * 56}.onion")),
        ("sha256", "a" * 64, ()),
        ("file_name", "evil.com", ()),
    ],
)
def test_a_decision_may_reach_up_to_what_someone_registered(
    kind: str, value: str, domains: tuple[str, ...]
) -> None:
    assert domains_of(kind, value) == domains
