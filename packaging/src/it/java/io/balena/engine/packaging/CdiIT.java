package io.balena.engine.packaging;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

/// `docker run --device vendor.com/class=name`, with specifications of the Container Device Interface.
class CdiIT {
    @TempDir static Path folder;
    private static Engine engine;
    private static DockerCli docker;

    @BeforeAll static void start() throws IOException {
        assumeFalse(Engine.PEER, "dockerd 20.10 has no CDI");
        Files.createDirectories(folder.resolve("etc"));
        Files.createDirectories(folder.resolve("run"));
        engine = Engine.start("--bridge=none", "--cdi-spec-dir", folder.resolve("etc").toString(), "--cdi-spec-dir", folder.resolve("run").toString());
        BusyboxImage.importInto(engine);
        docker = engine.docker();
        Command.of("mknod", folder.resolve("node").toString(), "c", "1", "5").run().succeeded();
        Files.createDirectories(folder.resolve("lib/sub"));
        Files.writeString(folder.resolve("lib/driver.so"), "a driver\n");
        var hook = Files.writeString(folder.resolve("hook"), "#!/bin/sh\ncat > " + folder + "/state; echo \"$@ $MARK\" > " + folder + "/hooked\n");
        hook.toFile().setExecutable(true);
        Files.writeString(folder.resolve("etc/vendor.json"), """
                {"cdiVersion": "0.6.0", "kind": "vendor.com/gpu", "containerEdits": {"env": ["ALL=1", "HOME=/gpu"]},
                 "devices": [
                  {"name": "0", "containerEdits": {"env": ["WHICH=0"], "additionalGids": [4242],
                    "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "FOLDER/node", "permissions": "rw", "fileMode": 432, "gid": 7},
                                    {"path": "/dev/made", "type": "c", "major": 1, "minor": 3}],
                    "mounts": [{"hostPath": "FOLDER/lib", "containerPath": "/gpu/lib", "options": ["ro", "nosuid", "rbind"]}],
                    "hooks": [{"hookName": "createRuntime", "path": "FOLDER/hook", "args": ["hook", "for 0"], "env": ["MARK=marked"]}]}},
                  {"name": "1", "containerEdits": {"env": ["WHICH=1", "ONE=1"]}},
                  {"name": "gone", "containerEdits": {"deviceNodes": [{"path": "/dev/no-such-gpu"}]}}]}
                """.replace("FOLDER", folder.toString()));
    }

    @AfterAll static void stop() {
        if (engine != null) engine.close();
    }

    private static Outcome run(String device, String script) {
        return docker.run("run", "--rm", "--network", "none", "--device", device, BusyboxImage.NAME, "sh", "-c", script);
    }

    @Test void aDeviceBringsItsNodesMountsVariablesGroupsAndHooks() throws IOException {
        assertEquals("""
                c 1 5 660 7
                c 1 3 666 0
                a driver
                1 /gpu 0
                ro""", run("vendor.com/gpu=0", "for i in gpu0 made; do echo c $(stat -c '%t %T %a %g' /dev/$i); done; cat /gpu/lib/driver.so;"
                + " echo $ALL $HOME $WHICH; id -G | grep -q 4242 && grep ' /gpu/lib ' /proc/self/mountinfo | cut -d' ' -f6 | cut -d, -f1;"
                + " head -c1 /dev/gpu0 > /dev/made").succeeded());
        assertEquals("for 0 marked\n", Files.readString(folder.resolve("hooked")));
        assertTrue(Files.readString(folder.resolve("state")).contains("\"pid\""));
    }

    @Test void ofSeveralDevicesTheLastHasTheWord() {
        assertEquals("1 1 1", docker.run("run", "--rm", "--network", "none", "--device", "vendor.com/gpu=0", "--device", "vendor.com/gpu=1",
                BusyboxImage.NAME, "sh", "-c", "echo $ALL $WHICH $ONE").succeeded());
    }

    @Test void aSpecificationThatComesLaterIsSeenAndGoesBeforeTheOther() throws IOException {
        var later = folder.resolve("run/later.json");
        Files.writeString(later, """
                {"cdiVersion": "0.3.0", "kind": "vendor.com/gpu", "devices": [{"name": "1", "containerEdits": {"env": ["WHICH=later"]}}]}""");
        assertEquals("later", run("vendor.com/gpu=1", "echo $WHICH$ONE").succeeded());
        Files.delete(later);
        assertEquals("11", run("vendor.com/gpu=1", "echo $WHICH$ONE").succeeded());
    }

    @Test void twoSpecificationsOfOneRankThatDisagreeAreNone() throws IOException {
        for (var name : new String[] {"a", "b"}) {
            Files.writeString(folder.resolve("run/" + name + ".json"), """
                    {"cdiVersion": "0.3.0", "kind": "vendor.com/twice", "devices": [{"name": "x", "containerEdits": {"env": ["A=1"]}}]}""");
        }
        assertTrue(run("vendor.com/twice=x", "true").endedWith(125).err().contains("unresolvable CDI devices vendor.com/twice=x"));
    }

    @Test void whatCannotBeResolvedIsTold() throws IOException {
        var outcome = run("vendor.com/gpu=nine", "true").endedWith(125);
        assertTrue(outcome.err().contains("CDI device injection failed: unresolvable CDI devices vendor.com/gpu=nine"), outcome::toString);
        assertFalse(outcome.err().contains("YAML"), outcome::toString);
        outcome = run("vendor.com/gpu=gone", "true").endedWith(127);
        assertTrue(outcome.err().contains("CDI device injection failed: failed to stat CDI host device \"/dev/no-such-gpu\""), outcome::toString);
        var yaml = Files.writeString(folder.resolve("etc/nvidia.yaml"), "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\n");
        outcome = run("nvidia.com/gpu=all", "true").endedWith(125);
        assertTrue(outcome.err().contains("specifications in YAML are not read, only in JSON: " + yaml), outcome::toString);
        Files.delete(yaml);
    }

    @Test void aSpecificationThatMakesNoSenseDoesNotHarmTheOthers() throws IOException {
        for (var nonsense : new String[] {"", "{", "[]", "{\"kind\": \"vendor.com/gpu\"}", "{\"kind\": 7, \"devices\": {}}"}) {
            Files.writeString(folder.resolve("run/nonsense.json"), nonsense);
            assertEquals("1", run("vendor.com/gpu=1", "echo $WHICH").succeeded());
        }
        Files.delete(folder.resolve("run/nonsense.json"));
    }

    @Test void infoNamesTheFolders() {
        var info = Command.of("curl", "-s", "--unix-socket", engine.socket().toString(), "http://docker/v1.44/info").run().succeeded();
        assertTrue(info.contains("\"CDISpecDirs\":[\"" + folder.resolve("etc") + "\",\"" + folder.resolve("run") + "\"]"), info);
    }
}
