"""What a deployment script does with docker-py: deployment.py SOCKET IMAGE"""
import io
import sys
import tarfile

import docker

client = docker.DockerClient(base_url="unix://" + sys.argv[1])
image = sys.argv[2]

assert client.ping()
assert client.version()["Os"] == "linux"
assert client.info()["Driver"] == "overlay2"
events = client.events(decode=True, filters={"type": "container", "event": ["create", "start", "die", "destroy"]})

# A container that ends
assert client.containers.run(image, ["echo", "hello"], remove=True, network_mode="none") == b"hello\n"
try:
    client.containers.run(image, ["sh", "-c", "echo bad >&2; exit 3"], remove=True, network_mode="none")
    raise AssertionError("no error for an exit code")
except docker.errors.ContainerError as e:
    assert e.exit_status == 3 and e.stderr == b"bad\n", (e.exit_status, e.stderr)
try:
    client.containers.get("nobody")
    raise AssertionError("found nobody")
except docker.errors.NotFound as e:
    assert e.explanation == "No such container: nobody", e.explanation
try:
    client.images.get("nothing:nowhere")
    raise AssertionError("found nothing")
except docker.errors.ImageNotFound:
    pass

# One that goes on
volume = client.volumes.create("py-volume", labels={"by": "py"})
assert [v.name for v in client.volumes.list(filters={"label": "by=py"})] == ["py-volume"]
container = client.containers.run(
    image, ["sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done"], name="py", detach=True, labels={"by": "py"},
    environment={"A": "b"}, volumes={"py-volume": {"bind": "/volume", "mode": "rw"}}, mem_limit="64m", ports={"80/tcp": ("127.0.0.1", None)},
    restart_policy={"Name": "on-failure", "MaximumRetryCount": 0}, healthcheck={"test": ["CMD", "true"], "interval": 200000000})
container.reload()
assert container.status == "running", container.status
assert container.attrs["HostConfig"]["Memory"] == 64 << 20
assert int(container.ports["80/tcp"][0]["HostPort"]) > 0, container.ports
assert [c.name for c in client.containers.list(filters={"label": "by=py"})] == ["py"]
for line in container.logs(stream=True, follow=True):
    assert line == b"up\n", line
    break
code, output = container.exec_run(["sh", "-c", "echo $A; echo err >&2; exit 4"], demux=True)
assert (code, output) == (4, (b"b\n", b"err\n")), (code, output)
socket = container.exec_run(["cat"], stdin=True, socket=True).output
socket._sock.sendall(b"typed\n")
assert socket.read(14)[8:] == b"typed\n"
socket.close()

# Files
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w") as tar:
    info = tarfile.TarInfo("given")
    info.size = 5
    tar.addfile(info, io.BytesIO(b"given"))
assert container.put_archive("/volume", buffer.getvalue())
chunks, stat = container.get_archive("/volume/given")
assert stat["name"] == "given" and stat["size"] == 5, stat
with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
    assert tar.extractfile("given").read() == b"given"
assert {"Path": "/volume", "Kind": 1} in container.diff(), container.diff()

# Life
stats = container.stats(stream=False)
assert stats["memory_stats"]["limit"] == 64 << 20, stats["memory_stats"]
assert any("sleep" in " ".join(p) or "sh" in " ".join(p) for p in container.top()["Processes"])
container.pause()
container.reload()
assert container.status == "paused"
container.unpause()
container.rename("py-renamed")
container.update(mem_limit="128m", memswap_limit="256m")
made = container.commit("py-image", "1", changes="CMD echo committed")
assert made.tag("py-image", "2")
assert client.containers.run("py-image:2", remove=True, network_mode="none") == b"committed\n"
made.reload()
saved = b"".join(made.save(named="py-image:2"))
client.images.remove("py-image:1")
client.images.remove("py-image:2")
assert [i.tags for i in client.images.load(saved)] == [["py-image:2"]]
client.images.remove("py-image:2")
container.stop(timeout=10)
assert container.wait()["StatusCode"] == 5
assert container.logs() == b"up\nbye\n", container.logs()
container.restart()
container.kill()
container.remove(v=True, force=True)
volume.remove()

wanted = ["create", "start", "die"]
for event in events:
    assert event["status"] == event["Action"] and event["id"] == event["Actor"]["ID"], event
    if event["Action"] == wanted[0]:
        wanted.pop(0)
        if not wanted:
            break
events.close()
assert client.containers.prune()["SpaceReclaimed"] >= 0
print("done")
