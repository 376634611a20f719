package io.balena.engine.daemon.container.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// How a container is probed, Docker's `Config.Healthcheck` with what it leaves open filled in.
///
/// @param command program and arguments
/// @param interval between the end of one probe and the beginning of the next
/// @param startInterval the same, while the container is starting and within `startPeriod`
/// @param startPeriod after the start, in which failures do not count until there was a success
/// @param retries failures in a row that make it unhealthy
public record HealthCheck(List<String> command, Duration interval, Duration timeout, Duration startPeriod, Duration startInterval,
        int retries) {
    private static final System.Logger LOG = System.getLogger(HealthCheck.class.getName());
    private static final Shape SHAPE = new Shape("HealthConfig.Healthcheck")
            .optional(Shape.Kind.TEXTS, "Test")
            .optional(Shape.Kind.DURATION, "Interval", "Timeout", "StartPeriod", "StartInterval")
            .optional(Shape.Kind.INTEGER, "Retries");
    private static final List<String> NUMBERS = List.of("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries");
    private static final List<String> SHELL = List.of("/bin/sh", "-c");
    private static final long LEAST_NANOS = 1_000_000;

    private static final Duration INTERVAL = Duration.ofSeconds(30);
    private static final Duration TIMEOUT = Duration.ofSeconds(30);
    private static final Duration START_INTERVAL = Duration.ofSeconds(5);
    private static final int RETRIES = 3;

    /// A client's `Healthcheck`, as it is stored and shown.
    ///
    /// @param startInterval whether the client's API version has it: since 1.44
    /// @throws InvalidRequest when a field has the wrong type
    static ObjectNode read(JsonNode given, boolean startInterval) {
        ObjectNode document = SHAPE.read(given);
        if (!startInterval) document.remove("StartInterval");
        for (String number : NUMBERS) if (document.path(number).asLong() == 0) document.remove(number);
        return document;
    }

    /// Whatever `own` leaves open is the image's.
    static void merge(ObjectNode own, JsonNode image) {
        if (own.path("Test").isEmpty() && image.path("Test").isArray()) own.set("Test", image.get("Test"));
        for (String number : NUMBERS) {
            if (own.path(number).asLong() == 0 && image.path(number).asLong() != 0) own.set(number, image.get(number));
        }
    }

    /// @throws InvalidRequest with Docker's words
    public static void validate(ContainerConfig config) {
        JsonNode document = config.document().path("Healthcheck");
        for (String duration : List.of("Interval", "Timeout", "StartPeriod", "StartInterval")) {
            long nanos = document.path(duration).asLong();
            if (nanos != 0 && nanos < LEAST_NANOS) throw new InvalidRequest(duration + " in Healthcheck cannot be less than 1ms");
        }
        if (document.path("Retries").asLong() < 0) throw new InvalidRequest("Retries in Healthcheck cannot be negative");
    }

    /// @return empty when a container is not to be probed
    public static Optional<HealthCheck> of(ContainerConfig config) {
        JsonNode document = config.document().path("Healthcheck");
        List<String> test = Shape.texts(document.get("Test"));
        if (test.isEmpty()) return Optional.empty();
        List<String> command = new ArrayList<>(test.subList(1, test.size()));
        switch (test.getFirst()) {
            case "CMD" -> {}
            case "CMD-SHELL" -> command.addAll(0, config.shell().orElse(SHELL));
            case "NONE" -> {
                return Optional.empty();
            }
            default -> {
                LOG.log(System.Logger.Level.WARNING, "Unknown healthcheck type ''{0}'' (expected ''CMD'')", test.getFirst());
                return Optional.empty();
            }
        }
        long retries = document.path("Retries").asLong();
        return Optional.of(new HealthCheck(command, duration(document, "Interval", INTERVAL), duration(document, "Timeout", TIMEOUT),
                duration(document, "StartPeriod", Duration.ZERO), duration(document, "StartInterval", START_INTERVAL),
                retries <= 0 ? RETRIES : (int) Math.min(retries, Integer.MAX_VALUE)));
    }

    private static Duration duration(JsonNode document, String field, Duration absent) {
        long nanos = document.path(field).asLong();
        return nanos == 0 ? absent : Duration.ofNanos(nanos);
    }
}
