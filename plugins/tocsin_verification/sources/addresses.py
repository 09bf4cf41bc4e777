"""Which addresses may be asked: what the operator names may well be on this machine or in a private network, but never what
a cloud tells its machines alone, such as their credentials.
"""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

AddrInfo = tuple[int, int, int, str, tuple[object, ...]]
"""As `getaddrinfo` has it."""

_METADATA = frozenset(
    map(ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
"""Where clouds have it that don't use 169.254.169.254 alone: Alibaba, Azure, Oracle, Amazon and Google by IPv6."""

_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/96"), IPv6Network("::/96"))
"""An IPv4 address stands in the last four bytes of these."""


def forbidden(address: str) -> bool:
    """Whether nothing that is at this address is ever asked."""
    return any(
        one.is_link_local or one.is_multicast or one.is_unspecified or one in _METADATA or one == _EVERYBODY
        for one in _meant(ip_address(address))
    )


def literal(host: str) -> bool:
    """Whether the host is an address, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Sockets:
    """Makes the sockets for connections, and none to where nothing is asked: whatever the name led to before, this is the
    address that is connected to. refused: to where it made none.
    """

    def __init__(self) -> None:
        """None was refused so far."""
        self.refused = ""

    def __call__(self, info: AddrInfo) -> socket.socket:
        """Raises PermissionError."""
        family, kind, protocol, _, address = info
        host = str(address[0])
        if forbidden(host):
            self.refused = host
            raise PermissionError(f"nothing is asked at {host}")
        return socket.socket(family, kind, protocol)


_EVERYBODY = IPv4Address("255.255.255.255")


def _meant(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The address, and the IPv4 address that it stands for."""
    if isinstance(address, IPv6Address):
        address = IPv6Address(int(address))  # without a zone
        if address != IPv6Address("::1") and any(address in network for network in _TRANSLATED):
            yield IPv4Address(int(address) & 0xFFFFFFFF)
        for inner in (address.ipv4_mapped, address.sixtofour):
            if inner is not None:
                yield inner
    yield address
