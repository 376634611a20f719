package io.balena.engine.cli;

import com.fasterxml.jackson.databind.JsonNode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;

import static java.nio.charset.StandardCharsets.UTF_8;

/// What `login` left in the configuration file, as the header that the API wants it in.
final class RegistryCredentials {
    private RegistryCredentials() {}

    static Map<String, String> headersFor(ImageName image) {
        var registry = image.registry().equals("docker.io") ? "https://index.docker.io/v1/" : image.registry();
        var auth = configuration().path("auths").path(registry);
        if (!auth.hasNonNull("auth")) return Map.of();
        var pair = new String(Base64.getDecoder().decode(auth.path("auth").asText()), UTF_8);
        int colon = pair.indexOf(':');
        if (colon < 0) return Map.of();
        var header = EngineClient.JSON.createObjectNode().put("username", pair.substring(0, colon))
                .put("password", pair.substring(colon + 1)).put("serveraddress", registry);
        return Map.of("X-Registry-Auth", Base64.getUrlEncoder().encodeToString(header.toString().getBytes(UTF_8)));
    }

    private static JsonNode configuration() {
        var folder = System.getenv("DOCKER_CONFIG");
        var home = System.getProperty("user.home");
        for (var file : folder != null ? new Path[] {Path.of(folder, "config.json")}
                : new Path[] {Path.of(home, ".balena-engine", "config.json"), Path.of(home, ".docker", "config.json")}) {
            try {
                if (Files.exists(file)) return EngineClient.JSON.readTree(Files.readAllBytes(file));
            } catch (IOException e) {
                throw new CommandFailed(1, "cannot read " + file + ": " + e.getMessage());
            }
        }
        return EngineClient.JSON.createObjectNode();
    }
}
