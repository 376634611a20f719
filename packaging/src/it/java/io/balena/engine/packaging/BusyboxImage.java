package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// A small image made of this machine's static busybox.
final class BusyboxImage {
    static final String NAME = "busybox:it";

    private static final Path BUSYBOX = Path.of("/bin/busybox");

    private BusyboxImage() {}

    static void assumePossible() {
        assumeTrue(Files.isExecutable(BUSYBOX) && Command.of("ldd", BUSYBOX.toString()).run().status() != 0, "needs busybox-static");
    }

    static Path tree(Engine engine) {
        assumePossible();
        var root = engine.scratch();
        try {
            for (var folder : new String[] {"bin", "dev", "etc", "proc", "root", "sys", "tmp", "home/web"}) {
                Files.createDirectories(root.resolve(folder));
            }
            Files.copy(BUSYBOX, root.resolve("bin/busybox"));
            root.resolve("bin/busybox").toFile().setExecutable(true, false);
            for (var applet : Command.of(BUSYBOX.toString(), "--list").run().out().split("\n")) {
                if (!applet.equals("busybox")) Files.createSymbolicLink(root.resolve("bin/" + applet), Path.of("busybox"));
            }
            Files.writeString(root.resolve("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:1234:1235::/home/web:/bin/sh\n");
            Files.writeString(root.resolve("etc/group"), "root:x:0:\nweb:x:1235:\nextra:x:4321:web\n");
            Files.writeString(root.resolve("etc/not-executable"), "#!/bin/sh\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Command.of("chmod", "1777", root.resolve("tmp").toString()).run().succeeded();
        Command.of("chmod", "755", root.toString()).run().succeeded();
        return root;
    }

    static void importInto(Engine engine) {
        var tar = engine.scratch().resolve("busybox.tar");
        Command.of("tar", "-C", tree(engine).toString(), "-cf", tar.toString(), ".").run().succeeded();
        engine.docker().run("import", "-c", "CMD [\"sh\"]", "-c", "ENV FROM_IMAGE=yes", tar.toString(), NAME).succeeded();
    }

    /// `base:1`, which has something of everything that an image may say.
    static void importAsBase(Engine engine) {
        SideBySide.shell(engine, "tar -C " + tree(engine) + " -c . | docker import -c 'CMD [\"sh\"]' -c 'ENV FROM_IMAGE=yes' -c 'VOLUME /vol' -c 'LABEL l=1' -c 'EXPOSE 80' - base:1").succeeded();
    }
}
