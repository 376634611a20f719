package io.balena.engine.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.balena.engine.runtime.RuntimeCommand;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigFileTest {
    @TempDir
    private Path folder;

    private Settings read(String json, String... flags) throws Exception {
        Path file = folder.resolve("daemon.json");
        Files.writeString(file, json);
        String[] arguments = new String[flags.length + 1];
        arguments[0] = "--config-file=" + file;
        System.arraycopy(flags, 0, arguments, 1, flags.length);
        Settings settings = CommandLine.parse("balenad", arguments);
        ConfigFile.addTo(settings);
        return settings;
    }

    private void refused(String reason, String json, String... flags) {
        var thrown = assertThrows(ConfigFile.ConfigException.class, () -> read(json, flags));
        assertEquals("unable to configure the Docker daemon with file " + folder.resolve("daemon.json") + ": " + reason, thrown.getMessage());
    }

    @Test
    void itNamesOtherRuntimesWithTheirArguments() throws Exception {
        Settings settings = read("{\"runtimes\":{\"a\":{\"path\":\"/x\",\"runtimeArgs\":[\"--debug\"]}},\"default-runtime\":\"a\"}", "--add-runtime=b=/y");
        var runtimes = EngineConfig.of(settings).containers().runtimes().others();
        assertEquals(Map.of("a", new RuntimeCommand("/x", List.of("--debug")), "b", new RuntimeCommand("/y", List.of())), runtimes);
        refused("configuration validation from file failed: runtime name 'runc' is reserved", "{\"runtimes\":{\"runc\":{\"path\":\"/x\"}}}");
        refused("json: cannot unmarshal number into Go struct field Runtime.runtimes.path of type string", "{\"runtimes\":{\"a\":{\"path\":1}}}");
        refused("json: cannot unmarshal string into Go struct field Config.runtimes of type types.Runtime", "{\"runtimes\":{\"a\":\"x\"}}");
        refused("json: cannot unmarshal array into Go struct field Config.runtimes of type map[string]types.Runtime", "{\"runtimes\":[]}");
    }

    @Test
    void itsKeysMeanWhatTheFlagsMean() throws Exception {
        Settings settings = read("{\"hosts\":[\"unix:///a\",\"unix:///b\"],\"debug\":true,\"mtu\":1400,\"log-opts\":{\"max-size\":\"1m\"},"
                + "\"default-ulimits\":{\"nofile\":{\"Name\":\"nofile\",\"Soft\":1,\"Hard\":2}},\"dns\":[],\"features\":{\"buildkit\":false}}", "--icc=true");
        assertEquals(List.of("unix:///a", "unix:///b"), settings.list("host"));
        assertTrue(settings.flag("debug"));
        assertEquals(1400, settings.number("mtu"));
        assertEquals(Map.of("max-size", "1m"), settings.map("log-opt"));
        assertEquals(List.of("nofile=1:2"), settings.list("default-ulimit"));
    }

    @Test
    void proxiesStandInAnObjectOfTheirOwnOrAmongTheOthers() throws Exception {
        Settings settings = read("{\"proxies\":{\"http-proxy\":\"http://a.test\",\"no-proxy\":\"b.test\"},\"https-proxy\":\"http://c.test\"}");
        assertEquals(List.of("http://a.test", "http://c.test", "b.test"),
                List.of(settings.text("http-proxy"), settings.text("https-proxy"), settings.text("no-proxy")));
        refused("the following directives don't match any configuration option: ftp-proxy", "{\"proxies\":{\"ftp-proxy\":\"x\"}}");
    }

    @Test
    void theConflictOfTwoProxiesTellsNoPassword() {
        refused("the following directives are specified both as a flag and in the configuration file: "
                + "http-proxy: (from flag: http://xxxxx:xxxxx@a.test, from file: http://xxxxx:xxxxx@b.test)",
                "{\"proxies\":{\"http-proxy\":\"http://u:secret@b.test\"}}", "--http-proxy=http://u:secret@a.test");
    }

    @Test
    void whatIsWrongIsToldInDockerdsWords() {
        refused("EOF", "");
        refused("the following directives don't match any configuration option: bar, foo", "{\"foo\":1,\"bar\":2}");
        refused("json: cannot unmarshal string into field mtu of type int", "{\"mtu\":\"x\"}");
        refused("insecure-registries: insecure registry a://b should not contain '://'", "{\"insecure-registries\":[\"a://b\"]}");
        refused("registry-mirrors: invalid mirror: username/password not allowed in URI \"https://u:xxxxx@a.test\"",
                "{\"registry-mirrors\":[\"https://u:secret@a.test\"]}");
        refused("json: cannot unmarshal number into field log-opts of type map[string]string", "{\"log-opts\":1}");
        refused("the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: true), "
                + "hosts: (from flag: [unix:///a], from file: [unix:///b])", "{\"hosts\":[\"unix:///b\"],\"debug\":true}", "-H", "unix:///a", "-D");
    }

    @Test
    void onlyAFileThatWasAskedForMustExist() throws Exception {
        Settings asked = CommandLine.parse("balenad", "--config-file=" + folder.resolve("none.json"));
        assertThrows(ConfigFile.ConfigException.class, () -> ConfigFile.addTo(asked));
        assertThrows(IOException.class, () -> Files.readString(folder.resolve("none.json")));
    }
}
