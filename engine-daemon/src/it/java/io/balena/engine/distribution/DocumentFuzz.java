package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.Arrays;
import java.util.List;

/// What registries, clients and archives say, to the parsers that read it: sense, or the one exception that each declares.
///
/// The first byte chooses the parser.
public final class DocumentFuzz {
    private DocumentFuzz() {}

    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length == 0) return;
        byte[] rest = Arrays.copyOfRange(input, 1, input.length);
        String text = new String(rest, UTF_8);
        try {
            switch (input[0]) {
                case 'm' -> manifest(rest);
                case 'c' -> config(rest);
                case 'r' -> reference(text);
                case 'w' -> Challenge.parse(List.of(new String(rest, ISO_8859_1).split("\n"))).forEach(Challenge::toString);
                case 'd' -> changes(text);
                case 'p' -> Platform.parse(text).toString();
                case 't' -> GoDuration.parseNanos(text);
                default -> {}
            }
        } catch (DistributionException e) {
            if (e.getMessage() == null) throw new IllegalStateException("an error without a message", e);
        }
    }

    private static void manifest(byte[] json) {
        switch (Manifest.parse(json, Manifest.OCI_MANIFEST)) {
            case Manifest.OfImage image -> {
                for (Descriptor layer : image.layers()) {
                    if (layer.size() < 0) throw new IllegalStateException("a layer of negative size");
                }
            }
            case Manifest.Index index -> index.choose(Platform.parse("linux/arm/v7"));
        }
    }

    private static void config(byte[] json) {
        ImageConfig config = ImageConfig.parse(json);
        config.platform();
        if (config.diffIds().size() > 125) throw new IllegalStateException("too many layers");
    }

    /// A reference is written as it is read.
    private static void reference(String text) {
        ImageReference reference;
        try {
            reference = ImageReference.parse(text);
        } catch (IllegalArgumentException e) {
            return;
        }
        if (!ImageReference.parse(reference.toString()).equals(reference)) throw new IllegalStateException(reference + " is read as another");
        // Of docker.io/a.b/c Docker, too, leaves a.b/c, which is another registry's; no name on Docker Hub is like that.
        String first = reference.path().split("/")[0];
        boolean ambiguous = reference.domain().equals("docker.io") && (first.contains(".") || first.equals("localhost"));
        if (!ambiguous && !ImageReference.parse(reference.familiar()).equals(reference)) throw new IllegalStateException(reference.familiar() + " is read as another");
        if (reference.path().contains("..") || reference.path().startsWith("/")) throw new IllegalStateException("a path that climbs");
    }

    private static void changes(String text) {
        new ConfigChanges(JsonNodeFactory.instance.objectNode()).apply(List.of(text));
    }
}
