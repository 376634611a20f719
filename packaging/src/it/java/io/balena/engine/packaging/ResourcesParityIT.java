package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Limits on our engine and on dockerd 20.10: the same answers, the same values in the kernel, the same figures.
@ExtendWith(SharedSideBySide.class)
class ResourcesParityIT {
    private static final String CREATE = "create() { api /containers/create -H 'Content-Type: application/json' -d"
            + " \"{\\\"Image\\\":\\\"busybox:it\\\",\\\"Cmd\\\":[\\\"sleep\\\",\\\"1000\\\"],\\\"HostConfig\\\":{\\\"NetworkMode\\\":\\\"none\\\",$1}}\"; }; ";
    private static final String UPDATE = "update() { api /containers/$1/update -H 'Content-Type: application/json' -d \"$2\"; }; ";
    /// Every file of a container's groups that holds a setting, with its value.
    private static final String GROUPS = "groups() { while IFS=: read -r n c p; do for f in /sys/fs/cgroup/${c#name=}$p/*; do case ${f##*/} in"
            + " memory.limit*|memory.soft*|memory.memsw.limit*|memory.kmem*limit*|memory.swappiness|cpu.shares|cpu.*_us|cpuset.cpus|cpuset.mems|pids.max"
            + "|devices.list|*throttle*_device|notify_on_release) echo ${f##*/}: $(cat $f);; memory.oom_control) grep disable $f;; esac; done; done"
            + " < <(grep -v '^0:' /proc/$(docker inspect -f '{{.State.Pid}}' $1)/cgroup | sort -t: -k2); }; ";
    private static final String LIMITS = "docker inspect -f '{{with .HostConfig}}{{.Memory}} {{.MemorySwap}} {{.MemoryReservation}} {{json .MemorySwappiness}}"
            + " {{.NanoCpus}} {{.CpuPeriod}} {{.CpuQuota}} {{.CpuShares}} {{.CpusetCpus}} {{.CpusetMems}} {{json .PidsLimit}} {{.BlkioWeight}}"
            + " {{.KernelMemory}} {{.OomKillDisable}} {{json .RestartPolicy}}{{end}}' ";

    private final SideBySide engines;

    ResourcesParityIT(SideBySide engines) {
        this.engines = engines;
    }

    /// @param hostConfigs members of the object, as JSON without spaces
    private void agreeOnCreating(String... hostConfigs) {
        List<String> steps = new ArrayList<>();
        for (String host : hostConfigs) {
            steps.add(CREATE + "answer=$(create '" + host + "'); echo $answer; id=$(echo $answer | jq -r '.Id//\"\"');"
                    + " [ -z \"$id\" ] || " + LIMITS + "$id");
        }
        engines.agreeOn(steps.toArray(String[]::new));
    }

    @Test void whatCannotBeIsRefusedInTheSameWords() {
        agreeOnCreating("\"Memory\":1", "\"Memory\":-5", "\"Memory\":8000000,\"MemorySwap\":7000000", "\"MemorySwap\":7000000",
                "\"MemorySwappiness\":101", "\"MemorySwappiness\":-2", "\"MemoryReservation\":5", "\"Memory\":8000000,\"MemoryReservation\":9000000",
                "\"KernelMemory\":1", "\"NanoCpus\":1,\"CpuPeriod\":5000", "\"NanoCpus\":1,\"CpuQuota\":5000", "\"NanoCpus\":-5", "\"NanoCpus\":99000000000",
                "\"CpuPeriod\":999", "\"CpuPeriod\":1000001", "\"CpuPeriod\":-5", "\"CpuQuota\":999", "\"CpusetCpus\":\"0-\"", "\"CpusetCpus\":\"0,x\"",
                "\"CpusetCpus\":\"4000\"", "\"CpusetCpus\":\"1-0\"", "\"CpusetCpus\":\"0-8192\"", "\"CpusetCpus\":\"8193\"", "\"CpusetCpus\":\",\"",
                "\"CpusetCpus\":\"999999999999\"", "\"CpusetMems\":\"63\"", "\"BlkioWeight\":-1", "\"BlkioWeight\":70000", "\"BlkioWeight\":\"x\"",
                "\"IOMaximumIOps\":1", "\"IOMaximumBandwidth\":1", "\"ShmSize\":-1", "\"OomScoreAdj\":1001", "\"OomScoreAdj\":-1001",
                "\"CgroupnsMode\":\"x\"", "\"CpuRealtimePeriod\":100,\"CpuRealtimeRuntime\":200", "\"Memory\":\"1g\"", "\"PidsLimit\":\"x\"");
    }

    @Test void whatThisMachineLacksIsLeftOutWithTheSameWarnings() {
        agreeOnCreating("\"BlkioWeight\":500", "\"BlkioWeight\":5", "\"KernelMemory\":8000000", "\"OomKillDisable\":true", "\"CpuPercent\":3",
                "\"BlkioWeightDevice\":[{\"Path\":\"/dev/null\",\"Weight\":5}]", "\"OomKillDisable\":true,\"Memory\":9000000,\"KernelMemory\":7000000");
    }

    @Test void whatIsAskedForIsRecordedTheSame() {
        agreeOnCreating("\"PidsLimit\":-5", "\"PidsLimit\":0", "\"PidsLimit\":7", "\"MemorySwappiness\":-1", "\"MemorySwappiness\":0", "\"Memory\":8000000",
                "\"Memory\":8000000,\"MemorySwap\":-1", "\"Memory\":8000000,\"MemorySwap\":-5", "\"MemorySwap\":-1", "\"CpuShares\":-1", "\"CpuQuota\":-5",
                "\"MemoryReservation\":-5", "\"NanoCpus\":10000000", "\"CpusetCpus\":\"0\",\"CpusetMems\":\"0\"");
    }

    @Test void theKernelIsToldTheSame() {
        engines.agreeOn(
                GROUPS + "docker run -d --name ca --network none busybox:it sleep 1000; groups ca",
                GROUPS + "docker run -d --name cb --network none -m 32m --memory-swap 48m --memory-reservation 16m --memory-swappiness 7 --pids-limit 33"
                        + " --cpus 0.7 --cpu-shares 77 --cpuset-cpus 0 --cpuset-mems 0 busybox:it sleep 1000; groups cb",
                GROUPS + "docker run -d --name cc --network none -m 32m --memory-swap -1 --cpu-period 20000 --cpu-quota 5000 --oom-kill-disable busybox:it sleep 1000; groups cc",
                GROUPS + "docker run -d --name ce --network none --device /dev/loop-control:/dev/x:r --device /dev/fuse --device-cgroup-rule 'c 42:* rw'"
                        + " --device-cgroup-rule 'b 7:3 m' busybox:it sleep 1000; groups ce",
                GROUPS + "disk=$(lsblk -ndo PATH -e 7,1,253 | head -1); docker run -d --name cf --network none --device-read-bps $disk:9mb --device-write-bps $disk:8mb"
                        + " --device-read-iops $disk:77 --device-write-iops $disk:66 busybox:it sleep 1000; groups cf");
    }

    /// But for real time: dockerd records of a change what it would refuse of a new container, which then cannot be started.
    @Test void updatesAreTheSame() {
        List<String> steps = new ArrayList<>(List.of("docker run -d --name ca --network none -m 32m busybox:it sleep 1000",
                "docker create --name cb --network none busybox:it sleep 1000"));
        for (String change : List.of("{\\\"Memory\\\":20000000}", "{\\\"Memory\\\":100000000}", "{\\\"Memory\\\":100000000,\\\"MemorySwap\\\":200000000}",
                "{\\\"Memory\\\":30000000,\\\"MemorySwap\\\":40000000}", "{\\\"MemorySwap\\\":50000000}", "{\\\"Memory\\\":5}",
                "{\\\"MemoryReservation\\\":10000000}", "{\\\"MemoryReservation\\\":5}", "{\\\"CpuShares\\\":500}", "{\\\"CpuPeriod\\\":50000,\\\"CpuQuota\\\":20000}",
                "{\\\"CpuPeriod\\\":1000}", "{\\\"CpuQuota\\\":-1}", "{\\\"NanoCpus\\\":500000000}", "{\\\"CpusetCpus\\\":\\\"0\\\"}",
                "{\\\"CpusetCpus\\\":\\\"99\\\"}", "{\\\"CpusetMems\\\":\\\"0\\\"}", "{\\\"PidsLimit\\\":44}", "{\\\"PidsLimit\\\":-3}", "{\\\"PidsLimit\\\":0}",
                "{\\\"BlkioWeight\\\":300}", "{\\\"KernelMemory\\\":9000000}", "{\\\"RestartPolicy\\\":{\\\"Name\\\":\\\"always\\\"}}",
                "{\\\"RestartPolicy\\\":{\\\"Name\\\":\\\"on-failure\\\",\\\"MaximumRetryCount\\\":3}}",
                "{\\\"RestartPolicy\\\":{\\\"Name\\\":\\\"always\\\",\\\"MaximumRetryCount\\\":3}}", "{\\\"RestartPolicy\\\":{\\\"Name\\\":\\\"no\\\"}}",
                "{\\\"Memory\\\":\\\"x\\\"}", "{}")) {
            for (String name : List.of("ca", "cb")) steps.add(UPDATE + GROUPS + "update " + name + " \"" + change + "\"; " + LIMITS + name + "; [ " + name + " = cb ] || groups ca");
        }
        steps.add(UPDATE + "update nope '{}'");
        steps.add("docker run -d --rm --name cc --network none --cpus 1 busybox:it sleep 1000");
        steps.add(UPDATE + "update cc '{\"RestartPolicy\":{\"Name\":\"always\"}}'; update cc '{\"CpuPeriod\":50000}'; update cc '{\"CpuQuota\":50000}'; " + LIMITS + "cc");
        steps.add("docker update --memory 20m --memory-swap 30m --cpus 0.5 --pids-limit 9 --restart no cc; " + LIMITS + "cc");
        engines.agreeOn(steps.toArray(String[]::new));
    }

    /// dockerd 20.10 records it, and does not tell the kernel.
    @Test void swapWithoutLimitCanBeGivenToARunningContainer() {
        String limit = "cat /sys/fs/cgroup/memory$(grep :memory: /proc/$(docker inspect -f '{{.State.Pid}}' ca)/cgroup | cut -d: -f3)/memory.memsw.limit_in_bytes";
        SideBySide.shell(engines.ours, "docker run -d --name ca --network none -m 32m busybox:it sleep 1000; docker update --memory-swap -1 ca").succeeded();
        assertTrue(Long.parseLong(SideBySide.shell(engines.ours, limit).succeeded()) > 1L << 60);
    }

    @Test void aChangeTheKernelRefusesIsNoChange() {
        String fill = "docker run -d --name ca --network none -m 64m --memory-swap 64m busybox:it sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=30; echo full; sleep 1000';"
                + " until docker logs ca 2>&1 | grep -q full; do sleep 0.1; done";
        engines.both(fill);
        // How much is used is never the same.
        engines.agreeOn(UPDATE + GROUPS + "update ca '{\"CpuShares\":99,\"PidsLimit\":5,\"Memory\":8000000,\"MemorySwap\":8000000}' | sed -E 's/(usage: )[0-9]+/\\1N/g;"
                + " s/.*(unable to set memory limit)/\\1/; s/\\\\n//'; groups ca; " + LIMITS + "ca");
    }

    @Test void pausingIsTheSame() {
        engines.agreeOn("docker run -d --name ca --network none busybox:it sleep 1000", "docker pause ca", "docker pause ca", "docker exec ca true",
                "docker inspect -f '{{json .State}}' ca | jq -c '{Status,Running,Paused}'", "docker top ca -o pid,comm | wc -l", "docker kill -s USR1 ca",
                "docker unpause ca", "docker unpause ca", "docker pause nope", "docker create --name cb busybox:it true", "docker pause cb", "docker unpause cb",
                "docker top cb", "docker top nope", "docker pause ca; docker stop -t 1 ca; docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' ca",
                "docker stats --no-stream nope");
    }

    @Test void statisticsHaveTheSameFields() throws IOException {
        String run = "docker run -d --name ca --network none -m 64m --pids-limit 50 --cpus 0.5 busybox:it sh -c 'while :; do :; done'";
        engines.both(run, "docker create --name never --network none busybox:it true", "docker run -d --name idle --network none busybox:it sleep 1000");
        for (String path : List.of("/containers/ca/stats?stream=0", "'/containers/ca/stats?stream=0&one-shot=1'", "/containers/idle/stats?stream=0",
                "/containers/never/stats?stream=0", "'/containers/never/stats?stream=0&one-shot=1'", "'/containers/ca/stats?one-shot=1'")) {
            assertEquals(fields(stats(engines.theirs, path)), fields(stats(engines.ours, path)), path);
        }
    }

    @Test void statisticsOfTheSameWorkAreTheSame() throws IOException {
        // What is used is fixed: so many bytes in memory, a twentieth of a processor, three processes.
        String run = "docker run -d --name ca --network none -m 64m --cpus 0.05 busybox:it sh -c"
                + " 'dd if=/dev/zero of=/dev/shm/x bs=1M count=30; sleep 1000 & sleep 1000 & echo ready; while :; do :; done';"
                + " until docker logs ca 2>&1 | grep -q ready; do sleep 0.1; done";
        var seen = new ArrayList<JsonNode>();
        for (Engine engine : List.of(engines.theirs, engines.ours)) {
            SideBySide.shell(engine, run).succeeded();
            seen.add(stats(engine, "/containers/ca/stats?stream=0"));
            SideBySide.shell(engine, "docker rm -f ca").succeeded();
        }
        JsonNode theirs = seen.get(0);
        JsonNode ours = seen.get(1);
        assertEquals(theirs.at("/pids_stats"), ours.at("/pids_stats"));
        assertEquals(theirs.at("/memory_stats/limit"), ours.at("/memory_stats/limit"));
        assertEquals(theirs.at("/cpu_stats/online_cpus"), ours.at("/cpu_stats/online_cpus"));
        assertNear(theirs, ours, "/memory_stats/usage", 0.1);
        assertNear(theirs, ours, "/memory_stats/stats/cache", 0.1);
        for (JsonNode each : seen) {
            double used = difference(each, "/cpu_usage/total_usage");
            double all = difference(each, "/system_cpu_usage") / each.at("/cpu_stats/online_cpus").asInt();
            assertTrue(used > 0 && used <= 0.5 * all, () -> used + " of " + all);
            assertTrue(each.at("/cpu_stats/throttling_data/throttled_periods").asLong() > 0, each::toString);
        }
    }

    private static double difference(JsonNode stats, String path) {
        return stats.at("/cpu_stats" + path).asDouble() - stats.at("/precpu_stats" + path).asDouble();
    }

    private static void assertNear(JsonNode one, JsonNode two, String path, double tolerance) {
        double a = one.at(path).asDouble();
        double b = two.at(path).asDouble();
        assertTrue(a > 0 && Math.abs(a - b) <= tolerance * a, () -> path + ": " + a + " and " + b);
    }

    private static JsonNode stats(Engine engine, String path) throws IOException {
        return new ObjectMapper().readTree(SideBySide.shell(engine, "api " + path).succeeded());
    }

    /// All paths in their order, which clients that show the document see.
    private static String fields(JsonNode json) {
        var lines = new StringBuilder();
        collect("", json, lines);
        return lines.toString();
    }

    private static void collect(String path, JsonNode json, StringBuilder lines) {
        if (!json.isObject()) {
            lines.append(path).append(": ").append(json.isValueNode() && !json.isNumber() && !path.contains("id") && !path.contains("read") ? json : json.getNodeType()).append('\n');
            return;
        }
        if (json.isEmpty()) lines.append(path).append(": {}\n");
        for (var each : json.properties()) collect(path + "/" + each.getKey(), each.getValue(), lines);
    }
}
