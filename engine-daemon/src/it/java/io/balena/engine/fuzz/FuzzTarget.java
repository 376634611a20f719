package io.balena.engine.fuzz;

import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.balena.engine.daemon.bbolt.BoltFuzz;
import io.balena.engine.daemon.image.RequestFuzz;
import io.balena.engine.delta.DeltaFuzz;
import io.balena.engine.distribution.CompressionFuzz;
import io.balena.engine.distribution.DocumentFuzz;
import io.balena.engine.graphdriver.LayerFuzz;
import io.balena.engine.graphdriver.TarParserFuzz;
import io.balena.engine.graphdriver.TarSplitFuzz;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/// What is fuzzed: a class with the entry points that Jazzer looks for, and the inputs to begin with, which are kept in
/// `src/test/resources/fuzz`, those that once broke something among them.
enum FuzzTarget {
    TAR(TarParserFuzz.class, "tar"),
    LAYER(LayerFuzz.class, "tar"),
    TAR_SPLIT(TarSplitFuzz.class, "tarsplit"),
    DOCUMENT(DocumentFuzz.class, "document"),
    COMPRESSION(CompressionFuzz.class, "compression"),
    DELTA(DeltaFuzz.class, "delta"),
    REQUEST(RequestFuzz.class, "request"),
    BBOLT(BoltFuzz.class, "bbolt");

    final Class<?> type;
    private final String corpus;

    FuzzTarget(Class<?> type, String corpus) {
        this.type = type;
        this.corpus = corpus;
    }

    /// Inputs by name. Those of tars are kept packed, as most of a tar is zeros.
    Map<String, byte[]> corpus() throws IOException {
        var inputs = new TreeMap<String, byte[]>();
        try (Stream<Path> files = Files.list(folder())) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                try (InputStream in = Files.newInputStream(file); InputStream unpacked = name.endsWith(".tar.gz") ? new GZIPInputStream(in) : in) {
                    inputs.put(name, unpacked.readAllBytes());
                }
            }
        }
        return inputs;
    }

    private Path folder() throws IOException {
        var resource = FuzzTarget.class.getResource("/fuzz/" + corpus);
        assertNotNull(resource, corpus);
        try {
            return Path.of(resource.toURI());
        } catch (URISyntaxException e) {
            throw new IOException(e);
        }
    }

    void initialize() throws Throwable {
        for (Method method : type.getMethods()) {
            if (method.getName().equals("fuzzerInitialize")) invoke(method);
        }
    }

    /// @throws Throwable when `input` breaks what the target promises
    void run(byte[] input) throws Throwable {
        invoke(type.getMethod("fuzzerTestOneInput", byte[].class), input);
    }

    private static void invoke(Method method, Object... arguments) throws Throwable {
        try {
            method.invoke(null, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
