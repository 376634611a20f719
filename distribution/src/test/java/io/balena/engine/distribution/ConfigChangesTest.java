package io.balena.engine.distribution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Expectations are what Docker 20.10 does with the same changes.
class ConfigChangesTest {
    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "CMD echo \"a b\" c          | Cmd          | [\"/bin/sh\",\"-c\",\"echo \\\"a b\\\" c\"]",
        "CMD [\"a\", \"b\"]          | Cmd          | [\"a\",\"b\"]",
        "cmd []                      | Cmd          | []",
        "CMD                         | Cmd          | [\"/bin/sh\",\"-c\"]",
        "CMD [\"a\", \"b             | Cmd          | [\"/bin/sh\",\"-c\",\"[\\\"a\\\", \\\"b\"]",
        "ENTRYPOINT [\"/e\", \"x\"]  | Entrypoint   | [\"/e\",\"x\"]",
        "ENTRYPOINT                  | Entrypoint   | null",
        "ENV A=1 B=\"x y\" C=\\ z    | Env          | [\"A=1\",\"B=x y\",\"C= z\"]",
        "ENV a b c                   | Env          | [\"a=b c\"]",
        "ENV a=$                     | Env          | [\"a=$\"]",
        "ENV a=1 b=$a c=${a:-x}${q:-d} | Env        | [\"a=1\",\"b=\",\"c=xd\"]",
        "EXPOSE 80 90/udp            | ExposedPorts | {\"80/tcp\":{},\"90/udp\":{}}",
        "EXPOSE 80-82                | ExposedPorts | {\"80/tcp\":{},\"81/tcp\":{},\"82/tcp\":{}}",
        "EXPOSE 8080:80 70/TCP       | ExposedPorts | {\"70/tcp\":{},\"80/tcp\":{}}",
        "LABEL \"x y\"=z k=v         | Labels       | {\"k\":\"v\",\"x y\":\"z\"}",
        "LABEL a b                   | Labels       | {\"a\":\"b\"}",
        "USER a b                    | User         | \"a b\"",
        "VOLUME /v /w                | Volumes      | {\"/v\":{},\"/w\":{}}",
        "VOLUME [\"/a\",\"/b\"]      | Volumes      | {\"/a\":{},\"/b\":{}}",
        "WORKDIR /a b                | WorkingDir   | \"/a b\"",
        "WORKDIR a/../b              | WorkingDir   | \"/b\"",
        "onbuild copy a b            | OnBuild      | [\"copy a b\"]",
        "STOPSIGNAL SIGTERM          | StopSignal   | \"SIGTERM\"",
        "HEALTHCHECK --interval=5s --retries=2 CMD curl x | Healthcheck | {\"Test\":[\"CMD-SHELL\",\"curl x\"],\"Interval\":5000000000,\"Retries\":2}",
        "HEALTHCHECK CMD [\"a\",\"b\"] | Healthcheck | {\"Test\":[\"CMD\",\"a\",\"b\"]}",
        "HEALTHCHECK NONE            | Healthcheck  | {\"Test\":[\"NONE\"]}",
    })
    void aChangeDoesWhatItDoesInDocker(String change, String field, String value) {
        assertEquals(value, config(change).path(field).toString());
    }

    @Test
    void laterChangesSeeEarlierOnes() {
        ObjectNode config = config("ENV a=1", "ENV b=$a a=2", "WORKDIR /x", "WORKDIR $b", "CMD x", "ENTRYPOINT y");
        assertEquals("[\"a=2\",\"b=1\"]", config.path("Env").toString());
        assertEquals("/x/1", config.path("WorkingDir").asText());
        assertEquals("[\"/bin/sh\",\"-c\",\"x\"]", config.path("Cmd").toString());
    }

    @Test
    void oneChangeMayHoldSeveralLines() {
        assertEquals("[\"a=1\",\"b=2 3\"]", config("ENV a=1\n# a comment\n\nENV b=2\\ \\\n3").path("Env").toString());
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "``                       | file with no instructions",
        "RUN x                    | run is not a valid change command",
        "FOO x                    | foo is not a valid change command",
        "CMD --foo x              | Unknown flag: foo",
        "ENV                      | ENV requires at least one argument",
        "ENV a                    | ENV must have two arguments",
        "ENV =b                   | ENV names can not be blank",
        "ENV a=${                 | failed to process \"${\": syntax error: missing '}'",
        "ENV a=\"x                | failed to process \"\\\"x\": unexpected end of statement while looking for matching double-quote",
        "EXPOSE                   | EXPOSE requires at least one argument",
        "EXPOSE abc               | Invalid containerPort: abc",
        "EXPOSE 99999             | Invalid containerPort: 99999",
        "LABEL                    | LABEL requires at least one argument",
        "LABEL a                  | LABEL must have two arguments",
        "USER                     | USER requires exactly one argument",
        "WORKDIR                  | WORKDIR requires exactly one argument",
        "VOLUME                   | VOLUME requires at least one argument",
        "VOLUME [\"\"]            | VOLUME specified can not be an empty string",
        "ONBUILD                  | ONBUILD requires at least one argument",
        "ONBUILD FROM x           | FROM isn't allowed as an ONBUILD trigger",
        "ONBUILD ONBUILD x        | Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
        "HEALTHCHECK              | HEALTHCHECK requires at least one argument",
        "HEALTHCHECK FOO          | Unknown type \"FOO\" in HEALTHCHECK (try CMD)",
        "HEALTHCHECK NONE a       | HEALTHCHECK NONE takes no arguments",
        "HEALTHCHECK --bad=1 CMD a | Unknown flag: bad",
        "HEALTHCHECK --interval=x CMD a | time: invalid duration \"x\"",
        "HEALTHCHECK --interval=0.1ms CMD a | Interval \"interval\" cannot be less than 1ms",
        "HEALTHCHECK --retries=-1 CMD a | --retries must be at least 1 (not -1)",
    })
    void aBadChangeIsRefusedInDockersWords(String change, String message) {
        assertEquals(message, assertThrows(DistributionException.InvalidRequest.class, () -> config(change)).getMessage());
    }

    private static ObjectNode config(String... changes) {
        ObjectNode config = ContainerConfig.empty();
        new ConfigChanges(config).apply(List.of(changes));
        return config;
    }
}
