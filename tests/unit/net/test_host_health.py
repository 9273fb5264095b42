"""Which server is asked next: failed ones rest, one login probes, and nobody is refused untried."""

from __future__ import annotations

from duoproxy.net.host_health import HostHealth, Turn

WELL = False
PROBE = True


def health(hosts: int = 2) -> HostHealth:
    return HostHealth(hosts, lambda: 0.5)


def fail_first(machine: HostHealth, now: float) -> float | None:
    turn = machine.next_turn((), now)
    assert turn is not None
    rest_s = machine.failed(turn, now, now)
    machine.end_turn(turn)
    return rest_s


def test_servers_are_asked_in_their_order():
    """The first one, then those that this login has not tried."""
    machine = health()
    assert machine.next_turn((), 0) == Turn(0, WELL)
    assert machine.next_turn({0}, 0) == Turn(1, WELL)
    assert machine.next_turn({0, 1}, 0) is None


def test_a_failed_server_rests_ten_seconds():
    """A failed host rests 10 s; logins go to the next one."""
    machine = health()
    assert fail_first(machine, 0) == 10
    assert machine.resting_until(0) == 10
    assert machine.next_turn((), 9.9) == Turn(1, WELL)


def test_one_login_probes_a_server_whose_rest_is_over():
    """One login probes it; others go on with the next one until it has ended."""
    machine = health()
    fail_first(machine, 0)
    probe = machine.next_turn((), 10)
    assert probe == Turn(0, PROBE)
    assert machine.next_turn((), 10) == Turn(1, WELL)
    machine.end_turn(probe)
    assert machine.next_turn((), 10) == Turn(0, PROBE)


def test_the_rest_doubles_to_five_minutes():
    """10 s, 20 s, 40 s … 300 s while probes fail."""
    machine = health(1)
    now, rests = 0.0, []
    for _ in range(8):
        rest_s = fail_first(machine, now)
        assert rest_s is not None
        rests.append(rest_s)
        now += rest_s
    assert rests == [10, 20, 40, 80, 160, 300, 300, 300]


def test_the_rest_varies_by_a_fifth():
    """±20 %, so that several proxies do not come back together."""
    assert fail_first(HostHealth(1, lambda: 0.0), 0) == 8
    assert fail_first(HostHealth(1, lambda: 1.0), 0) == 12


def test_an_answer_ends_the_rest_and_its_doubling():
    """A server that answers is well; its next rest is a short one."""
    machine = health(1)
    fail_first(machine, 0)
    fail_first(machine, 10)
    assert machine.answered(0, 31) is True
    assert machine.answered(0, 32) is False
    assert machine.next_turn((), 31) == Turn(0, WELL)
    assert fail_first(machine, 40) == 10


def test_many_logins_that_fail_together_count_once():
    """A hundred logins that wait for a dead server do not make ten seconds five minutes."""
    machine = health()
    turns = [machine.next_turn((), 0) for _ in range(100)]
    rests = [machine.failed(turn, 0, 6) for turn in turns if turn is not None]
    assert rests == [10] + [None] * 99


def test_a_server_that_answers_others_does_not_rest():
    """A server that drops one login's request is not dead: nobody can take it away from the others so."""
    machine = health()
    turn = machine.next_turn((), 0)
    assert turn is not None
    machine.answered(0, 3)
    assert machine.failed(turn, 0, 6) is None
    assert machine.next_turn((), 6) == Turn(0, WELL)


def test_who_is_not_answered_asks_the_servers_that_rest_too():
    """It may be back, and this login has nobody else; but only after those that are well."""
    machine = health(3)
    fail_first(machine, 0)
    assert machine.next_turn((), 5) == Turn(1, WELL)
    assert machine.next_turn({1}, 5) == Turn(2, WELL)
    anyway = machine.next_turn({1, 2}, 5)
    assert anyway == Turn(0, WELL)
    assert machine.failed(anyway, 5, 11) is None, "it rests no longer for that"
    assert machine.answered(0, 12)
    assert machine.next_turn((), 12) == Turn(0, WELL)


def test_when_all_rest_the_first_is_tried_anyway():
    """A login is never refused untried."""
    machine = health()
    fail_first(machine, 0)
    fail_first(machine, 0)
    assert machine.resting_until(1) == 10
    anyway = machine.next_turn((), 5)
    assert anyway == Turn(0, WELL)
    assert machine.next_turn({0}, 5) == Turn(1, WELL)
    assert machine.next_turn({0, 1}, 5) is None
    assert machine.failed(anyway, 5, 11) is None
