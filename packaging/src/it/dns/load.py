"""load.py SECONDS RATE NAME...: asks 127.0.0.11 at that rate, and prints how many of its questions were answered rightly."""
import socket, struct, sys, time

seconds, rate, names = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
expected = dict(name.split("=") for name in names)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
sock.connect(("127.0.0.11", 53))
sock.settimeout(0)
total = int(seconds * rate)
asked, right, wrong, order = {}, 0, 0, list(expected)
start = time.monotonic()


def receive():
    global right, wrong
    try:
        while True:
            answer = sock.recv(512)
            name = asked.pop(struct.unpack(">H", answer[:2])[0], None)
            if name and answer[-4:] == socket.inet_aton(expected[name]):
                right += 1
            else:
                wrong += 1
    except BlockingIOError:
        pass


for i in range(total):
    name = order[i % len(order)]
    asked[i] = name
    sock.send(struct.pack(">HHHHHH", i, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0\0\1\0\1")
    while time.monotonic() - start < i / rate:
        receive()
        time.sleep(0.0005)
end = time.monotonic() + 10
while asked and time.monotonic() < end:
    receive()
    time.sleep(0.005)
print(f"{right} right, {wrong} wrong, {len(asked)} unanswered")
