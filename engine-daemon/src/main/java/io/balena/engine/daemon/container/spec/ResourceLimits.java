package io.balena.engine.daemon.container.spec;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What a container may use, in the words of the runtime.
public final class ResourceLimits {
    private static final long NANOS_PER_CPU = 1_000_000_000;
    private static final long PERIOD_MICROS = 100_000;

    private ResourceLimits() {}

    /// @param devices which devices may be used
    /// @throws InvalidRequest when it names a block device that is none
    static RuntimeSpec.Resources of(HostConfig host, List<RuntimeSpec.DeviceRule> devices) {
        return new RuntimeSpec.Resources(devices, memory(host), cpu(host), pids(host), blockIo(host), null, null);
    }

    /// What can be changed while a container runs: devices and their rates cannot.
    public static RuntimeSpec.Resources changeable(HostConfig host) {
        Long weight = number(host, "BlkioWeight");
        var io = weight == null ? null : new RuntimeSpec.BlockIo(weight.intValue(), null, null, null, null, null);
        return new RuntimeSpec.Resources(null, memory(host), cpu(host), pids(host), io, null, null);
    }

    private static RuntimeSpec.Memory memory(HostConfig host) {
        Long swappiness = host.given("MemorySwappiness") ? host.document().get("MemorySwappiness").asLong() : null;
        return new RuntimeSpec.Memory(
                number(host, "Memory"),
                number(host, "MemoryReservation"),
                number(host, "MemorySwap"),
                number(host, "KernelMemory"),
                number(host, "KernelMemoryTCP"),
                swappiness != null && swappiness >= 0 ? swappiness : null,
                host.oomKillDisable() ? Boolean.TRUE : null);
    }

    private static RuntimeSpec.Cpu cpu(HostConfig host) {
        Long quota = number(host, "CpuQuota");
        Long period = number(host, "CpuPeriod");
        if (host.positive("NanoCpus").isPresent()) {
            period = PERIOD_MICROS;
            quota = host.positive("NanoCpus").getAsLong() * PERIOD_MICROS / NANOS_PER_CPU;
        }
        Long shares = number(host, "CpuShares");
        if (shares != null && shares < 0) throw new InvalidRequest("shares: invalid argument");
        return new RuntimeSpec.Cpu(
                shares,
                quota,
                period,
                number(host, "CpuRealtimeRuntime"),
                number(host, "CpuRealtimePeriod"),
                words(host, "CpusetCpus"),
                words(host, "CpusetMems"));
    }

    /// Null is no word about it; 0, like all below, lifts the limit.
    private static RuntimeSpec.Pids pids(HostConfig host) {
        if (!host.given("PidsLimit")) return null;
        long limit = host.document().get("PidsLimit").asLong();
        return new RuntimeSpec.Pids(limit > 0 ? limit : -1);
    }

    private static RuntimeSpec.BlockIo blockIo(HostConfig host) {
        List<RuntimeSpec.WeightDevice> weights = new ArrayList<>();
        for (JsonNode device : host.objects("BlkioWeightDevice")) {
            long number = deviceNumber(device);
            weights.add(new RuntimeSpec.WeightDevice(HostDevices.major(number), HostDevices.minor(number), device.path("Weight").asInt()));
        }
        Long weight = number(host, "BlkioWeight");
        return new RuntimeSpec.BlockIo(
                weight == null ? null : weight.intValue(),
                weights,
                rates(host, "BlkioDeviceReadBps"),
                rates(host, "BlkioDeviceWriteBps"),
                rates(host, "BlkioDeviceReadIOps"),
                rates(host, "BlkioDeviceWriteIOps"));
    }

    private static List<RuntimeSpec.ThrottleDevice> rates(HostConfig host, String field) {
        List<RuntimeSpec.ThrottleDevice> rates = new ArrayList<>();
        for (JsonNode device : host.objects(field)) {
            long number = deviceNumber(device);
            rates.add(new RuntimeSpec.ThrottleDevice(HostDevices.major(number), HostDevices.minor(number), device.path("Rate").asLong()));
        }
        return rates;
    }

    private static long deviceNumber(JsonNode device) {
        Path path = Path.of(device.path("Path").asText(""));
        try {
            return (Long) Files.getAttribute(path, "unix:rdev");
        } catch (NoSuchFileException e) {
            throw new InvalidRequest("stat " + path + ": no such file or directory");
        } catch (IOException e) {
            throw new InvalidRequest("stat " + path + ": " + e.getMessage());
        }
    }

    private static Long number(HostConfig host, String field) {
        return host.positive(field).isPresent() ? host.positive(field).getAsLong() : null;
    }

    private static String words(HostConfig host, String field) {
        return host.text(field).isEmpty() ? null : host.text(field);
    }
}
