package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// Control groups where systemd is in charge, and of version 2: in a virtual machine, since neither can be had in any other way on a
/// machine that has something else. There our engine and dockerd do the same with both cgroup drivers, and what comes of it, down to
/// the kernel's files and systemd's properties, must be the same.
///
/// `packaging/src/it/vm/transcript` has the steps. A machine takes minutes, since qemu translates each instruction.
@Tag("long")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CgroupVmIT {
    private static final Path SCRIPTS = Path.of(System.getProperty("make.images")).resolveSibling("vm");
    private static final Path FOLDER = Path.of("target/vm").toAbsolutePath();
    private static final Duration LONGEST = Duration.ofMinutes(90);
    private static final String ENGINES = "ours-systemd,dockerd-systemd,ours-cgroupfs,dockerd-cgroupfs";

    @BeforeAll void makeDisks() {
        for (var program : new String[] {"/usr/sbin/debootstrap", "/usr/bin/qemu-system-x86_64", "/usr/sbin/mkfs.ext4"}) {
            assumeTrue(Files.isExecutable(Path.of(program)), "needs " + program);
        }
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        BusyboxImage.assumePossible();
        Command.of(SCRIPTS.resolve("make-disks").toString(), FOLDER.toString(), System.getProperty("engine.dist")).within(LONGEST).run().succeeded();
    }

    @Test void version2IsUsedAsDockerUsesIt() throws IOException {
        compare(boot("unified", ""), "cgroup2fs");
    }

    @Test void bothVersionsAtOnceAreUsedAsDockerUsesThem() throws IOException {
        compare(boot("hybrid", "systemd.unified_cgroup_hierarchy=0"), "tmpfs");
    }

    private static void compare(Map<String, String> transcripts, String expectedRoot) {
        assertTrue(transcripts.get("").startsWith("machine " + expectedRoot), transcripts.get(""));
        for (var driver : new String[] {"systemd", "cgroupfs"}) {
            assertEquals(transcripts.get("dockerd-" + driver), transcripts.get("ours-" + driver), driver);
        }
    }

    /// What each engine printed, by its name; and what the machine said of itself, by none.
    private static Map<String, String> boot(String name, String options) throws IOException {
        Path printed = FOLDER.resolve(name + ".out");
        Files.deleteIfExists(printed);
        Command.of("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536", "-display", "none",
                        "-monitor", "none", "-no-reboot", "-serial", "file:" + FOLDER.resolve(name + ".console"), "-serial", "file:" + printed,
                        "-kernel", FOLDER.resolve("vmlinuz").toString(), "-initrd", FOLDER.resolve("initrd.img").toString(),
                        // Debian's dockerd would want a program that loads its AppArmor profile.
                        "-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 apparmor=0 engines=" + ENGINES + " " + options,
                        "-drive", "file=" + FOLDER.resolve("root.ext4") + ",if=virtio,format=raw,snapshot=on",
                        "-drive", "file=" + FOLDER.resolve("work.ext4") + ",if=virtio,format=raw,snapshot=on")
                .within(LONGEST).run().succeeded();
        Map<String, StringBuilder> parts = new LinkedHashMap<>();
        String part = "";
        for (var line : Files.readString(printed).split("\r?\n")) {
            if (line.startsWith("=== ")) part = line.equals("=== end") ? "" : line.substring("=== ".length());
            else parts.computeIfAbsent(part, _ -> new StringBuilder()).append(line).append('\n');
        }
        assertTrue(part.equals("all done"), () -> "the machine did not come to the end; see " + printed);
        Map<String, String> transcripts = new LinkedHashMap<>();
        parts.forEach((engine, text) -> transcripts.put(engine, text.toString()));
        return transcripts;
    }
}
