package io.balena.engine.runtime.command;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.container.ContainerStatus;
import io.balena.engine.runtime.container.OciRuntime;
import io.balena.engine.runtime.spec.RuntimeSpec;
import io.balena.engine.runtime.spec.SpecReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/// `pause`, `resume`, `update`.
final class ResourceCommands {
    private final OciRuntime runtime;

    ResourceCommands(OciRuntime runtime) {
        this.runtime = runtime;
    }

    int perform(CommandVerb verb, CommandWords words) throws IOException {
        var container = runtime.known(words.arguments().getFirst());
        var status = container.status();
        boolean lives = status == ContainerStatus.RUNNING || status == ContainerStatus.CREATED;
        switch (verb) {
            case PAUSE -> {
                if (!lives) throw failure("container not running");
                container.cgroup().freeze(true);
            }
            case RESUME -> {
                if (status != ContainerStatus.PAUSED) throw failure("container not paused");
                container.cgroup().freeze(false);
            }
            default -> {
                if (status == ContainerStatus.STOPPED) throw failure("container not running");
                container.cgroup().update(resources(words));
            }
        }
        return 0;
    }

    private static RuntimeSpec.Resources resources(CommandWords words) throws IOException {
        String file = words.value("resources");
        if (file != null) {
            return SpecReader.resources(file.equals("-") ? System.in.readAllBytes() : Files.readAllBytes(Path.of(file)));
        }
        var memory = new RuntimeSpec.Memory(
                bytes(words, "memory"),
                bytes(words, "memory-reservation"),
                bytes(words, "memory-swap"),
                bytes(words, "kernel-memory"),
                bytes(words, "kernel-memory-tcp"),
                null,
                null);
        var cpu = new RuntimeSpec.Cpu(
                number(words, "cpu-share"),
                number(words, "cpu-quota"),
                number(words, "cpu-period"),
                number(words, "cpu-rt-runtime"),
                number(words, "cpu-rt-period"),
                words.value("cpuset-cpus"),
                words.value("cpuset-mems"));
        Long pids = number(words, "pids-limit");
        Long weight = number(words, "blkio-weight");
        var blockIo = weight == null ? null : new RuntimeSpec.BlockIo(weight.intValue(), null, null, null, null, null);
        return new RuntimeSpec.Resources(
                null, memory, cpu, pids == null ? null : new RuntimeSpec.Pids(pids), blockIo, null, null);
    }

    private static Long number(CommandWords words, String flag) throws ContainerFailure {
        String value = words.value(flag);
        try {
            return value == null || value.isEmpty() ? null : Long.valueOf(value);
        } catch (NumberFormatException e) {
            throw failure("invalid value for " + flag + ": " + value);
        }
    }

    /// A number of bytes, with `k`, `m`, `g` or `t` behind it, each 1024 of the one before; -1 is no limit.
    private static Long bytes(CommandWords words, String flag) throws ContainerFailure {
        String value = words.value(flag);
        if (value == null || value.isEmpty()) return null;
        String text = value.toLowerCase(Locale.ROOT);
        if (text.endsWith("b")) text = text.substring(0, text.length() - 1);
        if (text.endsWith("i")) text = text.substring(0, text.length() - 1);
        int power = text.isEmpty() ? -1 : "kmgtp".indexOf(text.charAt(text.length() - 1));
        if (power >= 0) text = text.substring(0, text.length() - 1);
        try {
            return Math.multiplyExact(Long.parseLong(text.trim()), 1L << 10 * (power + 1));
        } catch (ArithmeticException | NumberFormatException e) {
            throw failure("invalid value for " + flag + ": invalid size: '" + value + "'");
        }
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
