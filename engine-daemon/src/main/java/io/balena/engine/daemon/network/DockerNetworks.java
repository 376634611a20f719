package io.balena.engine.daemon.network;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.bbolt.BoltFile;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/// Reads the networks of a data root that Docker wrote: bucket `libnetwork`, key `docker/network/v1.0/network/<id>/`, and as value a
/// little-endian index of eight bytes and JSON. The networks that every engine has are left out.
public final class DockerNetworks {
    private static final Logger LOG = System.getLogger(DockerNetworks.class.getName());
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PREFIX = "docker/network/v1.0/network/";
    private static final int INDEX = 8;
    private static final Set<String> PREDEFINED = Set.of("bridge", "host", "none");

    private DockerNetworks() {}

    /// @return what can be read, when the file is damaged; nothing when Docker was never here
    public static List<DockerNetwork> read(Path dataRoot) {
        Path file = dataRoot.resolve("network/files/local-kv.db");
        List<DockerNetwork> networks = new ArrayList<>();
        try (var bolt = BoltFile.open(file)) {
            var bucket = bolt.root().bucket("libnetwork".getBytes(UTF_8));
            if (bucket.isEmpty()) return networks;
            bucket.get().forEach((key, value) -> {
                if (!new String(key, UTF_8).startsWith(PREFIX) || value.length <= INDEX) return;
                JsonNode json = JSON.readTree(Arrays.copyOfRange(value, INDEX, value.length));
                if (!PREDEFINED.contains(json.path("name").asText())) networks.add(network(json));
            });
        } catch (NoSuchFileException e) {
            // Docker was never here.
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Networks that Docker made may be missing: {0} cannot be read: {1}", file, e.getMessage());
        }
        return networks;
    }

    private static DockerNetwork network(JsonNode json) throws IOException {
        List<DockerNetwork.Subnet> subnets = new ArrayList<>();
        // JSON within JSON.
        for (JsonNode pool : JSON.readTree(json.path("ipamV4Config").asText("[]"))) {
            subnets.add(new DockerNetwork.Subnet(pool.path("PreferredPool").asText(""), pool.path("SubPool").asText(""),
                    pool.path("Gateway").asText("")));
        }
        return new DockerNetwork(json.path("id").asText(), json.path("name").asText(), json.path("networkType").asText(),
                json.path("created").asText(), List.copyOf(subnets), json.path("internal").asBoolean(), json.path("attachable").asBoolean(),
                json.path("enableIPv6").asBoolean(), texts(json.path("generic").path("com.docker.network.generic")), texts(json.path("labels")));
    }

    private static Map<String, String> texts(JsonNode json) {
        Map<String, String> texts = new TreeMap<>();
        for (var entry : json.properties()) texts.put(entry.getKey(), entry.getValue().asText());
        return texts;
    }
}
