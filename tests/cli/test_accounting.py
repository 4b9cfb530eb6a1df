"""`accounting`: the sum that always holds."""

from cli.conftest import Collected


def test_the_sum_holds_and_is_shown(collected: Collected) -> None:
    total = collected.terminal.run("accounting", "--json").json["total"]
    discovered = total.pop("discovered")
    assert discovered == sum(total.values()) > 12
    table = collected.terminal.run("accounting").out.splitlines()
    assert table[0].split()[:3] == ["source", "discovered", "stored"]
    assert table[-1].split()[:2] == ["all", str(discovered)]
