package io.balena.engine.daemon.container.spec;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.RuntimeSpec.Device;
import io.balena.engine.runtime.spec.RuntimeSpec.DeviceRule;
import io.balena.engine.runtime.spec.RuntimeSpec.Hook;
import io.balena.engine.runtime.spec.RuntimeSpec.Hooks;
import io.balena.engine.runtime.spec.RuntimeSpec.Linux;
import io.balena.engine.runtime.spec.RuntimeSpec.Mount;
import io.balena.engine.runtime.spec.RuntimeSpec.Process;
import io.balena.engine.runtime.spec.RuntimeSpec.Resources;
import io.balena.engine.runtime.spec.RuntimeSpec.User;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// What devices of the Container Device Interface change in a container: several `containerEdits`, one after the other.
///
/// @see <a href="https://github.com/cncf-tags/container-device-interface/blob/v0.8.0/SPEC.md#oci-edits">CDI, OCI edits</a>
record CdiEdits(List<JsonNode> edits) {

    /// @throws IOException when a device that is to be given is not on this machine
    RuntimeSpec addTo(RuntimeSpec spec) throws IOException {
        return new RuntimeSpec(spec.ociVersion(), process(spec.process()), spec.root(), spec.hostname(), spec.domainname(),
                mounts(spec.mounts()), hooks(spec.hooks()), spec.annotations(), linux(spec.linux()));
    }

    private List<JsonNode> all(String kind) {
        List<JsonNode> all = new ArrayList<>();
        for (JsonNode edit : edits) edit.path(kind).forEach(all::add);
        return all;
    }

    private Process process(Process process) {
        List<String> env = new ArrayList<>(process.env());
        for (JsonNode variable : all("env")) {
            String name = variable.asText().split("=", 2)[0] + "=";
            env.removeIf(known -> known.startsWith(name));
            env.add(variable.asText());
        }
        List<Integer> groups = new ArrayList<>(process.user().additionalGids());
        for (JsonNode gid : all("additionalGids")) if (gid.asInt() != 0 && !groups.contains(gid.asInt())) groups.add(gid.asInt());
        var user = new User(process.user().uid(), process.user().gid(), process.user().umask(), groups);
        return new Process(process.terminal(), process.consoleSize(), user, process.args(), env, process.cwd(), process.capabilities(),
                process.rlimits(), process.noNewPrivileges(), process.apparmorProfile(), process.oomScoreAdj(), process.selinuxLabel());
    }

    private List<Mount> mounts(List<Mount> before) {
        List<Mount> mounts = new ArrayList<>(before);
        for (JsonNode mount : all("mounts")) {
            String inside = mount.path("containerPath").asText();
            mounts.removeIf(known -> known.destination().equals(inside));
            mounts.add(new Mount(inside, mount.path("type").asText("bind"), mount.path("hostPath").asText(), texts(mount.path("options"))));
        }
        // Outer folders first; the order of others is kept.
        if (mounts.size() > before.size()) mounts.sort(Comparator.comparingInt(mount -> Path.of(mount.destination()).getNameCount()));
        return mounts;
    }

    private Hooks hooks(Hooks before) {
        List<JsonNode> added = all("hooks");
        if (added.isEmpty()) return before;
        Hooks known = before == null ? new Hooks(null, null, null, null, null, null) : before;
        return new Hooks(with(known.prestart(), "prestart", added), with(known.createRuntime(), "createRuntime", added),
                with(known.createContainer(), "createContainer", added), with(known.startContainer(), "startContainer", added),
                with(known.poststart(), "poststart", added), with(known.poststop(), "poststop", added));
    }

    private static List<Hook> with(List<Hook> known, String point, List<JsonNode> added) {
        List<Hook> hooks = new ArrayList<>(known);
        for (JsonNode hook : added) {
            if (!hook.path("hookName").asText().equals(point)) continue;
            Integer timeout = hook.hasNonNull("timeout") ? hook.get("timeout").asInt() : null;
            hooks.add(new Hook(hook.path("path").asText(), texts(hook.path("args")), texts(hook.path("env")), timeout));
        }
        return hooks;
    }

    private Linux linux(Linux linux) throws IOException {
        List<Device> devices = new ArrayList<>(linux.devices());
        List<DeviceRule> rules = new ArrayList<>(linux.resources().devices());
        for (JsonNode node : all("deviceNodes")) {
            Device device = device(node);
            devices.removeIf(known -> known.path().equals(device.path()));
            devices.add(device);
            if (device.type().equals("p")) continue;
            rules.add(new DeviceRule(true, device.type(), device.major(), device.minor(), node.path("permissions").asText("rwm")));
        }
        var before = linux.resources();
        var resources = new Resources(rules, before.memory(), before.cpu(), before.pids(), before.blockIO(), before.hugepageLimits(),
                before.unified());
        return new Linux(linux.namespaces(), linux.uidMappings(), linux.gidMappings(), devices, resources, linux.cgroupsPath(),
                linux.sysctl(), linux.seccomp(), linux.rootfsPropagation(), linux.maskedPaths(), linux.readonlyPaths(), linux.mountLabel());
    }

    /// What the file does not say of a device is taken from the machine's own.
    private static Device device(JsonNode node) throws IOException {
        String inside = node.path("path").asText();
        Path onHost = Path.of(node.path("hostPath").asText(inside));
        boolean whole = node.hasNonNull("type") && (node.hasNonNull("major") || node.get("type").asText().equals("p"));
        Device known = whole ? new Device(inside, node.get("type").asText(), node.path("major").asLong(), node.path("minor").asLong(), null, null, null)
                : onThisMachine(onHost, inside);
        Integer mode = node.hasNonNull("fileMode") ? Integer.valueOf(node.get("fileMode").asInt()) : known.fileMode();
        Integer uid = node.hasNonNull("uid") ? Integer.valueOf(node.get("uid").asInt()) : known.uid();
        Integer gid = node.hasNonNull("gid") ? Integer.valueOf(node.get("gid").asInt()) : known.gid();
        return new Device(inside, known.type(), known.major(), known.minor(), mode, uid, gid);
    }

    private static Device onThisMachine(Path onHost, String inside) throws IOException {
        try {
            Device device = HostDevices.device(onHost, inside);
            if (device != null) return device;
            throw new IOException("CDI device injection failed: \"" + onHost + "\" is not a device node");
        } catch (NoSuchFileException e) {
            throw new IOException("CDI device injection failed: failed to stat CDI host device \"" + onHost + "\": no such file or directory", e);
        }
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(text -> texts.add(text.asText()));
        return texts;
    }
}
