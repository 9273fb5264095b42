"""duoproxy: an on-premises proxy that puts a second factor in front of RADIUS and LDAP logins."""

__version__ = "0.1.0"
