package io.balena.engine.daemon.container.mount;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.volume.Description;
import io.balena.engine.daemon.volume.Volume;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Something mounted into a container at the user's wish.
///
/// @param name of the volume; empty for others
/// @param driver of the volume; empty for others
/// @param source on the host; empty for tmpfs, and for a volume that the container has not been given yet
/// @param destination absolute and normalized, in the container
/// @param mode options as given, e.g. `ro,z`
/// @param propagation e.g. `rprivate`; empty for none
/// @param createSource a missing folder is made at start, as `-v` does and `--mount` does not
/// @param copyUp a new volume first gets what the image has there
/// @param spec the wish itself, as one of `Mounts`; nothing for what an image asks for; never changed
public record MountPoint(Type type, String name, String driver, String source, String destination, String mode, boolean writable,
        String propagation, boolean createSource, boolean copyUp, ObjectNode spec) {

    /// mount_setattr(2) is there since Linux 5.12.
    private static final boolean KERNEL_SETS_TREES = KernelVersion.ofThisMachine().atLeast(5, 12);

    public enum Type {
        BIND("bind"), VOLUME("volume"), TMPFS("tmpfs");

        private final String word;

        Type(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }

        static Type of(String word) {
            for (Type type : values()) if (type.word.equals(word)) return type;
            return BIND;
        }
    }

    /// The volume is there now.
    public MountPoint in(Volume volume) {
        return new MountPoint(type, volume.name(), Volume.DRIVER, volume.data().toString(), destination, mode, writable, propagation,
                createSource, copyUp, spec);
    }

    /// The same in another container, as `--volumes-from` wants it.
    MountPoint shared(boolean writableThere) {
        return new MountPoint(type, name, driver, source, destination, "", writable && writableThere, propagation, createSource, false, spec);
    }

    /// What it names inside of its volume, to be mounted instead of the whole; empty for the whole.
    public String subpath() {
        return spec.path("VolumeOptions").path("Subpath").asText("");
    }

    /// The same from another place on the host.
    public MountPoint from(Path other) {
        return new MountPoint(type, name, driver, other.toString(), destination, mode, writable, propagation, createSource, copyUp, spec);
    }

    /// Whether what is mounted below its source comes with it.
    public boolean isRecursive() {
        return !spec.path("BindOptions").path("NonRecursive").asBoolean(false);
    }

    /// Whether what is mounted below it is read-only, too, where it is itself, and the kernel can do it.
    ///
    /// @throws InvalidRequest when it must be, and cannot
    public boolean isRecursivelyReadOnly() {
        JsonNode options = spec.path("BindOptions");
        if (KERNEL_SETS_TREES) return !options.path("ReadOnlyNonRecursive").asBoolean(false);
        if (!options.path("ReadOnlyForceRecursive").asBoolean(false)) return false;
        throw new InvalidRequest("mount " + destination + " cannot be made recursively read-only: Linux 5.12 or newer is needed");
    }

    /// As clients before API 1.44 mean it.
    MountPoint readOnlyAtTopAlone() {
        ObjectNode changed = spec.deepCopy();
        ObjectNode options = changed.get("BindOptions") instanceof ObjectNode given ? given : changed.putObject("BindOptions");
        options.put("ReadOnlyNonRecursive", true).remove("ReadOnlyForceRecursive");
        return new MountPoint(type, name, driver, source, destination, mode, writable, propagation, createSource, copyUp, changed);
    }

    public boolean isVolume() {
        return type == Type.VOLUME;
    }

    /// Whether a volume was asked for without naming it, which goes with its container.
    public boolean isAnonymous() {
        return isVolume() && spec.path("Source").asText("").isEmpty();
    }

    /// What is said of the volume, should it have to be made.
    public Description description() {
        JsonNode options = spec.path("VolumeOptions");
        return new Description(Description.texts(options.path("Labels")), Description.texts(options.path("DriverConfig").path("Options")));
    }

    /// Options of a tmpfs, as in mount(8); empty for others.
    public String tmpfsOptions() {
        if (type != Type.TMPFS) return "";
        List<String> options = new ArrayList<>();
        JsonNode given = spec.path("TmpfsOptions");
        if (given.path("SizeBytes").asLong(0) > 0) options.add("size=" + given.get("SizeBytes").asLong());
        options.add("mode=" + Integer.toOctalString(given.path("Mode").asInt(0) == 0 ? 01777 : given.get("Mode").asInt()));
        for (JsonNode option : given.path("Options")) {
            options.add(option.get(0).asText() + (option.size() == 1 ? "" : "=" + option.get(1).asText()));
        }
        return String.join(",", options);
    }

    /// As in the `Mounts` of inspect and list.
    public ObjectNode toInspect() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("Type", type.toString());
        if (isVolume()) json.put("Name", name);
        json.put("Source", source);
        json.put("Destination", destination);
        if (isVolume()) json.put("Driver", driver);
        return json.put("Mode", mode).put("RW", writable).put("Propagation", propagation);
    }

    /// As moby stores it in `MountPoints` of `config.v2.json`.
    ObjectNode toStored() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("Source", source).put("Destination", destination).put("RW", writable).put("Name", name).put("Driver", driver);
        json.put("Type", type.toString());
        if (!mode.isEmpty()) json.put("Relabel", mode);
        if (!propagation.isEmpty()) json.put("Propagation", propagation);
        json.set("Spec", spec);
        return json.put("SkipMountpointCreation", type == Type.BIND && !createSource);
    }

    /// @param folder where the volume's files are, if it is one
    static MountPoint fromStored(JsonNode json, String folder) {
        Type type = Type.of(json.path("Type").asText());
        return new MountPoint(type, json.path("Name").asText(""), json.path("Driver").asText(""),
                folder.isEmpty() ? json.path("Source").asText("") : folder, json.path("Destination").asText(),
                json.path("Relabel").asText(""), json.path("RW").asBoolean(true), json.path("Propagation").asText(""),
                !json.path("SkipMountpointCreation").asBoolean(false), false,
                json.path("Spec") instanceof ObjectNode spec ? spec : JsonNodeFactory.instance.objectNode());
    }
}
