"""RADIUS as octets and values: RFC 2865, 2868, 2869, 3579, 5080, 5997. Pure; knows no EAP, no login, no socket."""
