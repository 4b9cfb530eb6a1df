"""How often somebody may ask for what costs others."""

from ctiscraper.web.allowance import Allowance


def test_so_many_in_so_long_for_each_caller() -> None:
    now = [100.0]
    allowance = Allowance(2, 60.0, clock=lambda: now[0])
    assert [allowance.take("a"), allowance.take("a")] == [0.0, 0.0]
    now[0] += 10
    assert allowance.take("a") == 50.0
    assert allowance.take("b") == 0.0
    now[0] += 50
    assert allowance.take("a") == 0.0


def test_what_was_refused_does_not_count() -> None:
    now = [0.0]
    allowance = Allowance(1, 60.0, clock=lambda: now[0])
    allowance.take("a")
    for second in range(59):
        now[0] = float(second)
        assert allowance.take("a") > 0
    now[0] = 60.0
    assert allowance.take("a") == 0.0
