"""Whose time a request carries: this machine's, or the service's.

Owns the decision and the reading of a Date header. The service refuses requests that are five minutes off, so a machine
whose clock is wrong could log nobody in; what its answers say over verified TLS is then used instead.
"""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz

MAX_DRIFT_S = 60.0
MAX_UNIX_TIME_S = 1 << 36
"""The year 4147: a date beyond could not be written into a request."""


def read_date(header: str) -> float | None:
    """Read a Date header as Unix seconds; None when it is empty or no possible date. Source: RFC 9110 §5.6.7."""
    try:
        parts = parsedate_tz(header)
        time_s = float(mktime_tz(parts)) if parts is not None else -1.0
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return time_s if 0 <= time_s <= MAX_UNIX_TIME_S else None


class ServiceClock:
    """The service's time, as far as it differs from this machine's.

    Attributes:
        offset_s: service's time minus ours; 0 while both agree to within `MAX_DRIFT_S`.
    """

    def __init__(self) -> None:
        self.offset_s = 0.0

    def observe(self, service_time_s: float, local_time_s: float, waited_s: float = 0.0) -> None:
        """Compare the two clocks: beyond `MAX_DRIFT_S` the service's is used, else ours.

        Args:
            service_time_s: Unix seconds, from an answer over verified TLS; when it was written, while the answer was
                waited for, is not known.
            local_time_s: Unix seconds, when the answer came.
            waited_s: seconds between the request and the answer.
        """
        nearest_s = min(max(service_time_s, local_time_s - waited_s), local_time_s)
        drift_s = service_time_s - nearest_s
        self.offset_s = drift_s if abs(drift_s) > MAX_DRIFT_S else 0.0

    def adopt(self, service_time_s: float, local_time_s: float) -> None:
        """Use the service's time whatever the difference, because it refused ours.

        Args:
            service_time_s: Unix seconds, from an answer over verified TLS.
            local_time_s: Unix seconds, when the answer came.
        """
        self.offset_s = service_time_s - local_time_s

    def time_s(self, local_time_s: float) -> float:
        """Give the Unix seconds that a request made now shall carry."""
        return local_time_s + self.offset_s
