package io.balena.engine.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/// With `--userns-remap` containers, their files and what is refused are as under dockerd 20.10, and a data root goes to it and back.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class UserRemapIT {
    private static final String REMAP = "--userns-remap=default";

    private SideBySide engines;
    private boolean madeUser;

    @BeforeAll void start() {
        BusyboxImage.assumePossible();
        madeUser = !hasUser();
        // dockerd makes the user; it starts first.
        engines = SideBySide.start(REMAP);
        BusyboxImage.importInto(engines.ours);
        BusyboxImage.importInto(engines.theirs);
    }

    private static boolean hasUser() {
        return Command.of("id", "dockremap").run().status() == 0;
    }

    @AfterAll void stop() {
        try {
            if (engines != null) engines.close();
        } finally {
            if (madeUser && hasUser()) Command.of("userdel", "dockremap").run();
        }
    }

    @AfterEach void empty() {
        for (var engine : new Engine[] {engines.ours, engines.theirs}) {
            SideBySide.shell(engine, "docker rm -f $(docker ps -aq); docker volume prune -f; true");
        }
    }

    @Test void aContainerSeesTheSame() {
        engines.agreeOn(
                "docker run --rm --network none busybox:it sh -c 'id; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups'",
                "docker run --rm --network none busybox:it sh -c 'grep -e Cap -e Seccomp -e NoNew /proc/self/status; cat /proc/self/oom_score_adj; ulimit -a'",
                // What a message queue's folder belongs to differs by its group, which is nobody under runc; the link to the mounts is the host's there.
                "docker run --rm --network none busybox:it sh -c 'stat -c \"%n %u:%g %a\" /* /dev/[!m]* /etc/[!m]* /proc/sys /sys/fs/cgroup/*'",
                "docker run --rm --network none busybox:it sh -c \"grep -v ' / ' /proc/mounts | cut -d' ' -f2-4 | sort\"",
                "docker run --rm -t --network none busybox:it sh -c 'stat -c \"%n %u:%g %a\" /dev/console $(tty)'",
                "docker run --rm -t -u web --network none busybox:it sh -c 'stat -c \"%n %u:%g %a\" $(tty); id'",
                "docker run --rm -u 1234 --network none busybox:it sh -c 'echo again > /dev/stdout; id; touch /x'",
                "docker run --rm --network none --read-only --tmpfs /tt -w /made/here busybox:it sh -c 'stat -c \"%n %u:%g %a\" /tt /made /made/here; touch /x'",
                "docker run --rm --network none --device /dev/fuse --ulimit nofile=100:200 busybox:it sh -c 'stat -c \"%n %u:%g %a %t %T\" /dev/fuse; ulimit -Sn; ulimit -Hn'",
                "docker run --rm --network none --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox:it sh -c 'hostname x; mount -t tmpfs none /tmp && echo mounted; mknod /dev/k c 1 11'",
                "docker run --rm --network none --userns host busybox:it sh -c 'cat /proc/self/uid_map; stat -c \"%n %u:%g\" / /bin /etc/hosts /dev/null'",
                "docker run --rm --network none --pids-limit 20 --memory 20m busybox:it cat /sys/fs/cgroup/memory/memory.limit_in_bytes");
    }

    @Test void whatRunsInAContainerIsInItsNamespace() {
        engines.agreeOn(
                "docker run -d --name donor --network none --ipc shareable busybox:it sh -c 'echo 1 > /dev/shm/file; sleep 1000'",
                "docker exec donor sh -c 'id; cat /proc/self/uid_map; echo again > /dev/stdout; head -c 4 /proc/1/environ'",
                "docker exec -u web -t donor sh -c 'id; stat -c %u:%g $(tty)'",
                "docker top donor | grep -o '^100000'",
                "until docker exec donor test -s /dev/shm/file; do :; done",
                "docker run --rm --network container:donor --ipc container:donor --pid container:donor busybox:it sh -c 'id; cat /dev/shm/file; stat -c %u:%g /dev/shm; ps | grep -q \"[s]leep 1000$\" && echo seen'",
                "docker run --rm --network container:donor busybox:it sh -c 'ip link set lo up; echo $$'",
                "docker run --rm --network none --ipc container:donor busybox:it sh -c 'cat /dev/shm/file; echo $$'");
    }

    @Test void whatNeedsTheHostIsRefused() {
        engines.agreeOn(
                "docker run --rm --network none --privileged busybox:it true",
                "docker run --rm --network host busybox:it true",
                "docker run --rm --network none --pid host busybox:it true",
                "docker run --rm --network none --uts host busybox:it echo yes",
                "docker run --rm --network host --pid host --userns host busybox:it cat /proc/self/uid_map",
                "docker info -f '{{.SecurityOptions}}' | grep -o name=userns");
    }

    @Test void filesOnDiskAreShifted() {
        engines.agreeOn(
                "docker create --name cc --network none -v named:/home/web -v $(docker info -f '{{.DockerRootDir}}')/tmp/new/folder:/bound busybox:it true; docker start -a cc",
                "cd $(docker info -f '{{.DockerRootDir}}') && stat -c '%n %a %u:%g' . .. tmp/new tmp/new/folder volumes volumes/named volumes/named/_data overlay2 overlay2/l containers"
                        + " containers/* containers/*/hosts containers/*/hostname containers/*/resolv.conf image image/overlay2",
                "cd $(docker inspect -f '{{.GraphDriver.Data.UpperDir}}' cc) && stat -c '%n %a %u:%g' .. . ../work",
                "cd $(docker inspect -f '{{.GraphDriver.Data.LowerDir}}' cc | cut -d: -f1) && stat -c '%n %a %u:%g' .. . etc etc/hosts dev/console .dockerenv",
                "cd $(docker inspect -f '{{.GraphDriver.Data.LowerDir}}' cc | cut -d: -f2) && stat -c '%n %a %u:%g' .. . home home/web bin/busybox tmp",
                "docker run --rm --network none -v named:/v -v /:/host:ro busybox:it sh -c 'touch /v/file; stat -c \"%n %u:%g\" /v /v/file /host/etc; touch /host/x; cat /host/etc/shadow'");
    }

    @Test void whatIsReadOutIsNotShifted() {
        engines.agreeOn(
                "docker run --name work --network none busybox:it sh -c 'echo x > /new; chown 7:8 /new; mkdir /folder; rm -r /home'",
                "docker diff work | sort",
                "docker export work | tar tv --numeric-owner -f - new folder etc/hosts bin/busybox | awk '{print $1,$2,$6}' | sort",
                "docker commit work made:1; docker run --rm --network none made:1 stat -c '%n %u:%g' /new /folder; docker rm work",
                "docker save made:1 -o /tmp/balena-it-made.tar && docker rmi made:1 >/dev/null && docker load -q -i /tmp/balena-it-made.tar; rm -f /tmp/balena-it-made.tar",
                "docker run --rm --network none made:1 stat -c '%n %u:%g' /new /folder; docker rmi made:1 >/dev/null");
    }

    @Test void filesAreCopiedInWithTheContainersOwners() {
        engines.agreeOn(
                "docker create --name made --network none -v named:/home/web busybox:it sleep 1000",
                "d=$(mktemp -d); cd $d; mkdir -p a/b; touch a/b/c; chown -R 12:34 a; tar c a | docker cp -a - made:/home; tar c a | docker cp - made:/home/web; docker cp a made:/new; rm -r $d",
                "docker start made; docker exec made find /home /new -exec stat -c '%n %u:%g' {} +",
                "d=$(mktemp -d); cd $d; touch beyond; chown 70000:70000 beyond; tar c beyond | docker cp -a - made:/; rm -r $d");
        // Docker gives the host's here, which cannot be copied back.
        assertEquals("12/34 home/a/b/c", SideBySide.shell(engines.ours,
                "docker cp made:/home/a/b/c - | tar tv --numeric-owner | awk '{print $2, \"home/a/b/\" $6}'").succeeded());
    }

    @Test void aDataRootGoesFromDockerToUsAndBack() {
        try (var engine = Engine.startDockerd(REMAP, "--bridge=none", "--iptables=false")) {
            BusyboxImage.importInto(engine);
            String write = "sh -c 'touch /v/%1$s /by-%1$s; chown web /by-%1$s; stat -c \"%%n %%u:%%g\" /v /v/* /by-*'";
            SideBySide.shell(engine, "docker run --name theirs --network none -v tv:/v busybox:it " + write.formatted("theirs")).succeeded();
            SideBySide.shell(engine, "docker commit theirs theirs:1").succeeded();
            String root = SideBySide.shell(engine, "docker info -f '{{.DockerRootDir}}'").succeeded();

            engine.switchTo(Engine.Program.OURS);
            assertEquals(root, SideBySide.shell(engine, "docker info -f '{{.DockerRootDir}}'").succeeded());
            assertEquals("/v 0:0\n/v/theirs 0:0\n/by-theirs 1234:0", SideBySide.shell(engine, "docker start -a theirs").succeeded());
            assertEquals("1234:0", SideBySide.shell(engine, "docker run --rm --network none theirs:1 stat -c %u:%g /by-theirs").succeeded());
            SideBySide.shell(engine, "docker run --name ours --network none -v tv:/v theirs:1 " + write.formatted("ours")).succeeded();
            SideBySide.shell(engine, "docker commit ours ours:1").succeeded();
            String changed = SideBySide.shell(engine, "docker diff ours").succeeded();

            engine.switchTo(Engine.Program.DOCKERD);
            assertEquals(changed, SideBySide.shell(engine, "docker diff ours").succeeded());
            assertEquals("/v 0:0\n/v/ours 0:0\n/v/theirs 0:0\n/by-ours 1234:0\n/by-theirs 1234:0",
                    SideBySide.shell(engine, "docker start -a ours").succeeded());
            // Loading checks each layer against its digest, which is that of the tar we made.
            String saved = engine.scratch() + "/saved.tar";
            SideBySide.shell(engine, "docker save -o " + saved + " ours:1 && docker rm ours && docker rmi ours:1 && docker load -i " + saved).succeeded();
            assertTrue(SideBySide.shell(engine, "docker run --rm --network none ours:1 stat -c %u:%g /by-ours").succeeded().startsWith("1234:0"));
        }
    }

    @Test void anyUserServesOnTheBridgeAndOnPortsBelow1024() {
        try (var engine = Engine.start(REMAP)) {
            BusyboxImage.importInto(engine);
            SideBySide.shell(engine, "docker run -d --name web -u web -p 8080:80 busybox:it httpd -f -p 80 -h /etc").succeeded();
            String page = "until curl -fs http://127.0.0.1:8080/passwd; do docker exec web true || exit 1; done";
            assertTrue(engine.inside("bash", "-c", SideBySide.names(engine) + page).run().succeeded().startsWith("root:x:0:0"));
        }
    }

    @Test void aContainerOutlivesTheEngineAndIsEnteredAgain() {
        var engine = engines.ours;
        SideBySide.shell(engine, "docker run -d --name stays --network none busybox:it sleep 1000").succeeded();
        engine.killAll();
        engine.startDaemon();
        assertEquals("0", SideBySide.shell(engine, "docker exec stays id -u").succeeded());
        assertEquals("running", SideBySide.shell(engine, "docker inspect -f '{{.State.Status}}' stays").succeeded());
    }
}
