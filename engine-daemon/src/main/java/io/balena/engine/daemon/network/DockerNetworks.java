package io.balena.engine.daemon.network;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.daemon.bbolt.BoltFile;
import io.balena.engine.network.Ipam;
import io.balena.engine.network.NetworkRecord;
import io.balena.engine.network.address.Cidr;
import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
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
    public static List<NetworkRecord> read(Path dataRoot) {
        Path file = dataRoot.resolve("network/files/local-kv.db");
        List<NetworkRecord> networks = new ArrayList<>();
        try (var bolt = BoltFile.open(file)) {
            var bucket = bolt.root().bucket("libnetwork".getBytes(UTF_8));
            if (bucket.isEmpty()) return networks;
            bucket.get().forEach((key, value) -> {
                if (!new String(key, UTF_8).startsWith(PREFIX) || value.length <= INDEX) return;
                JsonNode json = JSON.readTree(Arrays.copyOfRange(value, INDEX, value.length));
                if (!PREDEFINED.contains(json.path("name").asText())) add(json, networks);
            });
        } catch (NoSuchFileException e) {
            // Docker was never here.
        } catch (IOException e) {
            LOG.log(Level.WARNING, "Networks that Docker made may be missing: {0} cannot be read: {1}", file, e.getMessage());
        }
        return networks;
    }

    private static void add(JsonNode json, List<NetworkRecord> networks) throws IOException {
        try {
            networks.add(network(json));
        } catch (IllegalArgumentException e) {
            LOG.log(Level.WARNING, "Network {0} that Docker made is left out: {1}", json.path("name").asText(), e.getMessage());
        }
    }

    private static NetworkRecord network(JsonNode json) throws IOException {
        List<Ipam.Config> asked = new ArrayList<>();
        List<Ipam.Pool> pools = new ArrayList<>();
        for (String family : List.of("ipamV4", "ipamV6")) {
            // JSON within JSON.
            JsonNode configs = JSON.readTree(json.path(family + "Config").asText("[]"));
            for (JsonNode config : configs) {
                asked.add(new Ipam.Config(config.path("PreferredPool").asText(""), config.path("SubPool").asText(""),
                        config.path("Gateway").asText(""), texts(config.path("AuxAddresses"))));
            }
            JsonNode infos = JSON.readTree(json.path(family + "Info").asText("[]"));
            for (int i = 0; i < infos.size(); i++) pools.add(pool(infos.get(i), configs.path(i).path("SubPool").asText("")));
        }
        JsonNode options = json.path("ipamOptions");
        var ipam = new Ipam(json.path("ipamType").asText("default"), options.isObject() ? texts(options) : null, List.copyOf(asked),
                List.copyOf(pools));
        return new NetworkRecord(json.path("id").asText(), json.path("name").asText(), json.path("created").asText(),
                json.path("networkType").asText(), json.path("enableIPv6").asBoolean(), json.path("internal").asBoolean(),
                json.path("attachable").asBoolean(), json.path("configOnly").asBoolean(), json.path("configFrom").asText(""), ipam,
                texts(json.path("generic").path("com.docker.network.generic")), texts(json.path("labels")));
    }

    private static Ipam.Pool pool(JsonNode info, String range) throws IOException {
        JsonNode data = JSON.readTree(info.path("IPAMData").asText("{}"));
        Subnet subnet = Cidr.parse(data.path("Pool").asText("")).subnet();
        String gateway = data.path("Gateway").asText("");
        List<Ip> reserved = new ArrayList<>();
        for (JsonNode address : data.path("AuxAddresses")) reserved.add(Cidr.parse(address.asText()).address());
        return new Ipam.Pool(subnet, range.isEmpty() ? subnet : Cidr.parse(range).subnet(), gateway.isEmpty() ? null : Cidr.parse(gateway).address(),
                List.copyOf(reserved));
    }

    private static Map<String, String> texts(JsonNode json) {
        Map<String, String> texts = new TreeMap<>();
        for (var entry : json.properties()) texts.put(entry.getKey(), entry.getValue().asText());
        return texts;
    }
}
