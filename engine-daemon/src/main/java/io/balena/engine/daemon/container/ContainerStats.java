package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.container.config.NetworkMode;
import io.balena.engine.linux.KernelFile;
import io.balena.engine.runtime.cgroup.CgroupStats;
import io.balena.engine.runtime.cgroup.ContainerCgroup;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/// What a container uses, as `docker stats` is told. One object serves one client, sample after sample.
final class ContainerStats {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final long NANOS_PER_TICK = 10_000_000; // USER_HZ is 100 on all our machines
    private static final List<String> TRANSFERS = List.of("io_service_bytes_recursive", "io_serviced_recursive", "io_queue_recursive",
            "io_service_time_recursive", "io_wait_time_recursive", "io_merged_recursive", "io_time_recursive", "sectors_recursive");
    /// What Docker passes on of `memory.stat`; in version 1 also each with `total_` before it.
    private static final Set<String> DETAILS_V1 = Set.of("active_anon", "active_file", "cache", "dirty", "hierarchical_memory_limit",
            "hierarchical_memsw_limit", "inactive_anon", "inactive_file", "mapped_file", "pgfault", "pgmajfault", "pgpgin", "pgpgout", "rss",
            "rss_huge", "unevictable", "writeback");
    private static final List<String> DETAILS_V2 = List.of("active_anon", "active_file", "anon", "anon_thp", "file", "file_dirty", "file_mapped",
            "file_writeback", "inactive_anon", "inactive_file", "kernel_stack", "pgactivate", "pgdeactivate", "pgfault", "pglazyfree",
            "pglazyfreed", "pgmajfault", "pgrefill", "pgscan", "pgsteal", "shmem", "slab", "slab_reclaimable", "slab_unreclaimable", "sock",
            "thp_collapse_alloc", "thp_fault_alloc", "unevictable", "workingset_activate", "workingset_nodereclaim", "workingset_refault");

    private final Container container;
    private final Path bundle;
    private ObjectNode lastCpu = noCpu();
    private String lastRead = ContainerState.NEVER;

    /// @param bundle of the container, while it runs
    ContainerStats(Container container, Path bundle) {
        this.container = container;
        this.bundle = bundle;
    }

    /// A sample; its `precpu_stats` are those of the one before.
    ObjectNode sample() {
        ContainerRecord record = container.record();
        Optional<CgroupStats> used = record.state().isAlive() ? read(record) : Optional.empty();
        return used.isPresent() ? running(record, used.get()) : stopped(record);
    }

    private Optional<CgroupStats> read(ContainerRecord record) {
        try {
            return Optional.of(ContainerCgroup.of(record.id().hex(), bundle).stats());
        } catch (IOException e) {
            return Optional.empty(); // it has just ended
        }
    }

    private ObjectNode stopped(ContainerRecord record) {
        lastCpu = noCpu();
        lastRead = ContainerState.NEVER;
        ObjectNode json = JSON.objectNode().put("read", ContainerState.NEVER).put("preread", ContainerState.NEVER);
        json.putObject("pids_stats");
        ObjectNode io = json.putObject("blkio_stats");
        TRANSFERS.forEach(io::putNull);
        json.put("num_procs", 0).putObject("storage_stats");
        json.set("cpu_stats", noCpu());
        json.set("precpu_stats", noCpu());
        json.putObject("memory_stats");
        return json.put("name", "/" + record.name()).put("id", record.id().hex());
    }

    private ObjectNode running(ContainerRecord record, CgroupStats used) {
        boolean unified = ContainerCgroup.isUnified();
        String now = Instant.now().toString();
        ObjectNode json = JSON.objectNode().put("read", now).put("preread", lastRead);
        ObjectNode pids = json.putObject("pids_stats").put("current", used.pids().current());
        if (used.pids().limit() > 0) pids.put("limit", used.pids().limit());
        json.set("blkio_stats", blockIo(used.blockIo(), unified));
        json.put("num_procs", 0).putObject("storage_stats");
        ObjectNode cpu = cpu(used.cpu());
        json.set("cpu_stats", cpu);
        json.set("precpu_stats", lastCpu);
        json.set("memory_stats", memory(used.memory(), unified));
        json.put("name", "/" + record.name()).put("id", record.id().hex());
        // Who shares the host's network has no counters of its own.
        if (!(record.host().networkMode() instanceof NetworkMode.Host)) {
            ObjectNode networks = networks(record.state().pid());
            if (!networks.isEmpty()) json.set("networks", networks);
        }
        lastCpu = cpu;
        lastRead = now;
        return json;
    }

    private static ObjectNode blockIo(CgroupStats.BlockIo used, boolean unified) {
        ObjectNode io = JSON.objectNode();
        if (unified) {
            TRANSFERS.forEach(io::putNull);
            if (!used.bytes().isEmpty()) add(io.putArray(TRANSFERS.get(0)), used.bytes(), true);
            return io;
        }
        TRANSFERS.forEach(io::putArray);
        add((ArrayNode) io.get(TRANSFERS.get(0)), used.bytes(), false);
        add((ArrayNode) io.get(TRANSFERS.get(1)), used.operations(), false);
        return io;
    }

    private static void add(ArrayNode array, List<CgroupStats.Transfer> transfers, boolean lowerCase) {
        for (var transfer : transfers) {
            String operation = lowerCase ? transfer.operation().toLowerCase(Locale.ROOT) : transfer.operation();
            array.addObject().put("major", transfer.major()).put("minor", transfer.minor()).put("op", operation).put("value", transfer.value());
        }
    }

    private static ObjectNode noCpu() {
        ObjectNode cpu = JSON.objectNode();
        cpu.putObject("cpu_usage").put("total_usage", 0).put("usage_in_kernelmode", 0).put("usage_in_usermode", 0);
        cpu.putObject("throttling_data").put("periods", 0).put("throttled_periods", 0).put("throttled_time", 0);
        return cpu;
    }

    private static ObjectNode cpu(CgroupStats.Cpu used) {
        ObjectNode cpu = JSON.objectNode();
        ObjectNode usage = cpu.putObject("cpu_usage").put("total_usage", used.total());
        if (!used.perProcessor().isEmpty()) used.perProcessor().forEach(usage.putArray("percpu_usage")::add);
        usage.put("usage_in_kernelmode", used.system()).put("usage_in_usermode", used.user());
        cpu.put("system_cpu_usage", systemNanos()).put("online_cpus", Runtime.getRuntime().availableProcessors());
        cpu.putObject("throttling_data").put("periods", used.periods()).put("throttled_periods", used.throttledPeriods())
                .put("throttled_time", used.throttled());
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

    private static ObjectNode memory(CgroupStats.Memory used, boolean unified) {
        ObjectNode memory = JSON.objectNode().put("usage", used.usage());
        if (!unified && used.highest() != 0) memory.put("max_usage", used.highest());
        ObjectNode details = memory.putObject("stats");
        details(used.details(), unified).forEach(details::put);
        if (used.failures() != 0) memory.put("failcnt", used.failures());
        return memory.put("limit", Math.min(used.limit(), machineBytes()));
    }

    private static Map<String, Long> details(Map<String, Long> all, boolean unified) {
        Map<String, Long> shown = new TreeMap<>();
        if (unified) {
            for (String name : DETAILS_V2) shown.put(name, all.getOrDefault(name, 0L));
            return shown;
        }
        all.forEach((name, value) -> {
            if (DETAILS_V1.contains(name.startsWith("total_") ? name.substring("total_".length()) : name)) shown.put(name, value);
        });
        return shown;
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
