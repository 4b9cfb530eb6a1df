"""What a cookie holds is chance, and neither what is kept nor a form's token gives it away."""

from ctiscraper.access.cookies import csrf_token, new_session, session_key


def test_a_session_is_256_bits_of_chance() -> None:
    made = {new_session() for _ in range(200)}
    assert len(made) == 200
    assert {len(secret) for secret in made} == {43}


def test_every_place_of_a_session_is_chance() -> None:
    """Of 400 draws from 64 letters a place of chance shows 64 all but certainly, a constant one."""
    made = [new_session() for _ in range(400)]
    assert min(len({secret[place] for secret in made}) for place in range(42)) > 48
    # The last of 43 letters holds the four bits that are left of 256.
    assert {secret[42] for secret in made} <= set("AEIMQUYcgkosw048")


def test_its_key_and_its_csrf_token_differ_from_it_and_from_each_other() -> None:
    secret = new_session()
    key, csrf = session_key(secret), csrf_token(secret)
    assert len(key) == 32
    assert csrf == csrf_token(secret)
    assert csrf != csrf_token(new_session())
    assert key.hex() not in csrf
    assert secret not in csrf
