"""Any loss, doubling, delay and reordering of datagrams, any retries of devices, and people who know a password.

One approval gives at most one Access-Accept, one logical login at most one push; nobody is let in without both factors
or a bypass event; every good request is answered. The section, the listener and the machines below it are the real
ones; what must happen is kept by tests/property/login_ledger.py.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.logger import LogEvent

from tests.property.login_network import Choices, FaultsInTheLog, InFlight, LoginNetwork
from tests.property.login_people import Reaction, Weather
from tests.property.login_terminals import DEVICES, HOSTS, PASSWORDS, SHAPES, STRANGER, Request, Terminal
from tests.property.plain_radius import ACCESS_REJECT, CALLED_STATION_ID

MAX_TERMINALS = 16

# Several times what is to happen more often.
users = st.sampled_from(["alice", "alice", "alice", "alice", "bob", "bob", "dora", "frank", "operator"])
shapes = st.sampled_from(["station and port"] * 4 + list(SHAPES))
delays_s = st.sampled_from([0.0, 0.0, 0.0, 2.0])
weathers = st.sampled_from([Weather.FAIR, Weather.FAIR, *Weather])
picks = st.integers(0, 30)
differences = st.sampled_from(["one other", "one other", "one less", "one more", "other device", "other password"])
fates = st.sampled_from(["arrives", "arrives twice", "is on its way", "is lost", "arrives, and a copy is on its way"])


class LoginsOnABadNetwork(RuleBasedStateMachine):
    """The rules are what devices, the network, people, the directory and Duo may do."""

    network: LoginNetwork

    @initialize(
        failmode=st.sampled_from(["safe", "secure"]),
        primary_down=st.sampled_from(["silent", "reject"]),
        join_retries=st.sampled_from([True, True, True, False]),
    )
    def administrator_starts_the_proxy(self, failmode: str, primary_down: str, join_retries: bool) -> None:
        self.network = LoginNetwork(Choices(failmode, primary_down, join_retries))

    # ── devices ────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: len(self.network.terminals.all) < MAX_TERMINALS)
    @rule(host=st.sampled_from(sorted(HOSTS)), user=users, shape=shapes, typo=picks, fate=fates)
    def somebody_logs_in(self, host: str, user: str, shape: str, typo: int, fate: str) -> None:
        password = "mistyped" if typo == 1 else PASSWORDS[user]
        terminal = self.network.terminals.sit_down(host, user, password, shape)
        self._send(self.network.terminals.request(terminal), fate)

    @precondition(lambda self: self.network.terminals.all)
    @rule(pick=picks, older=st.booleans(), fate=fates)
    def device_sends_the_same_octets_again(self, pick: int, older: bool, fate: str) -> None:
        self._send(self._terminal(pick).requests[0 if older else -1], fate)

    @precondition(lambda self: self.network.terminals.all)
    @rule(pick=picks, decorated=st.booleans(), same_identifier=st.booleans(), fate=fates)
    def device_retries_with_a_new_request(self, pick: int, decorated: bool, same_identifier: bool, fate: str) -> None:
        terminal = self._terminal(pick)
        last = terminal.requests[-1]
        slot = (last.source, last.identifier) if same_identifier else None
        self._send(self.network.terminals.request(terminal, slot=slot, decorated=decorated), fate)

    @precondition(lambda self: 0 < len(self.network.terminals.all) < MAX_TERMINALS)
    @rule(pick=picks, user=users, shape=shapes, fate=fates)
    def device_uses_an_identifier_again_for_somebody_else(self, pick: int, user: str, shape: str, fate: str) -> None:
        last = self._terminal(pick).requests[-1]
        terminal = self.network.terminals.sit_down(last.source[0], user, PASSWORDS[user], shape)
        self._send(self.network.terminals.request(terminal, slot=(last.source, last.identifier)), fate)

    # ── somebody who knows a user's password, and somebody who reads along ─────────────────────────────────────

    @precondition(lambda self: 0 < len(self.network.terminals.all) < MAX_TERMINALS)
    @rule(pick=picks, difference=differences, fate=fates, data=st.data())
    def attacker_asks_at_the_same_time(self, pick: int, difference: str, fate: str, data: Any) -> None:
        """Everything is as the victim's device says it, but for one thing."""
        victim = self._terminal(pick)
        mine = self._imitation(victim, difference, data)
        self._send(self.network.terminals.request(self.network.terminals.take(mine)), fate)

    @precondition(lambda self: self.network.terminals.by_octets)
    @rule(pick=picks, origin=st.sampled_from(["as it was", "other port", "neighbour", "other device", "stranger"]))
    def attacker_replays_a_request(self, pick: int, origin: str) -> None:
        captured = list(self.network.terminals.by_octets.values())
        request = captured[-1 - pick % len(captured)]
        host, port = request.source
        hosts = sorted(HOSTS)
        source = {
            "as it was": (host, port),
            "other port": (host, port - 1000),
            "neighbour": (next((each for each in HOSTS[host].hosts if each != host), host), port),
            "other device": (hosts[(hosts.index(host) + 1 + pick % (len(hosts) - 1)) % len(hosts)], port),
            "stranger": STRANGER,
        }[origin]
        self.network.arrives(InFlight(request.octets, source, to_proxy=True))

    # ── the network and the clock ──────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.network.in_flight)
    @rule(pick=picks)
    def network_delivers(self, pick: int) -> None:
        self.network.delivers(self._datagram(pick))

    @precondition(lambda self: self.network.in_flight)
    @rule(pick=picks)
    def network_doubles(self, pick: int) -> None:
        self.network.arrives(self._datagram(pick))

    @precondition(lambda self: self.network.in_flight)
    @rule(pick=picks)
    def network_loses(self, pick: int) -> None:
        self.network.in_flight.remove(self._datagram(pick))

    @rule(seconds=st.sampled_from([0.25, 1.0, 4.0, 29.75]))
    def time_passes(self, seconds: float) -> None:
        self.network.passes(seconds)
        self._the_sky_clears()

    # ── people, the directory, Duo ─────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.network.duo.pending)
    @rule(pick=picks)
    def user_approves(self, pick: int) -> None:
        self.user_reacts(pick, Reaction.APPROVE)

    @precondition(lambda self: self.network.duo.pending)
    @rule(pick=picks, reaction=st.sampled_from(Reaction))
    def user_reacts(self, pick: int, reaction: Reaction) -> None:
        pending = self.network.duo.pending
        self.network.duo.user_reacts(pending[pick % len(pending)], reaction)
        self.network.ledger.settles()

    @rule(delay_s=delays_s, away=st.sampled_from([False] * 5 + [True]), weather=weathers)
    def directory_and_duo_change(self, delay_s: float, away: bool, weather: Weather) -> None:
        self.network.directory.delay_s, self.network.directory.away = delay_s, away
        self.network.duo.weather = weather

    # ── what always holds ──────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def nothing_contradicts_the_ledger(self) -> None:
        """Nothing happened that the specification does not say, and nothing is owed."""
        assert self.network.ledger.faults == []

    @invariant()
    def one_approval_gives_at_most_one_accept(self) -> None:
        """A user has at most as many Access-Accepts as approvals and logged bypasses."""
        ledger = self.network.ledger
        assert all(count <= ledger.entitlements[user] for user, count in ledger.accepts.items())

    @invariant()
    def one_logical_login_gives_at_most_one_push(self) -> None:
        """No login asks its user twice."""
        assert all(login.pushes <= 1 for login in self.network.ledger.logins)

    @invariant()
    def what_is_in_flight_is_what_is_undecided(self) -> None:
        """Every login in progress holds exactly one request, and nothing else does."""
        server, undecided = self.network.server, len(self.network.ledger.open_logins())
        assert server.pending == len(server._running) == undecided
        assert len(server._retries) <= undecided

    @invariant()
    def nothing_went_wrong_inside(self) -> None:
        """No fault, no unhandled error."""
        assert self.network.log.events == []

    # ── the end ────────────────────────────────────────────────────────────────────────────────────────────────

    def teardown(self) -> None:
        """The network becomes good and everybody approves: now every login has its answer, and nothing is left."""
        if not hasattr(self, "network"):
            return
        try:
            if not self.network.ledger.faults:
                self._comes_to_rest()
        finally:
            self.network.stop()

    def _comes_to_rest(self) -> None:
        network = self.network
        network.delivers_everything()
        network.passes(4.0)
        network.directory.delay_s = 0.0
        self._the_sky_clears()
        self._everybody_is_answered()
        for terminal in self._unanswered():
            network.sends(terminal.requests[-1])
            self._everybody_is_answered()
        for terminal in self._unanswered():
            assert network.ledger.is_silent(terminal.requests[-1]), "its newest request is in progress for ever"
            network.sends(network.terminals.request(terminal))
            self._everybody_is_answered()
        assert not self._unanswered()
        assert not network.ledger.open_logins()
        self._nothing_is_kept()
        self._stops_in_the_middle_of_a_login()

    def _everybody_is_answered(self) -> None:
        network = self.network
        network.delivers_everything()
        while network.duo.pending:
            network.duo.user_reacts(network.duo.pending[0], Reaction.APPROVE)
            network.ledger.settles()
        network.delivers_everything()

    def _unanswered(self) -> list[Terminal]:
        return [each for each in self.network.terminals.all if not each.answers]

    def _nothing_is_kept(self) -> None:
        """What was answered 30 s ago is forgotten as soon as a request comes."""
        self.network.passes(30.0)
        self._new_login()
        self._everybody_is_answered()
        duplicates = self.network.server._duplicates
        assert (duplicates.cached, len(duplicates._exchanges), len(duplicates._by_slot)) == (1, 1, 1)
        assert (duplicates.in_flight, duplicates._in_flight_of, len(self.network.server._retries)) == (0, {}, 0)
        self._holds()

    def _stops_in_the_middle_of_a_login(self) -> None:
        """A stop ends what waits, in an Access-Reject."""
        self._new_login()
        self.network.delivers_everything()
        assert len(self.network.duo.pending) == 1
        self.network.stop()
        assert self.network.closed
        assert [datagram.octets[0] for datagram in self.network.in_flight] == [ACCESS_REJECT]
        assert not self.network.clock.getDelayedCalls()
        assert (self.network.server.pending, self.network.server._running) == (0, set())
        self._holds()

    def _holds(self) -> None:
        self.nothing_contradicts_the_ledger()
        self.one_approval_gives_at_most_one_accept()
        self.one_logical_login_gives_at_most_one_push()
        self.nothing_went_wrong_inside()

    # ── small parts ────────────────────────────────────────────────────────────────────────────────────────────

    def _the_sky_clears(self) -> None:
        """Outages end, so that they do not become the usual case."""
        self.network.directory.away, self.network.duo.weather = False, Weather.FAIR

    def _new_login(self) -> None:
        terminals = self.network.terminals
        terminal = terminals.sit_down(DEVICES[0].hosts[0], "alice", PASSWORDS["alice"], "station and port")
        self.network.sends(terminals.request(terminal))

    def _send(self, request: Request, fate: str) -> None:
        if fate == "is lost":
            return
        datagram = self.network.sends(request)
        if fate.startswith("arrives"):
            self.network.arrives(datagram)
        if fate == "arrives twice":
            self.network.arrives(datagram)
        if fate in ("arrives", "arrives twice"):
            self.network.in_flight.remove(datagram)

    def _terminal(self, pick: int) -> Terminal:
        """Every other time one that is in the middle of a login, if there is one."""
        undecided = [login.newest.request.terminal for login in self.network.ledger.open_logins()]
        terminals = undecided if undecided and pick % 2 == 0 else self.network.terminals.all
        return terminals[-1 - pick // 2 % len(terminals)]

    def _datagram(self, pick: int) -> InFlight:
        return self.network.in_flight[pick % len(self.network.in_flight)]

    def _imitation(self, victim: Terminal, difference: str, data: Any) -> Terminal:
        number = self.network.terminals.new_number()
        copy = Terminal(number, victim.host, victim.user, victim.password, victim.attributes)
        if difference == "other password":
            copy.password = f"{victim.password} {number}"
        elif difference == "other device":
            copy.host = data.draw(st.sampled_from([host for host in sorted(HOSTS) if host != victim.host]))
        elif difference == "one more" or not victim.attributes:
            copy.attributes = (*victim.attributes, (CALLED_STATION_ID, b"network %d" % number))
        else:
            at = data.draw(st.integers(0, len(victim.attributes) - 1))
            kind, value = victim.attributes[at]
            if difference == "one other":
                value = number.to_bytes(4, "big") if len(value) == 4 else value + b"%d" % number
                copy.attributes = (*victim.attributes[:at], (kind, value), *victim.attributes[at + 1 :])
            else:
                copy.attributes = (*victim.attributes[:at], *victim.attributes[at + 1 :])
        return copy


@pytest.fixture
def unhandled() -> Iterator[list[LogEvent]]:
    """Errors that a Deferred kept to itself until it was thrown away."""
    log = FaultsInTheLog()
    yield log.events
    log.end()


def run(**how: Any) -> None:
    run_state_machine_as_test(LoginsOnABadNetwork, settings=settings(**how))


def test_any_loss_doubling_and_retries_give_one_push_and_one_accept_for_one_approval(unhandled: list[LogEvent]) -> None:
    """One approval gives at most one Access-Accept; one logical login gives at most one push."""
    run(max_examples=500, stateful_step_count=60)
    gc.collect()
    assert not unhandled


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_long_histories_of_many_logins_keep_the_same_promises(unhandled: list[LogEvent]) -> None:
    """The same, for longer histories and more of them."""
    run(max_examples=5_000, stateful_step_count=200)
    gc.collect()
    assert not unhandled
