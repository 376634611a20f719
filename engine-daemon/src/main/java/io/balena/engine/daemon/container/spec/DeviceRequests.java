package io.balena.engine.daemon.container.spec;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.config.HostConfig;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What `DeviceRequests` ask for: devices that come with more than a node, GPUs above all. The one driver is `cdi`.
public final class DeviceRequests {
    private static final String CDI = "cdi";

    private final List<Path> cdiSpecs;

    /// @param cdiSpecs folders of the Container Device Interface; what the last one says goes before the others
    public DeviceRequests(List<Path> cdiSpecs) {
        this.cdiSpecs = List.copyOf(cdiSpecs);
    }

    /// @return `spec` with all that belongs to the devices
    /// @throws SystemFailure in Docker's words when there is no such driver or device
    public RuntimeSpec addTo(RuntimeSpec spec, HostConfig host) throws IOException {
        List<String> names = new ArrayList<>();
        for (JsonNode request : host.objects("DeviceRequests")) {
            String driver = request.path("Driver").asText("");
            if (!driver.equals(CDI) || cdiSpecs.isEmpty()) {
                throw new SystemFailure("could not select device driver \"" + driver + "\" with capabilities: " + capabilities(request), null);
            }
            request.path("DeviceIDs").forEach(name -> names.add(name.asText()));
        }
        if (names.isEmpty()) return spec;
        try {
            return CdiRegistry.read(cdiSpecs).edits(names).addTo(spec);
        } catch (CdiRegistry.Unresolvable e) {
            throw new SystemFailure("CDI device injection failed: " + e.getMessage(), e);
        }
    }

    /// As Go prints a list of lists.
    private static String capabilities(JsonNode request) {
        List<String> sets = new ArrayList<>();
        for (JsonNode set : request.path("Capabilities")) {
            List<String> words = new ArrayList<>();
            set.forEach(word -> words.add(word.asText()));
            sets.add("[" + String.join(" ", words) + "]");
        }
        return "[" + String.join(" ", sets) + "]";
    }
}
