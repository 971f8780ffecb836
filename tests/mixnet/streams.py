"""Both ends of a stream on the simulated network."""

import trio

from mixnet.network import Address

SERVER = Address("10.0.0.1", 4000)
CLIENT = "10.0.0.2"


async def pair(network, *, source=CLIENT, address=SERVER):
    """(the dialling end, the accepting end) of a new stream."""
    async with await network.listen(address) as listener, trio.open_nursery() as nursery:
        ends = []

        async def dial():
            ends.append(await network.dial(address, source=source))

        nursery.start_soon(dial)
        accepted = await listener.accept()
    return ends[0], accepted


async def receive_exactly(stream, size):
    data = b""
    while len(data) < size:
        piece = await stream.receive_some(size - len(data))
        assert piece, "the stream ended early"
        data += piece
    return data
