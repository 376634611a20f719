package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.spec.RuntimeSpec.SyscallRule;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Which system calls containers may make, in Docker's form: rules that are valid on some machines and for some containers.
///
/// @param architectures either these, or `archMap`
/// @param archMap an architecture → what else programs on such a machine may be made for
/// @see <a href="https://docs.docker.com/engine/security/seccomp/">Seccomp security profiles for Docker</a>
record SeccompProfile(String defaultAction, Integer defaultErrno, List<String> architectures, List<ArchitectureMapping> archMap,
        List<String> flags, List<Rule> rules) {

    record ArchitectureMapping(String architecture, List<String> subArchitectures) {}

    /// @param name the older form of `names`; empty when it is not used
    record Rule(String name, List<String> names, String action, Integer errno, List<ArgumentCondition> args, Condition includes,
            Condition excludes) {}

    /// @param caps e.g. `CAP_SYS_ADMIN`
    /// @param arches as Go calls them: `amd64`
    record Condition(List<String> caps, List<String> arches, Optional<KernelVersion> minKernel) {
        static final Condition NONE = new Condition(List.of(), List.of(), Optional.empty());
    }

    /// The first two numbers of a version of Linux.
    record KernelVersion(long kernel, long major) {
        boolean atLeast(KernelVersion other) {
            return kernel > other.kernel || kernel == other.kernel && major >= other.major;
        }
    }

    /// @param scmp its name in profiles
    /// @param go its name in conditions
    record Machine(String scmp, String go, KernelVersion kernel) {
        static Machine local() {
            String[] version = System.getProperty("os.version").split("[^0-9]+");
            var kernel = new KernelVersion(Long.parseLong(version[0]), Long.parseLong(version[1]));
            return switch (System.getProperty("os.arch")) {
                case "amd64", "x86_64" -> new Machine("SCMP_ARCH_X86_64", "amd64", kernel);
                case "aarch64" -> new Machine("SCMP_ARCH_AARCH64", "arm64", kernel);
                default -> new Machine("SCMP_ARCH_ARM", "arm", kernel);
            };
        }
    }

    /// What of it is valid here.
    ///
    /// @param capabilities the container's bounding set
    /// @throws SystemFailure with Docker's words when it contradicts itself
    Seccomp on(Machine machine, List<String> capabilities) {
        if (!architectures.isEmpty() && !archMap.isEmpty()) {
            throw new SystemFailure(
                    "'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'", null);
        }
        List<SyscallRule> valid = new ArrayList<>();
        for (Rule rule : rules) {
            if (!rule.name.isEmpty() && !rule.names.isEmpty()) {
                throw new SystemFailure("'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'", null);
            }
            if (isExcluded(rule.excludes, machine, capabilities) || !isIncluded(rule.includes, machine, capabilities)) continue;
            List<String> names = rule.name.isEmpty() ? rule.names : List.of(rule.name);
            valid.add(new SyscallRule(names, rule.action, rule.errno, rule.args));
        }
        return new Seccomp(defaultAction, defaultErrno, architecturesOf(machine), flags, valid);
    }

    private List<String> architecturesOf(Machine machine) {
        for (ArchitectureMapping mapping : archMap) {
            if (!mapping.architecture.equals(machine.scmp)) continue;
            List<String> all = new ArrayList<>(List.of(machine.scmp));
            all.addAll(mapping.subArchitectures);
            return all;
        }
        return architectures;
    }

    private static boolean isExcluded(Condition condition, Machine machine, List<String> capabilities) {
        return condition.arches.contains(machine.go)
                || condition.caps.stream().anyMatch(capabilities::contains)
                || condition.minKernel.isPresent() && machine.kernel.atLeast(condition.minKernel.get());
    }

    private static boolean isIncluded(Condition condition, Machine machine, List<String> capabilities) {
        return (condition.arches.isEmpty() || condition.arches.contains(machine.go))
                && capabilities.containsAll(condition.caps)
                && (condition.minKernel.isEmpty() || machine.kernel.atLeast(condition.minKernel.get()));
    }
}
