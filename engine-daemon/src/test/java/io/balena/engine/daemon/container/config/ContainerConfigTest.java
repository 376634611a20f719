package io.balena.engine.daemon.container.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ContainerConfigTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Test
    void absentFieldsAreFilledAsDockerShowsThem() throws Exception {
        var config = ContainerConfig.read(json("{'Image':'bb','Cmd':['true']}"));
        assertEquals("{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,"
                + "\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,\"Cmd\":[\"true\"],\"Image\":\"bb\",\"Volumes\":null,"
                + "\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":null}", config.document().toString());
    }

    @Test
    void aFieldOfAnotherTypeIsRefusedInGosWords() throws Exception {
        assertEquals("json: cannot unmarshal number into Go struct field ContainerConfigWrapper.Image of type string",
                assertThrows(InvalidRequest.class, () -> ContainerConfig.read(json("{'Image':5}"))).getMessage());
        assertEquals("json: cannot unmarshal string into Go struct field HostConfig.HostConfig.Memory of type int64",
                assertThrows(InvalidRequest.class, () -> HostConfig.read(json("{'Memory':'x'}"))).getMessage());
        assertThrows(InvalidRequest.class, () -> ContainerConfig.read(json("{'Env':'A=b'}")));
        assertThrows(InvalidRequest.class, () -> ContainerConfig.read(json("{'Env':[1]}")));
        assertThrows(InvalidRequest.class, () -> ContainerConfig.read(json("{'Labels':{'a':1}}")));
        assertThrows(InvalidRequest.class, () -> HostConfig.read(json("{'Memory':1.5}")));
        assertThrows(InvalidRequest.class, () -> HostConfig.read(json("{'Mounts':['x']}")));
    }

    @Test
    void namesAreMatchedWithoutRegardToCaseAndUnknownOnesDropped() throws Exception {
        var config = ContainerConfig.read(json("{'image':'bb','Nonsense':{}}"));
        assertEquals("bb", config.image());
        assertFalse(config.document().has("Nonsense"));
    }

    @Test
    void whatAStoredFileHoldsAndWeDoNotKnowIsKept() throws Exception {
        var config = ContainerConfig.load((ObjectNode) json("{'Image':'bb','FromTheFuture':[1]}"));
        assertEquals("[1]", config.document().get("FromTheFuture").toString());
    }

    @Test
    void aCommandMayBeOneWord() throws Exception {
        assertEquals(List.of("ls"), ContainerConfig.read(json("{'Cmd':'ls'}")).command());
    }

    @Test
    void theImageFillsWhatTheUserLeftOpen() throws Exception {
        var image = json("{'Env':['PATH=/bin','A=image'],'Cmd':['sh'],'WorkingDir':'/w','Labels':{'a':'1','b':'2'},'ExposedPorts':{'80/tcp':{}}}");
        var config = ContainerConfig.read(json("{'Env':['A=own'],'Labels':{'b':'own'}}")).over(image);
        assertEquals(List.of("A=own", "PATH=/bin"), config.environment());
        assertEquals(List.of("sh"), config.arguments());
        assertEquals("/w", config.workingDirectory());
        assertEquals(Map.of("a", "1", "b", "own"), config.labels());
        assertEquals(List.of("80/tcp"), config.exposedPorts());
    }

    @Test
    void anOwnEntrypointTakesTheImagesCommandAway() throws Exception {
        var image = json("{'Entrypoint':['/entry'],'Cmd':['arg']}");
        assertEquals(List.of("own"), ContainerConfig.read(json("{'Entrypoint':['own']}")).over(image).arguments());
        assertEquals(List.of("/entry", "x"), ContainerConfig.read(json("{'Cmd':['x']}")).over(image).arguments());
        assertEquals(List.of("/entry", "arg"), ContainerConfig.read(json("{}")).over(image).arguments());
    }

    @Test
    void anEmptyEntrypointMeansNoneNotTheImages() throws Exception {
        var config = ContainerConfig.read(json("{'Entrypoint':[''],'Cmd':['x']}")).over(json("{'Entrypoint':['/entry']}"));
        assertEquals(List.of("x"), config.arguments());
        assertTrue(config.document().get("Entrypoint").isNull());
    }

    @Test
    void theEngineDecidesWhatTheHostConfigLeavesOpen() throws Exception {
        var host = HostConfig.read(json("{'Memory':10000000}"));
        assertEquals("default", host.text("NetworkMode"));
        assertEquals(64L << 20, host.positive("ShmSize").orElse(0));
        assertEquals("json-file", host.logDriver());
        assertEquals(20000000, host.positive("MemorySwap").orElse(0));
        assertTrue(host.texts("MaskedPaths").contains("/proc/kcore"));
        assertTrue(host.document().get("Binds").isNull());
    }

    @Test
    void theEnginesLogOptionsHoldUnlessTheContainerHasOthers() throws Exception {
        var log = new HostDefaults.Log("json-file", Map.of("max-size", "1m", "max-file", "2"));
        var defaults = new HostDefaults(log, "runc", "private", Optional.empty(), 1 << 20);
        assertEquals(Map.of("max-size", "1m", "max-file", "2"), HostConfig.read(json("{}"), defaults).logOptions());
        assertEquals(Map.of("max-size", "9m", "max-file", "2"),
                HostConfig.read(json("{'LogConfig':{'Type':'json-file','Config':{'max-size':'9m'}}}"), defaults).logOptions());
        assertEquals(Map.of(), HostConfig.read(json("{'LogConfig':{'Type':'none'}}"), defaults).logOptions());
    }

    @Test
    void sizesAreWrittenAsDockersUsersDo() {
        assertEquals(64L << 20, ByteSize.parse("64MiB"));
        assertEquals(10240, ByteSize.parse("10k"));
        assertEquals(3L << 29, ByteSize.parse("1.5g"));
        assertEquals(7, ByteSize.parse("7"));
        for (String wrong : List.of("", "-1", "ten", "10x", "1e3")) assertThrows(IllegalArgumentException.class, () -> ByteSize.parse(wrong), wrong);
    }

    @Test
    void anEmptyListOfMaskedPathsMasksNothing() throws Exception {
        var host = HostConfig.read(json("{'MaskedPaths':[],'ReadonlyPaths':[]}"));
        assertEquals(List.of(), host.texts("MaskedPaths"));
        assertEquals("[]", host.document().get("ReadonlyPaths").toString());
    }

    @Test
    void restartPoliciesWantBackWhatTheyPromise() {
        assertTrue(new RestartPolicy("always", 0).wants(0, 5, false));
        assertFalse(new RestartPolicy("always", 0).wants(0, 0, true));
        assertTrue(new RestartPolicy("always", 0).wantsAtBoot(0, 0, true));
        assertFalse(new RestartPolicy("unless-stopped", 0).wantsAtBoot(0, 0, true));
        assertTrue(new RestartPolicy("on-failure", 2).wants(1, 1, false));
        assertFalse(new RestartPolicy("on-failure", 2).wants(1, 2, false));
        assertFalse(new RestartPolicy("on-failure", 0).wants(0, 0, false));
        assertFalse(new RestartPolicy("no", 0).wants(1, 0, false));
        assertThrows(InvalidRequest.class, () -> new RestartPolicy("sometimes", 0).validate());
        assertThrows(InvalidRequest.class, () -> new RestartPolicy("always", 3).validate());
    }

    private static JsonNode json(String text) throws Exception {
        return JSON.readTree(text.replace('\'', '"'));
    }
}
