package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

/// A real registry on the loopback address of an engine's network, with the images that `make-images` made.
final class Registry implements AutoCloseable {
    private static final Path FOLDER = Path.of(System.getenv().getOrDefault("XDG_CACHE_HOME", System.getProperty("user.home") + "/.cache"),
            "balena-engine-tests");
    static final String HOST = "127.0.0.1:5000";
    private final Process process;

    private Registry(Process process) {
        this.process = process;
    }

    static Registry start(Engine engine) {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/docker-registry")), "needs docker-registry");
        var made = new Command(java.util.List.of(System.getProperty("make.images", "src/it/make-images"), FOLDER.toString()),
                java.util.Map.of(), Duration.ofMinutes(8)).run();
        assumeTrue(made.status() == 0, () -> "no images for tests: " + made.err().lines().findFirst().orElse("make-images failed"));
        return start(engine, FOLDER.resolve("registry"));
    }

    /// @param storage as docker-registry keeps it
    static Registry start(Engine engine, Path storage) {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/docker-registry")), "needs docker-registry");
        var configuration = engine.scratch().resolve("registry.yml");
        try {
            Files.writeString(configuration, """
                    version: 0.1
                    log: { level: error }
                    storage: { filesystem: { rootdirectory: %s }, maintenance: { readonly: { enabled: true } } }
                    http: { addr: "%s" }
                    """.formatted(storage, HOST));
            var builder = new ProcessBuilder(engine.inside("docker-registry", "serve", configuration.toString()).words())
                    .redirectErrorStream(true).redirectOutput(configuration.resolveSibling("registry.log").toFile());
            var registry = new Registry(builder.start());
            if (!Engine.become(Duration.ofSeconds(20), () -> engine.inside("curl", "-fs", "http://" + HOST + "/v2/").run().status() == 0)) {
                registry.close();
                throw new AssertionError("the registry does not answer");
            }
            return registry;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void assumeDebianImages() {
        var reason = FOLDER.resolve("no-debian");
        try {
            assumeTrue(!Files.exists(reason), Files.exists(reason) ? "no Debian images: " + Files.readString(reason).strip() : "");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override public void close() {
        process.destroy();
        try {
            process.waitFor();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }
}
