package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/// Mounts, devices and sysctls that users ask for, beside dockerd 20.10: what `/proc/self/mountinfo` says of them inside, and the words for
/// those that cannot be.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MountModesIT {
    private static final String RUN = "docker run --rm --network none ";
    /// What the runtime has refused is said in its own words: ours has no runc before them, and says what it did; errnos it calls by their names.
    private static final String WORDS = " 2>&1 | sed -E 's/failed to create task for container: //; s/runc create failed: //; s/unable to start container process: //;"
            + " s/error during container init: //; s/error mounting .*mount ([^ :]*):([^ ]*) .*flags: [x0-9]*/mount \\1 on \\2/; s/\\(E[A-Z]*\\)//;"
            + " s/write nonsense to/write/; s/Invalid argument /invalid argument/; s/Not a directory /not a directory/; s/open mount destination/mount X on/;"
            + " s#mount [^ ]*/shared on /etc/passwd#mount X on /etc/passwd#'";
    /// Mounts by what they are, not by their numbers.
    private static final String SHOW = " base:1 sh -c \"grep -E ' /(m|t)[ /]' /proc/self/mountinfo | cut -d' ' -f4-"
            + " | sed -E 's/(shared|master|propagate_from):[0-9]+/\\1/g; s/volumes\\/[0-9a-f]{64}/volumes\\/X/; s/inode64//; s/,,/,/'\"" + WORDS;

    private SideBySide engines;
    private Path source;

    @BeforeAll void start() {
        BusyboxImage.assumePossible();
        engines = SideBySide.start();
        source = engines.ours.scratch();
        Command.of("bash", "-c", "set -e; cd " + source + "; mkdir shared private; touch file; mount -t tmpfs one shared; mount --make-shared shared;"
                + " mkdir shared/sub; mount -t tmpfs two shared/sub; mount -t tmpfs three private; mount --make-private private;"
                + " mkdir dev; mknod dev/first c 1 3; mkdir dev/inner; mknod dev/inner/second c 1 5; ln -s first dev/link").run().succeeded();
        engines.both("cd " + BusyboxImage.tree(engines.ours) + "; mkdir -p real vol; touch vol/of-image; ln -s /real link; ln -s ../../../../real out;"
                + " tar -c . | docker import -c 'CMD [\"sh\"]' - base:1");
    }

    @AfterAll void stop() {
        if (source != null) Command.of("bash", "-c", "cd " + source + "; umount shared/sub shared private").run();
        if (engines != null) engines.close();
    }

    @Test void everyPropagationIsTheSame() {
        List<String> steps = new ArrayList<>();
        for (String mode : List.of("rw", "private", "rprivate", "slave", "rslave", "shared", "rshared", "ro,slave", "ro,rslave", "ro,rshared")) {
            steps.add(RUN + "-v " + source + "/shared:/m:" + mode + SHOW);
        }
        engines.agreeOn(steps.toArray(String[]::new));
    }

    @Test void aPropagationThatTheSourceCannotHaveIsRefused() {
        engines.agreeOn(RUN + "-v " + source + "/private:/m:rshared" + SHOW, RUN + "-v " + source + "/private:/m:rslave" + SHOW,
                RUN + "-v " + source + "/private:/m:rprivate" + SHOW, RUN + "-v " + source + "/private:/m:sideways" + SHOW,
                RUN + "-v vol:/m:rshared" + SHOW, RUN + "--mount type=volume,src=vol,dst=/m,bind-propagation=rshared" + SHOW);
    }

    @Test void longMountsAreTheSame() {
        engines.agreeOn(RUN + "--mount type=bind,src=" + source + "/shared,dst=/m,bind-propagation=rslave" + SHOW,
                RUN + "--mount type=bind,src=" + source + "/shared,dst=/m,bind-nonrecursive" + SHOW,
                RUN + "--mount type=bind,src=" + source + "/file,dst=/m/in/a/file,readonly" + SHOW,
                RUN + "--mount type=bind,src=" + source + "/none,dst=/m" + SHOW,
                RUN + "--mount type=volume,dst=/m,readonly" + SHOW,
                // dockerd makes its data root a shared mount of its own, so that there is one above any volume.
                RUN + "--mount type=volume,src=a-volume,dst=/m,volume-nocopy" + SHOW + " | sed 's/ master//'");
    }

    @Test void fileSystemsInMemoryAreTheSame() {
        engines.agreeOn(RUN + "--tmpfs /t" + SHOW, RUN + "--tmpfs /t:size=1m,mode=700,uid=5,exec" + SHOW, RUN + "--tmpfs /t:ro,noatime" + SHOW,
                RUN + "--mount type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=0700" + SHOW, RUN + "--mount type=tmpfs,dst=/t,readonly" + SHOW,
                RUN + "--tmpfs /t:nonsense=1" + SHOW,
                RUN + "--mount type=tmpfs,dst=/t base:1 stat -c %a /t", RUN + "--tmpfs /t base:1 stat -c %a /t");
    }

    @Test void destinationsAreInsideWhateverLinksSay() {
        engines.agreeOn(RUN + "-v " + source + "/private:/link base:1 sh -c \"grep -c ' /real ' /proc/self/mountinfo\"",
                RUN + "-v " + source + "/private:/out/m base:1 sh -c \"grep -c ' /real/m ' /proc/self/mountinfo\"",
                RUN + "-v " + source + "/private:/link -v " + source + "/file:/link/file base:1 ls /real",
                RUN + "-v " + source + "/file:/bin" + SHOW, RUN + "-v " + source + "/shared:/etc/passwd" + SHOW);
    }

    @Test void devicesAreTheSame() {
        String show = " base:1 sh -c 'cd /dev; for i in first other inner/second link fuse; do [ ! -e $i ] || stat -c \"%n %F %t %T %a %u\" $i; done;"
                + " grep -v 136 /sys/fs/cgroup/devices/devices.list | sort'";
        engines.agreeOn(RUN + "--device " + source + "/dev/first" + show.replace("cd /dev", "cd " + source + "/dev"),
                RUN + "--device " + source + "/dev/first:/dev/other" + show, RUN + "--device " + source + "/dev/first:/dev/other:r" + show,
                RUN + "--device " + source + "/dev/first:/dev/other:rwx" + show, RUN + "--device " + source + "/dev/link:/dev/other:rm" + show,
                RUN + "--device " + source + "/dev:/dev" + show, RUN + "--device " + source + "/dev:/dev:r" + show,
                RUN + "--device /no/device" + show, RUN + "--device " + source + "/file" + show,
                RUN + "--device-cgroup-rule 'c 42:* rmw'" + show, RUN + "--device-cgroup-rule 'c 42'" + show);
    }

    @Test void sysctlsAreTheSame() {
        String show = " base:1 cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start" + WORDS;
        engines.agreeOn(RUN + "--sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=5000" + show, RUN + "--sysctl net.ipv4.ip_unprivileged_port_start=5" + show,
                "docker run --rm --network host --sysctl net.ipv4.ip_forward=1" + show, RUN + "--ipc host --sysctl kernel.msgmax=5000" + show,
                RUN + "--sysctl net.ipv4.ip_forward=nonsense" + show, RUN + "--sysctl net.ipv4.nosuch=1 base:1 true" + WORDS + "; echo ${PIPESTATUS[0]}",
                "api /containers/create -X POST -H 'Content-Type: application/json' -d '{\"Image\":\"base:1\",\"HostConfig\":{\"NetworkMode\":\"none\","
                        + "\"Sysctls\":{\"kernel.panic\":\"1\"}}}' | sed s/[0-9a-f]*//; docker start -a $(docker ps -lq)" + WORDS);
    }

    @Test void graphicsProcessorsNeedADriver() {
        engines.agreeOn(RUN + "--gpus all base:1 true", RUN + "--gpus 2 base:1 true", RUN + "--gpus device=0 base:1 true");
    }

    @Test void aWorkingFolderThatIsNoneIsRefused() {
        engines.agreeOn(RUN + "-w /bin/busybox base:1 true",
                RUN + "-w /bin/busybox/x base:1 true 2>&1 | sed -E 's#lstat .*(/bin/busybox)#lstat \\1#'", RUN + "-w /link base:1 pwd");
    }

    /// Since API 1.44, of which dockerd 20.10 knows nothing: which of a mount and the one below it are read-only.
    private String access(String... options) {
        var docker = engines.ours.docker();
        return docker.command("run", "--rm", "--network", "none").and(options)
                .and("base:1", "sh", "-c", "for i in /m /m/sub; do touch $i/x 2>/dev/null && echo $i; done; true").run().succeeded();
    }

    @Test void readOnlyMeansWhatIsMountedBelowAsWell() {
        assertEquals("", access("-v", source + "/shared:/m:ro"));
        assertEquals("", access("--mount", "type=bind,src=" + source + "/shared,dst=/m,readonly"));
        assertEquals("", access("--mount", "type=bind,src=" + source + "/shared,dst=/m,readonly,bind-recursive=readonly,bind-propagation=rprivate"));
        assertEquals("/m/sub", access("--mount", "type=bind,src=" + source + "/shared,dst=/m,readonly,bind-recursive=writable"));
        assertEquals("/m\n/m/sub", access("-v", source + "/shared:/m"));
    }

    @Test void readOnlyMeansTheMountAloneToOlderClients() {
        var outcome = SideBySide.shell(engines.ours, RUN + "-v " + source + "/shared:/m:ro base:1 touch /m/sub/older");
        assertEquals("", outcome.succeeded());
    }

    private Outcome withSubpath(String subpath) {
        String mounts = "[{\"Type\":\"volume\",\"Source\":\"parts\",\"Target\":\"/m\",\"VolumeOptions\":{\"Subpath\":\"" + subpath + "\"}}]";
        return SideBySide.shell(engines.ours, "api /containers/create -X POST -H 'Content-Type: application/json' -d '{\"Image\":\"base:1\","
                + "\"Cmd\":[\"ls\",\"/m\"],\"HostConfig\":{\"NetworkMode\":\"none\",\"Mounts\":" + mounts + "}}' | tee " + source
                + "/answer; docker start -a $(jq -r .Id " + source + "/answer)");
    }

    @Test void aPartOfAVolumeIsMountedAndNothingOutsideOfIt() {
        engines.ours.docker().run("run", "--rm", "--network", "none", "-v", "parts:/v", "base:1", "sh", "-c",
                "mkdir -p /v/a/b; touch /v/a/b/inside; ln -s b /v/a/link; ln -s /etc /v/a/absolute; ln -s ../../.. /v/a/up; touch /v/file").succeeded();
        assertTrue(withSubpath("a/b").out().endsWith("inside\n"));
        assertTrue(withSubpath("a/link").out().endsWith("inside\n"));
        assertTrue(withSubpath("file").out().endsWith("/m\n"));
        for (var outside : new String[] {"a/absolute", "a/up"}) {
            var outcome = withSubpath(outside);
            assertTrue(outcome.err().contains("path concatenation escapes the base directory, base: "), outcome::toString);
            assertTrue(outcome.err().contains(", subpath: " + outside), outcome::toString);
        }
        assertTrue(withSubpath("none").err().contains("cannot access path "), "not there");
        for (var never : new String[] {"../parts", "/a", "a/../../x"}) {
            assertTrue(withSubpath(never).out().contains("subpath must be a relative path within the volume"), never);
        }
        var left = engines.ours.data().resolveSibling("exec").resolve("subpaths").toFile();
        assertTrue(Engine.become(java.time.Duration.ofSeconds(20), () -> left.list().length == 0), () -> String.join(" ", left.list()));
    }
}
