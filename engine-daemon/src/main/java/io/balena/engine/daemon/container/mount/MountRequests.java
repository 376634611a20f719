package io.balena.engine.daemon.container.mount;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.mount.MountPoint.Type;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Reads `Binds`, `Mounts` and `Volumes` of a create request.
public final class MountRequests {
    private static final Set<String> PROPAGATION = Set.of("private", "rprivate", "shared", "rshared", "slave", "rslave");
    private static final Set<String> OTHER_MODES = Set.of("ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated");

    private final Map<String, MountPoint> byDestination = new LinkedHashMap<>();

    private MountRequests() {}

    /// @throws InvalidRequest with Docker's words
    public static List<MountPoint> of(ContainerConfig config, HostConfig host) {
        var requests = new MountRequests();
        for (String bind : host.texts("Binds")) requests.add(bind(bind));
        for (JsonNode mount : host.objects("Mounts")) requests.add(mount(mount));
        for (String path : config.volumes()) {
            String destination = normalized(path);
            if (!destination.startsWith("/") || destination.equals("/")) {
                throw new InvalidRequest("invalid volume: '" + path + "': mount path must be absolute");
            }
            if (!requests.byDestination.containsKey(destination) && !host.textMap("Tmpfs").containsKey(path)) {
                requests.add(new MountPoint(Type.VOLUME, "", "", destination, "", true, "", "", true, true));
            }
        }
        return List.copyOf(requests.byDestination.values());
    }

    private void add(MountPoint mount) {
        if (byDestination.putIfAbsent(mount.destination(), mount) != null) {
            throw new InvalidRequest("Duplicate mount point: " + mount.destination());
        }
    }

    private static MountPoint bind(String spec) {
        String[] parts = spec.split(":", -1);
        String source = parts.length > 1 ? parts[0] : "";
        String target = parts.length > 1 ? parts[1] : parts[0];
        String mode = parts.length > 2 ? parts[2] : "";
        if (parts.length > 3 || target.isEmpty() || parts.length > 1 && source.isEmpty()) {
            throw new InvalidRequest("invalid volume specification: '" + spec + "'");
        }
        Type type = source.startsWith("/") ? Type.BIND : Type.VOLUME;
        String destination = normalized(target);
        String context = "invalid volume specification: '" + spec + "': ";
        requireDestination(context, type, target, destination);
        if (type == Type.VOLUME && !source.isEmpty()) requireVolumeName(context, source);
        boolean writable = true;
        boolean copyUp = type == Type.VOLUME;
        String propagation = type == Type.BIND ? "rprivate" : "";
        for (String word : mode.isEmpty() ? new String[0] : mode.split(",", -1)) {
            if (PROPAGATION.contains(word) && type == Type.BIND) propagation = word;
            else if (!OTHER_MODES.contains(word)) throw new InvalidRequest(context + "invalid mode: " + mode);
            if (word.equals("ro")) writable = false;
            if (word.equals("nocopy")) copyUp = false;
        }
        if (type == Type.BIND) {
            return new MountPoint(type, "", normalized(source), destination, mode, writable, propagation, "", true, false);
        }
        return new MountPoint(type, source, "", destination, mode.isEmpty() ? "z" : mode, writable, propagation, "", true, copyUp);
    }

    private static MountPoint mount(JsonNode json) {
        String word = json.path("Type").asText("");
        String source = json.path("Source").asText("");
        String target = json.path("Target").asText("");
        boolean writable = !json.path("ReadOnly").asBoolean(false);
        Type type = switch (word) {
            case "bind" -> Type.BIND;
            case "volume" -> Type.VOLUME;
            case "tmpfs" -> Type.TMPFS;
            default -> throw new InvalidRequest("invalid mount config for type \"" + word + "\": mount type unknown");
        };
        if (target.isEmpty()) {
            throw new InvalidRequest("invalid mount config for type \"" + type + "\": field Target must not be empty");
        }
        String destination = normalized(target);
        requireDestination("", type, target, destination);
        return switch (type) {
            case BIND -> {
                String context = "invalid mount config for type \"bind\": ";
                if (source.isEmpty()) throw new InvalidRequest(context + "field Source must not be empty");
                if (!source.startsWith("/")) {
                    throw new InvalidRequest(context + "invalid mount path: '" + source + "' mount path must be absolute");
                }
                boolean create = json.path("BindOptions").path("CreateMountpoint").asBoolean(false);
                if (!create && !Files.exists(Path.of(source))) {
                    throw new InvalidRequest(context + "bind source path does not exist: " + source);
                }
                String propagation = json.path("BindOptions").path("Propagation").asText("");
                if (!propagation.isEmpty() && !PROPAGATION.contains(propagation)) {
                    throw new InvalidRequest(context + "invalid propagation mode: " + propagation);
                }
                yield new MountPoint(type, "", normalized(source), destination, "", writable,
                        propagation.isEmpty() ? "rprivate" : propagation, "", create, false);
            }
            case VOLUME -> {
                if (!source.isEmpty()) requireVolumeName("invalid mount config for type \"volume\": ", source);
                boolean copyUp = !json.path("VolumeOptions").path("NoCopy").asBoolean(false);
                yield new MountPoint(type, source, "", destination, "z", writable, "", "", true, copyUp);
            }
            case TMPFS -> {
                if (!source.isEmpty()) throw new InvalidRequest("invalid mount config for type \"tmpfs\": field Source must not be specified");
                List<String> options = new ArrayList<>();
                JsonNode given = json.path("TmpfsOptions");
                if (given.path("SizeBytes").asLong(0) > 0) options.add("size=" + given.get("SizeBytes").asLong());
                options.add("mode=" + Integer.toOctalString(given.path("Mode").asInt(0) == 0 ? 01777 : given.get("Mode").asInt()));
                yield new MountPoint(type, "", "", destination, "", writable, "", String.join(",", options), true, false);
            }
        };
    }

    private static void requireDestination(String context, Type type, String given, String destination) {
        String prefix = context + "invalid mount config for type \"" + type + "\": ";
        if (!destination.startsWith("/")) {
            throw new InvalidRequest(prefix + "invalid mount path: '" + given + "' mount path must be absolute");
        }
        if (destination.equals("/")) throw new InvalidRequest(prefix + "invalid specification: destination can't be '/'");
    }

    private static void requireVolumeName(String context, String name) {
        if (!Volumes.isName(name)) {
            throw new InvalidRequest(context + "create " + name + ": \"" + name + "\" includes invalid characters for a local volume name,"
                    + " only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path");
        }
    }

    private static String normalized(String path) {
        return path.startsWith("/") ? Path.of(path).normalize().toString() : path;
    }

    /// `MountPoints` of `config.v2.json`.
    public static ObjectNode store(List<MountPoint> mounts) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        for (MountPoint mount : mounts) json.set(mount.destination(), mount.toStored());
        return json;
    }

    public static List<MountPoint> load(JsonNode stored, Volumes volumes) {
        List<MountPoint> mounts = new ArrayList<>();
        for (JsonNode each : stored) mounts.add(MountPoint.fromStored(each, volumes));
        return List.copyOf(mounts);
    }
}
