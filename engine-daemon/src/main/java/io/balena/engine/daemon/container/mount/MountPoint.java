package io.balena.engine.daemon.container.mount;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/// Something mounted into a container at the user's wish.
///
/// @param name of the volume; empty for others
/// @param source on the host; empty for tmpfs
/// @param destination absolute and normalized, in the container
/// @param mode options as given, e.g. `ro,z`
/// @param propagation e.g. `rprivate`; empty for none
/// @param options of a tmpfs, as in mount(8); else empty
/// @param createSource a missing folder is made at start, as `-v` does and `--mount` does not
/// @param copyUp a new volume first gets what the image has there
public record MountPoint(Type type, String name, String source, String destination, String mode, boolean writable, String propagation,
        String options, boolean createSource, boolean copyUp) {

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

    MountPoint at(String volume, String folder) {
        return new MountPoint(type, volume, folder, destination, mode, writable, propagation, options, createSource, copyUp);
    }

    /// As in the `Mounts` of inspect and list.
    public ObjectNode toInspect() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("Type", type.toString());
        if (type == Type.VOLUME) json.put("Name", name);
        json.put("Source", source);
        json.put("Destination", destination);
        if (type == Type.VOLUME) json.put("Driver", "local");
        return json.put("Mode", mode).put("RW", writable).put("Propagation", propagation);
    }

    /// As moby stores it in `MountPoints` of `config.v2.json`.
    public ObjectNode toStored() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("Source", type == Type.VOLUME ? "" : source);
        json.put("Destination", destination).put("RW", writable).put("Name", name);
        json.put("Driver", type == Type.VOLUME ? "local" : "");
        json.put("Type", type.toString());
        if (!mode.isEmpty()) json.put("Relabel", mode);
        json.put("Propagation", propagation);
        ObjectNode spec = json.putObject("Spec").put("Type", type.toString());
        String from = type == Type.VOLUME ? name : source;
        if (!from.isEmpty()) spec.put("Source", from);
        spec.put("Target", destination);
        if (!writable) spec.put("ReadOnly", true);
        if (!options.isEmpty()) json.put("TmpfsOptions", options);
        return json.put("SkipMountpointCreation", type == Type.BIND && !createSource);
    }

    static MountPoint fromStored(JsonNode json, Volumes volumes) {
        Type type = Type.of(json.path("Type").asText());
        String name = json.path("Name").asText("");
        String source = type == Type.VOLUME ? volumes.folder(name).toString() : json.path("Source").asText("");
        return new MountPoint(type, name, source, json.path("Destination").asText(), json.path("Relabel").asText(""),
                json.path("RW").asBoolean(true), json.path("Propagation").asText(""), json.path("TmpfsOptions").asText(""),
                !json.path("SkipMountpointCreation").asBoolean(false), false);
    }
}
