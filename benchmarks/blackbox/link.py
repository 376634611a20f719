"""A link with latency before a server on this machine, for kernels without netem. Standard library only.

    link.py PORT [RTT_MS] [WINDOW_BYTES] [BYTES_PER_SECOND]     prints the port of its near end on 127.0.0.1

Each connection behaves as TCP does on such a link: a round trip to open it, half of one for every question, and answers in windows, one
each round trip, that double from ten packets up to WINDOW_BYTES. All connections together get BYTES_PER_SECOND.
"""
import asyncio
import sys

port, rtt, window, rate = (int(a) for a in (sys.argv[1:] + ["", "100", "1000000", "25000000"][len(sys.argv) - 1:]))
rtt /= 1000
FIRST_WINDOW = 14_600
link_free_at = 0.0


async def over_the_link(size):
    """Waits until the link has carried so much, after what is on it already."""
    global link_free_at
    now = asyncio.get_running_loop().time()
    link_free_at = max(link_free_at, now) + size / rate
    await asyncio.sleep(link_free_at - now)


async def questions(client, server):
    while data := await client.read(65536):
        await asyncio.sleep(rtt / 2)
        server.write(data)
        await server.drain()
    server.write_eof()


async def answers(server, client):
    clock = asyncio.get_running_loop().time
    allowed, sent, round_began = FIRST_WINDOW, 0, clock()
    while data := await server.read(min(65536, allowed - sent)):
        if sent == 0:
            round_began = clock()
            await asyncio.sleep(rtt / 2)
        await over_the_link(len(data))
        client.write(data)
        await client.drain()
        sent += len(data)
        if sent == allowed:
            await asyncio.sleep(max(0, round_began + rtt - clock()))
            allowed, sent = min(2 * allowed, window), 0
        elif clock() - round_began > rtt:
            sent = 0
    client.write_eof()


async def connection(client_in, client_out):
    try:
        await asyncio.sleep(rtt)
        server_in, server_out = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
        await asyncio.gather(questions(client_in, server_out), answers(server_in, client_out))
    except (OSError, asyncio.CancelledError):
        pass
    finally:
        client_out.close()


async def main():
    server = await asyncio.start_server(connection, "127.0.0.1", 0, limit=1 << 16)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
