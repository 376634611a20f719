package io.balena.engine.daemon.system;

import io.balena.engine.daemon.EngineConfig;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.Json;
import io.balena.engine.distribution.InsecureRegistries;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/// The event that says with what the engine goes on after its configuration was read again, with dockerd's attributes.
public record ReloadEvent(EngineConfig config) {
    private static final Set<String> ALWAYS = Set.of("127.0.0.0/8", "::1/128");

    public void publish(Events events) throws IOException {
        events.publish("daemon", "reload", new EngineId(config.dataRoot()).get(), attributes());
    }

    private Map<String, String> attributes() throws IOException {
        var registries = config.registries();
        var host = config.containers().host();
        Map<String, String> attributes = new TreeMap<>();
        attributes.put("name", Machine.hostName());
        attributes.put("allow-nondistributable-artifacts", "[]");
        attributes.put("cluster-advertise", "");
        attributes.put("cluster-store", "");
        attributes.put("cluster-store-opts", "null");
        attributes.put("debug", Boolean.toString(config.debug()));
        attributes.put("default-cgroupns-mode", host.cgroupnsMode().orElse("private"));
        attributes.put("default-ipc-mode", host.ipcMode());
        attributes.put("default-runtime", host.runtime());
        attributes.put("default-shm-size", Long.toString(host.shmBytes()));
        attributes.put("features", "map[]");
        attributes.put("insecure-registries", json(insecure(registries.endpoints().insecure())));
        attributes.put("labels", json(config.labels()));
        attributes.put("live-restore", Boolean.toString(config.containers().liveRestore()));
        attributes.put("max-concurrent-downloads", Integer.toString(registries.downloads().atOnce()));
        attributes.put("max-concurrent-uploads", Integer.toString(registries.uploads().atOnce()));
        attributes.put("max-download-attempts", Integer.toString(registries.downloads().attempts()));
        attributes.put("registry-mirrors", json(registries.endpoints().mirrors().stream().map(Object::toString).toList()));
        attributes.put("runtimes", "runc:runc");
        attributes.put("shutdown-timeout", Integer.toString(config.containers().shutdownSeconds()));
        return attributes;
    }

    /// Those that were configured: this machine's own is insecure in any case.
    private static List<String> insecure(InsecureRegistries registries) {
        return Stream.concat(registries.names().stream(), registries.networks().stream().map(Object::toString))
                .filter(registry -> !ALWAYS.contains(registry)).toList();
    }

    private static String json(List<String> texts) throws IOException {
        return new String(Json.line(texts), StandardCharsets.UTF_8).strip();
    }
}
