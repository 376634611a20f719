"""A Docker API over one kept-alive unix socket connection, for measuring: standard library only."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=120)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    def __init__(self, path):
        self.connection = Connection(path)

    def call(self, method, target, body=None, ok=(200, 201, 204, 304), raw=None):
        data = raw if raw is not None else (json.dumps(body) if body is not None else None)
        headers = {"Content-Type": "application/x-tar" if raw is not None else "application/json"} if data is not None else {}
        self.connection.request(method, "/v1.41" + target, data, headers)
        response = self.connection.getresponse()
        content = response.read()
        if response.status not in ok:
            raise RuntimeError(f"{method} {target}: {response.status} {content[:300]}")
        return content


def busybox_tar():
    folder = tempfile.mkdtemp()
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        os.mkdir(f"{folder}/{name}")
    shutil.copy(shutil.which("busybox"), f"{folder}/bin/busybox")
    for applet in ("sh", "true", "sleep", "echo"):
        os.symlink("busybox", f"{folder}/bin/{applet}")
    with open(f"{folder}/etc/passwd", "w") as passwd:
        passwd.write("root:x:0:0:root:/root:/bin/sh\n")
    data = subprocess.run(["tar", "-C", folder, "-c", "."], check=True, stdout=subprocess.PIPE).stdout
    shutil.rmtree(folder)
    return data


class Engine:
    """One engine with folders of its own, without networks unless asked for: `ours` from the installable tree, `dockerd` of the machine."""

    def __init__(self, kind, folder=None, extra=(), enter=None, data=None, networks=False, poll=0.05):
        """`data` is the data root, below `folder` if not given; `enter` is called in the new process before it becomes the engine, e.g. to join a control group;
        whether it answers is tried every `poll` seconds."""
        self.kind, self.data = kind, data
        self.folder = tempfile.mkdtemp(prefix=f"bench-{kind}-", dir=folder)
        self.socket = f"{self.folder}/sock"
        here = os.path.dirname(os.path.abspath(__file__))
        home = os.environ.get("ENGINE_DIST", os.path.join(here, "../../dist/balena-engine"))
        program = os.path.realpath(f"{home}/bin") + "/balena-engine-daemon" if kind == "ours" else "/usr/sbin/dockerd"
        self.log = open(f"{self.folder}/log", "w")
        self.process = subprocess.Popen(
            [program, "-H", f"unix://{self.socket}", "--data-root", data or f"{self.folder}/data", "--exec-root", f"{self.folder}/exec",
             "--pidfile", f"{self.folder}/pid", *([] if networks else ["--bridge", "none", "--iptables=false"]), *extra],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=enter)
        end = time.time() + 60
        while True:
            try:
                Api(self.socket).call("GET", "/_ping")
                break
            except (OSError, RuntimeError):
                if time.time() > end or self.process.poll() is not None:
                    raise SystemExit(f"{kind} does not start, see {self.folder}/log")
                time.sleep(poll)
        self.api = Api(self.socket)

    def busybox(self):
        self.api.call("POST", "/images/create?fromSrc=-&repo=bench&tag=1", raw=busybox_tar())

    def processes(self):
        """Pids of the engine itself, without the containers: by the folder that their command lines name."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if any(self.folder.encode() in word for word in words):
                found.append(int(pid))
        return found

    def close(self):
        for container in json.loads(self.api.call("GET", "/containers/json?all=1")):
            self.api.call("DELETE", f"/containers/{container['Id']}?force=1")
        self.process.terminate()
        self.process.wait(60)
        for pid in self.processes():
            os.kill(pid, signal.SIGTERM)
        end = time.time() + 10
        while self.processes() and time.time() < end:
            time.sleep(0.05)
        for line in sorted(open("/proc/self/mountinfo"), reverse=True):
            point = line.split()[4]
            if point.startswith((self.folder + "/", (self.data or self.folder) + "/")):
                subprocess.run(["umount", "-l", point], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
