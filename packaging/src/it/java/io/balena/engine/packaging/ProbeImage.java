package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// The busybox image with this machine's Python, in which containers look around and attack.
final class ProbeImage {
    static final String NAME = "probe:it";
    /// In the image: what `probe.py` says of itself.
    static final String PROBE = "/probe.py";

    private static final Path SCRIPTS = Path.of("src/it/inside").toAbsolutePath();
    private static final String PYTHON = "/usr/bin/python3";

    private ProbeImage() {}

    static Path script(String name) {
        return SCRIPTS.resolve(name);
    }

    static void assumePossible() {
        BusyboxImage.assumePossible();
        assumeTrue(Files.isExecutable(Path.of(PYTHON)), "needs python3");
    }

    /// The files of the image, in a folder that goes away with the engine.
    static Path tree(Engine engine) {
        assumePossible();
        var root = BusyboxImage.tree(engine);
        // The interpreter, its libraries where the linker looks for them, and so much of its modules as can be of use.
        Command.of("bash", "-euo", "pipefail", "-c", """
                cd "$1"; library=$(%s -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
                mkdir -p usr/bin "$(dirname ".$library")" vol
                cp -L %s usr/bin/python3
                ldd %s "$library"/lib-dynload/_ctypes.*.so | sed -nE 's,^.*[[:space:]](/[^ ]+) \\(0x.*,\\1,p' | sort -u | while read -r file; do
                    mkdir -p ".$(dirname "$file")"; cp -L "$file" ".$file"
                done
                tar -C "$(dirname "$library")" -c --exclude=test --exclude=idlelib --exclude=tkinter --exclude=ensurepip --exclude=lib2to3 \\
                    --exclude='config-*' --exclude=pydoc_data --exclude=dist-packages --exclude=site-packages "$(basename "$library")" |
                    tar -C ".$(dirname "$library")" -x
                cp "$2"/*.py .
                """.formatted(PYTHON, PYTHON, PYTHON), "tree", root.toString(), SCRIPTS.toString()).run().succeeded();
        return root;
    }

    static Path tar(Engine engine) {
        var tar = engine.scratch().resolve("probe.tar");
        Command.of("tar", "-C", tree(engine).toString(), "-cf", tar.toString(), ".").run().succeeded();
        return tar;
    }

    static void importInto(Engine engine, Path tar) {
        engine.docker().run("import", "-c", "CMD [\"sh\"]", tar.toString(), NAME).succeeded();
    }

    /// An image of `tree` as it is now, under a name of its own.
    static void importAs(Engine engine, Path tree, String name, String... changes) {
        var tar = engine.scratch().resolve("image.tar");
        try {
            Command.of("tar", "-C", tree.toString(), "-cf", tar.toString(), ".").run().succeeded();
            var command = engine.docker().command("import");
            for (String change : changes) command = command.and("-c", change);
            command.and(tar.toString(), name).run().succeeded();
            Files.delete(tar);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
