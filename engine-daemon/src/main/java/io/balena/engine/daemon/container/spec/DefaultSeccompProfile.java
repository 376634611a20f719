package io.balena.engine.daemon.container.spec;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.balena.engine.runtime.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.RuntimeSpec.SyscallRule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Which system calls a container may make unless it says otherwise: those of Docker's default profile, in `seccomp.json`.
///
/// What is not allowed fails with `EPERM`. The allowed set depends on the machine and on the container's capabilities: whoever may
/// mount has no use for a filter that forbids it.
final class DefaultSeccompProfile {
    private static final int EPERM = 1;
    private static final String ALLOW = "SCMP_ACT_ALLOW";
    private static final String FAIL = "SCMP_ACT_ERRNO";

    private final JsonNode profile;
    private final String architecture;
    /// Few sets of capabilities are in use on one machine; the filter of each is put together once.
    private final Map<List<String>, Seccomp> byCapabilities = new ConcurrentHashMap<>();

    private DefaultSeccompProfile(JsonNode profile, String architecture) {
        this.profile = profile;
        this.architecture = architecture;
    }

    static DefaultSeccompProfile load() {
        return load(goArchitecture(System.getProperty("os.arch")));
    }

    /// @param architecture as Go calls it: `amd64`, `arm64`, `arm`
    static DefaultSeccompProfile load(String architecture) {
        try (var in = DefaultSeccompProfile.class.getResourceAsStream("seccomp.json")) {
            return new DefaultSeccompProfile(new ObjectMapper().readTree(in), architecture);
        } catch (IOException e) {
            throw new UncheckedIOException("the default seccomp profile cannot be read", e);
        }
    }

    private static String goArchitecture(String java) {
        return switch (java) {
            case "amd64", "x86_64" -> "amd64";
            case "aarch64" -> "arm64";
            default -> "arm";
        };
    }

    /// @param capabilities the container's bounding set
    Seccomp forCapabilities(List<String> capabilities) {
        return byCapabilities.computeIfAbsent(List.copyOf(capabilities), this::build);
    }

    private Seccomp build(List<String> capabilities) {
        List<String> allowed = texts(profile.get("always"));
        allowed.addAll(texts(profile.get("onArchitecture").path(architecture)));
        for (var entry : profile.get("withCapability").properties()) {
            if (capabilities.contains(entry.getKey())) allowed.addAll(texts(entry.getValue()));
        }
        List<SyscallRule> rules = new ArrayList<>();
        rules.add(new SyscallRule(List.copyOf(new LinkedHashSet<>(allowed)), ALLOW, null, List.of()));
        for (JsonNode rule : profile.get("conditional")) {
            if (rule.has("withoutCapability") && capabilities.contains(rule.get("withoutCapability").asText())) continue;
            List<ArgumentCondition> conditions = new ArrayList<>();
            for (JsonNode argument : rule.path("args")) {
                conditions.add(new ArgumentCondition(argument.get("index").asInt(), argument.get("value").asLong(),
                        argument.get("valueTwo").asLong(), argument.get("op").asText()));
            }
            Integer errno = rule.has("errno") ? rule.get("errno").asInt() : null;
            rules.add(new SyscallRule(texts(rule.get("names")), errno == null ? ALLOW : FAIL, errno, conditions));
        }
        return new Seccomp(FAIL, EPERM, texts(profile.get("architectures").path(architecture)), null, rules);
    }

    private static List<String> texts(JsonNode array) {
        List<String> all = new ArrayList<>();
        array.forEach(each -> all.add(each.asText()));
        return all;
    }
}
