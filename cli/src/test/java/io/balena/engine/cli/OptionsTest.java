package io.balena.engine.cli;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

import java.time.Duration;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

/// What options mean, in the API's words.
class OptionsTest {
    private static com.fasterxml.jackson.databind.JsonNode container(String... arguments) {
        var options = new ContainerOptions();
        new CommandLine(options).setStopAtPositional(true).parseArgs(arguments);
        return options.toJson(true);
    }

    @Test void whatFollowsTheImageBelongsToTheContainer() {
        var container = container("-it", "image", "ls", "-l", "--rm");
        assertEquals("[\"ls\",\"-l\",\"--rm\"]", container.path("Cmd").toString());
        assertEquals("image", container.path("Image").asText());
        assertEquals(true, container.path("Tty").asBoolean() && container.path("OpenStdin").asBoolean());
    }

    @Test void limitsAreBytesAndNanoseconds() {
        var host = container("-m", "64m", "--cpus", "1.5", "--shm-size", "1g", "image").path("HostConfig");
        assertEquals(64L << 20, host.path("Memory").asLong());
        assertEquals(1_500_000_000L, host.path("NanoCpus").asLong());
        assertEquals(1L << 30, host.path("ShmSize").asLong());
    }

    @ParameterizedTest
    @CsvSource({"80, '', '', 80/tcp", "8080:80, '', 8080, 80/tcp", "127.0.0.1:8080:80/udp, 127.0.0.1, 8080, 80/udp",
            "127.0.0.1::80, 127.0.0.1, '', 80/tcp", "[::1]:8080:80, ::1, 8080, 80/tcp"})
    void portsAreReadInAllTheirForms(String text, String address, String hostPort, String containerPort) {
        assertEquals(new PortOption(address, hostPort, containerPort), PortOption.parse(text));
    }

    @Test void mountsAreReadFieldByField() {
        assertEquals("{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true}",
                MountOption.parse("type=bind,source=/a,target=/b,readonly").toString());
        assertThrows(CommandFailed.class, () -> MountOption.parse("type=bind,source=/a"));
        assertThrows(CommandFailed.class, () -> MountOption.parse("target=/a,colour=red"));
    }

    @Test void switchesMayCarryTheirValue() {
        assertArrayEquals(new String[] {"run", "--rm", "--sig-proxy=false", "x"},
                BooleanFlags.plain(new String[] {"run", "--rm=true", "--privileged=false", "--sig-proxy=false", "x"}));
    }

    @ParameterizedTest
    @CsvSource({"unix:///a/b, unix:///a/b", "tcp://1.2.3.4:99, tcp://1.2.3.4:99", "tcp://host, tcp://host:2375", "tcp://:99/, tcp://localhost:99"})
    void enginesAreNamedByTheirAddress(String text, String address) {
        assertEquals(address, EngineAddress.parse(text).toString());
    }

    @Test void anAddressOfAnotherKindIsRefused() {
        assertEquals("unable to parse docker host `ftp://x`", assertThrows(IllegalArgumentException.class, () -> EngineAddress.parse("ftp://x")).getMessage());
    }

    @ParameterizedTest
    @CsvSource({"a, a, latest", "a:1, a, 1", "h:5000/a, h:5000/a, latest", "h:5000/a:1, h:5000/a, 1", "a@sha256:ff, a, sha256:ff", "a:1@sha256:ff, a, sha256:ff"})
    void imageNamesAreCutWhereTheTagBegins(String name, String repository, String tag) {
        assertEquals(new ImageName(repository, tag), ImageName.parse(name));
    }

    @ParameterizedTest
    @CsvSource({"0, Less than a second", "1, 1 second", "59, 59 seconds", "60, About a minute", "3599, 59 minutes", "3600, About an hour",
            "86400, 24 hours", "259200, 3 days", "1814400, 3 weeks", "31536000, 12 months", "94608000, 3 years"})
    void durationsAreThoseThatPeopleUse(long seconds, String text) {
        assertEquals(text, Units.duration(Duration.ofSeconds(seconds)));
    }

    @ParameterizedTest
    @CsvSource({"0, 0B", "999, 999B", "1000, 1kB", "1980000, 1.98MB", "184300000, 184MB", "1234567890, 1.23GB"})
    void sizesHaveThreeDigits(long bytes, String text) {
        assertEquals(text, Units.size(bytes, 3));
    }
}
