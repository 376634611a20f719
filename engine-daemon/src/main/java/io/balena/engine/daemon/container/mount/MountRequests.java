package io.balena.engine.daemon.container.mount;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.mount.MountPoint.Type;
import io.balena.engine.daemon.volume.Volume;
import io.balena.engine.daemon.volume.Volumes;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/// Reads `Binds`, `Mounts` and `Volumes` of a create request.
public final class MountRequests {
    private static final Set<String> PROPAGATION = Set.of("private", "rprivate", "shared", "rshared", "slave", "rslave");
    private static final Set<String> OTHER_MODES = Set.of("ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated");

    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private final Map<String, MountPoint> byDestination = new LinkedHashMap<>();

    private MountRequests() {}

    /// @param others the mounts of another container, by its id or name
    /// @throws InvalidRequest with Docker's words
    public static List<MountPoint> of(ContainerConfig config, HostConfig host, Function<String, List<MountPoint>> others) {
        return of(config, host, others, true);
    }

    /// @param recursivelyReadOnly what is mounted below a read-only mount is read-only as well; before API 1.44 it was not
    public static List<MountPoint> of(ContainerConfig config, HostConfig host, Function<String, List<MountPoint>> others,
            boolean recursivelyReadOnly) {
        var requests = new MountRequests();
        String driver = host.text("VolumeDriver");
        for (String bind : host.texts("Binds")) requests.add(bind(bind, driver));
        for (JsonNode mount : host.objects("Mounts")) requests.add(mount((ObjectNode) mount));
        for (String from : host.texts("VolumesFrom")) requests.addFrom(from, others);
        for (String path : config.volumes()) {
            String destination = normalized(path);
            if (!destination.startsWith("/") || destination.equals("/")) {
                throw new InvalidRequest("invalid volume: '" + path + "': mount path must be absolute");
            }
            if (!requests.byDestination.containsKey(destination) && !host.textMap("Tmpfs").containsKey(path)) {
                requests.add(new MountPoint(Type.VOLUME, "", driver, "", destination, "", true, "", true, true, JSON.objectNode()));
            }
        }
        return requests.byDestination.values().stream()
                .map(mount -> mount.writable() || recursivelyReadOnly ? mount : mount.readOnlyAtTopAlone()).toList();
    }

    private void add(MountPoint mount) {
        if (byDestination.putIfAbsent(mount.destination(), mount) != null) {
            throw new InvalidRequest("Duplicate mount point: " + mount.destination());
        }
    }

    /// What is asked for by itself goes before what another container has at that place.
    private void addFrom(String from, Function<String, List<MountPoint>> others) {
        int colon = from.indexOf(':');
        String container = colon < 0 ? from : from.substring(0, colon);
        String mode = colon < 0 ? "rw" : from.substring(colon + 1);
        if (!mode.isEmpty() && !OTHER_MODES.containsAll(List.of(mode.split(",", -1)))) throw new InvalidRequest("invalid mode: " + mode);
        boolean writable = !List.of(mode.split(",")).contains("ro");
        if (container.isEmpty()) throw new InvalidRequest("invalid name or ID supplied: \"\"");
        for (MountPoint mount : others.apply(container)) {
            // A file system of its own in memory cannot be shared.
            if (mount.type() != Type.TMPFS) byDestination.putIfAbsent(mount.destination(), mount.shared(writable));
        }
    }

    private static MountPoint bind(String spec, String driver) {
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
        for (String word : words(mode)) {
            boolean propagates = PROPAGATION.contains(word);
            boolean foreign = type == Type.BIND ? word.equals("nocopy") : propagates;
            if (foreign) {
                throw new InvalidRequest(context + "invalid mount config for type \"" + type + "\": field "
                        + (propagates ? "BindOptions" : "VolumeOptions") + " must not be specified");
            }
            if (propagates) propagation = word;
            if (word.equals("ro")) writable = false;
            if (word.equals("nocopy")) copyUp = false;
        }
        ObjectNode wish = JSON.objectNode().put("Type", type.toString());
        String from = type == Type.BIND ? normalized(source) : source;
        if (!from.isEmpty()) wish.put("Source", from);
        wish.put("Target", destination);
        if (!writable) wish.put("ReadOnly", true);
        if (type == Type.BIND) return new MountPoint(type, "", "", from, destination, mode, writable, propagation, true, false, wish);
        if (!copyUp) wish.putObject("VolumeOptions").put("NoCopy", true);
        // Docker gives a volume the label that all containers share where it has a name to be shared by.
        String relabel = mode.isEmpty() && !from.isEmpty() ? "z" : mode;
        return new MountPoint(type, from, driver, "", destination, relabel, writable, propagation, true, copyUp, wish);
    }

    /// Of each kind of word there may be one.
    private static List<String> words(String mode) {
        if (mode.isEmpty()) return List.of();
        List<String> words = List.of(mode.split(",", -1));
        var kinds = new HashSet<String>();
        for (String word : words) {
            boolean propagates = PROPAGATION.contains(word);
            if (!propagates && !OTHER_MODES.contains(word)) throw new InvalidRequest("invalid mode: " + mode);
            String kind = propagates ? "propagation" : switch (word) {
                case "ro", "rw" -> "access";
                case "z", "Z" -> "label";
                case "nocopy" -> "copy";
                default -> "consistency";
            };
            if (!kinds.add(kind)) throw new InvalidRequest("invalid mode: " + mode);
        }
        return words;
    }

    private static MountPoint mount(ObjectNode json) {
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
                yield new MountPoint(type, "", "", normalized(source), destination, "", writable,
                        propagation.isEmpty() ? "rprivate" : propagation, create, false, json);
            }
            case VOLUME -> {
                if (!source.isEmpty()) requireVolumeName("invalid mount config for type \"volume\": ", source);
                if (source.isEmpty() && !writable) {
                    throw new InvalidRequest("invalid mount config for type \"volume\": must not set ReadOnly mode when using anonymous volumes");
                }
                String subpath = json.path("VolumeOptions").path("Subpath").asText("");
                if (!isLocal(subpath)) {
                    throw new InvalidRequest("invalid mount config for type \"volume\": subpath must be a relative path within the volume");
                }
                boolean copyUp = subpath.isEmpty() && !json.path("VolumeOptions").path("NoCopy").asBoolean(false);
                String driver = json.path("VolumeOptions").path("DriverConfig").path("Name").asText("");
                yield new MountPoint(type, source, driver, "", destination, "z", writable, "", true, copyUp, json);
            }
            case TMPFS -> {
                if (!source.isEmpty()) throw new InvalidRequest("invalid mount config for type \"tmpfs\": field Source must not be specified");
                for (JsonNode option : json.path("TmpfsOptions").path("Options")) requireWordOrPair(option);
                yield new MountPoint(type, "", "", "", destination, "", writable, "", true, false, json);
            }
        };
    }

    private static void requireWordOrPair(JsonNode option) {
        if (option.isArray() && (option.size() == 1 || option.size() == 2)) return;
        throw new InvalidRequest("invalid mount config for type \"tmpfs\": invalid option array length");
    }

    private static boolean isLocal(String subpath) {
        Path normalized = Path.of(subpath).normalize();
        return !normalized.isAbsolute() && !normalized.startsWith("..");
    }

    private static void requireDestination(String context, Type type, String given, String destination) {
        String prefix = context + "invalid mount config for type \"" + type + "\": ";
        if (!destination.startsWith("/")) {
            throw new InvalidRequest(prefix + "invalid mount path: '" + given + "' mount path must be absolute");
        }
        if (destination.equals("/")) throw new InvalidRequest(prefix + "invalid specification: destination can't be '/'");
    }

    private static void requireVolumeName(String context, String name) {
        try {
            Volumes.requireName(name);
        } catch (InvalidRequest e) {
            throw new InvalidRequest(context + e.getMessage());
        }
    }

    private static String normalized(String path) {
        return path.startsWith("/") ? Path.of(path).normalize().toString() : path;
    }

    /// `MountPoints` of `config.v2.json`.
    public static ObjectNode store(List<MountPoint> mounts) {
        ObjectNode json = JSON.objectNode();
        for (MountPoint mount : mounts) json.set(mount.destination(), mount.toStored());
        return json;
    }

    /// @param dataRoot which may have been moved since they were stored
    public static List<MountPoint> load(JsonNode stored, Path dataRoot) {
        List<MountPoint> mounts = new ArrayList<>();
        for (JsonNode each : stored) mounts.add(MountPoint.fromStored(each, folder(each, dataRoot)));
        return List.copyOf(mounts);
    }

    private static String folder(JsonNode stored, Path dataRoot) {
        String driver = stored.path("Driver").asText("");
        if (!driver.equals(Volume.DRIVER) || stored.path("Name").asText("").isEmpty()) return "";
        return Volumes.data(dataRoot, stored.get("Name").asText()).toString();
    }
}
