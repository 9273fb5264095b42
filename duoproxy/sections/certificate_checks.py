"""What the connectivity tool looks at of the certificate that a section shows to its clients.

What is wrong with the files, or doubtful in them, is a problem of the configuration and told there; here it is how long
they last, and whether the key is its owner's secret. This is no section itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from duoproxy.net.server_certificates import (
    REMINDER_DAYS,
    CertificateFault,
    expiry_sentence,
    load_server_certificate,
)
from duoproxy.sections.checks import Check, CheckFinding, CheckLevel
from duoproxy.sections.contracts import Environment


def certificate_check(
    certs: Path, pkey: Path, environment: Environment, names: tuple[str, str] = ("certs", "pkey")
) -> Check:
    """Say how long a certificate lasts, and whether its key fits.

    Args:
        certs: the file of the certificate and its chain.
        pkey: the file of its key.
        environment: of the section.
        names: the options that name the two files.
    """

    async def run() -> Sequence[CheckFinding]:
        try:
            certificate = load_server_certificate(certs, pkey)
        except CertificateFault as fault:
            option = names[0] if fault.option == "certs" else names[1]
            return [CheckFinding(CheckLevel.ERROR, f"{option}: {fault.what}", fault.remedy)]
        days = certificate.days_left(environment.wall_clock())
        level = CheckLevel.WARNING if days <= REMINDER_DAYS else CheckLevel.INFO
        return [CheckFinding(level, expiry_sentence(days, environment.section_name, names[0]))]

    return Check("certificate", run)
