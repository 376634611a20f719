package io.balena.engine.graphdriver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Layers of an engine whose containers have other users on the host than inside.
class ShiftedOwnersIT {
    private static final IdentityMapping OWNERS = new IdentityMapping(
            List.of(new IdentityMapping.Range(0, 100_000, 1000), new IdentityMapping.Range(1000, 300_000, 64_536)),
            List.of(new IdentityMapping.Range(0, 200_000, 65_536)));

    @RegisterExtension
    final ScratchFolder scratch = new ScratchFolder();

    private byte[] tar;

    @BeforeEach
    void pack() throws IOException {
        Machine.sh("cd " + scratch + """
                ; mkdir -p tree/etc tree/bin; cd tree; echo hello > etc/file; ln etc/file bin/hard; ln -s file etc/soft; mkfifo etc/pipe
                mknod etc/null c 1 3; : > etc/.wh.gone; chown 1234:5 etc/file etc/.wh.gone; chown -h 7:1000 etc/soft; chown 0:65535 etc/pipe
                chown 65535:0 etc/null; chown 999:0 bin; chmod 4711 etc/file; chmod 2750 bin
                setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 etc/file
                tar -c --xattrs --xattrs-include='*' --numeric-owner --no-recursion -f ../layer.tar etc/file etc/soft etc/pipe etc/null etc/.wh.gone bin bin/hard""");
        tar = Files.readAllBytes(scratch.path().resolve("layer.tar"));
    }

    private Layer extract(LayerStore store) throws IOException {
        try (var staged = store.stage()) {
            staged.extract(new ByteArrayInputStream(tar));
            return staged.commit(Optional.empty());
        }
    }

    private LayerStore open() throws IOException {
        return LayerStore.open(scratch.path().resolve("root"), OWNERS);
    }

    private static String owners(Path tree) throws IOException {
        return Machine.sh("cd " + tree + "; find . -printf '%p %U:%G %m\\n' | sort");
    }

    @Test
    void everyFileBelongsToTheHostsUserForItsOwn() throws IOException {
        try (var store = open()) {
            Path diff = Path.of(store.driverData(extract(store).chainId()).get("UpperDir"));
            assertEquals("""
                    . 100000:200000 755
                    ./bin 100999:200000 2750
                    ./bin/hard 300234:200005 4711
                    ./etc 100000:200000 755
                    ./etc/file 300234:200005 4711
                    ./etc/gone 300234:200005 0
                    ./etc/null 364535:200000 644
                    ./etc/pipe 100000:265535 644
                    ./etc/soft 100007:201000 777
                    """, owners(diff));
            String folders = Machine.sh("stat -c '%u:%g %a' " + scratch + "/root/overlay2 " + diff.getParent());
            assertEquals("0:200000 710\n0:200000 710\n", folders);
        }
    }

    @Test
    void theTarIsReproducedAsItCame() throws IOException {
        try (var store = open()) {
            Layer layer = extract(store);
            try (InputStream again = store.openTar(layer.chainId())) {
                assertArrayEquals(tar, again.readAllBytes());
            }
        }
        try (var store = open()) { // and by the next engine
            try (InputStream again = store.openTar(new ChainId(Digest.of(tar)))) {
                assertArrayEquals(tar, again.readAllBytes());
            }
        }
    }

    @Test
    void whatAContainerWroteIsReadOutAsItsUsersAgain() throws IOException {
        try (var store = open()) {
            Layer layer = extract(store);
            ContainerLayer container = store.createContainerLayer("c", Optional.of(layer.chainId()));
            Path merged = container.mount();
            assertEquals("100000:200000\n", Machine.sh("stat -c %u:%g " + merged + "/etc/hosts"));
            // Capabilities that root of a user namespace gave are bound to him on disk.
            Machine.sh("cd " + merged + "; echo new > new; chown 300001:200007 new; echo hosts > hosts; chown 0:0 hosts; rm etc/file; cp /bin/true cap; "
                    + "chown 100000:200000 cap; setfattr -n security.capability -v 0x0100000300040000000000000000000000000000a0860100 cap");
            for (boolean whole : new boolean[] {false, true}) {
                Path file = scratch.path().resolve(whole ? "tree.tar" : "diff.tar");
                try (var in = whole ? container.openTree() : container.openDiff()) {
                    Files.copy(in, file);
                }
                String members = Machine.sh("tar -tv --numeric-owner -f " + file + " | awk '{print $6, $2}' | sort");
                assertTrue(members.contains("new 1001/7\n"), members);
                // Of a container with the host's users, where it was root's; nothing is left out.
                assertTrue(members.contains("hosts 0/0\n"), members);
                assertTrue(members.contains("cap 0/0\n"), members);
                if (whole) assertTrue(members.contains("etc/null 65535/0\n"), members);
            }
            String capability = Machine.sh("mkdir " + scratch + "/x; tar -x --xattrs --xattrs-include='*' -C " + scratch + "/x -f " + scratch
                    + "/diff.tar cap; getfattr -e hex -n security.capability --only-values " + scratch + "/x/cap | od -An -tx1 | tr -d ' \\n'");
            assertEquals("0100000200040000000000000000000000000000", capability);
            container.remove();
        }
    }

    @Test
    void anOwnerBeyondTheRangesIsRefused() throws IOException {
        Machine.sh("cd " + scratch + "; : > far; chown 65536 far; tar -c --numeric-owner -f far.tar far");
        try (var store = open(); var staged = store.stage(); var in = Files.newInputStream(scratch.path().resolve("far.tar"))) {
            var e = assertThrows(UnmappedIdException.class, () -> staged.extract(in));
            assertEquals("Container ID 65536 cannot be mapped to a host ID", e.getMessage());
        }
    }
}
