"""What makes `twistd duoauthproxy` known to Twisted. No folder on the way here may have an `__init__.py`."""

from twisted.application.service import ServiceMaker

duoauthproxy = ServiceMaker(
    "duoauthproxy",
    "duoproxy.service.make_service",
    "Puts a second factor in front of RADIUS and LDAP logins.",
    "duoauthproxy",
)
