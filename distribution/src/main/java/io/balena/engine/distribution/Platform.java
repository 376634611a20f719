package io.balena.engine.distribution;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// An operating system, a processor architecture and its variant, in Go's words: `linux/arm/v7`.
///
/// @param variant empty when the architecture has none, or has it by default
/// @see <a href="https://github.com/containerd/platforms">containerd/platforms</a>
record Platform(String os, String architecture, String variant) {
    private static final Pattern PART = Pattern.compile("[A-Za-z0-9_-]+");

    /// Reads `os`, `arch`, `os/arch` or `os/arch/variant`; what is left out is this machine's.
    ///
    /// @throws DistributionException.InvalidRequest when it is none of these
    static Platform parse(String text) {
        String[] parts = text.toLowerCase(Locale.ROOT).split("/", -1);
        boolean wellFormed = parts.length <= 3 && Stream.of(parts).allMatch(p -> PART.matcher(p).matches());
        if (!wellFormed) {
            throw new DistributionException.InvalidRequest("\"" + text + "\": unknown operating system or architecture: invalid argument");
        }
        Platform here = ofThisMachine();
        return switch (parts.length) {
            case 1 -> parts[0].equals("linux") ? here : of("linux", parts[0], "");
            case 2 -> of(parts[0], parts[1], "");
            default -> of(parts[0], parts[1], parts[2]);
        };
    }

    /// Reads the `platform` parameter of save and load: as [#parse(String)], or the JSON object that clients send since API 1.48.
    ///
    /// @throws DistributionException.InvalidRequest when it is neither
    static Platform requested(String text) {
        if (!text.startsWith("{")) return parse(text);
        try {
            return of(Json.MAPPER.readTree(text));
        } catch (IOException e) {
            throw new DistributionException.InvalidRequest("failed to parse platform: " + Json.reason(e));
        }
    }

    /// Under its usual name: `aarch64` is `arm64`, and the variants that an architecture has anyway are left out.
    static Platform of(String os, String architecture, String variant) {
        return switch (architecture) {
            case "x86_64", "x86-64", "amd64" -> new Platform(os, "amd64", variant.equals("v1") ? "" : variant);
            case "i386", "i686", "x86", "386" -> new Platform(os, "386", "");
            case "aarch64", "arm64" -> new Platform(os, "arm64", variant.equals("8") || variant.equals("v8") ? "" : variant);
            case "armhf" -> new Platform(os, "arm", "v7");
            case "armel" -> new Platform(os, "arm", "v6");
            case "arm" -> new Platform(os, "arm", armVariant(variant));
            default -> new Platform(os, architecture, variant);
        };
    }

    /// Reads `{"os":…,"architecture":…,"variant":…}` of an index entry or an image configuration.
    static Platform of(JsonNode node) {
        return of(node.path("os").asText(""), node.path("architecture").asText(""), node.path("variant").asText(""));
    }

    static Platform ofThisMachine() {
        String architecture = System.getProperty("os.arch");
        return of("linux", architecture, architecture.equals("arm") ? armVariantOf(Path.of("/proc/cpuinfo")) : "");
    }

    /// What this platform can run, the best first: an ARMv7 also runs v6 and v5, an arm64 the 32-bit ones, an amd64 of a newer level the
    /// older ones and 386.
    ///
    /// @see <a href="https://github.com/containerd/platforms/blob/main/compare.go">containerd/platforms, Only</a>
    List<Platform> runnable() {
        int level = variant.matches("v[1-9]") ? Character.digit(variant.charAt(1), 10) : 0;
        Stream<Platform> others = switch (architecture) {
            case "amd64" -> Stream.concat(versions("amd64", level - 1, 1), Stream.of(new Platform(os, "386", "")));
            case "arm64" -> versions("arm", level == 0 ? 8 : level, 5);
            case "arm" -> versions("arm", level - 1, 5);
            default -> Stream.empty();
        };
        return Stream.concat(Stream.of(this), others).toList();
    }

    private Stream<Platform> versions(String family, int newest, int oldest) {
        return IntStream.rangeClosed(0, newest - oldest).mapToObj(i -> of(os, family, "v" + (newest - i)));
    }

    private static String armVariant(String variant) {
        return switch (variant) {
            case "", "7" -> "v7";
            case "5", "6", "8" -> "v" + variant;
            case "v5", "v6", "v7", "v8" -> variant;
            default -> "v7";
        };
    }

    /// @param cpuinfo `/proc/cpuinfo`, whose line `CPU architecture: 7` says what the 32-bit kernel runs on
    static String armVariantOf(Path cpuinfo) {
        try {
            String text = KernelFile.text(cpuinfo);
            // The kernel calls the ARMv6 of the first Raspberry Pi "7"; its model name tells the truth.
            if (text.contains("ARMv6-compatible")) return "v6";
            return text.lines()
                    .filter(line -> line.startsWith("CPU architecture"))
                    .map(line -> line.substring(line.indexOf(':') + 1).trim().toLowerCase(Locale.ROOT))
                    .map(value -> value.startsWith("aarch64") ? "v8" : "v" + value.charAt(0))
                    .findFirst()
                    .orElse("");
        } catch (IOException e) {
            return "";
        }
    }

    @Override
    public String toString() {
        return os + "/" + architecture + (variant.isEmpty() ? "" : "/" + variant);
    }
}
