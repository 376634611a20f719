package io.balena.engine.fuzz;

import java.io.File;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/// Our classes with the version number of Java 21: Jazzer's instrumentation refuses newer ones, though nothing in them is new to it.
final class OlderClasses {
    private static final String OURS = "io/balena/engine";
    private static final int VERSION = 7; // the low byte of `major_version`, after magic and `minor_version`
    private static final byte JAVA_21 = 65;

    private OlderClasses() {}

    /// The class path of this JVM, with copies in `to` before all else.
    static String classPath(Path to) throws IOException {
        // Surefire starts its JVMs with a jar that only names the others.
        String own = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        for (String element : own.split(File.pathSeparator)) {
            Path place = Path.of(element);
            if (Files.isDirectory(place)) {
                copy(place, to);
            } else if (Files.exists(place)) {
                try (FileSystem jar = FileSystems.newFileSystem(place)) {
                    copy(jar.getPath("/"), to);
                }
            }
        }
        return to + File.pathSeparator + own;
    }

    private static void copy(Path root, Path to) throws IOException {
        if (!Files.isDirectory(root.resolve(OURS))) return;
        try (Stream<Path> files = Files.walk(root.resolve(OURS))) {
            for (Path file : files.filter(path -> path.toString().endsWith(".class")).toList()) {
                Path copy = to.resolve(root.relativize(file).toString());
                if (Files.exists(copy)) continue; // the first on the class path counts
                Files.createDirectories(copy.getParent());
                byte[] bytes = Files.readAllBytes(file);
                bytes[VERSION] = JAVA_21;
                Files.write(copy, bytes);
            }
        }
    }
}
