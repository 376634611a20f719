import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;

/// Rewrites classes compiled for Java 5 as classes of Java 8, with the stack maps those have.
///
/// The class archive holds no class of the older format; picocli is one such library, and our command line would
/// spend most of its start reading and verifying it.
///
/// Run by `build`: `java Modernise.java FOLDER`, where the folder holds an unpacked jar.
final class Modernise {
    private static final int JAVA_5 = 49;

    public static void main(String[] arguments) throws IOException {
        var folder = Path.of(arguments[0]);
        try (var loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, null); var files = Files.walk(folder)) {
            var hierarchy = ClassHierarchyResolver.ofResourceParsing(loader)
                    .orElse(ClassHierarchyResolver.ofResourceParsing(ClassLoader.getSystemClassLoader()));
            var classFile = ClassFile.of(ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
                    ClassFile.ClassHierarchyResolverOption.of(hierarchy));
            files.filter(file -> file.toString().endsWith(".class")).forEach(file -> rewrite(classFile, file));
        }
    }

    private static void rewrite(ClassFile classFile, Path file) {
        try {
            var model = classFile.parse(file);
            if (model.majorVersion() > JAVA_5) return;
            // Code that passes a transformation, even an empty one, is written anew, with its stack maps.
            Files.write(file, classFile.transformClass(model, ClassTransform.transformingMethodBodies(CodeTransform.ACCEPT_ALL)
                    .andThen((builder, element) -> builder.with(element instanceof ClassFileVersion
                            ? ClassFileVersion.of(ClassFile.JAVA_8_VERSION, 0) : element))));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
