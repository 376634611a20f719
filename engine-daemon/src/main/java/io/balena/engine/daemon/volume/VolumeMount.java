package io.balena.engine.daemon.volume;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.linux.Mount;
import io.balena.engine.linux.Mounts;
import io.balena.engine.runtime.rootfs.MountOptions;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What a volume with options is: a mount(2) for as long as it is used.
///
/// @param type of the file system, e.g. `tmpfs`, `nfs`, or `none` for a bind mount
/// @param options as in mount(8), e.g. `size=1m,uid=1000` or `bind`
/// @param device what is mounted
public record VolumeMount(String type, String options, String device) {
    private static final Set<String> KNOWN = Set.of("type", "o", "device", "size");
    private static final Pattern ADDRESS = Pattern.compile("(?<=^|,)addr=([^,]+)");

    /// Reads `DriverOpts`.
    ///
    /// @return empty when there are none
    /// @throws InvalidRequest in Docker's words
    static Optional<VolumeMount> of(String volume, Map<String, String> driverOptions) {
        if (driverOptions == null || driverOptions.isEmpty()) return Optional.empty();
        String context = "create " + volume + ": ";
        for (String name : driverOptions.keySet()) {
            if (!KNOWN.contains(name)) throw new InvalidRequest(context + "invalid option: \"" + name + "\"");
        }
        if (driverOptions.containsKey("size")) throw new InvalidRequest(context + "quota size requested but no quota support");
        for (String name : List.of("device", "type")) {
            if (!driverOptions.getOrDefault(name, "").isEmpty()) continue;
            throw new InvalidRequest(context + "missing required option: \"" + name + "\"");
        }
        return Optional.of(new VolumeMount(driverOptions.get("type"), driverOptions.getOrDefault("o", ""), driverOptions.get("device")));
    }

    /// Reads `opts.json`. Some versions of Docker wrote one that says nothing.
    static Optional<VolumeMount> read(JsonNode json) {
        var mount = new VolumeMount(
                json.path("MountType").asText(""), json.path("MountOpts").asText(""), json.path("MountDevice").asText(""));
        return mount.type.isEmpty() && mount.options.isEmpty() && mount.device.isEmpty() ? Optional.empty() : Optional.of(mount);
    }

    ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("MountType", type).put("MountOpts", options).put("MountDevice", device);
        json.putObject("Quota").put("Size", 0);
        return json;
    }

    /// As the user gave them.
    Map<String, String> driverOptions() {
        Map<String, String> all = new TreeMap<>(Map.of("type", type, "device", device));
        if (!options.isEmpty()) all.put("o", options);
        return all;
    }

    /// @throws IOException in Docker's words
    void mount(Path target) throws IOException {
        try {
            if (device.isEmpty()) throw new IOException("missing device in volume options");
            MountOptions parsed = MountOptions.of(List.of(resolved().split(",")));
            String data = parsed.data() == null ? "" : parsed.data();
            Mounts.mount(new Mount(device, type, parsed.flags(), data), target);
            try {
                for (long propagation : parsed.propagation()) Mounts.mount(new Mount("", "", propagation, ""), target);
                // A bind mount takes its flags only when it is mounted again.
                if (parsed.isBind() && parsed.isRestricting()) Mounts.mount(new Mount(device, type, parsed.remounting(), data), target);
            } catch (IOException e) {
                Mounts.detach(target);
                throw e;
            }
        } catch (IOException e) {
            throw new IOException("error while mounting volume '" + target + "': failed to mount local volume: " + e.getMessage(), e);
        }
    }

    /// The kernel's NFS takes addresses only; a name is what a user knows.
    private String resolved() throws IOException {
        Matcher address = ADDRESS.matcher(options);
        if (!type.equals("nfs") && !type.equals("cifs") || !address.find()) return options;
        String number = InetAddress.getByName(address.group(1)).getHostAddress();
        return options.substring(0, address.start(1)) + number + options.substring(address.end(1));
    }
}
