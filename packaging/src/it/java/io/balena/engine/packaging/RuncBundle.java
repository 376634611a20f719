package io.balena.engine.packaging;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// A bundle with the machine's busybox, as `runc spec` makes it but for the terminal, to be changed by tests.
final class RuncBundle {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final Path BUSYBOX = Path.of("/bin/busybox");

    final Path folder;
    final ObjectNode config;

    RuncBundle(Path folder) throws IOException {
        this.folder = Files.createDirectories(folder);
        Path bin = Files.createDirectories(folder.resolve("rootfs/bin"));
        for (String name : List.of("dev", "proc", "sys", "etc", "tmp")) Files.createDirectories(folder.resolve("rootfs").resolve(name));
        Files.copy(BUSYBOX, bin.resolve("busybox"));
        for (String applet : List.of("sh", "true", "sleep", "echo", "cat", "env", "id", "pwd", "ls", "tty", "stty", "grep", "kill", "readlink")) {
            Files.createSymbolicLink(bin.resolve(applet), Path.of("busybox"));
        }
        Command.of("runc", "spec", "--bundle", folder.toString()).run().succeeded();
        config = (ObjectNode) JSON.readTree(folder.resolve("config.json").toFile());
        process().put("terminal", false);
    }

    ObjectNode process() {
        return (ObjectNode) config.get("process");
    }

    RuncBundle running(String... args) {
        var array = process().putArray("args");
        for (String arg : args) array.add(arg);
        return write();
    }

    RuncBundle write() {
        return write(config.toString());
    }

    RuncBundle write(String text) {
        try {
            Files.writeString(folder.resolve("config.json"), text);
            return this;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
