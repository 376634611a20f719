package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// A tree with everything that a file system can hold, written by GNU tar in each of its formats, extracted by us and by GNU
/// tar, and compared entry by entry.
class TarFormatsIT {
    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    @BeforeEach
    void aTreeWithEverything() throws IOException {
        Machine.needs("setfattr");
        Machine.sh("mkdir " + tree() + "; cd " + tree() + """

                mkdir -p plain sticky setgid deep/er/and/deeper "name with spaces" empty
                echo hello > plain/hello; : > plain/empty; head -c 700001 /dev/urandom > plain/large
                head -c 512 /dev/zero > plain/block; head -c 5000000 /dev/zero | tr '\\0' x > plain/huge
                chmod 1777 sticky; chmod 2755 setgid; echo x > setgid/inside
                cp plain/hello setuid; chmod 4711 setuid; cp plain/hello setgidfile; chmod 2755 setgidfile
                ln plain/hello plain/hard; ln plain/hello deep/er/hard; ln -s ../plain/hello deep/soft; ln -s /nowhere dangling
                ln dangling dangling2
                mknod null c 1 3; mknod disk b 259 70000; mkfifo pipe; chmod 640 pipe null
                chown 1000:2000 plain/large setuid; chmod 4711 setuid; chown -h 12:34 deep/soft
                touch -h -d '1999-12-31 23:59:58.123456789 UTC' deep/soft plain/hello
                touch -d '2001-02-03 04:05:06.5 UTC' plain setgid sticky deep
                n=$(printf 'n%.0s' $(seq 1 120)); mkdir -p $n/$n; echo long > $n/$n/$n; ln -s $n/$n/$n longlink
                ln $n/$n/$n hardlong; printf 'latin' > "$(printf 'caf\\351')"; printf 'x' > 'quo"te\\back'
                """);
    }

    @Test
    void ustar() throws IOException {
        Machine.sh("cd " + tree() + "; chmod u+w .; rm -rf nnn* longlink hardlong");
        isExtractedAsTarDoes("--format=ustar", "");
    }

    @Test
    void v7() throws IOException {
        Machine.sh("cd " + tree() + "; rm -rf nnn* longlink hardlong null disk pipe");
        isExtractedAsTarDoes("--format=v7", "");
    }

    @Test
    void gnu() throws IOException {
        Machine.sh("cd " + tree() + "; chown 3000000:4000000000 plain/empty; touch -d '1950-01-01 UTC' empty");
        isExtractedAsTarDoes("--format=gnu", "");
    }

    @Test
    void pax() throws IOException {
        Machine.sh("cd " + tree() + "; chown 3000000:4000000000 plain/empty; touch -d '1950-01-01 00:00:00.25 UTC' empty");
        isExtractedAsTarDoes("--format=pax", "");
    }

    @Test
    void paxWithExtendedAttributes() throws IOException {
        Machine.sh("cd " + tree() + "; setfattr -n user.note -v 'some value' plain/hello; setfattr -n user.bin -v 0x000aff3d plain;"
                + " setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 setuid;"
                + " setfattr -h -n trusted.mine -v yes dangling");
        isExtractedAsTarDoes("--format=pax --xattrs --xattrs-include='*'", "--xattrs --xattrs-include='*'");
    }

    @Test
    void sparseFilesOfEveryFormat() throws IOException {
        Machine.sh("cd " + tree() + "; truncate -s 3M hole; printf abc | dd of=hole bs=1 seek=1500000 conv=notrunc status=none;"
                + " truncate -s 1M allhole; for i in $(seq 0 60); do printf x | dd of=many bs=1 seek=$((i*100000)) conv=notrunc status=none; done");
        for (String format : new String[] {"--format=gnu", "--format=pax --sparse-version=0.0", "--format=pax --sparse-version=0.1",
            "--format=pax --sparse-version=1.0"}) {
            isExtractedAsTarDoes("--sparse " + format, "");
        }
    }

    @Test
    void holesStayHoles() throws IOException {
        Machine.sh("cd " + tree() + "; rm -rf *; truncate -s 1G hole; printf abc | dd of=hole bs=1 seek=500000000 conv=notrunc status=none; truncate -s 4G allhole;"
                + " tar -c --sparse --format=pax -f " + scratch + "/sparse.tar *");
        try (var store = LayerStore.open(scratch.path().resolve("root")); var staged = store.stage();
                InputStream in = Files.newInputStream(scratch.path().resolve("sparse.tar"))) {
            staged.extract(in);
            Layer layer = staged.commit(Optional.empty());
            assertEquals(5L << 30, layer.size());
            String blocks = Machine.sh("du -s --block-size=1K " + store.driverData(layer.chainId()).get("UpperDir") + " | cut -f1").strip();
            assertTrue(Integer.parseInt(blocks) <= 64, blocks + " KiB on disk");
        }
    }

    private void isExtractedAsTarDoes(String create, String extract) throws IOException {
        Path tar = scratch.path().resolve("layer.tar");
        Path reference = scratch.path().resolve("reference");
        Machine.sh("rm -rf " + reference + "; mkdir " + reference + "; cd " + tree() + "; tar -c --numeric-owner " + create + " -f " + tar
                + " --no-unquote -- *; tar -x --numeric-owner -p " + extract + " -f " + tar + " -C " + reference);
        try (var store = LayerStore.open(scratch.path().resolve("root")); var staged = store.stage()) {
            DiffId diffId;
            try (InputStream in = Files.newInputStream(tar)) {
                diffId = staged.extract(in);
            }
            byte[] original = Files.readAllBytes(tar);
            assertEquals(new DiffId(Digest.of(original)), diffId);
            Layer layer = staged.commit(Optional.empty());
            Path diff = Path.of(store.driverData(layer.chainId()).get("UpperDir"));
            assertEquals(describe(reference), describe(diff));
            assertEquals(Machine.sh("cd " + reference + "; find . -mindepth 1 ! -type d -printf '%i %s\\n' | sort -u | awk '{s+=$2} END {print s}'").strip(),
                    Long.toString(layer.size()));
            try (var again = store.openTar(layer.chainId())) {
                assertArrayEquals(original, again.readAllBytes());
            }
            aDiffOfItGivesTheSameTree(diff, reference);
            store.release(layer.chainId());
        }
    }

    private void aDiffOfItGivesTheSameTree(Path diff, Path reference) throws IOException {
        Path second = scratch.path().resolve("second.tar");
        try (var in = TreeTar.ofLayer(diff, IdentityMapping.NONE)) {
            Files.write(second, in.readAllBytes());
        }
        Path again = scratch.path().resolve("again");
        Machine.sh("rm -rf " + again + "; mkdir " + again + "; tar -x --numeric-owner -p --xattrs --xattrs-include='*' -f " + second + " -C " + again);
        assertEquals(describe(reference), describe(again));
    }

    private static String describe(Path tree) throws IOException {
        return Machine.sh("cd " + tree + "; find . -mindepth 1 -printf '%P|%y|%m|%U:%G|%n|%T@|%l\\n' | LC_ALL=C sort;"
                + " find . -mindepth 1 -type f -print0 | LC_ALL=C sort -z | xargs -0 -r stat -c '%s %n' ;"
                + " find . \\( -type c -o -type b \\) -exec stat -c '%n %t:%T' {} + | sort;"
                + " find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum;"
                + " find . -mindepth 1 -print0 | LC_ALL=C sort -z | xargs -0 -r getfattr -h -d -m - -e hex");
    }

    private Path tree() {
        return scratch.path().resolve("tree");
    }
}
