package io.balena.engine.daemon.container.spec;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The devices that files of the Container Device Interface describe, by their whole names, `vendor.com/class=name`.
///
/// @see <a href="https://github.com/cncf-tags/container-device-interface/blob/v0.8.0/SPEC.md">CDI, version 0.8.0</a>
final class CdiRegistry {
    private static final Logger LOG = System.getLogger(CdiRegistry.class.getName());
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, Device> devices = new HashMap<>();
    /// Files in a form that is not read here; a device that is missing may be in one of them.
    private final List<Path> unread = new ArrayList<>();

    /// @param common edits that go with every device of its file
    private record Device(JsonNode common, JsonNode own) {}

    /// Some of the devices asked for are not there.
    static final class Unresolvable extends IOException {
        private static final long serialVersionUID = 1L;

        private Unresolvable(String message) {
            super(message);
        }
    }

    private CdiRegistry() {}

    /// Reads all files anew: they come and go with the devices. One that makes no sense is passed over, as if it were not there.
    ///
    /// @param folders the last one's devices go before the others'; may be missing
    static CdiRegistry read(List<Path> folders) throws IOException {
        var registry = new CdiRegistry();
        for (Path folder : folders) registry.readFolder(folder);
        return registry;
    }

    private void readFolder(Path folder) throws IOException {
        Map<String, Device> found = new HashMap<>();
        Set<String> conflicting = new HashSet<>();
        try (var files = Files.newDirectoryStream(folder, Files::isRegularFile)) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                if (name.endsWith(".yaml") || name.endsWith(".yml")) unread.add(file);
                if (name.endsWith(".json")) readFile(file, found, conflicting);
            }
        } catch (NoSuchFileException | NotDirectoryException e) {
            return;
        }
        devices.putAll(found);
        devices.keySet().removeAll(conflicting);
    }

    private static void readFile(Path file, Map<String, Device> found, Set<String> conflicting) throws IOException {
        JsonNode spec;
        try {
            spec = JSON.readTree(file.toFile());
        } catch (JsonProcessingException e) {
            LOG.log(Level.WARNING, "CDI specification {0} is not read: {1}", file, e.getOriginalMessage());
            return;
        }
        String kind = spec.path("kind").asText("");
        if (kind.indexOf('/') <= 0 || !spec.path("devices").isArray()) {
            LOG.log(Level.WARNING, "CDI specification {0} is not read: it has no kind or no devices", file);
            return;
        }
        for (JsonNode device : spec.get("devices")) {
            String name = kind + "=" + device.path("name").asText("");
            var described = new Device(spec.path("containerEdits"), device.path("containerEdits"));
            // Two of the same rank: nobody can say which is meant.
            if (found.put(name, described) != null) conflicting.add(name);
        }
    }

    /// @throws Unresolvable naming the devices that are not there
    CdiEdits edits(List<String> names) throws Unresolvable {
        List<String> missing = names.stream().filter(name -> !devices.containsKey(name)).toList();
        if (!missing.isEmpty()) {
            String hint = unread.isEmpty() ? "" : " (specifications in YAML are not read, only in JSON: "
                    + String.join(", ", unread.stream().map(Path::toString).toList()) + ")";
            throw new Unresolvable("unresolvable CDI devices " + String.join(", ", missing) + hint);
        }
        List<JsonNode> edits = new ArrayList<>();
        for (String name : names) {
            Device device = devices.get(name);
            if (edits.stream().noneMatch(known -> known == device.common)) edits.add(device.common);
            edits.add(device.own);
        }
        return new CdiEdits(edits);
    }
}
