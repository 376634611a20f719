"""Images made for measuring: the same bytes each time, as compressible as programs and texts are. Standard library only.

    images.py FOLDER [KIND...]     makes what is missing; `registry.py FOLDER` serves them as bench/KIND:1
"""
import gzip
import hashlib
import io
import itertools
import json
import multiprocessing
import os
import random
import sys
import tarfile

MB = 1_000_000
# Layers of each kind, lowest first: (folders, files in each, mean size of a file in bytes).
KINDS = {
    # As an npm tree is.
    "small": [(20, 100, 8_000), (800, 50, 3_000)],
    # Programs and models.
    "big": [(1, 4, 40 * MB), (1, 2, 100 * MB)],
    # Ten layers of a Debian-based application.
    "mixed": [(200, 20, 20_000), (1, 3, 15 * MB), (100, 40, 6_000), (2, 2, 12 * MB), (10, 10, 100_000), (300, 20, 4_000),
              (1, 1, 60 * MB), (20, 30, 40_000), (1, 20, 2_000), (5, 5, 1 * MB)],
    # Six layers and 470 MB, as the application image of the comparison with other engines.
    "app": [(250, 20, 25_000), (30, 60, 40_000), (2, 3, 12 * MB), (1, 2, 66 * MB), (400, 30, 4_000), (5, 80, 6_000)],
}


def skewed(r, things, count):
    """`count` of `things`, the first ones far more often than the last, as words are in texts."""
    return r.choices(things, cum_weights=list(itertools.accumulate(1 / (i + 8) for i in range(len(things)))), k=count)


def corpus(r):
    """Two times 8 MB: like sources, and like machine code."""
    words = ["".join(r.choices("etaoinshrdlucmfwypvbgkqjxz", k=r.randint(2, 11))) for _ in range(4000)]
    ends = [" ", " ", " ", " ", "_", "(", ");\n    ", ".", ", ", " = ", "\n", "\n\n"]
    lines = ["".join(w + r.choice(ends) for w in skewed(r, words, r.randint(2, 9))).encode() for _ in range(6000)]
    instructions = [r.randbytes(r.choice((1, 2, 3, 4, 4, 6, 8))) for _ in range(3000)]
    sequences = [b"".join(skewed(r, instructions, r.randint(1, 8))) for _ in range(6000)]
    return b"".join(skewed(r, lines, 320_000))[:8 * MB], b"".join(skewed(r, sequences, 700_000))[:8 * MB]


def content(r, halves, size):
    parts = []
    source = halves[r.random() < (0.25 if size < 50_000 else 0.85)]
    while size > 0:
        length = min(size, r.randint(1000, 64_000))
        at = r.randrange(len(source) - length)
        parts.append(source[at:at + length])
        size -= length
    return b"".join(parts)


class Hashing:
    def __init__(self, out):
        self.out, self.digest, self.size = out, hashlib.sha256(), 0

    def write(self, data):
        self.digest.update(data)
        self.size += len(data)
        return self.out.write(data)

    def flush(self):
        pass


def layer(r, halves, number, shape, path):
    folders, files, mean = shape
    with open(path, "wb") as file:
        blob = Hashing(file)
        with gzip.GzipFile("", "wb", 6, blob, mtime=0) as packed:
            tar = Hashing(packed)
            with tarfile.open(fileobj=tar, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
                for folder in range(folders):
                    name = f"usr/lib/layer{number}/module{folder:04}"
                    entry = tarfile.TarInfo(name)
                    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, 1_700_000_000
                    archive.addfile(entry)
                    for i in range(files):
                        size = mean if mean >= MB else max(1, int(mean * r.lognormvariate(-0.5, 1)))
                        data = content(r, halves, size)
                        entry = tarfile.TarInfo(f"{name}/source{i:03}.js")
                        entry.size, entry.mode, entry.mtime = len(data), 0o644, 1_700_000_000 + i
                        archive.addfile(entry, io.BytesIO(data))
    return tar.digest.hexdigest(), tar.size, blob.digest.hexdigest(), blob.size


def make(folder, kind):
    if os.path.exists(f"{folder}/{kind}.json"):
        return
    r = random.Random(kind)
    halves = corpus(r)
    os.makedirs(f"{folder}/blobs", exist_ok=True)
    diff_ids, layers, unpacked = [], [], 0
    for number, shape in enumerate(KINDS[kind]):
        path = f"{folder}/blobs/.{kind}{number}"
        diff_id, tar_size, digest, size = layer(r, halves, number, shape, path)
        os.rename(path, f"{folder}/blobs/{digest}")
        diff_ids.append("sha256:" + diff_id)
        layers.append({"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": size, "digest": "sha256:" + digest})
        unpacked += tar_size
    config = json.dumps({"architecture": os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64"), "os": "linux",
                         "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    digest = hashlib.sha256(config).hexdigest()
    with open(f"{folder}/blobs/{digest}", "wb") as file:
        file.write(config)
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": layers,
                "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": "sha256:" + digest}}
    with open(f"{folder}/.{kind}", "w") as file:
        json.dump(manifest, file)
    os.rename(f"{folder}/.{kind}", f"{folder}/{kind}.json")
    print(f"{kind}: {len(layers)} layers, {sum(la['size'] for la in layers) / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked, "
          f"{sum(f * (n + 1) for f, n, _ in KINDS[kind])} entries", flush=True)


def make_all(folder, kinds=tuple(KINDS)):
    os.makedirs(folder, exist_ok=True)
    with multiprocessing.Pool() as pool:
        pool.starmap(make, [(folder, kind) for kind in kinds], chunksize=1)


if __name__ == "__main__":
    make_all(sys.argv[1], sys.argv[2:] or tuple(KINDS))
