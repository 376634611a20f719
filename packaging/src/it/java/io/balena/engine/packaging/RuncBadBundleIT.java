package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/// A `config.json` that makes no sense gets one clear line, and nothing of the container is left.
class RuncBadBundleIT {
    private static final Map<String, String> CHANGES = new LinkedHashMap<>();

    static {
        CHANGES.put("/process", "null");
        CHANGES.put("/process/args", "[]");
        CHANGES.put("/process/cwd", "\"relative\"");
        CHANGES.put("/process/user/uid", "\"x\"");
        CHANGES.put("/process/rlimits", "[{\"type\":\"RLIMIT_NONE\",\"soft\":1,\"hard\":1}]");
        CHANGES.put("/process/rlimits/0", "{\"type\":\"RLIMIT_NOFILE\",\"soft\":2,\"hard\":1}");
        CHANGES.put("/process/terminal", "\"yes\"");
        CHANGES.put("/root", "null");
        CHANGES.put("/root/path", "\"none\"");
        CHANGES.put("/hostname", "1");
        CHANGES.put("/mounts/0", "{\"destination\":\"/x\",\"type\":\"nofs\",\"source\":\"x\"}");
        CHANGES.put("/mounts/1", "{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/none/none\",\"options\":[\"bind\"]}");
        CHANGES.put("/linux", "{}");
        CHANGES.put("/linux/namespaces", "[]");
        CHANGES.put("/linux/namespaces/0", "{\"type\":\"other\"}");
        CHANGES.put("/linux/namespaces/1", "{\"type\":\"pid\"}");
        CHANGES.put("/linux/namespaces/2", "{\"type\":\"ipc\",\"path\":\"/none\"}");
        CHANGES.put("/linux/sysctl", "{\"kernel.none\":\"1\"}");
        CHANGES.put("/linux/seccomp", "{\"defaultAction\":\"NONE\"}");
        CHANGES.put("/linux/rootfsPropagation", "\"x\"");
        CHANGES.put("/linux/devices", "[{\"path\":\"/dev/x\",\"type\":\"z\"}]");
        CHANGES.put("/linux/resources", "{\"memory\":{\"limit\":\"x\"}}");
        CHANGES.put("/linux/resources/devices", "[{\"allow\":true,\"type\":\"q\",\"access\":\"rwm\"}]");
        CHANGES.put("/hooks", "{\"prestart\":[{\"path\":\"/none\"}]}");
    }

    private static final List<String> TEXTS = List.of("", "{", "[]", "{}", "x", "\u0000", "{\"process\":", "{\"a\":1,}");

    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> eachIsRefusedAsRuncDoesAndLeavesNothing() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        assumeTrue(Files.isExecutable(Path.of("/usr/sbin/runc")), "needs Debian's runc");
        var bundle = new RuncBundle(folder.resolve("bundle")).running("true");
        String whole = bundle.config.toString();
        var changed = CHANGES.entrySet().stream().map(change -> dynamicTest(
                change.getKey() + " = " + change.getValue(), () -> check(bundle, with(whole, change.getKey(), change.getValue()))));
        var texts = TEXTS.stream().map(text -> dynamicTest("config.json = " + text, () -> check(bundle, text)));
        return Stream.concat(changed, texts);
    }

    private void check(RuncBundle bundle, String config) throws IOException {
        bundle.write(config);
        var ours = RuncProgram.ours(folder);
        String id = "runcbad-" + ProcessHandle.current().pid();
        var outcome = ours.run("run", "--bundle", bundle.folder.toString(), id);
        try {
            assertEquals(1, outcome.status(), outcome.toString());
            assertEquals(1, outcome.err().lines().count(), outcome.toString());
            assertEquals("", outcome.out());
            assertEquals(List.of(), ours.traces(id, bundle.folder));
            var runc = RuncProgram.debians(folder).run("run", "--bundle", bundle.folder.toString(), id);
            assertEquals(runc.status(), outcome.status(), runc + "\n" + outcome);
        } finally {
            for (var program : List.of(ours, RuncProgram.debians(folder))) program.run("delete", "--force", id);
        }
    }

    private static String with(String config, String pointer, String value) throws IOException {
        JsonNode root = RuncBundle.JSON.readTree(config);
        int slash = pointer.lastIndexOf('/');
        JsonNode parent = root.at(pointer.substring(0, slash));
        String name = pointer.substring(slash + 1);
        JsonNode node = RuncBundle.JSON.readTree(value);
        if (parent instanceof ObjectNode object) object.set(name, node);
        else ((com.fasterxml.jackson.databind.node.ArrayNode) parent).set(Integer.parseInt(name), node);
        return root.toString();
    }
}
