"""duoproxy-login: logs a user in by RADIUS and says in words what happened. A test client for people.

Exit status: 0 accepted, 1 rejected, 2 wrong usage, 3 no answer, 4 a reply that cannot be trusted or read, 5 a
challenge that was not answered, 130 interrupted.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence

import click
from attrs import evolve

from duoproxy.radius.attributes import Type, all_values, first
from duoproxy.radius.authenticators import MessageAuthenticator
from duoproxy.radius.dictionary import load_dictionary
from duoproxy.radius.packet import Attribute, Code
from duoproxy.secret import Secret
from duoproxy.tools.command_line import WIDE_HELP, Tool, takes_json
from duoproxy.tools.login_exchange import LoginCall, LoginEnd, LoginMethod, LoginResult, build_request, exchange

PASSWORD_VARIABLE = "DUOPROXY_LOGIN_PASSWORD"
SECRET_VARIABLE = "DUOPROXY_LOGIN_SECRET"
EXIT_STATUS = {
    LoginEnd.ACCEPT: 0,
    LoginEnd.REJECT: 1,
    LoginEnd.NO_ANSWER: 3,
    LoginEnd.NOBODY_LISTENS: 3,
    LoginEnd.BAD_REPLY: 4,
    LoginEnd.CHALLENGE: 5,
}
INTERRUPTED = 130
MAX_NAME_OCTETS = 253
MAX_PASSWORD_OCTETS = 128
MAX_QUESTIONS = 30
"""After so many a server is believed to ask for ever."""
_PROMPT_ECHO = (1).to_bytes(4, "big")

Answers = Callable[[str, bool], str | None]
"""Gives the answer to a question (its text, and whether what is typed may be seen); None when there is none."""


@click.command(
    cls=Tool,
    context_settings=WIDE_HELP,
    epilog="Exit status: 0 accepted, 1 rejected, 2 wrong usage, 3 no answer, 4 a reply that cannot be trusted or read, "
    "5 a challenge that was not answered, 130 interrupted.",
)
@click.option("-u", "--user", required=True, help="User name.")
@click.option(
    "-p",
    "--password",
    envvar=PASSWORD_VARIABLE,
    help="Password, with a factor or passcode appended if you like (PASSWORD,push or PASSWORD,123456). Others on this "
    f"machine may see it in the list of processes: leave it out to be asked, or set {PASSWORD_VARIABLE}.",
)
@click.option(
    "-a",
    "--answer",
    "answers",
    multiple=True,
    help="Answer to a question of the server (push, 1, a code); once for each. Without enough of them you are asked.",
)
@click.option(
    "--chap", "method", flag_value=LoginMethod.CHAP.value, help="Prove the password with CHAP instead of sending it."
)
@click.option("--mschapv2", "method", flag_value=LoginMethod.MS_CHAP_V2.value, help="Or with MS-CHAPv2.")
@click.option("-s", "--server", default="127.0.0.1", show_default=True, help="Address or name of the RADIUS server.")
@click.option("--port", default=18120, show_default=True, type=click.IntRange(1, 65535), help="Its UDP port.")
@click.option(
    "--secret",
    envvar=SECRET_VARIABLE,
    default="testing123",
    help=f"Secret shared with the server, or set {SECRET_VARIABLE}. Without it: that of the sandbox, testing123.",
)
@click.option("--client-ip", default="", help="The user's own address, sent as Calling-Station-Id.")
@click.option(
    "--timeout", default=60.0, show_default=True, type=click.FloatRange(0.1, 600), help="Seconds to wait for a reply."
)
@click.option(
    "--retries",
    default=2,
    show_default=True,
    type=click.IntRange(0, 20),
    help="How often the same request is sent again meanwhile.",
)
@click.option(
    "--no-message-authenticator",
    is_flag=True,
    help="Send the request without a Message-Authenticator, as old devices do: a test from a device's own address then "
    "does not teach the server (require_message_authenticator=auto) to insist on one.",
)
@takes_json
def main(
    user: str,
    password: str | None,
    answers: tuple[str, ...],
    method: str | None,
    server: str,
    port: int,
    secret: str,
    client_ip: str,
    timeout: float,
    retries: int,
    no_message_authenticator: bool,
    as_json: bool,
) -> None:
    """Log a user in by RADIUS, and say what happened.

    Without options it talks to the sandbox that `make run` starts. When the server asks something (Access-Challenge),
    the answer is asked for and sent, until there is an end.

    \b
    Examples:
      duoproxy-login --user ivan
      duoproxy-login --user alice --server 10.1.2.20 --port 1812 --client-ip 192.0.2.7
      duoproxy-login --user alice --answer push --json | jq .result
    """  # noqa: D301 - \b is meant: click keeps the lines behind it
    try:
        if password is None:
            password = click.prompt(f"Password of {user}", hide_input=True, err=True)
        call = LoginCall(
            address=_resolve(server),
            port=port,
            secret=Secret(secret),
            username=user,
            password=Secret(password or ""),
            client_ip=client_ip,
            timeout_s=timeout,
            retries=retries,
            signs=not no_message_authenticator,
            method=LoginMethod(method or LoginMethod.PAP.value),
        )
        _check(call)
        sys.exit(EXIT_STATUS[_run(call, as_json, _answers(answers, ask=not as_json))])
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)  # not click's 1, which means a reject here


def _resolve(server: str) -> str:
    """The first address of a server."""
    try:
        return str(socket.getaddrinfo(server, None, type=socket.SOCK_DGRAM)[0][4][0])
    except (OSError, UnicodeError):
        raise click.BadParameter(f"{server!r} has no address", param_hint="--server") from None


def _check(call: LoginCall) -> None:
    """Refuse what no Access-Request can carry."""
    _check_answer(call)
    if not 1 <= len(call.username.encode("utf-8", "surrogateescape")) <= MAX_NAME_OCTETS:
        raise click.BadParameter(f"a user name has 1 to {MAX_NAME_OCTETS} octets", param_hint="--user")
    if not len(call.secret):
        raise click.BadParameter("the shared secret is empty", param_hint="--secret")
    try:
        if call.client_ip:
            ipaddress.ip_address(call.client_ip)
    except ValueError:
        raise click.BadParameter(f"{call.client_ip!r} is not an address", param_hint="--client-ip") from None


def _check_answer(call: LoginCall) -> None:
    """Refuse a password or an answer that is too long."""
    if len(call.password) > MAX_PASSWORD_OCTETS:
        option = "--answer" if call.states else "--password"
        raise click.BadParameter(f"a password has at most {MAX_PASSWORD_OCTETS} octets", param_hint=option)


def _answers(given: Sequence[str], ask: bool) -> Answers:
    """First those of the command line, then (if `ask`) what is typed."""
    left = list(given)

    def answer(question: str, visible: bool) -> str | None:
        if left or not ask:
            return left.pop(0) if left else None
        try:
            typed: str = click.prompt("Answer", hide_input=not visible, default="", show_default=False, err=True)
        except click.Abort:
            if sys.stdin.isatty():
                raise
            return None  # whatever is piped in has ended
        return typed

    return answer


def _run(call: LoginCall, as_json: bool, answers: Answers) -> LoginEnd:
    """Do the login, with as many requests as it takes, and show it."""
    questions: list[str] = []
    while True:
        result, request_lines = _ask(call, as_json)
        if result.end is not LoginEnd.CHALLENGE or result.reply is None or len(questions) >= MAX_QUESTIONS:
            break
        questions.append(user_message(result))
        answer = answers(questions[-1], first(result.reply.attributes, Type.PROMPT) == _PROMPT_ECHO)
        if answer is None:
            break
        states = tuple(one for one in result.reply.attributes if one[0] == Type.STATE)
        call = evolve(call, password=Secret(answer), method=LoginMethod.PAP, states=states)
        _check_answer(call)
    if as_json:
        _echo_json(call, result, request_lines, questions)
    else:
        _echo_lines_of_end(call, result)
    return result.end


def _ask(call: LoginCall, as_json: bool) -> tuple[LoginResult, list[str]]:
    """Send one request and show it with its reply; give the lines about its attributes, too."""
    made = build_request(call, os.urandom)
    request_lines = describe_attributes(made.attributes)
    if not as_json:
        how = "" if call.method is LoginMethod.PAP else f" with {call.method.value}"
        click.echo(f"Access-Request for {shown(call.username)}{how} to {place(call)} (identifier {made.identifier})")
        signature = ["Message-Authenticator = (made with the shared secret)"] if call.signs else []
        _echo_lines([*request_lines, *signature])

    def sent(elapsed_s: float, sends: int) -> None:
        if not as_json:
            click.echo(f"{elapsed_s:8.3f} s  sent{'' if sends == 1 else ' again'} ({len(made.datagram)} octets)")
            if sends == 1:
                click.echo(f"            waiting up to {call.timeout_s:g} s: a push or call may have to be answered …")

    try:
        result = exchange(call, made, sent)
    except OSError as error:
        click.echo(f"Error: {place(call)} cannot be reached: {error.strerror or error}", err=True)
        sys.exit(EXIT_STATUS[LoginEnd.NO_ANSWER])
    if not as_json:
        _echo_result(result)
    return result, request_lines


def describe_attributes(attributes: list[Attribute] | tuple[Attribute, ...]) -> list[str]:
    """`Name = value` lines; secrets are masked."""
    return load_dictionary().format_attributes(attributes)


def place(call: LoginCall) -> str:
    """Address and port as people write them."""
    return f"[{call.address}]:{call.port}" if ":" in call.address else f"{call.address}:{call.port}"


def shown(text: str) -> str:
    """A text from elsewhere for a terminal: nothing in it can move the cursor or pretend to be another line."""
    return "".join(character if character.isprintable() or character == " " else "\ufffd" for character in text)


def user_message(result: LoginResult) -> str:
    """What the user would read: the Reply-Messages of the reply, one after the other."""
    attributes = result.reply.attributes if result.reply is not None else ()
    return b"".join(all_values(attributes, Type.REPLY_MESSAGE)).decode("utf-8", "replace")


def explain(call: LoginCall, result: LoginResult) -> list[str]:
    """What the end means, in sentences."""
    if result.end is LoginEnd.ACCEPT:
        return ["The login was accepted.", *_explain_proof(result)]
    if result.end is LoginEnd.REJECT:
        return ["The login was rejected. The reason stands in the log of the server.", *_explain_proof(result)]
    if result.end is LoginEnd.CHALLENGE:
        return ["The server asks a question (Access-Challenge), and nobody answered it: see --answer."]
    if result.end is LoginEnd.BAD_REPLY:
        return [
            f"A reply came, but it cannot be used: {result.fault}.",
            "If the authenticator does not fit, the shared secret differs: --secret has to equal radius_secret_n on "
            "the server. Otherwise somebody between here and there has changed the reply.",
        ]
    if result.end is LoginEnd.NOBODY_LISTENS:
        return [
            f"Nothing listens on UDP port {call.port} of {call.address}: is the server running, and is --port right?"
        ]
    return [
        f"No answer within {call.timeout_s:g} s. Usual causes, all of which the log of the server names:",
        "- the shared secret differs, so that the request was dropped: compare --secret with radius_secret_n",
        "- the server does not know this machine: its address has to be in radius_ip_n",
        "- a firewall, or another --server or --port than the server has",
        "- the push was not answered, or the directory behind the server is away: then servers stay silent on purpose",
    ]


def _explain_proof(result: LoginResult) -> list[str]:
    """What the authenticators of a good reply prove."""
    if result.message_authenticator is MessageAuthenticator.VALID:
        return ["Response Authenticator and Message-Authenticator fit: the reply comes from who knows the secret."]
    return [
        "The Response Authenticator fits, but there is no Message-Authenticator: such replies can be forged "
        "(CVE-2024-3596). Update the server."
    ]


def _echo_result(result: LoginResult) -> None:
    """Show a reply as text."""
    for one in result.ignored:
        click.echo(f"            ignored: {one}")
    if result.reply is not None:
        click.echo(f"{result.duration_s:8.3f} s  {code_name(result.reply.code)}")
        _echo_lines(describe_attributes(result.reply.attributes))
        if user_message(result):
            _echo_lines([f"the user reads: {shown(line)}" for line in user_message(result).splitlines() or [""]])
    else:
        click.echo(f"{result.duration_s:8.3f} s  {result.end.value.replace('-', ' ')}")


def _echo_lines_of_end(call: LoginCall, result: LoginResult) -> None:
    """Say what the end means."""
    for line in explain(call, result):
        click.echo(line)


def _echo_lines(lines: list[str]) -> None:
    """Indented lines."""
    for line in lines:
        click.echo(f"            {line}")


def _echo_json(call: LoginCall, result: LoginResult, request_lines: list[str], questions: list[str]) -> None:
    """Show everything as one JSON object."""
    reply = None
    if result.reply is not None:
        proof = result.message_authenticator
        reply = {
            "code": code_name(result.reply.code),
            "attributes": describe_attributes(result.reply.attributes),
            "message_authenticator": proof.value if proof is not None else None,
            "user_message": user_message(result),
        }
    document = {
        "result": result.end.value,
        "exit_status": EXIT_STATUS[result.end],
        "server": place(call),
        "user": call.username,
        "questions": questions,
        "request_attributes": request_lines,
        "reply": reply,
        "sends": result.sends,
        "duration_s": round(result.duration_s, 6),
        "fault": result.fault,
        "explanation": explain(call, result),
    }
    click.echo(json.dumps(document, indent=2))


def code_name(code: int) -> str:
    """`Access-Accept` for 2; the number for codes without a name."""
    try:
        return "-".join(word.capitalize() for word in Code(code).name.split("_"))
    except ValueError:
        return f"code {code}"
