package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlatformTest {
    @TempDir
    Path folder;

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "linux/amd64,    linux/amd64",
        "linux/x86_64,   linux/amd64",
        "linux/aarch64,  linux/arm64",
        "linux/arm64/v8, linux/arm64",
        "linux/arm,      linux/arm/v7",
        "linux/arm/v6,   linux/arm/v6",
        "linux/arm/6,    linux/arm/v6",
        "linux/armhf,    linux/arm/v7",
        "linux/armel,    linux/arm/v6",
        "arm64,          linux/arm64",
        "LINUX/ARM/V5,   linux/arm/v5",
        "windows/amd64,  windows/amd64",
    })
    void platformsHaveOneName(String given, String name) {
        assertEquals(name, Platform.parse(given).toString());
    }

    @Test
    void nonsenseIsRefused() {
        for (String text : List.of("", "a/b/c/d", "linux/", "li nux/amd64", "linux//v7")) {
            assertThrows(DistributionException.InvalidRequest.class, () -> Platform.parse(text), text);
        }
    }

    @ParameterizedTest(name = "{0} of [{1}] is {2}")
    @CsvSource({
        "linux/amd64,   linux/386 linux/amd64,                                  linux/amd64",
        "linux/amd64,   linux/arm64 linux/386,                                  linux/386",
        "linux/amd64,   linux/amd64/v3 linux/amd64/v2 linux/386,                linux/386",
        "linux/amd64/v3,linux/386 linux/amd64/v1 linux/amd64/v2 linux/amd64/v4, linux/amd64/v2",
        "linux/amd64/v2,linux/amd64/v3 linux/amd64 linux/386,                   linux/amd64",
        "linux/arm64,   linux/arm/v7 linux/arm/v8 linux/amd64,                  linux/arm/v8",
        "linux/arm64/v9,linux/arm64 linux/arm/v8,                               linux/arm/v8",
        "linux/arm/v5,  linux/arm/v6 linux/arm/v5,                              linux/arm/v5",
        "linux/arm64,   linux/arm/v7 linux/amd64 linux/arm64,                   linux/arm64",
        "linux/arm64,   linux/arm/v5 linux/arm/v7 linux/amd64,                  linux/arm/v7",
        "linux/arm/v7,  linux/arm64 linux/arm/v6 linux/arm/v5 linux/arm/v7,     linux/arm/v7",
        "linux/arm/v7,  linux/arm/v5 linux/arm/v6,                              linux/arm/v6",
        "linux/arm/v6,  linux/arm/v7 linux/arm/v5,                              linux/arm/v5",
        "linux/arm/v8,  linux/arm/v6 linux/arm/v7,                              linux/arm/v7",
    })
    void anIndexYieldsTheBestThatRuns(String wanted, String offered, String chosen) {
        assertEquals(chosen, indexOf(offered.split(" ")).choose(Platform.parse(wanted)).mediaType());
    }

    @Test
    void anIndexWithNothingThatRunsIsRefusedInDockersWords() {
        Manifest.Index index = indexOf("linux/arm/v7", "windows/amd64", "unknown/unknown");
        assertEquals(
                "no matching manifest for linux/arm/v6 in the manifest list entries",
                assertThrows(DistributionException.NotInRegistry.class, () -> index.choose(Platform.parse("linux/arm/v6"))).getMessage());
    }

    @Test
    void theKernelSaysWhichArmItIs() throws IOException {
        assertEquals("v7", Platform.armVariantOf(cpuinfo("processor\t: 0\nCPU architecture: 7\n")));
        assertEquals("v8", Platform.armVariantOf(cpuinfo("CPU architecture: 8\n")));
        assertEquals("v6", Platform.armVariantOf(cpuinfo("model name\t: ARMv6-compatible processor rev 7 (v6l)\nCPU architecture: 7\n")));
        assertEquals("v5", Platform.armVariantOf(cpuinfo("CPU architecture: 5TEJ\n")));
        assertEquals("", Platform.armVariantOf(folder.resolve("missing")));
    }

    private Path cpuinfo(String text) throws IOException {
        return Files.writeString(folder.resolve("cpuinfo"), text);
    }

    /// Each manifest's media type tells which one it is.
    private static Manifest.Index indexOf(String... platforms) {
        return new Manifest.Index(Stream.of(platforms)
                .map(name -> {
                    var digest = io.balena.engine.graphdriver.Digest.of(name.getBytes());
                    return new Manifest.Index.Entry(new Descriptor(name, digest, 1), java.util.Optional.of(Platform.parse(name)));
                })
                .toList());
    }
}
