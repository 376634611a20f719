package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// `spec` and `features`, which are texts.
final class SpecCommand {
    private SpecCommand() {}

    static int write(CommandWords words) throws IOException {
        Path bundle = Path.of(words.value("bundle", ""));
        if (!Files.isDirectory(bundle.toAbsolutePath())) throw failure("chdir " + bundle + ": no such file or directory");
        String text = words.has("rootless") ? rootless() : resource("spec.json");
        try {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            Files.write(bundle.resolve("config.json"), bytes, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (FileAlreadyExistsException _) {
            throw failure("File config.json exists. Remove it first");
        }
        return 0;
    }

    /// In a user namespace whose root is whoever calls.
    private static String rootless() throws IOException {
        Path self = Path.of("/proc/self");
        return resource("spec-rootless.json")
                .replace("\"@UID@\"", Files.getAttribute(self, "unix:uid").toString())
                .replace("\"@GID@\"", Files.getAttribute(self, "unix:gid").toString());
    }

    static int features() throws IOException {
        System.out.print(resource("features.json"));
        return 0;
    }

    private static String resource(String name) throws IOException {
        try (var in = SpecCommand.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
