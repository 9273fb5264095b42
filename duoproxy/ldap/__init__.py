"""LDAP and Active Directory as octets and values: RFC 4511, 4514, 4515. Pure; knows no socket, no login, no ldaptor."""
