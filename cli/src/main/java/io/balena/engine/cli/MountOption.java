package io.balena.engine.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;

/// `--mount type=bind,source=/a,target=/b,readonly`.
final class MountOption {
    private MountOption() {}

    static ObjectNode parse(String text) {
        var mount = EngineClient.JSON.createObjectNode().put("Type", "volume");
        for (var part : text.split(",")) {
            int equals = part.indexOf('=');
            var key = equals < 0 ? part : part.substring(0, equals);
            var value = equals < 0 ? "true" : part.substring(equals + 1);
            switch (key) {
                case "type" -> mount.put("Type", value);
                case "source", "src" -> mount.put("Source", value);
                case "target", "dst", "destination" -> mount.put("Target", value);
                case "readonly", "ro" -> mount.put("ReadOnly", Boolean.parseBoolean(value) || value.equals("1"));
                case "bind-propagation" -> mount.withObjectProperty("BindOptions").put("Propagation", value);
                case "volume-nocopy" -> mount.withObjectProperty("VolumeOptions").put("NoCopy", Boolean.parseBoolean(value));
                case "tmpfs-size" -> mount.withObjectProperty("TmpfsOptions").put("SizeBytes", Units.memory(value));
                case "tmpfs-mode" -> mount.withObjectProperty("TmpfsOptions").put("Mode", Integer.parseInt(value, 8));
                case "consistency" -> { /* meant for other systems */ }
                default -> throw new CommandFailed(125, "invalid argument \"" + text + "\" for \"--mount\" flag: unexpected key '"
                        + key + "' in '" + part + "'");
            }
        }
        if (!mount.has("Target")) {
            throw new CommandFailed(125, "invalid argument \"" + text + "\" for \"--mount\" flag: target is required");
        }
        return mount;
    }
}
