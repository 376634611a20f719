package io.balena.engine.runtime.spec;

import io.balena.engine.runtime.spec.RuntimeSpec.Device;
import io.balena.engine.runtime.spec.RuntimeSpec.IdMapping;
import io.balena.engine.runtime.spec.RuntimeSpec.Linux;
import io.balena.engine.runtime.spec.RuntimeSpec.Namespace;
import io.balena.engine.runtime.spec.RuntimeSpec.Resources;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Reads what is Linux alone in a bundle.
final class LinuxReader {
    private final JsonFields in;

    LinuxReader(JsonFields in) {
        this.in = in;
    }

    Linux linux() throws IOException {
        List<Namespace> namespaces = null;
        List<IdMapping> uidMappings = null;
        List<IdMapping> gidMappings = null;
        List<Device> devices = null;
        Resources resources = null;
        String cgroupsPath = null;
        Map<String, String> sysctl = null;
        Seccomp seccomp = null;
        String propagation = null;
        List<String> masked = null;
        List<String> readonly = null;
        String mountLabel = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "namespaces" -> {
                    namespaces = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) namespaces.add(namespace());
                }
                case "uidMappings" -> uidMappings = idMappings();
                case "gidMappings" -> gidMappings = idMappings();
                case "devices" -> {
                    devices = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) devices.add(device());
                }
                case "resources" -> resources = new ResourcesReader(in).resources();
                case "cgroupsPath" -> cgroupsPath = in.text();
                case "sysctl" -> sysctl = in.textMap();
                case "seccomp" -> seccomp = new SeccompReader(in).seccomp();
                case "rootfsPropagation" -> propagation = in.text();
                case "maskedPaths" -> masked = in.texts();
                case "readonlyPaths" -> readonly = in.texts();
                case "mountLabel" -> mountLabel = in.text();
                default -> in.skip();
            }
        }
        return new Linux(
                namespaces,
                uidMappings,
                gidMappings,
                devices,
                resources,
                cgroupsPath,
                sysctl,
                seccomp,
                propagation,
                masked,
                readonly,
                mountLabel);
    }

    private Namespace namespace() throws IOException {
        String type = null;
        String path = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "type" -> type = in.text();
                case "path" -> path = in.text();
                default -> in.skip();
            }
        }
        return new Namespace(type, path);
    }

    private List<IdMapping> idMappings() throws IOException {
        List<IdMapping> mappings = new ArrayList<>();
        for (in.beginArray(); in.nextElement(); ) {
            int container = 0;
            int host = 0;
            int size = 0;
            in.beginObject();
            for (String field; (field = in.nextField()) != null; ) {
                switch (field) {
                    case "containerID" -> container = in.unsignedInt();
                    case "hostID" -> host = in.unsignedInt();
                    case "size" -> size = in.unsignedInt();
                    default -> in.skip();
                }
            }
            mappings.add(new IdMapping(container, host, size));
        }
        return mappings;
    }

    private Device device() throws IOException {
        String path = null;
        String type = null;
        long major = 0;
        long minor = 0;
        Integer fileMode = null;
        Integer uid = null;
        Integer gid = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "path" -> path = in.text();
                case "type" -> type = in.text();
                case "major" -> major = in.signed();
                case "minor" -> minor = in.signed();
                case "fileMode" -> fileMode = in.unsignedInt();
                case "uid" -> uid = in.unsignedInt();
                case "gid" -> gid = in.unsignedInt();
                default -> in.skip();
            }
        }
        return new Device(path, type, major, minor, fileMode, uid, gid);
    }
}
