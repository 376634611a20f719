package io.balena.engine.runtime.command;

import io.balena.engine.linux.PidFd;
import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.cgroup.CgroupStats;
import io.balena.engine.runtime.container.ContainerStatus;
import io.balena.engine.runtime.container.OciRuntime;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/// `events`: what a container uses, once or again and again until it ends, and when it runs out of memory; a line of JSON each.
final class EventsCommand {
    private final OciRuntime runtime;

    EventsCommand(OciRuntime runtime) {
        this.runtime = runtime;
    }

    int perform(CommandWords words) throws IOException {
        String id = words.arguments().getFirst();
        var container = runtime.known(id);
        int interval = intervalMillis(words.value("interval", "5s"));
        if (container.status() == ContainerStatus.STOPPED) throw failure("container with id " + id + " is not running");
        print(id, container.cgroup().stats());
        if (words.has("stats")) return 0;
        Optional<PidFd> open = container.process().open();
        if (open.isEmpty()) return 0;
        try (var process = open.get()) {
            long kills = container.cgroup().outOfMemoryKills();
            while (!process.awaitEnded(interval)) {
                long now = container.cgroup().outOfMemoryKills();
                for (; kills < now; kills++) {
                    System.out.println(new JsonOut(false).beginObject().field("type", "oom").field("id", id).endObject());
                }
                print(id, container.cgroup().stats());
            }
        }
        return 0;
    }

    /// As Go has durations, in whole units: `500ms`, `5s`, `1m`.
    private static int intervalMillis(String text) throws ContainerFailure {
        int digits = 0;
        while (digits < text.length() && Character.isDigit(text.charAt(digits))) digits++;
        try {
            int number = Integer.parseInt(text.substring(0, digits));
            int millis = switch (text.substring(digits)) {
                case "ms" -> number;
                case "s" -> Math.multiplyExact(number, 1000);
                case "m" -> Math.multiplyExact(number, 60_000);
                default -> 0;
            };
            if (millis > 0) return millis;
        } catch (ArithmeticException | NumberFormatException _) {
            // as below
        }
        throw failure("duration interval must be greater than 0");
    }

    private static void print(String id, CgroupStats stats) {
        var json = new JsonOut(false).beginObject().field("type", "stats").field("id", id).name("data").beginObject();
        addCpu(json, stats.cpu());
        addMemory(json, stats.memory());
        json.name("pids").beginObject().fieldUnlessZero("current", stats.pids().current())
                .fieldUnlessZero("limit", stats.pids().limit()).endObject();
        json.name("blkio").beginObject();
        addTransfers(json, "ioServiceBytesRecursive", stats.blockIo().bytes());
        addTransfers(json, "ioServicedRecursive", stats.blockIo().operations());
        json.endObject();
        json.name("hugetlb").beginObject();
        stats.hugepages().forEach((size, pages) -> json.name(size).beginObject()
                .fieldUnlessZero("usage", pages.usage())
                .fieldUnlessZero("max", pages.highest())
                .field("failcnt", pages.failures())
                .endObject());
        json.endObject();
        System.out.println(json.name("intel_rdt").beginObject().endObject().endObject().endObject());
    }

    private static void addCpu(JsonOut json, CgroupStats.Cpu cpu) {
        json.name("cpu").beginObject().name("usage").beginObject().fieldUnlessZero("total", cpu.total());
        if (!cpu.perProcessor().isEmpty()) {
            json.name("percpu").beginArray();
            for (long nanos : cpu.perProcessor()) json.element(nanos);
            json.endArray();
        }
        json.field("kernel", cpu.system()).field("user", cpu.user()).endObject();
        json.name("throttling").beginObject()
                .fieldUnlessZero("periods", cpu.periods())
                .fieldUnlessZero("throttledPeriods", cpu.throttledPeriods())
                .fieldUnlessZero("throttledTime", cpu.throttled())
                .endObject()
                .endObject();
    }

    private static void addMemory(JsonOut json, CgroupStats.Memory memory) {
        json.name("memory").beginObject();
        add(json, "usage", new CgroupStats.Usage(memory.usage(), memory.highest(), memory.limit(), memory.failures()));
        add(json, "swap", memory.swap());
        add(json, "kernel", memory.kernel());
        add(json, "kernelTCP", memory.kernelTcp());
        json.name("raw").beginObject();
        memory.details().forEach(json::field);
        json.endObject().endObject();
    }

    private static void add(JsonOut json, String name, CgroupStats.Usage usage) {
        json.name(name).beginObject()
                .field("limit", usage.limit())
                .fieldUnlessZero("usage", usage.usage())
                .fieldUnlessZero("max", usage.highest())
                .field("failcnt", usage.failures())
                .endObject();
    }

    private static void addTransfers(JsonOut json, String name, List<CgroupStats.Transfer> transfers) {
        if (transfers.isEmpty()) return;
        json.name(name).beginArray();
        for (var transfer : transfers) {
            json.beginObject()
                    .fieldUnlessZero("major", transfer.major())
                    .fieldUnlessZero("minor", transfer.minor())
                    .field("op", transfer.operation())
                    .fieldUnlessZero("value", transfer.value())
                    .endObject();
        }
        json.endArray();
    }

    private static ContainerFailure failure(String message) {
        return new ContainerFailure(ContainerFailure.Kind.SETUP, message);
    }
}
