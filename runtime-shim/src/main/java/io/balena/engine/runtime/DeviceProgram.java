package io.balena.engine.runtime;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// Device rules of cgroup version 2, which are a BPF program.
final class DeviceProgram {
    private DeviceProgram() {}

    static void attach(List<RuntimeSpec.DeviceRule> rules, Path cgroup) throws IOException {
        throw new ContainerFailure(ContainerFailure.Kind.SETUP, "device rules are not supported with cgroup v2 yet");
    }
}
