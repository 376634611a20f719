package io.balena.engine.daemon.container.mount;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.container.config.ContainerConfig;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.daemon.container.mount.MountPoint.Type;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class MountRequestsTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Test
    void anAbsoluteSourceIsAFolderAndAnythingElseAVolume() throws Exception {
        var mounts = mounts("{}", "{'Binds':['/a/../b:/x:ro','name:/y','/z']}");
        assertEquals("/b", mounts.get(0).source());
        assertFalse(mounts.get(0).writable());
        assertTrue(mounts.get(0).createSource());
        assertEquals(Type.VOLUME, mounts.get(1).type());
        assertEquals("name", mounts.get(1).name());
        assertTrue(mounts.get(2).isAnonymous());
        assertEquals("", mounts.get(2).name(), "without a source, a volume without a name");
    }

    @Test
    void anImagesVolumesGiveWayToWhatIsMountedThere() throws Exception {
        assertEquals(List.of("/data"), mounts("{'Volumes':{'/data':{}}}", "{}").stream().map(MountPoint::destination).toList());
        assertEquals(Type.BIND, mounts("{'Volumes':{'/data':{}}}", "{'Binds':['/a:/data']}").getFirst().type());
        assertEquals(List.of(), mounts("{'Volumes':{'/data':{}}}", "{'Tmpfs':{'/data':''}}"));
    }

    @Test
    void nonsenseIsRefusedInDockersWords() {
        refused("{'Binds':['x:y']}", "invalid volume specification: 'x:y': invalid mount config for type \"volume\": invalid mount path: 'y' "
                + "mount path must be absolute");
        refused("{'Binds':['/a:/b:c:d']}", "invalid volume specification: '/a:/b:c:d'");
        refused("{'Binds':['/a:/b:fast']}", "invalid mode: fast");
        refused("{'Binds':['/a:/']}", "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: "
                + "destination can't be '/'");
        refused("{'Binds':['/a:/x','/b:/x']}", "Duplicate mount point: /x");
        refused("{'Mounts':[{'Type':'bind','Source':'/nonexist','Target':'/x'}]}",
                "invalid mount config for type \"bind\": bind source path does not exist: /nonexist");
        refused("{'Mounts':[{'Type':'floppy','Target':'/x'}]}", "invalid mount config for type \"floppy\": mount type unknown");
    }

    @Test
    void aVolumesNameCannotLeaveTheirFolder() {
        assertThrows(InvalidRequest.class, () -> mounts("{}", "{'Binds':['../etc:/x']}"));
        assertThrows(InvalidRequest.class, () -> mounts("{}", "{'Mounts':[{'Type':'volume','Source':'..','Target':'/x'}]}"));
    }

    @Test
    void aTmpfsHasTheOptionsOfItsMount() throws Exception {
        var mounts = mounts("{}", "{'Mounts':[{'Type':'tmpfs','Target':'/t','TmpfsOptions':{'SizeBytes':5,'Options':[['exec'],['uid','7']]}}]}");
        assertEquals("size=5,mode=1777,exec,uid=7", mounts.getFirst().tmpfsOptions());
        for (String wrong : List.of("[]", "['a','b','c']", "'exec'")) {
            refused("{'Mounts':[{'Type':'tmpfs','Target':'/t','TmpfsOptions':{'Options':[" + wrong + "]}}]}",
                    "invalid mount config for type \"tmpfs\": invalid option array length");
        }
    }

    @Test
    void storedMountsComeBackAsTheyWere() throws Exception {
        var mounts = mounts("{}", "{'Binds':['/a:/x:ro','/b:/s:rshared'],'Mounts':[{'Type':'tmpfs','Target':'/t','TmpfsOptions':{'SizeBytes':5}}]}");
        assertEquals(mounts, MountRequests.load(MountRequests.store(mounts), Path.of("/data")));
    }

    @Test
    void whatAnotherContainerHasIsSharedUnlessSomethingElseIsWantedThere() throws Exception {
        var others = mounts("{'Volumes':{'/image':{}}}", "{'Binds':['/a:/x','/b:/y:ro','named:/data']}");
        var mounts = MountRequests.of(ContainerConfig.read(JSON.readTree("{}")),
                HostConfig.read(JSON.readTree("{\"Binds\":[\"/c:/x\"],\"VolumesFrom\":[\"other:ro\"]}")), name -> {
                    assertEquals("other", name);
                    return others;
                });
        assertEquals(List.of("/x /c true", "/y /b false", "/data  false", "/image  false"),
                mounts.stream().map(m -> m.destination() + " " + m.source() + " " + m.writable()).toList());
        assertTrue(mounts.getLast().isAnonymous() && !mounts.get(2).isAnonymous());
        refused("{'VolumesFrom':['other:zz']}", "invalid mode: zz");
        refused("{'VolumesFrom':[':']}", "invalid name or ID supplied: \"\"");
    }

    private static void refused(String host, String message) {
        assertEquals(message, assertThrows(InvalidRequest.class, () -> mounts("{}", host)).getMessage());
    }

    private static List<MountPoint> mounts(String config, String host) throws Exception {
        return MountRequests.of(ContainerConfig.read(JSON.readTree(config.replace('\'', '"'))), HostConfig.read(JSON.readTree(host.replace('\'', '"'))),
                _ -> List.of());
    }
}
