package io.balena.engine.runtime.cgroup;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads what the hierarchies of version 1 count.
final class StatsV1 {
    private static final long NANOS_PER_TICK = 10_000_000; // USER_HZ is 100 on all our machines
    /// What the kernel says for "no limit": the largest number of whole pages.
    private static final long NO_LIMIT = Long.MAX_VALUE & -4096L;

    private final FoldersV1 folders;

    StatsV1(FoldersV1 folders) {
        this.folders = folders;
    }

    CgroupStats read() throws IOException {
        return new CgroupStats(cpu(), memory(), pids(), blockIo(), hugepages());
    }

    private CgroupStats.Cpu cpu() throws IOException {
        List<Long> each = new ArrayList<>();
        String line = text("cpuacct", "cpuacct.usage_percpu");
        for (String number : line.isEmpty() ? new String[0] : line.split(" ")) each.add(Long.parseLong(number));
        Map<String, Long> ticks = table("cpuacct", "cpuacct.stat");
        Map<String, Long> periods = table("cpu", "cpu.stat");
        return new CgroupStats.Cpu(
                number("cpuacct", "cpuacct.usage"),
                ticks.getOrDefault("user", 0L) * NANOS_PER_TICK,
                ticks.getOrDefault("system", 0L) * NANOS_PER_TICK,
                each,
                periods.getOrDefault("nr_periods", 0L),
                periods.getOrDefault("nr_throttled", 0L),
                periods.getOrDefault("throttled_time", 0L));
    }

    private CgroupStats.Memory memory() throws IOException {
        CgroupStats.Usage own = usage("memory");
        return new CgroupStats.Memory(
                own.usage(),
                own.highest(),
                own.limit(),
                own.failures(),
                usage("memory.memsw"),
                usage("memory.kmem"),
                usage("memory.kmem.tcp"),
                table("memory", "memory.stat"));
    }

    private CgroupStats.Usage usage(String kind) throws IOException {
        long limit = number("memory", kind + ".limit_in_bytes");
        return new CgroupStats.Usage(
                number("memory", kind + ".usage_in_bytes"),
                number("memory", kind + ".max_usage_in_bytes"),
                limit >= NO_LIMIT ? Long.MAX_VALUE : limit,
                number("memory", kind + ".failcnt"));
    }

    private CgroupStats.Pids pids() throws IOException {
        String limit = text("pids", "pids.max");
        return new CgroupStats.Pids(
                number("pids", "pids.current"), limit.isEmpty() || limit.equals("max") ? 0 : Long.parseLong(limit));
    }

    /// The throttling layer sees every scheduler's traffic, but counts only devices that have a limit; bfq counts its own.
    private CgroupStats.BlockIo blockIo() throws IOException {
        List<CgroupStats.Transfer> bytes = transfers("blkio.throttle.io_service_bytes_recursive");
        List<CgroupStats.Transfer> operations = transfers("blkio.throttle.io_serviced_recursive");
        if (operations.isEmpty()) {
            bytes = transfers("blkio.bfq.io_service_bytes_recursive");
            operations = transfers("blkio.bfq.io_serviced_recursive");
        }
        return new CgroupStats.BlockIo(bytes, operations);
    }

    /// Lines `8:0 Read 4096`, and one `Total` over all devices.
    private List<CgroupStats.Transfer> transfers(String file) throws IOException {
        List<CgroupStats.Transfer> all = new ArrayList<>();
        for (String line : text("blkio", file).split("\n")) {
            String[] words = line.split(" ");
            int colon = words[0].indexOf(':');
            if (words.length != 3 || colon < 0) continue;
            all.add(new CgroupStats.Transfer(
                    Long.parseLong(words[0].substring(0, colon)),
                    Long.parseLong(words[0].substring(colon + 1)),
                    words[1],
                    Long.parseLong(words[2])));
        }
        return all;
    }

    private Map<String, CgroupStats.Hugepages> hugepages() {
        Map<String, CgroupStats.Hugepages> all = new LinkedHashMap<>();
        Path folder = folders.of("hugetlb");
        String[] files = folder == null ? null : folder.toFile().list();
        for (int i = 0; files != null && i < files.length; i++) {
            if (!files[i].endsWith(".usage_in_bytes") || files[i].contains(".rsvd.")) continue;
            String size = files[i].substring("hugetlb.".length(), files[i].length() - ".usage_in_bytes".length());
            all.put(size, new CgroupStats.Hugepages(
                    hugepages(folder, size, ".usage_in_bytes"),
                    hugepages(folder, size, ".max_usage_in_bytes"),
                    hugepages(folder, size, ".failcnt")));
        }
        return all;
    }

    private static long hugepages(Path folder, String size, String file) {
        return CgroupFiles.numberOr(folder.resolve("hugetlb." + size + file), 0);
    }

    private long number(String controller, String file) {
        Path folder = folders.of(controller);
        return folder == null ? 0 : CgroupFiles.numberOr(folder.resolve(file), 0);
    }

    private String text(String controller, String file) throws IOException {
        Path folder = folders.of(controller);
        try {
            return folder == null ? "" : CgroupFiles.read(folder.resolve(file));
        } catch (NoSuchFileException _) {
            return "";
        }
    }

    private Map<String, Long> table(String controller, String file) throws IOException {
        return CgroupFiles.table(text(controller, file));
    }
}
