package io.balena.engine.daemon.container.spec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.mount.MountRequests;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SpecBuilderTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ID = "ab".repeat(32);

    @TempDir
    Path rootfs;

    @BeforeEach
    void anImageWithUsers() throws Exception {
        Files.createDirectories(rootfs.resolve("etc"));
        Files.writeString(rootfs.resolve("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/var/www:/bin/sh\n1000:x:7:7::/seven:\n");
        Files.writeString(rootfs.resolve("etc/group"), "root:x:0:\nwww:x:34:\nextra:x:44:www,root\n");
    }

    @Test
    void theProcessGetsDockersEnvironment() throws Exception {
        var process = spec("{'Cmd':['sh','-c','x'],'Hostname':'h','Env':['A=b','PATH=/bin'],'Tty':true}", "{}").process();
        assertEquals(List.of("sh", "-c", "x"), process.args());
        assertEquals(List.of("PATH=/bin", "HOSTNAME=h", "TERM=xterm", "A=b", "HOME=/root"), process.env());
        assertEquals("/", process.cwd());
        assertTrue(process.terminal());
    }

    @Test
    void aNameWithoutAValueTakesAVariableAway() throws Exception {
        assertFalse(spec("{'Cmd':['x'],'Env':['HOSTNAME']}", "{}").process().env().toString().contains("HOSTNAME"));
    }

    @Test
    void usersAndGroupsAreThoseOfTheImage() throws Exception {
        var user = spec("{'Cmd':['x'],'User':'www'}", "{'GroupAdd':['55']}").process().user();
        assertEquals(33, user.uid());
        assertEquals(34, user.gid());
        assertEquals(List.of(34, 44, 55), user.additionalGids());
        assertEquals(List.of(5, 44), List.of(spec("{'Cmd':['x'],'User':'5:extra'}", "{}").process().user().uid(),
                spec("{'Cmd':['x'],'User':'5:extra'}", "{}").process().user().gid()));
        assertEquals(7, spec("{'Cmd':['x'],'User':'1000'}", "{}").process().user().uid(), "a name wins over a number");
        assertEquals("unable to find user nobody: no matching entries in passwd file",
                assertThrows(InvalidRequest.class, () -> spec("{'Cmd':['x'],'User':'nobody'}", "{}")).getMessage());
    }

    @Test
    void aLinkInTheImageDoesNotLeadToTheHostsUsers() throws Exception {
        Files.delete(rootfs.resolve("etc/passwd"));
        Files.createSymbolicLink(rootfs.resolve("etc/passwd"), Path.of("../../../../../../../../etc/passwd"));
        Files.createDirectories(rootfs.resolve("usr"));
        assertThrows(InvalidRequest.class, () -> spec("{'Cmd':['x'],'User':'daemon'}", "{}"));
        Files.delete(rootfs.resolve("etc/passwd"));
        Files.createSymbolicLink(rootfs.resolve("etc/passwd"), Path.of("/usr/passwd"));
        Files.writeString(rootfs.resolve("usr/passwd"), "daemon:x:3:3::/:\n");
        assertEquals(3, spec("{'Cmd':['x'],'User':'daemon'}", "{}").process().user().uid());
    }

    @Test
    void onlyRootHoldsCapabilities() throws Exception {
        assertTrue(spec("{'Cmd':['x']}", "{}").process().capabilities().effective().contains("CAP_CHOWN"));
        var other = spec("{'Cmd':['x'],'User':'33'}", "{}").process().capabilities();
        assertEquals(List.of(), other.effective());
        assertTrue(other.bounding().contains("CAP_CHOWN"));
    }

    @Test
    void capabilitiesAreAddedAndDropped() {
        assertEquals(List.of("CAP_NET_ADMIN"), CapabilityNames.of(List.of("net_admin"), List.of("all"), false));
        assertFalse(CapabilityNames.of(List.of(), List.of("CAP_CHOWN"), false).contains("CAP_CHOWN"));
        assertEquals("invalid CapAdd: unknown capability: \"CAP_FOO\"",
                assertThrows(InvalidRequest.class, () -> CapabilityNames.of(List.of("FOO"), List.of(), false)).getMessage());
    }

    @Test
    void privilegedMeansNeitherFilterNorMasks() throws Exception {
        var spec = spec("{'Cmd':['x']}", "{'Privileged':true}");
        assertNull(spec.linux().seccomp());
        assertEquals(List.of(), spec.linux().maskedPaths());
        assertTrue(spec.mounts().stream().filter(m -> m.destination().equals("/sys")).findFirst().orElseThrow().options().contains("rw"));
        assertNotNull(spec("{'Cmd':['x']}", "{}").linux().seccomp());
        assertNull(spec("{'Cmd':['x']}", "{'SecurityOpt':['seccomp=unconfined']}").linux().seccomp());
    }

    @Test
    void namespacesAreOwnUnlessShared() throws Exception {
        assertEquals(List.of("mount", "network", "uts", "pid", "ipc", "cgroup"), types("{'CgroupnsMode':'private'}"));
        assertEquals(List.of("mount"), types("{'NetworkMode':'host','UTSMode':'host','PidMode':'host','IpcMode':'host','CgroupnsMode':'host'}"));
        shared = DONOR;
        var joined = spec("{'Cmd':['x']}", "{'NetworkMode':'container:other'}").linux().namespaces();
        assertTrue(joined.contains(new RuntimeSpec.Namespace("network", "/proc/4711/ns/net")));
    }

    @Test
    void limitsAreTranslated() throws Exception {
        var resources = spec("{'Cmd':['x']}", "{'Memory':20000000,'NanoCpus':500000000,'PidsLimit':9,'CpuShares':5}").linux().resources();
        assertEquals(20000000L, resources.memory().limit());
        assertEquals(40000000L, resources.memory().swap());
        assertEquals(50000L, resources.cpu().quota());
        assertEquals(100000L, resources.cpu().period());
        assertEquals(5L, resources.cpu().shares());
        assertEquals(9, resources.pids().limit());
        assertNull(spec("{'Cmd':['x']}", "{}").linux().resources().memory().limit());
    }

    @Test
    void whatTheUserMountsCoversWhatTheEngineWould() throws Exception {
        var mounts = spec("{'Cmd':['x']}", "{'Binds':['/a/b:/etc/hosts:ro','/c:/x/y','/d:/x']}").mounts();
        assertEquals(1, mounts.stream().filter(m -> m.destination().equals("/etc/hosts")).count());
        var hosts = mounts.stream().filter(m -> m.destination().equals("/etc/hosts")).findFirst().orElseThrow();
        assertEquals("/a/b", hosts.source());
        assertTrue(hosts.options().containsAll(List.of("rbind", "rprivate", "ro")), hosts.options()::toString);
        var order = mounts.stream().map(RuntimeSpec.Mount::destination).toList();
        assertTrue(order.indexOf("/x") < order.indexOf("/x/y"), "outer folders first");
    }

    @Test
    void deviceNumbersAreSplitAsGlibcPacksThem() {
        assertEquals(8, HostDevices.major(0x801));
        assertEquals(1, HostDevices.minor(0x801));
        assertEquals(259, HostDevices.major(0x10300));
        assertEquals(0x12345, HostDevices.minor(0x12300845L));
    }

    @Test
    void whatAContainerLeavesOpenTheEnginesFlagsDecide() throws Exception {
        var defaults = new SpecDefaults(CgroupDriver.CGROUPFS, Optional.of("engine"),
                List.of(new SpecDefaults.Ulimit("nofile", 10, 20), new SpecDefaults.Ulimit("core", 0, 0)), true, SeccompSource.BUILTIN,
                SpecDefaults.Realtime.NONE, new InitProgram(true, Optional.of("/opt/init")));
        var open = spec("{'Cmd':['x']}", "{'Ulimits':[{'Name':'nofile','Soft':1,'Hard':2}]}", defaults);
        assertEquals(List.of(new RuntimeSpec.Rlimit("RLIMIT_NOFILE", 1, 2), new RuntimeSpec.Rlimit("RLIMIT_CORE", 0, 0)), open.process().rlimits());
        assertEquals("/engine/" + ID, open.linux().cgroupsPath());
        assertTrue(open.process().noNewPrivileges());
        assertEquals(List.of("/sbin/docker-init", "--", "x"), open.process().args());
        assertEquals(new RuntimeSpec.Mount("/sbin/docker-init", "bind", "/opt/init", List.of("bind", "ro")), open.mounts().getLast());
        var closed = spec("{'Cmd':['x']}", "{'Init':false,'CgroupParent':'/own','SecurityOpt':['no-new-privileges=false']}", defaults);
        assertEquals("/own/" + ID, closed.linux().cgroupsPath());
        assertEquals(List.of("x"), closed.process().args());
        assertFalse(closed.process().noNewPrivileges());
    }

    @Test
    void aRemappedContainerHasUsersOfItsOwnAndWithThemItsControlGroups() throws Exception {
        owners = new IdentityMapping(List.of(new IdentityMapping.Range(0, 100_000, 65_536)), List.of(new IdentityMapping.Range(0, 200_000, 65_536)));
        var own = spec("{'Cmd':['x']}", "{}").linux();
        assertTrue(own.namespaces().contains(new RuntimeSpec.Namespace("user", null)));
        assertEquals(List.of(new RuntimeSpec.IdMapping(0, 100_000, 65_536)), own.uidMappings());
        assertEquals(List.of(new RuntimeSpec.IdMapping(0, 200_000, 65_536)), own.gidMappings());
        assertNull(own.sysctl().get("net.ipv4.ping_group_range"));
        var cgroups = spec("{'Cmd':['x']}", "{}").mounts().stream().filter(mount -> mount.type().equals("cgroup")).findFirst().orElseThrow();
        assertFalse(cgroups.options().contains("ro"));

        var hosts = spec("{'Cmd':['x']}", "{'UsernsMode':'host'}").linux();
        assertFalse(hosts.namespaces().stream().anyMatch(namespace -> namespace.type().equals("user")));
        assertEquals(List.of(), hosts.uidMappings());

        shared = DONOR;
        var guest = spec("{'Cmd':['x']}", "{'NetworkMode':'container:other'}").linux();
        assertTrue(guest.namespaces().contains(new RuntimeSpec.Namespace("user", "/proc/4711/ns/user")));
        assertEquals(List.of(), guest.uidMappings());
    }

    @Test
    void noParentLeadsOutOfTheHierarchy() throws Exception {
        assertEquals("/x/" + ID, spec("{'Cmd':['x']}", "{'CgroupParent':'../../x'}").linux().cgroupsPath());
        assertEquals("/" + ID, spec("{'Cmd':['x']}", "{'CgroupParent':'/..'}").linux().cgroupsPath());
    }

    @Test
    void systemdIsToldASliceAndAName() throws Exception {
        var systemd = new SpecDefaults(CgroupDriver.SYSTEMD, Optional.empty(), List.of(), false, SeccompSource.BUILTIN, SpecDefaults.Realtime.NONE, SpecDefaults.DOCKERS.init());
        assertEquals("system.slice:docker:" + ID, spec("{'Cmd':['x']}", "{}", systemd).linux().cgroupsPath());
        assertEquals("own.slice:docker:" + ID, spec("{'Cmd':['x']}", "{'CgroupParent':'own.slice'}", systemd).linux().cgroupsPath());
        CgroupDriver.SYSTEMD.checkParent("own.slice");
        CgroupDriver.CGROUPFS.checkParent("anything");
        for (String wrong : List.of("/docker", ".slice", "x.scope")) {
            assertThrows(IllegalArgumentException.class, () -> CgroupDriver.SYSTEMD.checkParent(wrong));
        }
    }

    private List<String> types(String host) throws Exception {
        return spec("{'Cmd':['x']}", host).linux().namespaces().stream().map(RuntimeSpec.Namespace::type).toList();
    }

    private RuntimeSpec spec(String config, String host) throws Exception {
        return spec(config, host, SpecDefaults.DOCKERS);
    }

    private static final SharedNamespaces DONOR = new SharedNamespaces(OptionalInt.of(4711), OptionalInt.of(4711), OptionalInt.of(4711),
            Optional.of(Path.of("/shm")));

    private IdentityMapping owners = IdentityMapping.NONE;
    private SharedNamespaces shared = new SharedNamespaces(OptionalInt.empty(), OptionalInt.empty(), OptionalInt.empty(), Optional.empty());

    private RuntimeSpec spec(String config, String host, SpecDefaults defaults) throws Exception {
        var containerConfig = ContainerConfig.read(json(config));
        var hostConfig = HostConfig.read(json(host));
        return new SpecBuilder(defaults, owners).build(containerConfig, hostConfig, new SpecBuilder.Surroundings(ID, rootfs,
                Map.of("/etc/hosts", Path.of("/h")), MountRequests.of(containerConfig, hostConfig, _ -> List.of()), shared));
    }

    private static JsonNode json(String text) throws Exception {
        return JSON.readTree(text.replace('\'', '"'));
    }
}
