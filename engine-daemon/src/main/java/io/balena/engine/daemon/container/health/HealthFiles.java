package io.balena.engine.daemon.container.health;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// States of health, kept for the next engine, a file for each container.
///
/// @param folder on a tmpfs: a probe every few seconds is nothing to wear flash with, and no process survives the power cut anyway
public record HealthFiles(Path folder) {
    private static final ObjectMapper JSON = new ObjectMapper();

    public void save(String containerId, Health health) throws IOException {
        ObjectNode json = JSON.createObjectNode().put("Status", health.status().name()).put("FailingStreak", health.failingStreak());
        var log = json.putArray("Log");
        for (Health.Probe probe : health.log()) {
            log.addObject().put("Start", probe.start().toString()).put("End", probe.end().toString()).put("ExitCode", probe.exitCode())
                    .put("Output", probe.output());
        }
        Files.createDirectories(folder);
        Path unready = folder.resolve(".tmp-" + containerId);
        Files.write(unready, JSON.writeValueAsBytes(json));
        Files.move(unready, folder.resolve(containerId), StandardCopyOption.ATOMIC_MOVE);
    }

    /// @return empty when nothing is known, or what is there makes no sense: then it will be probed again
    public Optional<Health> load(String containerId) throws IOException {
        byte[] content;
        try {
            content = Files.readAllBytes(folder.resolve(containerId));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        try {
            JsonNode json = JSON.readTree(content);
            List<Health.Probe> log = new ArrayList<>();
            for (JsonNode probe : json.path("Log")) {
                log.add(new Health.Probe(Instant.parse(probe.path("Start").asText()), Instant.parse(probe.path("End").asText()),
                        probe.path("ExitCode").asInt(), probe.path("Output").asText()));
            }
            return Optional.of(new Health(Health.Status.valueOf(json.path("Status").asText()), json.path("FailingStreak").asInt(), List.copyOf(log)));
        } catch (IOException | DateTimeException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    public void delete(String containerId) throws IOException {
        Files.deleteIfExists(folder.resolve(containerId));
        Files.deleteIfExists(folder.resolve(".tmp-" + containerId));
    }
}
