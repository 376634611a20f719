package io.balena.engine.daemon.system;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.balena.engine.daemon.EngineVersion;
import io.balena.engine.daemon.http.ApiVersion;
import java.util.List;
import java.util.Map;

/// The answer of `GET /version`.
///
/// @param engine by this clients tell balenaEngine from Docker and pick their way of showing progress
record VersionReport(
        @JsonProperty("Platform") Map<String, String> platform,
        @JsonProperty("Components") List<Component> components,
        @JsonProperty("Version") String version,
        @JsonProperty("ApiVersion") String apiVersion,
        @JsonProperty("MinAPIVersion") String minApiVersion,
        @JsonProperty("GitCommit") String gitCommit,
        @JsonProperty("Engine") String engine,
        @JsonProperty("Os") String os,
        @JsonProperty("Arch") String arch,
        @JsonProperty("KernelVersion") String kernelVersion,
        @JsonProperty("Experimental") @com.fasterxml.jackson.annotation.JsonInclude(com.fasterxml.jackson.annotation.JsonInclude.Include.NON_DEFAULT)
                boolean experimental,
        @JsonProperty("BuildTime") String buildTime) {

    record Component(
            @JsonProperty("Name") String name, @JsonProperty("Version") String version, @JsonProperty("Details") Map<String, String> details) {}

    static VersionReport of(EngineVersion engine, boolean experimental) {
        var details = new java.util.LinkedHashMap<String, String>();
        details.put("ApiVersion", ApiVersion.NEWEST.toString());
        details.put("Arch", Machine.goArchitecture());
        details.put("BuildTime", engine.buildTime());
        details.put("Experimental", Boolean.toString(experimental));
        details.put("GitCommit", engine.commit());
        details.put("KernelVersion", Machine.kernelVersion());
        details.put("MinAPIVersion", ApiVersion.OLDEST.toString());
        details.put("Os", "linux");
        return new VersionReport(
                Map.of("Name", ""),
                List.of(new Component("Engine", engine.version(), details)),
                engine.version(),
                ApiVersion.NEWEST.toString(),
                ApiVersion.OLDEST.toString(),
                engine.commit(),
                "balena-engine",
                "linux",
                Machine.goArchitecture(),
                Machine.kernelVersion(),
                experimental,
                engine.buildTime());
    }
}
