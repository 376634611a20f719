package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.linux.KernelFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// What a container uses, as `docker stats` is told.
final class ContainerStats {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final long NANOS_PER_TICK = 10_000_000; // USER_HZ is 100 on all our machines
    private static final long NANOS_PER_MICRO = 1000;

    private final Container container;
    private final Cgroup cgroup;
    private ObjectNode lastCpu = JSON.objectNode();
    private String lastRead = ContainerState.NEVER;

    ContainerStats(Container container, Cgroup cgroup) {
        this.container = container;
        this.cgroup = cgroup;
    }

    /// A sample; its `precpu_stats` are those of the one before.
    ObjectNode sample() {
        ContainerRecord record = container.record();
        ObjectNode json = JSON.objectNode();
        String now = Instant.now().toString();
        json.put("read", now).put("preread", lastRead);
        ObjectNode cpu = JSON.objectNode();
        if (record.state().isAlive()) {
            pids(cgroup, json);
            blockIo(cgroup, json);
            cpu = cpu(cgroup);
            json.putObject("storage_stats");
            json.set("cpu_stats", cpu);
            json.set("precpu_stats", lastCpu.isEmpty() ? emptyCpu() : lastCpu);
            json.set("memory_stats", memory(cgroup));
            json.put("name", "/" + record.name()).put("id", record.id().hex());
            ObjectNode networks = networks(record.state().pid());
            if (!networks.isEmpty()) json.set("networks", networks);
        } else {
            json.putObject("pids_stats");
            json.putObject("blkio_stats");
            json.put("num_procs", 0).putObject("storage_stats");
            json.set("cpu_stats", emptyCpu());
            json.set("precpu_stats", emptyCpu());
            json.putObject("memory_stats");
            json.put("name", "/" + record.name()).put("id", record.id().hex());
        }
        lastCpu = cpu;
        lastRead = now;
        return json;
    }

    private static void pids(Cgroup cgroup, ObjectNode json) {
        ObjectNode pids = json.putObject("pids_stats").put("current", cgroup.number("pids", "pids.current"));
        long limit = cgroup.number("pids", "pids.max");
        if (limit > 0) pids.put("limit", limit);
    }

    private static void blockIo(Cgroup cgroup, ObjectNode json) {
        ObjectNode io = json.putObject("blkio_stats");
        ArrayNode bytes = io.putArray("io_service_bytes_recursive");
        List<String> lines = cgroup.isUnified() ? cgroup.all("io", "io.stat") : cgroup.all("blkio", "blkio.throttle.io_service_bytes_recursive");
        for (String line : lines) {
            String[] words = line.split(" ");
            String[] device = words[0].split(":");
            if (device.length != 2) continue;
            if (cgroup.isUnified()) {
                for (String word : words) {
                    if (word.startsWith("rbytes=")) io(bytes, device, "read", word.substring(7));
                    if (word.startsWith("wbytes=")) io(bytes, device, "write", word.substring(7));
                }
            } else if (words.length == 3) {
                io(bytes, device, words[1].toLowerCase(Locale.ROOT), words[2]);
            }
        }
        for (String other : List.of("io_serviced_recursive", "io_queue_recursive", "io_service_time_recursive", "io_wait_time_recursive",
                "io_merged_recursive", "io_time_recursive", "sectors_recursive")) io.putNull(other);
        json.put("num_procs", 0);
    }

    private static void io(ArrayNode bytes, String[] device, String operation, String value) {
        bytes.addObject().put("major", Long.parseLong(device[0])).put("minor", Long.parseLong(device[1])).put("op", operation)
                .put("value", Long.parseLong(value));
    }

    private static ObjectNode emptyCpu() {
        ObjectNode cpu = JSON.objectNode();
        cpu.putObject("cpu_usage").put("total_usage", 0).put("usage_in_kernelmode", 0).put("usage_in_usermode", 0);
        cpu.putObject("throttling_data").put("periods", 0).put("throttled_periods", 0).put("throttled_time", 0);
        return cpu;
    }

    private static ObjectNode cpu(Cgroup cgroup) {
        ObjectNode cpu = JSON.objectNode();
        ObjectNode usage = cpu.putObject("cpu_usage");
        Map<String, Long> throttling = cgroup.table("cpu", "cpu.stat");
        if (cgroup.isUnified()) {
            usage.put("total_usage", throttling.getOrDefault("usage_usec", 0L) * NANOS_PER_MICRO);
            usage.put("usage_in_kernelmode", throttling.getOrDefault("system_usec", 0L) * NANOS_PER_MICRO);
            usage.put("usage_in_usermode", throttling.getOrDefault("user_usec", 0L) * NANOS_PER_MICRO);
        } else {
            usage.put("total_usage", cgroup.number("cpuacct", "cpuacct.usage"));
            ArrayNode each = JSON.arrayNode();
            cgroup.text("cpuacct", "cpuacct.usage_percpu").ifPresent(line -> {
                for (String number : line.split(" ")) if (number.matches("\\d+")) each.add(Long.parseLong(number));
            });
            if (!each.isEmpty()) usage.set("percpu_usage", each);
            Map<String, Long> ticks = cgroup.table("cpuacct", "cpuacct.stat");
            usage.put("usage_in_kernelmode", ticks.getOrDefault("system", 0L) * NANOS_PER_TICK);
            usage.put("usage_in_usermode", ticks.getOrDefault("user", 0L) * NANOS_PER_TICK);
        }
        cpu.put("system_cpu_usage", systemNanos()).put("online_cpus", Runtime.getRuntime().availableProcessors());
        cpu.putObject("throttling_data").put("periods", throttling.getOrDefault("nr_periods", 0L))
                .put("throttled_periods", throttling.getOrDefault("nr_throttled", 0L))
                .put("throttled_time", throttling.getOrDefault("throttled_time", throttling.getOrDefault("throttled_usec", 0L) * NANOS_PER_MICRO));
        return cpu;
    }

    /// Time that all processors spent on anything, idling included.
    private static long systemNanos() {
        try {
            String[] words = KernelFile.lines(Path.of("/proc/stat")).getFirst().split("\\s+");
            long ticks = 0;
            for (int i = 1; i < words.length && i <= 7; i++) ticks += Long.parseLong(words[i]);
            return ticks * NANOS_PER_TICK;
        } catch (IOException e) {
            return 0;
        }
    }

    private static ObjectNode memory(Cgroup cgroup) {
        ObjectNode memory = JSON.objectNode();
        boolean v2 = cgroup.isUnified();
        memory.put("usage", cgroup.number("memory", v2 ? "memory.current" : "memory.usage_in_bytes"));
        if (!v2) memory.put("max_usage", cgroup.number("memory", "memory.max_usage_in_bytes"));
        ObjectNode details = memory.putObject("stats");
        cgroup.table("memory", "memory.stat").forEach(details::put);
        long limit = cgroup.number("memory", v2 ? "memory.max" : "memory.limit_in_bytes");
        long machine = machineBytes();
        return memory.put("limit", limit == 0 || limit > machine ? machine : limit);
    }

    private static long machineBytes() {
        try {
            return Long.parseLong(KernelFile.lines(Path.of("/proc/meminfo")).getFirst().replaceAll("\\D", "")) * 1024;
        } catch (IOException e) {
            return 0;
        }
    }

    /// Of the network namespace of `pid`, all links but loopback.
    private static ObjectNode networks(int pid) {
        ObjectNode networks = JSON.objectNode();
        try {
            for (String line : KernelFile.lines(Path.of("/proc", Integer.toString(pid), "net/dev"))) {
                int colon = line.indexOf(':');
                if (colon < 0) continue;
                String link = line.substring(0, colon).strip();
                if (link.equals("lo")) continue;
                String[] n = line.substring(colon + 1).strip().split("\\s+");
                networks.putObject(link)
                        .put("rx_bytes", Long.parseLong(n[0])).put("rx_packets", Long.parseLong(n[1]))
                        .put("rx_errors", Long.parseLong(n[2])).put("rx_dropped", Long.parseLong(n[3]))
                        .put("tx_bytes", Long.parseLong(n[8])).put("tx_packets", Long.parseLong(n[9]))
                        .put("tx_errors", Long.parseLong(n[10])).put("tx_dropped", Long.parseLong(n[11]));
            }
        } catch (IOException e) {
            // It has just ended.
        }
        return networks;
    }
}
