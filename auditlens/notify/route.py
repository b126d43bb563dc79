"""Which addresses may be spoken to. A name is resolved once, and what was checked is dialled.

A name that leads to this machine, to a private network or to a cloud's metadata service would
make the tool ask there in its own name. Every address of a name must be allowed; the connection
goes to a checked address itself, so that a second answer of the resolver changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from contextlib import suppress

from auditlens.notify.undelivered import Undelivered

__all__ = ["connect", "kind_of"]

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
SHARED = ipaddress.IPv4Network("100.64.0.0/10")


def kind_of(text: str) -> str:
    """``public``, ``loopback``, ``link-local``, ``private``, or ``reserved`` for all else."""
    address = inner(ipaddress.ip_address(text.partition("%")[0]))
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return "reserved"
    if address.is_global:
        return "public"
    if address.is_private or (isinstance(address, ipaddress.IPv4Address) and address in SHARED):
        return "private"
    return "reserved"


def inner(address: IP) -> IP:
    """The IPv4 address that an IPv6 one only wraps."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (0, address))[1]


def connect(
    host: str, port: int, allow: Collection[str], seconds: float, *, plain: bool = False
) -> socket.socket:
    """Resolve ``host``, check every address, and connect to the first that answers.

    ``plain`` is set for a connection without TLS, which may go to this machine alone. Raises
    Undelivered when an address is refused or none answers.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Undelivered("its host name leads nowhere", fix="Check the address") from None
    kinds = {kind_of(str(place[0])) for *_, place in found}
    refused = sorted(kinds - {"public"} - set(allow))
    if refused:
        fix = f'Allow it with allow = ["{refused[0]}"] if it is meant'
        if refused[0] == "reserved":
            fix = "Name another host"
        raise Undelivered(f"its host is at a {refused[0]} address, which is refused", fix=fix)
    if plain and kinds != {"loopback"}:
        raise Undelivered("it has no TLS and is not this machine", fix="Use https or TLS")
    problem = "no address"
    for family, kind, number, _, place in found:
        made = socket.socket(family, kind, number)
        made.settimeout(seconds)
        try:
            made.connect(place)
        except OSError as error:
            problem = error.strerror or type(error).__name__
            with suppress(OSError):
                made.close()
        else:
            return made
    raise Undelivered(f"no connection ({problem})", fix="It is tried again")
