"""A name server for tests: server.py ADDRESS [MARK]. What it answers depends on the first label of the name.

 txt  a TXT record that takes a stream     none  nothing at all       fail  SERVFAIL       no  NXDOMAIN
 lie  a wrong answer with another number first, then the right one   loop  a name that points to itself
 any other: A 192.0.2.MARK
"""
import socket, struct, sys, threading

address, mark = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1


def answers(query, stream):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]])
        at += 1 + query[at]
    question = query[12:at + 5]
    kind = labels[0].decode().lower()

    def reply(records, code=0, flags=0x8180, number=query[:2], count=None):
        return number + struct.pack(">HHHHH", flags | code, 1, len(records) if count is None else count, 0, 0) + question + b"".join(records)

    def record(type, data, name=b"\xc0\x0c"):
        return name + struct.pack(">HHIH", type, 1, 5, len(data)) + data

    right = reply([record(1, bytes([192, 0, 2, mark]))])
    if kind == "none":
        return []
    if kind == "fail":
        return [reply([], 2)]
    if kind == "no":
        return [reply([], 3)]
    if kind == "lie":
        wrong = bytes([query[0] ^ 1, query[1]])
        return [reply([record(1, bytes([6, 6, 6, 6]))], number=wrong), b"\0", b"x" * 40, right]
    if kind == "loop":
        return [reply([record(1, bytes([192, 0, 2, mark]), name=bytes([0xc0, 12 + len(question)]))])]
    if kind == "txt":
        if not stream:
            return [reply([], flags=0x8380)]
        return [reply([record(16, bytes([250]) + b"t" * 250) for _ in range(100)])]
    return [right]


def datagrams(sock):
    while True:
        query, sender = sock.recvfrom(65535)
        for answer in answers(query, False):
            sock.sendto(answer, sender)


def streams(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            try:
                length = struct.unpack(">H", connection.recv(2))[0]
                for answer in answers(connection.recv(length), True)[-1:]:
                    connection.sendall(struct.pack(">H", len(answer)) + answer)
            except OSError:
                pass


udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
udp.bind((address, 53))
tcp = socket.socket()
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
tcp.bind((address, 53))
tcp.listen(20)
threading.Thread(target=streams, args=(tcp,), daemon=True).start()
print("ready", flush=True)
datagrams(udp)
