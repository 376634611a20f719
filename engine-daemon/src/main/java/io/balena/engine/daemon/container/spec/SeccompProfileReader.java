package io.balena.engine.daemon.container.spec;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import io.balena.engine.daemon.EngineException.SystemFailure;
import io.balena.engine.daemon.container.spec.SeccompProfile.ArchitectureMapping;
import io.balena.engine.daemon.container.spec.SeccompProfile.Condition;
import io.balena.engine.daemon.container.spec.SeccompProfile.KernelVersion;
import io.balena.engine.daemon.container.spec.SeccompProfile.Rule;
import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/// Reads a profile as dockerd does: names in any case, unknown ones passed over, the first fault told in Go's words.
final class SeccompProfileReader {
    private static final ObjectReader JSON = new ObjectMapper().reader();
    private static final BigInteger MOST = BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE);

    private SeccompProfileReader() {}

    /// @throws SystemFailure `Decoding seccomp profile failed: …`
    static SeccompProfile read(String json) {
        Optional<String> fault = GoJson.fault(json);
        if (fault.isPresent()) throw failed(fault.get());
        try {
            return profile(JSON.readTree(json));
        } catch (JsonProcessingException e) {
            throw failed(e.getOriginalMessage());
        }
    }

    private static SystemFailure failed(String why) {
        return new SystemFailure("Decoding seccomp profile failed: " + why, null);
    }

    /// A value, and what Go would call its place.
    ///
    /// @param struct the type whose field it is; empty outside of all
    /// @param path of fields from the outermost
    private record Place(JsonNode value, String struct, String path) {
        SystemFailure mismatch(String type) {
            String found = switch (value.getNodeType()) {
                case STRING -> "string";
                case BOOLEAN -> "bool";
                case ARRAY -> "array";
                case OBJECT -> "object";
                default -> type.startsWith("uint") ? "number " + value : "number";
            };
            return failed("json: cannot unmarshal " + found + " into Go "
                    + (path.isEmpty() ? "value" : "struct field " + struct + "." + path) + " of type " + type);
        }

        /// Calls `field` for each member that is not null.
        ///
        /// @param type Go's for this object, in its package `within`
        void eachField(String within, String type, FieldReader field) {
            if (value.isNull()) return;
            if (!value.isObject()) throw mismatch(within + "." + type);
            for (var entry : value.properties()) {
                if (entry.getValue().isNull()) continue;
                String name = entry.getKey().toLowerCase(Locale.ROOT);
                field.read(name, spelled -> new Place(entry.getValue(), type, path.isEmpty() ? spelled : path + "." + spelled));
            }
        }

        void eachElement(String type, Consumer<Place> element) {
            if (!value.isArray()) throw mismatch(type);
            for (JsonNode each : value) element.accept(new Place(each, struct, path));
        }

        String text(String type) {
            if (value.isNull()) return "";
            if (!value.isTextual()) throw mismatch(type);
            return value.asText();
        }

        List<String> texts(String type) {
            List<String> all = new ArrayList<>();
            eachElement("[]" + type, each -> all.add(each.text(type)));
            return List.copyOf(all);
        }

        /// Of 64 bits.
        long unsigned(String type) {
            if (!value.isIntegralNumber() || value.bigIntegerValue().signum() < 0 || value.bigIntegerValue().compareTo(MOST) > 0) {
                throw mismatch(type);
            }
            return value.bigIntegerValue().longValue();
        }
    }

    @FunctionalInterface
    private interface FieldReader {
        /// @param name in lower case
        void read(String name, Spelling place);
    }

    @FunctionalInterface
    private interface Spelling {
        /// @param name as Docker spells it
        Place as(String name);
    }

    private static SeccompProfile profile(JsonNode root) {
        var read = new Object() {
            String defaultAction = "";
            Integer defaultErrno;
            List<String> architectures = List.of();
            List<String> flags = List.of();
            final List<ArchitectureMapping> archMap = new ArrayList<>();
            final List<Rule> rules = new ArrayList<>();
        };
        new Place(root, "", "").eachField("seccomp", "Seccomp", (name, place) -> {
            switch (name) {
                case "defaultaction" -> read.defaultAction = place.as("defaultAction").text("specs.LinuxSeccompAction");
                case "defaulterrnoret" -> read.defaultErrno = (int) place.as("defaultErrnoRet").unsigned("uint");
                case "architectures" -> read.architectures = place.as("architectures").texts("specs.Arch");
                case "flags" -> read.flags = place.as("flags").texts("specs.LinuxSeccompFlag");
                case "archmap" -> place.as("archMap").eachElement("[]seccomp.Architecture", each -> read.archMap.add(mapping(each)));
                case "syscalls" -> place.as("syscalls").eachElement("[]*seccomp.Syscall", each -> read.rules.add(rule(each)));
                default -> {}
            }
        });
        return new SeccompProfile(read.defaultAction, read.defaultErrno, read.architectures, read.archMap, read.flags, read.rules);
    }

    private static ArchitectureMapping mapping(Place at) {
        var read = new Object() {
            String architecture = "";
            List<String> subArchitectures = List.of();
        };
        at.eachField("seccomp", "Architecture", (name, place) -> {
            switch (name) {
                case "architecture" -> read.architecture = place.as("architecture").text("specs.Arch");
                case "subarchitectures" -> read.subArchitectures = place.as("subArchitectures").texts("specs.Arch");
                default -> {}
            }
        });
        return new ArchitectureMapping(read.architecture, read.subArchitectures);
    }

    private static Rule rule(Place at) {
        var read = new Object() {
            String name = "";
            List<String> names = List.of();
            String action = "";
            Integer errno;
            final List<ArgumentCondition> args = new ArrayList<>();
            Condition includes = Condition.NONE;
            Condition excludes = Condition.NONE;
        };
        at.eachField("seccomp", "Syscall", (name, place) -> {
            switch (name) {
                case "name" -> read.name = place.as("name").text("string");
                case "names" -> read.names = place.as("names").texts("string");
                case "action" -> read.action = place.as("action").text("specs.LinuxSeccompAction");
                case "errnoret" -> read.errno = (int) place.as("errnoRet").unsigned("uint");
                case "args" -> place.as("args").eachElement("[]*specs.LinuxSeccompArg", each -> read.args.add(argument(each)));
                case "comment" -> place.as("comment").text("string");
                case "includes" -> read.includes = condition(place.as("includes"));
                case "excludes" -> read.excludes = condition(place.as("excludes"));
                default -> {}
            }
        });
        return new Rule(read.name, read.names, read.action, read.errno, read.args, read.includes, read.excludes);
    }

    private static ArgumentCondition argument(Place at) {
        var read = new Object() {
            long index;
            long value;
            long valueTwo;
            String op = "";
        };
        at.eachField("specs", "LinuxSeccompArg", (name, place) -> {
            switch (name) {
                case "index" -> read.index = place.as("index").unsigned("uint");
                case "value" -> read.value = place.as("value").unsigned("uint64");
                case "valuetwo" -> read.valueTwo = place.as("valueTwo").unsigned("uint64");
                case "op" -> read.op = place.as("op").text("specs.LinuxSeccompOperator");
                default -> {}
            }
        });
        // What does not fit is refused by the runtime as any other index too high.
        int index = read.index < 0 || read.index > Integer.MAX_VALUE ? Integer.MAX_VALUE : (int) read.index;
        return new ArgumentCondition(index, read.value, read.valueTwo, read.op);
    }

    private static Condition condition(Place at) {
        var read = new Object() {
            List<String> caps = List.of();
            List<String> arches = List.of();
            Optional<KernelVersion> minKernel = Optional.empty();
        };
        at.eachField("seccomp", "Filter", (name, place) -> {
            switch (name) {
                case "caps" -> read.caps = place.as("caps").texts("string");
                case "arches" -> read.arches = place.as("arches").texts("string");
                case "minkernel" -> read.minKernel = kernel(place.as("minKernel").value);
                default -> {}
            }
        });
        return new Condition(read.caps, read.arches, read.minKernel);
    }

    private static Optional<KernelVersion> kernel(JsonNode value) {
        if (!value.isTextual()) {
            throw version(value, ": " + new Place(value, "", "").mismatch("string").getMessage().replaceFirst("^[^:]*: ", ""));
        }
        if (value.asText().isEmpty()) return Optional.empty();
        String[] parts = value.asText().split("\\.", -1);
        if (parts.length != 2) throw version(value, "");
        var version = new KernelVersion(part(value, parts[0]), part(value, parts[1]));
        if (version.equals(new KernelVersion(0, 0))) throw version(value, ": version cannot be 0.0");
        return Optional.of(version);
    }

    private static long part(JsonNode value, String digits) {
        if (!digits.matches("[0-9]+")) throw version(value, ": strconv.ParseUint: parsing \"" + digits + "\": invalid syntax");
        if (digits.length() > 18) throw version(value, ": strconv.ParseUint: parsing \"" + digits + "\": value out of range");
        return Long.parseLong(digits);
    }

    private static SystemFailure version(JsonNode value, String why) {
        return failed("invalid kernel version: " + value + ", expected \"<kernel>.<major>\"" + why);
    }
}
