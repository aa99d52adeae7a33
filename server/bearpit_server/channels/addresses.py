"""Where a host's name leads: looked up once, checked, and then connected to by its number.

What is checked is what is connected to; a name that answers differently the second time gains nothing.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address

from bearpit_server.channels.base import Failure
from bearpit_server.rules.channels import is_public

Address = IPv4Address | IPv6Address
LookUp = Callable[[str, int], list[str]]
THREADS = 16


def system_look_up(host: str, port: int) -> list[str]:
    """The numbers that the system knows for a name. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Addresses:
    """Looks names up, on threads of its own: a name server that hangs holds nobody up but its own."""

    def __init__(self, look_up: LookUp = system_look_up) -> None:
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="names")

    async def find(self, host: str, port: int, private_allowed: bool) -> str:
        """A number to connect to. Raises Failure when there is none, or when one of them is not public."""
        loop = asyncio.get_running_loop()
        try:
            numbers = await loop.run_in_executor(self._threads, self._look_up, host, port)
            found = [ip_address(number.partition("%")[0]) for number in numbers]
        except (OSError, UnicodeError, ValueError):
            raise Failure("the host's name is not known") from None
        if not found:
            raise Failure("the host's name is not known")
        if not private_allowed and not is_public(found):
            raise Failure("the host is not on the open internet", retry=False)
        return str(found[0])

    def close(self) -> None:
        """End the threads, without waiting for answers."""
        self._threads.shutdown(wait=False, cancel_futures=True)
