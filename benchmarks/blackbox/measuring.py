"""What the measurements share: a disk of one's own, a process's CPU time and memory, a registry with images. Standard library only."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import images

HERE = os.path.dirname(os.path.abspath(__file__))


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, **more).stdout.decode().strip()


class Disk:
    """A fresh ext4 on a loop device over memory, mounted."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="bench-disk-", dir=os.environ.get("BENCH_DISKS", "/dev/shm"))
        self.image = self.folder + "/image"
        # All of it is there from the start, or the loop device would charge its memory to whoever writes.
        run("fallocate", "-l", "3G", self.image)
        # All metadata is written now: later writes are the work's own.
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.device = run("losetup", "--find", "--show", self.image)
        self.mount = self.folder + "/mnt"
        os.mkdir(self.mount)
        run("mount", self.device, self.mount)
        run("sync", "-f", self.mount)

    def written(self):
        """Bytes that have reached the device, once all have."""
        run("sync", "-f", self.mount)
        return self.written_so_far()

    def written_so_far(self):
        with open(f"/sys/block/{os.path.basename(self.device)}/stat") as file:
            return int(file.read().split()[6]) * 512

    def close(self):
        run("umount", "-l", self.mount)
        run("losetup", "-d", self.device)
        run("rm", "-rf", self.folder)


def cpu(pids):
    """Seconds of CPU time, of the processes and those of their children that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
            total += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def pss(pids):
    """Bytes of memory, shared pages by their share."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total * 1024


class Peak:
    """The highest PSS of an engine while the block runs."""

    def __init__(self, engine, seconds=0.15):
        self.engine, self.seconds, self.bytes = engine, seconds, 0
        self.end, self.thread = threading.Event(), threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.end.wait(self.seconds):
            self.bytes = max(self.bytes, pss(self.engine.processes()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


class MemoryLimit:
    """A control group with so much memory, page cache included."""

    def __init__(self, megabytes):
        self.v1 = os.path.isdir("/sys/fs/cgroup/memory")
        self.folder = f"/sys/fs/cgroup/{'memory/' if self.v1 else ''}bench-{os.getpid()}"
        os.makedirs(self.folder, exist_ok=True)
        with open(f"{self.folder}/{'memory.limit_in_bytes' if self.v1 else 'memory.max'}", "w") as file:
            file.write(str(megabytes << 20))

    def enter(self):
        with open(f"{self.folder}/cgroup.procs", "w") as file:
            file.write("0")

    def close(self):
        for _ in range(100):
            with contextlib.suppress(OSError):
                os.rmdir(self.folder)
                return
            time.sleep(0.1)


@contextlib.contextmanager
def registry(kinds):
    """Serves the images of `kinds`, which are made the first time; yields its address."""
    folder = os.environ.get("BENCH_IMAGES", "/var/tmp/balena-engine-bench-images")
    images.make_all(folder, kinds)
    process = subprocess.Popen([sys.executable, f"{HERE}/registry.py", folder], stdout=subprocess.PIPE)
    try:
        yield Images(folder, f"127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.terminate()
        process.wait()


class Images:
    def __init__(self, folder, address):
        self.folder, self.address = folder, address

    def layers(self, kind):
        """Its blobs, as files."""
        with open(f"{self.folder}/{kind}.json") as file:
            return [f"{self.folder}/blobs/{layer['digest'].split(':')[1]}" for layer in json.load(file)["layers"]]

    def pull(self, engine, kind):
        answer = engine.api.call("POST", f"/images/create?fromImage={self.address}/bench/{kind}&tag=1").decode()
        if '"error"' in answer:
            raise SystemExit(f"{engine.kind}: {answer[-500:]}")

    def remove(self, engine, kind):
        engine.api.call("DELETE", f"/images/{self.address}/bench/{kind}:1?force=1", ok=(200,))


def floor(images, kind):
    """MB that `tar -x` of the layers and one sync write."""
    disk = Disk()
    try:
        before = disk.written()
        for number, file in enumerate(images.layers(kind)):
            os.mkdir(f"{disk.mount}/{number}")
            run("sh", "-c", f"zcat <{file} | tar -x -C {disk.mount}/{number}")
        return (disk.written() - before) / 1e6
    finally:
        disk.close()
