package io.balena.engine.daemon.image;

import static io.balena.engine.daemon.http.Route.get;
import static io.balena.engine.daemon.http.Route.post;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.http.Filters;
import io.balena.engine.daemon.http.Request;
import io.balena.engine.daemon.http.Response;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.distribution.Credentials;
import io.balena.engine.distribution.FoundRepository;
import io.balena.engine.distribution.ImageReference;
import io.balena.engine.distribution.Registries;
import io.balena.engine.distribution.RemoteImage;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/// Routes that only ask a registry.
public final class RegistryRoutes {
    private static final int USUAL_LIMIT = 25;

    private final Registries registries;

    public RegistryRoutes(Registries registries) {
        this.registries = registries;
    }

    public List<Route> table() {
        return List.of(
                post("/auth", this::login),
                get("/images/search", this::search),
                get("/distribution/{name...}/json", this::describe));
    }

    private Response login(Request request) throws IOException {
        JsonNode body = request.json();
        String token = registries.login(RegistryAuth.field(body, "serveraddress"), RegistryAuth.of(body)).orElse("");
        return Response.json(Map.of("Status", "Login Succeeded", "IdentityToken", token));
    }

    private Response describe(Request request) throws IOException {
        ImageReference name = ImageRoutes.reference(request.path("name"), Optional.empty());
        RemoteImage image = registries.describe(name, credentials(request));
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("Descriptor", new Descriptor(image.mediaType(), image.digest().toString(), image.size()));
        answer.put("Platforms", image.platforms().isEmpty() ? null : image.platforms().stream().map(Platform::of).toList());
        return Response.json(answer);
    }

    private record Descriptor(String mediaType, String digest, long size) {}

    private record Platform(
            String architecture,
            String os,
            @JsonProperty("os.version") @JsonInclude(JsonInclude.Include.NON_EMPTY) String osVersion,
            @JsonProperty("os.features") @JsonInclude(JsonInclude.Include.NON_EMPTY) List<String> osFeatures,
            @JsonInclude(JsonInclude.Include.NON_EMPTY) String variant) {
        static Platform of(RemoteImage.OfferedPlatform offered) {
            return new Platform(offered.architecture(), offered.os(), offered.osVersion(), offered.osFeatures(), offered.variant());
        }
    }

    private Response search(Request request) throws IOException {
        Predicate<FoundRepository> wanted = wanted(request.filters());
        String term = request.query("term").orElse("");
        List<FoundRepository> found = registries.search(term, request.integer("limit", USUAL_LIMIT), credentials(request));
        return Response.json(found.stream().filter(wanted).map(RegistryRoutes::line).toList());
    }

    private static Map<String, Object> line(FoundRepository found) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("star_count", found.stars());
        line.put("is_official", found.official());
        line.put("name", found.name());
        line.put("is_automated", found.automated());
        line.put("description", found.description());
        return line;
    }

    private static Predicate<FoundRepository> wanted(Filters filters) {
        for (String key : filters.values().keySet()) {
            if (!Set.of("is-automated", "is-official", "stars").contains(key)) throw new InvalidRequest("Invalid filter '" + key + "'");
        }
        Predicate<FoundRepository> all = _ -> true;
        if (filters.has("is-automated")) {
            boolean automated = truth("is-automated", filters);
            all = all.and(found -> found.automated() == automated);
        }
        if (filters.has("is-official")) {
            boolean official = truth("is-official", filters);
            all = all.and(found -> found.official() == official);
        }
        int stars = filters.get("stars").stream().mapToInt(RegistryRoutes::stars).max().orElse(0);
        return all.and(found -> found.stars() >= stars);
    }

    private static boolean truth(String key, Filters filters) {
        Set<String> values = filters.get(key);
        if (values.equals(Set.of("true"))) return true;
        if (values.equals(Set.of("false"))) return false;
        throw new InvalidRequest("Invalid filter '" + key + "=[" + String.join(" ", values) + "]'");
    }

    private static int stars(String value) {
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw new InvalidRequest("Invalid filter 'stars=" + value + "'");
        }
    }

    private static Credentials credentials(Request request) {
        return RegistryAuth.parse(request.header("X-Registry-Auth"));
    }
}
