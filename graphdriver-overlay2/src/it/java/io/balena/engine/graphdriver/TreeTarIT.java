package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// The upper folder of a container, as the layer that a commit makes of it.
class TreeTarIT {
    /// Members in their order, as far as they mean something. Docker writes whole seconds, the file's type among the mode, only the attribute for capabilities, and
    /// gives opaque marks a time and whiteouts a mode of their own.
    private static final String MEMBERS = """
            import hashlib, sys, tarfile
            for m in tarfile.open(sys.argv[1], encoding='utf-8', errors='surrogateescape'):
                line = [ascii(m.name), m.type.decode(), m.uid, m.gid, m.size, ascii(m.linkname)]
                if '.wh.' not in m.name: line += [oct(m.mode & 0o7777), int(m.mtime // 1)]
                if m.ischr() or m.isblk(): line += [m.devmajor, m.devminor]
                if m.isreg(): line.append(hashlib.sha256(tarfile.open(sys.argv[1]).extractfile(m).read()).hexdigest()[:16])
                line += [k for k in m.pax_headers if k.endswith('security.capability')]
                print(*line)
            """;

    /// Makes a tree of some dozen files of every kind, by chance.
    private static final String RANDOM_TREE = """
            import os, random, stat, sys
            root, seed = sys.argv[1:]; r = random.Random(int(seed)); os.umask(0o22); os.mkdir(root); os.chdir(root)
            folders, files, made = [b''], [], []
            names = [b'a', b'.b', b'caf\\xe9', b'caf\\xc3\\xa9', b'with space', b'q"\\\\', b'nl\\n', b'n' * 255, b'-x', b'z' * 101, b'..c', b'D']
            for i in range(r.randrange(80)):
                path = r.choice(folders) + r.choice(names) + b'%d' % r.randrange(20)
                path = path if len(os.path.basename(path)) < 256 else os.path.dirname(path) + b'/' + os.path.basename(path)[:255]
                path = path.lstrip(b'/')
                if os.path.lexists(path) or len(path) > 3000: continue
                kind = r.choice('ffffddddlhscbpws')
                if kind == 'f':
                    with open(path, 'wb') as f: f.write(r.randbytes(r.choice([0, 0, 1, 511, 512, 513, 70000])))
                    files.append(path)
                elif kind == 'd': os.mkdir(path); folders.append(path + b'/')
                elif kind == 'l': os.symlink(r.choice([b'x', b'../up', b'/abs', b't' * 150, b'caf\\xe9']), path)
                elif kind == 'h' and files: os.link(r.choice(files), path, follow_symlinks=False)
                elif kind == 's': os.symlink(r.choice(files or [b'y']), path); files.append(path)
                elif kind == 'c': os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(r.randrange(1, 4000), r.randrange(1 << 20)))
                elif kind == 'b': os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(r.randrange(1, 4000), r.randrange(1 << 20)))
                elif kind == 'p': os.mkfifo(path)
                elif kind == 'w': os.mknod(path, stat.S_IFCHR, os.makedev(0, 0)); continue
                else: continue
                made.append(path)
            for path in reversed(made):
                link = os.path.islink(path)
                os.lchown(path, r.choice([0, 0, 1000, 70000, 4294967294]), r.choice([0, 0, 3000000]))
                if not link: os.chmod(path, r.choice([0o644, 0o755, 0, 0o4755, 0o2711, 0o1777, 0o7777]))
                if r.random() < .2: os.setxattr(path, 'trusted.t', r.randbytes(r.randrange(30)), follow_symlinks=False)
                if r.random() < .2 and (os.path.isfile(path) or os.path.isdir(path)) and not link: os.setxattr(path, 'user.u', b'\\0=\\n')
                if r.random() < .1 and os.path.isfile(path) and not link:
                    os.setxattr(path, 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))
                if r.random() < .2 and os.path.isdir(path) and not link: os.setxattr(path, 'trusted.overlay.opaque', b'y')
            for path in reversed(made):
                t = r.choice([0, 1, 10**9, -10**9, 1700000000 * 10**9 + 123456789, 5 * 10**18, -1, 1234567890_100000000])
                os.utime(path, ns=(t, t), follow_symlinks=False)
            """;

    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    @Test
    void aCommitMakesTheLayerThatDockerMakes() throws IOException {
        Machine.needs("dockerd");
        Machine.needs("python3");
        try (var docker = Dockerd.start(scratch.path())) {
            Machine.sh("cd " + scratch + "; mkdir -p base/etc base/dir/sub base/gone; echo x > base/etc/x; tar -C base -c . | " + docker.command("import - base"));
            String container = docker.docker("create base true").strip();
            Path upper = Path.of(docker.docker("inspect -f '{{.GraphDriver.Data.UpperDir}}' " + container).strip());
            Machine.sh("cd " + upper + """

                    mkdir -p etc dir/sub new/deep opaque; echo hello > etc/new; : > etc/empty; mknod etc/x c 0 0; mknod gone c 0 0
                    head -c 100000 /dev/urandom > new/large; ln etc/new new/hard; ln etc/new new/deep/hard; ln -s ../etc/new new/soft; ln new/soft new/soft2
                    ln -s nowhere dangling; mknod null c 1 3; mknod disk b 8 700; mkfifo pipe; echo y > opaque/inside; mknod opaque/hidden c 0 0
                    setfattr -n trusted.overlay.opaque -v y opaque; chmod 1777 new; chmod 2755 dir; cp etc/new suid; chmod 4711 suid; chmod 0 etc/empty
                    setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 etc/new
                    chown 1000:2000 new/large; chown 3000000:4000000000 etc/empty; chown -h 5:6 new/soft; touch -d '2001-02-03 04:05:06.789 UTC' new/large dir
                    n=$(printf 'n%.0s' $(seq 1 120)); mkdir -p $n/$n; echo long > $n/$n/$n; ln -s $n/$n/$n longlink; ln $n/$n/$n hardlong
                    touch "$(printf 'caf\\303\\251')"; printf x > 'quo"te'; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
                    """);
            docker.docker("commit " + container + " committed");
            Machine.sh("cd " + scratch + "; mkdir saved; " + docker.command("save committed") + " | tar -x -C saved; "
                    + "ln $(python3 -c 'import json; print(\"saved/\" + json.load(open(\"saved/manifest.json\"))[0][\"Layers\"][-1])') theirs.tar");
            try (var diff = TreeTar.ofLayer(upper, IdentityMapping.NONE)) {
                Files.write(scratch.path().resolve("ours.tar"), diff.readAllBytes());
            }
        }
        assertEquals(members("theirs.tar"), members("ours.tar"));
    }

    private String members(String tar) throws IOException {
        return Machine.sh("cd " + scratch + "; python3 - " + tar + " <<'EOF'\n" + MEMBERS + "EOF\n");
    }

    @RepeatedTest(12)
    void extractingTheDiffOfATreeMakesTheSameTree(RepetitionInfo repetition) throws IOException {
        Machine.needs("python3");
        Instant start = Instant.now().minusMillis(20); // the clock that files are stamped by lags a tick behind
        Path tree = scratch.path().resolve("tree");
        Machine.sh("python3 - " + tree + " " + repetition.getCurrentRepetition() + " <<'EOF'\n" + RANDOM_TREE + "EOF\n");
        try (var store = LayerStore.open(scratch.path().resolve("root")); var staged = store.stage(); var diff = TreeTar.ofLayer(tree, IdentityMapping.NONE)) {
            staged.extract(diff);
            Layer layer = staged.commit(Optional.empty());
            assertEquals(TreeListing.of(tree, start), TreeListing.of(Path.of(store.driverData(layer.chainId()).get("UpperDir")), start));
            try (var again = store.openTar(layer.chainId()); var first = TreeTar.ofLayer(tree, IdentityMapping.NONE)) {
                assertArrayEquals(first.readAllBytes(), again.readAllBytes());
            }
        }
    }
}
