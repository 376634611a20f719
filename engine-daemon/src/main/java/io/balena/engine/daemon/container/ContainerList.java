package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.Timestamps;
import io.balena.engine.daemon.container.health.Health;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.Filters;
import io.balena.engine.distribution.DistributionException;
import io.balena.engine.distribution.Image;
import io.balena.engine.distribution.ImageId;
import io.balena.engine.distribution.Images;
import io.balena.engine.graphdriver.ContainerLayer;
import io.balena.engine.graphdriver.LayerStore;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/// What `docker ps` shows.
final class ContainerList {
    private static final Set<String> FILTERS = Set.of("ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label",
            "name", "network", "publish", "since", "status", "volume");
    private static final Set<String> STATES = Set.of("paused", "restarting", "removing", "running", "dead", "created", "exited");

    private static final Set<String> HEALTH = Set.of("none", "starting", "healthy", "unhealthy");

    private final ContainerStore store;
    private final Images images;
    private final LayerStore layers;
    private final Clock clock;

    ContainerList(ContainerStore store, Images images, LayerStore layers, Clock clock) {
        this.store = store;
        this.images = images;
        this.layers = layers;
        this.clock = clock;
    }

    /// @param limit the newest so many, whatever their state; 0 for no limit
    ArrayNode list(boolean all, int limit, boolean withSize, Filters filters, ApiVersion version) throws IOException {
        Predicate<ContainerRecord> wanted = filter(filters);
        boolean anyState = all || limit > 0 || filters.has("status") || filters.has("exited") || filters.has("before") || filters.has("since");
        List<ContainerRecord> found = store.all().stream().map(Container::record)
                .filter(record -> anyState || record.state().isAlive() || record.state() instanceof ContainerState.Restarting)
                .filter(wanted)
                .sorted(Comparator.comparing(ContainerRecord::created).reversed())
                .limit(limit > 0 ? limit : Long.MAX_VALUE)
                .toList();
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (ContainerRecord record : found) list.add(row(record, withSize, version));
        return list;
    }

    /// Ids of those that `docker container prune` removes.
    List<String> prunable(Filters filters) {
        for (String key : filters.values().keySet()) {
            if (!Set.of("until", "label", "label!").contains(key)) throw new InvalidRequest("Invalid filter '" + key + "'");
        }
        Optional<Instant> until = filters.get("until").stream().findFirst().map(text -> Timestamps.parse(text, clock.instant()));
        return store.all().stream().map(Container::record)
                .filter(record -> record.state() instanceof ContainerState.Created || record.state() instanceof ContainerState.Exited)
                .filter(record -> until.map(limit -> record.created().isBefore(limit)).orElse(true))
                .filter(record -> filters.get("label").stream().allMatch(label -> hasLabel(record, label)))
                .filter(record -> filters.get("label!").stream().noneMatch(label -> hasLabel(record, label)))
                .map(record -> record.id().hex()).toList();
    }

    private ObjectNode row(ContainerRecord record, boolean withSize, ApiVersion version) throws IOException {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("Id", record.id().hex());
        json.putArray("Names").add("/" + record.name());
        json.put("Image", imageName(record)).put("ImageID", record.image());
        json.put("Command", String.join(" ", record.config().arguments())).put("Created", record.created().getEpochSecond());
        json.set("Ports", ports(record));
        if (withSize) {
            Optional<ContainerLayer> layer = layers.containerLayer(record.id().hex());
            long size = layer.isPresent() ? layer.get().size() : 0;
            long whole = size + layer.map(ContainerLayer::sizeBelow).orElse(0L);
            // As Docker's `omitempty` has it.
            if (size > 0) json.put("SizeRw", size);
            if (whole > 0) json.put("SizeRootFs", whole);
        }
        ObjectNode labels = json.putObject("Labels");
        record.config().labels().forEach(labels::put);
        json.put("State", record.state().word()).put("Status", status(record.state(), health(record), clock.instant()));
        ObjectNode host = json.putObject("HostConfig").put("NetworkMode", record.host().text("NetworkMode"));
        if (version.atLeast(1, 46) && record.host().given("Annotations")) host.set("Annotations", record.host().document().get("Annotations"));
        json.putObject("NetworkSettings").set("Networks", ContainerInspect.networks(record, version));
        json.set("Mounts", ContainerInspect.mounts(record));
        ContainerInspect.HISTORY.apply(version, json);
        return json;
    }

    /// As the user called it, or its id when that name means another image by now.
    private String imageName(ContainerRecord record) {
        String name = record.config().image();
        try {
            if (images.resolve(name).id().toString().equals(record.image())) return name;
        } catch (DistributionException | IllegalArgumentException e) {
            // Untagged or gone.
        }
        return record.image();
    }

    private static ArrayNode ports(ContainerRecord record) {
        ArrayNode ports = JsonNodeFactory.instance.arrayNode();
        for (var entry : record.network().ports().properties()) {
            String[] port = entry.getKey().split("/", 2);
            int inside = Integer.parseInt(port[0]);
            if (entry.getValue().isEmpty()) ports.addObject().put("PrivatePort", inside).put("Type", port[1]);
            for (JsonNode binding : entry.getValue()) {
                ports.addObject().put("IP", binding.path("HostIp").asText()).put("PrivatePort", inside)
                        .put("PublicPort", binding.path("HostPort").asInt()).put("Type", port[1]);
            }
        }
        return ports;
    }

    private Optional<Health.Status> health(ContainerRecord record) {
        return store.get(record.id().hex()).flatMap(container -> container.health).map(Health::status);
    }

    private static String inBrackets(Health.Status health) {
        return health == Health.Status.STARTING ? " (health: starting)" : " (" + health.word() + ")";
    }

    static String status(ContainerState state, Optional<Health.Status> health, Instant now) {
        return switch (state) {
            case ContainerState.Created _ -> "Created";
            case ContainerState.Running running -> "Up " + since(running.since(), now) + health.map(ContainerList::inBrackets).orElse("");
            case ContainerState.Paused paused -> "Up " + since(paused.frozen().since(), now) + " (Paused)";
            case ContainerState.Restarting again -> "Restarting (" + again.last().code() + ") " + since(again.last().at(), now) + " ago";
            case ContainerState.Exited exited -> "Exited (" + exited.code() + ") " + since(exited.at(), now) + " ago";
            case ContainerState.Removing _ -> "Removal In Progress";
        };
    }

    private static String since(Instant then, Instant now) {
        return Durations.inWords(then == null ? Duration.ZERO : Duration.between(then, now));
    }

    private Predicate<ContainerRecord> filter(Filters filters) {
        for (String key : filters.values().keySet()) if (!FILTERS.contains(key)) throw new InvalidRequest("Invalid filter '" + key + "'");
        Predicate<ContainerRecord> all = _ -> true;
        for (String key : filters.values().keySet()) {
            Set<String> values = filters.get(key);
            Predicate<ContainerRecord> one = switch (key) {
                case "id" -> any(values, (record, value) -> matches(value, record.id().hex()) || record.id().hex().startsWith(value));
                case "name" -> any(values, (record, value) -> matches(value, record.name()) || matches(value, "/" + record.name()));
                case "label" -> record -> values.stream().allMatch(value -> hasLabel(record, value));
                case "status" -> status(values);
                case "exited" -> exited(values);
                case "ancestor" -> ancestor(values);
                case "before" -> before(values);
                case "since" -> after(values);
                case "volume" -> any(values, (record, value) -> record.mounts().stream()
                        .anyMatch(m -> m.destination().equals(value) || m.name().equals(value) || m.source().equals(value)));
                case "network" -> any(values, (record, value) -> record.network().networks().properties().stream()
                        .anyMatch(n -> n.getKey().equals(value) || n.getValue().path("NetworkID").asText("").equals(value)));
                case "publish" -> hasPort(values, "publish", "PublicPort");
                case "expose" -> hasPort(values, "expose", "PrivatePort");
                case "health" -> health(values);
                case "is-task" -> _ -> values.contains("false") || values.contains("0");
                default -> _ -> true;
            };
            all = all.and(one);
        }
        return all;
    }

    private interface Match {
        boolean test(ContainerRecord record, String value);
    }

    private static Predicate<ContainerRecord> any(Set<String> values, Match match) {
        return record -> values.stream().anyMatch(value -> match.test(record, value));
    }

    private static boolean matches(String pattern, String text) {
        if (text.equals(pattern)) return true;
        try {
            return Pattern.compile(pattern).matcher(text).find();
        } catch (PatternSyntaxException e) {
            return text.contains(pattern);
        }
    }

    private static boolean hasLabel(ContainerRecord record, String wanted) {
        int equals = wanted.indexOf('=');
        if (equals < 0) return record.config().labels().containsKey(wanted);
        return wanted.substring(equals + 1).equals(record.config().labels().get(wanted.substring(0, equals)));
    }

    private static Predicate<ContainerRecord> status(Set<String> values) {
        for (String value : values) if (!STATES.contains(value)) throw new InvalidRequest("Invalid filter 'status=" + value + "'");
        return record -> values.contains(record.state().word());
    }

    private static Predicate<ContainerRecord> exited(Set<String> values) {
        for (String value : values) {
            if (!value.matches("[+-]?\\d{1,9}")) throw new InvalidRequest("Invalid filter 'exited=" + value + "'");
        }
        return record -> record.state() instanceof ContainerState.Exited exited && values.contains(Integer.toString(exited.code()));
    }

    private Predicate<ContainerRecord> health(Set<String> values) {
        for (String value : values) {
            if (!HEALTH.contains(value)) throw new InvalidRequest("Unrecognised filter value for health: " + value);
        }
        return record -> values.contains(health(record).map(Health.Status::word).orElse("none"));
    }

    private Predicate<ContainerRecord> ancestor(Set<String> values) {
        List<String> ids = values.stream().flatMap(value -> resolve(value).stream()).toList();
        return record -> ids.contains(record.image()) || images.find(ImageId.parse(record.image()))
                .flatMap(Image::parent).map(parent -> ids.contains(parent.toString())).orElse(false);
    }

    private Optional<String> resolve(String image) {
        try {
            return Optional.of(images.resolve(image).id().toString());
        } catch (DistributionException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private Predicate<ContainerRecord> before(Set<String> values) {
        List<Instant> limits = values.stream().map(value -> store.find(value).record().created()).toList();
        return record -> limits.stream().allMatch(limit -> record.created().isBefore(limit));
    }

    private Predicate<ContainerRecord> after(Set<String> values) {
        List<Instant> limits = values.stream().map(value -> store.find(value).record().created()).toList();
        return record -> limits.stream().allMatch(limit -> record.created().isAfter(limit));
    }

    /// Of the ports that a list shows, so none of a container that does not run.
    private static Predicate<ContainerRecord> hasPort(Set<String> values, String filter, String field) {
        List<PortFilter> wanted = values.stream().map(value -> PortFilter.parse(filter, value)).toList();
        return record -> ports(record).valueStream().anyMatch(port -> wanted.stream()
                .anyMatch(one -> one.matches(port.path(field).asInt(), port.path("Type").asText())));
    }
}
