"""[main]: logs, the way out to Duo, and values that every other section inherits."""

from __future__ import annotations

from pathlib import Path

from duoproxy.config.kinds import Boolean, Choice, FalseOnly, Folder, InputFile, Integer, IpAddress
from duoproxy.config.option import option, settings
from duoproxy.config.schema import Role, SectionSchema
from duoproxy.sections.shared_options import DuoConnectionSettings

SYSLOG_FACILITIES = (
    *("LOG_USER", "LOG_DAEMON", "LOG_AUTH", "LOG_AUTHPRIV", "LOG_SYSLOG", "LOG_CRON", "LOG_KERN", "LOG_LPR"),
    *("LOG_MAIL", "LOG_NEWS", "LOG_UUCP"),
    *(f"LOG_LOCAL{number}" for number in range(8)),
)

MAX_SHUTDOWN_GRACE_S = 600


@settings
class MainSettings(DuoConnectionSettings):
    """Options of [main]."""

    log_dir: Path | None = option(
        Folder(),
        default=None,
        help="Folder of all logs. Without it: the folder `log` beside the folder of the configuration file.",
        example="/var/log/duoauthproxy",
        inherited=False,
    )
    log_max_files: int = option(
        Integer(0, 10_000),
        default=6,
        help="Rotated log files that are kept; 0 keeps all.",
        example="10",
        inherited=False,
    )
    log_max_size: int = option(
        Integer(0, 1 << 40),
        default=10_485_760,
        unit="bytes",
        help="Size at which a log file is rotated; 0 never rotates.",
        example="20971520",
        inherited=False,
    )
    log_stdout: bool = option(
        Boolean(), default=False, help="Log to standard output instead of a file.", example="true", inherited=False
    )
    log_syslog: bool = option(
        Boolean(), default=False, help="Send the log to syslog as well.", example="true", inherited=False
    )
    syslog_facility: str = option(
        Choice(*SYSLOG_FACILITIES), default="LOG_USER", help="Facility for log_syslog.", inherited=False
    )
    log_auth_events: bool = option(
        Boolean(),
        default=False,
        help="Write authentication events as JSON lines to authevents.log in the log folder.",
        example="true",
        inherited=False,
    )
    log_sso_events: bool = option(
        Boolean(), default=False, help="Accepted for compatibility; there are no SSO events here.", inherited=False
    )
    interface: str = option(
        IpAddress(),
        default="",
        help="Address that server sections listen on unless they name their own. Without it: all addresses.",
        example="10.1.2.3",
    )
    test_connectivity_on_startup: bool = option(
        Boolean(),
        default=False,
        help="Whether each start runs the connectivity tool and logs what it finds; whatever that is, the start goes "
        "on.",
        example="true",
        inherited=False,
    )
    fips_mode: bool = option(
        FalseOnly(
            "RADIUS needs MD5, and our OpenSSL build is not a validated one", "Write fips_mode=false, or leave it out"
        ),
        default=False,
        help="Refused when true: RADIUS needs MD5.",
        restricts=True,
        inherited=False,
    )
    dictionary_file: Path | None = option(
        InputFile(),
        default=None,
        help="A RADIUS dictionary in the FreeRADIUS format with attributes that ours does not know.",
        example="dictionary.acme",
        inherited=False,
    )
    max_pending_logins: int = option(
        Integer(1, 100_000),
        default=10_000,
        help="Logins that may wait for Duo or the primary at the same time; each needs about one open connection.",
        example="20000",
    )
    shutdown_grace: int = option(
        Integer(0, MAX_SHUTDOWN_GRACE_S),
        default=60,
        unit="seconds",
        help="How long a stop waits for logins that have begun. New ones go unanswered meanwhile, so that devices go "
        "to another proxy; what has no end by then is rejected.",
        example="20",
        inherited=False,
    )


MAIN_SCHEMA = SectionSchema(
    name="main",
    role=Role.MAIN,
    summary="Logs, the way out to Duo, and values that other sections inherit.",
    settings_class=MainSettings,
)
