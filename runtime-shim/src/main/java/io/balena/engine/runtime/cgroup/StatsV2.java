package io.balena.engine.runtime.cgroup;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads what a group of version 2 counts.
final class StatsV2 {
    private static final long NANOS_PER_MICRO = 1000;

    private final Path folder;

    StatsV2(Path folder) {
        this.folder = folder;
    }

    CgroupStats read() throws IOException {
        return new CgroupStats(cpu(), memory(), pids(), blockIo(), hugepages());
    }

    private CgroupStats.Cpu cpu() throws IOException {
        Map<String, Long> stat = table("cpu.stat");
        return new CgroupStats.Cpu(
                stat.getOrDefault("usage_usec", 0L) * NANOS_PER_MICRO,
                stat.getOrDefault("user_usec", 0L) * NANOS_PER_MICRO,
                stat.getOrDefault("system_usec", 0L) * NANOS_PER_MICRO,
                List.of(),
                stat.getOrDefault("nr_periods", 0L),
                stat.getOrDefault("nr_throttled", 0L),
                stat.getOrDefault("throttled_usec", 0L) * NANOS_PER_MICRO);
    }

    private CgroupStats.Memory memory() throws IOException {
        var none = new CgroupStats.Usage(0, 0, Long.MAX_VALUE, 0);
        var swap = new CgroupStats.Usage(
                number("memory.swap.current"), number("memory.swap.peak"), limit("memory.swap.max"), table("memory.swap.events").getOrDefault("fail", 0L));
        return new CgroupStats.Memory(
                number("memory.current"),
                number("memory.peak"),
                limit("memory.max"),
                table("memory.events").getOrDefault("oom", 0L),
                swap,
                none,
                none,
                table("memory.stat"));
    }

    private CgroupStats.Pids pids() throws IOException {
        long limit = limit("pids.max");
        return new CgroupStats.Pids(number("pids.current"), limit == Long.MAX_VALUE ? 0 : limit);
    }

    /// Lines `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
    private CgroupStats.BlockIo blockIo() throws IOException {
        List<CgroupStats.Transfer> bytes = new ArrayList<>();
        List<CgroupStats.Transfer> operations = new ArrayList<>();
        for (String line : text("io.stat").split("\n")) {
            String[] words = line.split(" ");
            int colon = words[0].indexOf(':');
            if (colon < 0) continue;
            long major = Long.parseLong(words[0].substring(0, colon));
            long minor = Long.parseLong(words[0].substring(colon + 1));
            for (int i = 1; i < words.length; i++) {
                int equals = words[i].indexOf('=');
                if (equals < 0) continue;
                long value = Long.parseLong(words[i].substring(equals + 1));
                switch (words[i].substring(0, equals)) {
                    case "rbytes" -> bytes.add(new CgroupStats.Transfer(major, minor, "Read", value));
                    case "wbytes" -> bytes.add(new CgroupStats.Transfer(major, minor, "Write", value));
                    case "rios" -> operations.add(new CgroupStats.Transfer(major, minor, "Read", value));
                    case "wios" -> operations.add(new CgroupStats.Transfer(major, minor, "Write", value));
                    default -> {}
                }
            }
        }
        return new CgroupStats.BlockIo(bytes, operations);
    }

    private Map<String, CgroupStats.Hugepages> hugepages() throws IOException {
        Map<String, CgroupStats.Hugepages> all = new LinkedHashMap<>();
        String[] files = folder.toFile().list();
        for (int i = 0; files != null && i < files.length; i++) {
            if (!files[i].startsWith("hugetlb.") || !files[i].endsWith(".current") || files[i].contains(".rsvd.")) continue;
            String size = files[i].substring("hugetlb.".length(), files[i].length() - ".current".length());
            long failures = table("hugetlb." + size + ".events").getOrDefault("max", 0L);
            all.put(size, new CgroupStats.Hugepages(number(files[i]), 0, failures));
        }
        return all;
    }

    private long number(String file) {
        return CgroupFiles.numberOr(folder.resolve(file), 0);
    }

    private long limit(String file) {
        return CgroupFiles.numberOr(folder.resolve(file), Long.MAX_VALUE);
    }

    private String text(String file) throws IOException {
        try {
            return CgroupFiles.read(folder.resolve(file));
        } catch (NoSuchFileException _) {
            return "";
        }
    }

    private Map<String, Long> table(String file) throws IOException {
        return CgroupFiles.table(text(file));
    }
}
