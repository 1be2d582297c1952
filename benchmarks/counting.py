"""A server that counts to the number in a path and answers, in one thread: the least latency that a machine allows.

    python -m benchmarks.counting

It prints its port, and ends when its input does. `benchmarks.serving` compares with it.
"""

import asyncio
import sys

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 4096\r\n\r\n" + bytes(4096)


class _Counter(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for _ in range(int(data.split(b" ", 2)[1][1:])):
            pass
        self.transport.write(_ANSWER)


async def main() -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Counter, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def message(number: int) -> bytes:
    """A request to count to a number."""
    return b"GET /%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % number


if __name__ == "__main__":
    uvloop.run(main())
