package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/// Containers that share namespaces with each other or the host: the same as under dockerd 20.10, and the same is refused.
@ExtendWith(SharedSideBySide.class)
class NamespacesIT {
    /// Creates a container of what is given in JSON, says what became of that, starts it, says that, and removes it.
    static final String TRY = """
            try() {
                local answer=$(api /containers/create -H 'Content-Type: application/json' -w ' %{http_code}' -d "{\\"Image\\":\\"busybox:it\\",\\"Cmd\\":[\\"true\\"],$1}")
                local id=$(grep -o '[0-9a-f]\\{64\\}' <<<"$answer" | head -1)
                echo "$1 => $answer"
                [[ $answer == *' 201' ]] || return 0
                api /containers/$id/start -X POST -w ' %{http_code}\\n' | tr '\\n' ' '
                docker rm -f $id >/dev/null; echo
            }
            """;

    private final SideBySide engines;

    NamespacesIT(SideBySide engines) {
        this.engines = engines;
    }

    static String tryHost(String json) {
        return TRY + "try '\"HostConfig\":{" + json + "}'";
    }

    static String tryWhole(String json) {
        return TRY + "try '" + json + "'";
    }

    private void donors() {
        engines.both(
                "docker run -d --name donor --network none --ipc shareable busybox:it sleep 1000",
                "docker run -d --name closed --network none --ipc private busybox:it sleep 1000",
                "docker run -d --name none --network none --ipc none busybox:it sleep 1000",
                "docker run -d --name guest --network none --ipc container:donor busybox:it sleep 1000",
                "docker create --name stopped --network none --ipc shareable busybox:it sleep 1000");
    }

    @Test void everyModeIsTakenOrRefusedAsByDocker() {
        donors();
        List<String> steps = new ArrayList<>();
        List<String> others = List.of("container:nosuch", "container:stopped", "container:donor", "none", "shareable");
        for (String mode : List.of("IpcMode", "PidMode", "NetworkMode", "CgroupnsMode", "UTSMode", "UsernsMode")) {
            List<String> values = new ArrayList<>(List.of("foo", "private", "host"));
            // The last two take anything for private; that of control groups is decided without looking for others.
            if (List.of("IpcMode", "PidMode", "NetworkMode").contains(mode)) values.addAll(others);
            for (String value : values) {
                steps.add(tryHost("\"" + mode + "\":\"" + value + "\"" + (mode.equals("NetworkMode") ? "" : ",\"NetworkMode\":\"none\"")));
            }
        }
        for (String donor : List.of("closed", "none", "guest")) steps.add(tryHost("\"NetworkMode\":\"none\",\"IpcMode\":\"container:" + donor + "\""));
        steps.add(tryHost("\"NetworkMode\":\"container:donor\",\"IpcMode\":\"container:donor\",\"PidMode\":\"container:donor\""));
        steps.add(tryHost("\"NetworkMode\":\"container:\""));
        engines.agreeOn(steps.toArray(String[]::new));
    }

    @Test void whatASharedNamespaceForbidsIsRefusedAsByDocker() {
        donors();
        engines.agreeOn(
                tryWhole("\"Hostname\":\"x\",\"HostConfig\":{\"UTSMode\":\"host\",\"NetworkMode\":\"none\"}"),
                tryWhole("\"Hostname\":\"x\",\"HostConfig\":{\"NetworkMode\":\"container:donor\"}"),
                tryWhole("\"Hostname\":\"x\",\"HostConfig\":{\"NetworkMode\":\"host\"}"),
                tryWhole("\"Domainname\":\"x\",\"HostConfig\":{\"NetworkMode\":\"container:donor\"}"),
                tryWhole("\"MacAddress\":\"02:42:ac:11:00:02\",\"HostConfig\":{\"NetworkMode\":\"container:donor\"}"),
                tryWhole("\"MacAddress\":\"02:42:ac:11:00:02\",\"HostConfig\":{\"NetworkMode\":\"host\"}"),
                tryWhole("\"ExposedPorts\":{\"80/tcp\":{}},\"HostConfig\":{\"NetworkMode\":\"container:donor\"}"),
                tryHost("\"NetworkMode\":\"container:donor\",\"Links\":[\"a:b\"]"),
                tryHost("\"NetworkMode\":\"container:donor\",\"Dns\":[\"1.1.1.1\"]"),
                tryHost("\"NetworkMode\":\"container:donor\",\"ExtraHosts\":[\"a:1.1.1.1\"]"),
                tryHost("\"NetworkMode\":\"container:donor\",\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"80\"}]}"),
                tryHost("\"NetworkMode\":\"container:donor\",\"PublishAllPorts\":true"),
                tryHost("\"NetworkMode\":\"host\",\"Links\":[\"a:b\"]"));
    }

    @Test void sharedMemoryIsTheDonorsAndStaysWithWhoHasIt() {
        engines.agreeOn(
                "docker run -d --name donor --network none --ipc shareable --shm-size 8m busybox:it sh -c 'echo 1 > /dev/shm/first; sleep 1000'",
                "docker run -d --name guest --network none --ipc container:donor busybox:it sleep 1000",
                "until docker exec donor test -s /dev/shm/first; do :; done; docker exec guest cat /dev/shm/first",
                "docker exec guest sh -c 'echo 2 > /dev/shm/second'; docker exec donor cat /dev/shm/second",
                "docker exec guest grep /dev/shm /proc/mounts; docker exec donor grep /dev/shm /proc/mounts; docker exec guest stat -c '%a %u' /dev/shm",
                "[ $(docker exec donor readlink /proc/self/ns/ipc) = $(docker exec guest readlink /proc/self/ns/ipc) ] && echo same",
                "docker restart -t 0 donor; until docker exec donor test -s /dev/shm/first; do :; done; docker exec donor ls /dev/shm",
                "docker exec guest ls /dev/shm",
                "[ $(docker exec donor readlink /proc/self/ns/ipc) = $(docker exec guest readlink /proc/self/ns/ipc) ] || echo apart",
                "docker restart -t 0 guest; docker exec guest ls /dev/shm",
                "docker stop -t 0 donor; docker exec guest cat /dev/shm/first; docker stop -t 0 guest; docker start guest",
                "docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' guest",
                "docker start donor; docker start guest; docker rm -f donor; docker exec guest ls -ld /dev/shm | cut -c1-10; docker rm -f guest");
        assertFalse(mounts().contains(engines.ours.data() + "/containers"), mounts());
    }

    private static String mounts() {
        try {
            return Files.readString(Path.of("/proc/self/mountinfo"));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test void whoSharesANetworkHasItsNames() {
        engines.agreeOn(
                "docker run -d --name donor -h named --network none busybox:it sleep 1000",
                "docker run -d --name guest --network container:donor busybox:it sleep 1000",
                "docker exec guest sh -c 'hostname; cat /etc/hostname; [ /proc/1/ns/uts -ef /proc/self/ns/uts ] && echo own'",
                "docker inspect -f '{{.Config.Hostname}} {{.HostConfig.CgroupnsMode}} {{.HostConfig.IpcMode}}' guest");
    }

    @Test void theEnginesFlagsSayWhatIsSharedByDefault() {
        try (var flagged = SideBySide.start("--default-ipc-mode=shareable", "--default-cgroupns-mode=private")) {
            BusyboxImage.importInto(flagged.ours);
            BusyboxImage.importInto(flagged.theirs);
            flagged.agreeOn(
                    "docker run -d --name donor --network none busybox:it sleep 1000",
                    "docker inspect -f '{{.HostConfig.CgroupnsMode}} {{.HostConfig.IpcMode}}' donor",
                    "docker run --rm --network none --ipc container:donor busybox:it echo joined",
                    "[ $(docker exec donor readlink /proc/self/ns/cgroup) = $(readlink /proc/self/ns/cgroup) ] || echo own");
        }
    }

    @Test void aDonorIsFoundAfterTheEngineWasKilled() {
        var engine = engines.ours;
        SideBySide.shell(engine, "docker run -d --name donor --network none --ipc shareable busybox:it sleep 1000").succeeded();
        engine.killDaemon();
        engine.startDaemon();
        SideBySide.shell(engine, "docker run -d --name guest --network container:donor --ipc container:donor --pid container:donor busybox:it sleep 1000").succeeded();
        String links = "for n in net ipc pid uts; do docker exec %s readlink /proc/self/ns/$n; done";
        String[] donor = SideBySide.shell(engine, links.formatted("donor")).succeeded().split("\n");
        String[] guest = SideBySide.shell(engine, links.formatted("guest")).succeeded().split("\n");
        for (int shared = 0; shared < 3; shared++) assertEquals(donor[shared], guest[shared]);
        assertNotEquals(donor[3], guest[3]);
        engine.killDaemon();
        engine.startDaemon();
        SideBySide.shell(engine, "docker exec guest sh -c 'echo x > /dev/shm/x' && docker exec donor cat /dev/shm/x").succeeded();
    }
}
