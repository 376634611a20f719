package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `src/dist/SpelledOut.java`, by which `build` rewrites our classes.
class SpelledOutIT {
    private static final Path TOOL = Path.of(System.getProperty("make.images")).resolve("../../dist/SpelledOut.java").normalize();

    /// What is rewritten: its switches have guards and deconstruct, its records have components of all kinds.
    public static final class Sample implements Supplier<List<String>> {
        sealed interface Shape {}

        record Point() implements Shape {}

        record Everything(boolean z, byte b, short s, char c, int i, long j, float f, double d, String text, char[] array) implements Shape {}

        record Pair(Shape left, Object right) implements Shape {}

        private static final char[] ARRAY = {'a'};

        @Override
        public List<String> get() {
            var all = new Everything(true, (byte) -1, (short) -2, 'c', -3, 1L << 40, Float.NaN, -0.0, "text", ARRAY);
            Object[] values = {null, "text", 7, 70, new Point(), all, new Everything(true, (byte) -1, (short) -2, 'c', -3, 1L << 40, Float.NaN, -0.0, null, ARRAY),
                new Everything(true, (byte) -1, (short) -2, 'c', -3, 1L << 40, Float.NaN, 0.0, "text", ARRAY), new Pair(all, 7), new Pair(null, null),
                new Pair(new Pair(new Point(), "x"), all), List.of()};
            List<String> seen = new ArrayList<>();
            for (Object one : values) {
                // The array's own hash differs from process to process, not from class to class.
                seen.add(kind(one) + " " + one + " " + (one == null ? 0 : one.hashCode()));
                for (Object other : values) seen.add(String.valueOf(one != null && one.equals(other)));
            }
            seen.add(String.valueOf(new Point().equals(new Point())));
            return seen;
        }

        private static String kind(Object value) {
            return switch (value) {
                case null -> "none";
                case Integer number when number > 10 -> "big";
                case Integer _ -> "small";
                case Pair(Pair(var inner, String text), var right) -> "nested " + inner + text + right;
                case Pair(Everything all, Integer number) -> "pair " + all.text + number;
                case Pair pair -> "pair of " + kind(pair.left);
                case Shape shape -> switch (shape) {
                    case Point _ -> "point";
                    case Everything all when all.text == null -> "without text";
                    case Everything _ -> "everything";
                    case Pair _ -> "never";
                };
                case CharSequence _ -> "characters";
                default -> "other";
            };
        }
    }

    @Test void aRewrittenClassDoesWhatItDidAndLeavesNothingToBeMade(@TempDir Path folder) throws Exception {
        Path classes = Path.of(Sample.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Path copies = Files.createDirectories(folder.resolve(Sample.class.getPackageName().replace('.', '/')));
        try (var files = Files.newDirectoryStream(classes.resolve(folder.relativize(copies).toString()), "SpelledOutIT*.class")) {
            for (Path file : files) Files.copy(file, copies.resolve(file.getFileName()));
        }
        assertFalse(madeAtRunTime(copies).isEmpty(), "the sample has nothing to be rewritten");
        String java = Path.of(System.getProperty("java.home"), "bin/java").toString();
        Command.of(java, "-cp", classes.toString(), TOOL.toString(), folder.toString()).run().succeeded();
        assertEquals(List.of(), madeAtRunTime(copies));

        URI place = folder.toUri();
        try (var loader = new URLClassLoader(new URL[] {place.toURL()}, ClassLoader.getPlatformClassLoader())) {
            var rewritten = (Supplier<?>) loader.loadClass(Sample.class.getName()).getConstructor().newInstance();
            List<String> expected = new Sample().get();
            assertTrue(expected.size() > 100);
            assertEquals(expected.stream().map(SpelledOutIT::withoutAddress).toList(),
                    ((List<?>) rewritten.get()).stream().map(each -> withoutAddress((String) each)).toList());
        }
    }

    /// Arrays are shown and hashed by where they are.
    private static String withoutAddress(String seen) {
        return seen.contains("[C@") ? seen.replaceAll("\\[C@[0-9a-f]+", "array").replaceAll(" -?[0-9]+$", "") : seen;
    }

    private static List<String> madeAtRunTime(Path folder) throws IOException {
        List<String> found = new ArrayList<>();
        try (var files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                for (MethodModel method : ClassFile.of().parse(file).methods()) {
                    method.code().stream().flatMap(CodeModel::elementStream).forEach(each -> {
                        if (each instanceof InvokeDynamicInstruction site && site.bootstrapMethod().owner().packageName().equals("java.lang.runtime")) {
                            found.add(file.getFileName() + " " + method.methodName());
                        }
                    });
                }
            }
        }
        return found;
    }
}
