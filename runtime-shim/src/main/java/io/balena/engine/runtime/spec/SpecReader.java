package io.balena.engine.runtime.spec;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.balena.engine.runtime.ContainerFailure;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Reads a [RuntimeSpec] token by token.
///
/// Written by hand, since the shim is mostly interpreted, and reflection over these records would take longer than starting the
/// container.
public final class SpecReader {
    private static final JsonFactory JSON =
            JsonFactory.builder().disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION).build();

    private final JsonParser in;

    private SpecReader(JsonParser in) {
        this.in = in;
    }

    /// @throws ContainerFailure when it is not JSON, or a field has another type than the specification's
    public static RuntimeSpec spec(byte[] json) throws ContainerFailure {
        try (var in = JSON.createParser(json)) {
            in.nextToken();
            return new SpecReader(in).spec();
        } catch (IOException e) {
            throw malformed("config.json", e);
        }
    }

    /// @throws ContainerFailure as for [#spec]
    public static RuntimeSpec.Process process(byte[] json) throws ContainerFailure {
        try (var in = JSON.createParser(json)) {
            in.nextToken();
            return new SpecReader(in).process();
        } catch (IOException e) {
            throw malformed("process", e);
        }
    }

    /// @throws ContainerFailure as for [#spec]
    public static RuntimeSpec.Resources resources(byte[] json) throws ContainerFailure {
        try (var in = JSON.createParser(json)) {
            in.nextToken();
            return new SpecReader(in).resources();
        } catch (IOException e) {
            throw malformed("resources", e);
        }
    }

    private static ContainerFailure malformed(String what, IOException e) {
        String detail = e instanceof JsonProcessingException j ? j.getOriginalMessage() : e.getMessage();
        return new ContainerFailure(ContainerFailure.Kind.SETUP, "malformed " + what + ": " + detail);
    }

    private RuntimeSpec spec() throws IOException {
        String ociVersion = null;
        RuntimeSpec.Process process = null;
        RuntimeSpec.Root root = null;
        String hostname = null;
        String domainname = null;
        List<RuntimeSpec.Mount> mounts = null;
        RuntimeSpec.Hooks hooks = null;
        Map<String, String> annotations = null;
        RuntimeSpec.Linux linux = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "ociVersion" -> ociVersion = text();
                case "process" -> process = process();
                case "root" -> root = root();
                case "hostname" -> hostname = text();
                case "domainname" -> domainname = text();
                case "mounts" -> {
                    mounts = new ArrayList<>();
                    for (beginArray(); nextElement(); ) mounts.add(mount());
                }
                case "hooks" -> hooks = hooks();
                case "annotations" -> annotations = textMap();
                case "linux" -> linux = linux();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec(ociVersion, process, root, hostname, domainname, mounts, hooks, annotations, linux);
    }

    private RuntimeSpec.Process process() throws IOException {
        boolean terminal = false;
        RuntimeSpec.ConsoleSize size = null;
        RuntimeSpec.User user = null;
        List<String> args = null;
        List<String> env = null;
        String cwd = null;
        RuntimeSpec.Capabilities capabilities = null;
        List<RuntimeSpec.Rlimit> rlimits = null;
        boolean noNewPrivileges = false;
        String apparmor = null;
        Integer oomScoreAdj = null;
        String selinux = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "terminal" -> terminal = flag();
                case "consoleSize" -> size = consoleSize();
                case "user" -> user = user();
                case "args" -> args = texts();
                case "env" -> env = texts();
                case "cwd" -> cwd = text();
                case "capabilities" -> capabilities = capabilities();
                case "rlimits" -> {
                    rlimits = new ArrayList<>();
                    for (beginArray(); nextElement(); ) rlimits.add(rlimit());
                }
                case "noNewPrivileges" -> noNewPrivileges = flag();
                case "apparmorProfile" -> apparmor = text();
                case "oomScoreAdj" -> oomScoreAdj = in.getIntValue();
                case "selinuxLabel" -> selinux = text();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Process(
                terminal, size, user, args, env, cwd, capabilities, rlimits, noNewPrivileges, apparmor, oomScoreAdj, selinux);
    }

    private RuntimeSpec.ConsoleSize consoleSize() throws IOException {
        int height = 0;
        int width = 0;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "height" -> height = in.getIntValue();
                case "width" -> width = in.getIntValue();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.ConsoleSize(height, width);
    }

    private RuntimeSpec.User user() throws IOException {
        int uid = 0;
        int gid = 0;
        Integer umask = null;
        List<Integer> additional = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "uid" -> uid = unsignedInt();
                case "gid" -> gid = unsignedInt();
                case "umask" -> umask = in.getIntValue();
                case "additionalGids" -> {
                    additional = new ArrayList<>();
                    for (beginArray(); nextElement(); ) additional.add(unsignedInt());
                }
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.User(uid, gid, umask, additional);
    }

    private RuntimeSpec.Capabilities capabilities() throws IOException {
        List<String> bounding = null;
        List<String> effective = null;
        List<String> inheritable = null;
        List<String> permitted = null;
        List<String> ambient = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "bounding" -> bounding = texts();
                case "effective" -> effective = texts();
                case "inheritable" -> inheritable = texts();
                case "permitted" -> permitted = texts();
                case "ambient" -> ambient = texts();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Capabilities(bounding, effective, inheritable, permitted, ambient);
    }

    private RuntimeSpec.Rlimit rlimit() throws IOException {
        String type = null;
        long soft = 0;
        long hard = 0;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "type" -> type = text();
                case "soft" -> soft = number();
                case "hard" -> hard = number();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Rlimit(type, soft, hard);
    }

    private RuntimeSpec.Root root() throws IOException {
        String path = null;
        boolean readonly = false;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "path" -> path = text();
                case "readonly" -> readonly = flag();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Root(path, readonly);
    }

    private RuntimeSpec.Mount mount() throws IOException {
        String destination = null;
        String type = null;
        String source = null;
        List<String> options = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "destination" -> destination = text();
                case "type" -> type = text();
                case "source" -> source = text();
                case "options" -> options = texts();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Mount(destination, type, source, options);
    }

    private RuntimeSpec.Hooks hooks() throws IOException {
        List<RuntimeSpec.Hook> prestart = null;
        List<RuntimeSpec.Hook> createRuntime = null;
        List<RuntimeSpec.Hook> createContainer = null;
        List<RuntimeSpec.Hook> startContainer = null;
        List<RuntimeSpec.Hook> poststart = null;
        List<RuntimeSpec.Hook> poststop = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "prestart" -> prestart = hookList();
                case "createRuntime" -> createRuntime = hookList();
                case "createContainer" -> createContainer = hookList();
                case "startContainer" -> startContainer = hookList();
                case "poststart" -> poststart = hookList();
                case "poststop" -> poststop = hookList();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Hooks(prestart, createRuntime, createContainer, startContainer, poststart, poststop);
    }

    private List<RuntimeSpec.Hook> hookList() throws IOException {
        List<RuntimeSpec.Hook> hooks = new ArrayList<>();
        for (beginArray(); nextElement(); ) {
            String path = null;
            List<String> args = null;
            List<String> env = null;
            Integer timeout = null;
            beginObject();
            for (String field; (field = nextField()) != null; ) {
                switch (field) {
                    case "path" -> path = text();
                    case "args" -> args = texts();
                    case "env" -> env = texts();
                    case "timeout" -> timeout = in.getIntValue();
                    default -> in.skipChildren();
                }
            }
            hooks.add(new RuntimeSpec.Hook(path, args, env, timeout));
        }
        return hooks;
    }

    private RuntimeSpec.Linux linux() throws IOException {
        List<RuntimeSpec.Namespace> namespaces = null;
        List<RuntimeSpec.IdMapping> uidMappings = null;
        List<RuntimeSpec.IdMapping> gidMappings = null;
        List<RuntimeSpec.Device> devices = null;
        RuntimeSpec.Resources resources = null;
        String cgroupsPath = null;
        Map<String, String> sysctl = null;
        RuntimeSpec.Seccomp seccomp = null;
        String propagation = null;
        List<String> masked = null;
        List<String> readonly = null;
        String mountLabel = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "namespaces" -> {
                    namespaces = new ArrayList<>();
                    for (beginArray(); nextElement(); ) namespaces.add(namespace());
                }
                case "uidMappings" -> uidMappings = idMappings();
                case "gidMappings" -> gidMappings = idMappings();
                case "devices" -> {
                    devices = new ArrayList<>();
                    for (beginArray(); nextElement(); ) devices.add(device());
                }
                case "resources" -> resources = resources();
                case "cgroupsPath" -> cgroupsPath = text();
                case "sysctl" -> sysctl = textMap();
                case "seccomp" -> seccomp = seccomp();
                case "rootfsPropagation" -> propagation = text();
                case "maskedPaths" -> masked = texts();
                case "readonlyPaths" -> readonly = texts();
                case "mountLabel" -> mountLabel = text();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Linux(
                namespaces,
                uidMappings,
                gidMappings,
                devices,
                resources,
                cgroupsPath,
                sysctl,
                seccomp,
                propagation,
                masked,
                readonly,
                mountLabel);
    }

    private RuntimeSpec.Namespace namespace() throws IOException {
        String type = null;
        String path = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "type" -> type = text();
                case "path" -> path = text();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Namespace(type, path);
    }

    private List<RuntimeSpec.IdMapping> idMappings() throws IOException {
        List<RuntimeSpec.IdMapping> mappings = new ArrayList<>();
        for (beginArray(); nextElement(); ) {
            int container = 0;
            int host = 0;
            int size = 0;
            beginObject();
            for (String field; (field = nextField()) != null; ) {
                switch (field) {
                    case "containerID" -> container = unsignedInt();
                    case "hostID" -> host = unsignedInt();
                    case "size" -> size = unsignedInt();
                    default -> in.skipChildren();
                }
            }
            mappings.add(new RuntimeSpec.IdMapping(container, host, size));
        }
        return mappings;
    }

    private RuntimeSpec.Device device() throws IOException {
        String path = null;
        String type = null;
        long major = 0;
        long minor = 0;
        Integer fileMode = null;
        Integer uid = null;
        Integer gid = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "path" -> path = text();
                case "type" -> type = text();
                case "major" -> major = in.getLongValue();
                case "minor" -> minor = in.getLongValue();
                case "fileMode" -> fileMode = unsignedInt();
                case "uid" -> uid = unsignedInt();
                case "gid" -> gid = unsignedInt();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Device(path, type, major, minor, fileMode, uid, gid);
    }

    private RuntimeSpec.Resources resources() throws IOException {
        List<RuntimeSpec.DeviceRule> devices = null;
        RuntimeSpec.Memory memory = null;
        RuntimeSpec.Cpu cpu = null;
        RuntimeSpec.Pids pids = null;
        RuntimeSpec.BlockIo blockIo = null;
        List<RuntimeSpec.HugepageLimit> hugepages = null;
        Map<String, String> unified = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "devices" -> {
                    devices = new ArrayList<>();
                    for (beginArray(); nextElement(); ) devices.add(deviceRule());
                }
                case "memory" -> memory = memory();
                case "cpu" -> cpu = cpu();
                case "pids" -> pids = pids();
                case "blockIO" -> blockIo = blockIo();
                case "hugepageLimits" -> {
                    hugepages = new ArrayList<>();
                    for (beginArray(); nextElement(); ) hugepages.add(hugepageLimit());
                }
                case "unified" -> unified = textMap();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Resources(devices, memory, cpu, pids, blockIo, hugepages, unified);
    }

    private RuntimeSpec.DeviceRule deviceRule() throws IOException {
        boolean allow = false;
        String type = null;
        Long major = null;
        Long minor = null;
        String access = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "allow" -> allow = flag();
                case "type" -> type = text();
                case "major" -> major = in.getLongValue();
                case "minor" -> minor = in.getLongValue();
                case "access" -> access = text();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.DeviceRule(allow, type, major, minor, access);
    }

    private RuntimeSpec.Memory memory() throws IOException {
        Long limit = null;
        Long reservation = null;
        Long swap = null;
        Long kernel = null;
        Long kernelTcp = null;
        Long swappiness = null;
        Boolean disableOomKiller = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "limit" -> limit = number();
                case "reservation" -> reservation = number();
                case "swap" -> swap = number();
                case "kernel" -> kernel = number();
                case "kernelTCP" -> kernelTcp = number();
                case "swappiness" -> swappiness = number();
                case "disableOOMKiller" -> disableOomKiller = flag();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Memory(limit, reservation, swap, kernel, kernelTcp, swappiness, disableOomKiller);
    }

    private RuntimeSpec.Cpu cpu() throws IOException {
        Long shares = null;
        Long quota = null;
        Long period = null;
        Long realtimeRuntime = null;
        Long realtimePeriod = null;
        String cpus = null;
        String mems = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "shares" -> shares = number();
                case "quota" -> quota = number();
                case "period" -> period = number();
                case "realtimeRuntime" -> realtimeRuntime = number();
                case "realtimePeriod" -> realtimePeriod = number();
                case "cpus" -> cpus = text();
                case "mems" -> mems = text();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Cpu(shares, quota, period, realtimeRuntime, realtimePeriod, cpus, mems);
    }

    private RuntimeSpec.Pids pids() throws IOException {
        long limit = 0;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            if (field.equals("limit")) limit = number();
            else in.skipChildren();
        }
        return new RuntimeSpec.Pids(limit);
    }

    private RuntimeSpec.BlockIo blockIo() throws IOException {
        Integer weight = null;
        List<RuntimeSpec.WeightDevice> weightDevice = null;
        List<RuntimeSpec.ThrottleDevice> readBps = null;
        List<RuntimeSpec.ThrottleDevice> writeBps = null;
        List<RuntimeSpec.ThrottleDevice> readIops = null;
        List<RuntimeSpec.ThrottleDevice> writeIops = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "weight" -> weight = in.getIntValue();
                case "weightDevice" -> weightDevice = weightDevices();
                case "throttleReadBpsDevice" -> readBps = throttleDevices();
                case "throttleWriteBpsDevice" -> writeBps = throttleDevices();
                case "throttleReadIOPSDevice" -> readIops = throttleDevices();
                case "throttleWriteIOPSDevice" -> writeIops = throttleDevices();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.BlockIo(weight, weightDevice, readBps, writeBps, readIops, writeIops);
    }

    private List<RuntimeSpec.WeightDevice> weightDevices() throws IOException {
        List<RuntimeSpec.WeightDevice> devices = new ArrayList<>();
        for (beginArray(); nextElement(); ) {
            long major = 0;
            long minor = 0;
            Integer weight = null;
            beginObject();
            for (String field; (field = nextField()) != null; ) {
                switch (field) {
                    case "major" -> major = in.getLongValue();
                    case "minor" -> minor = in.getLongValue();
                    case "weight" -> weight = in.getIntValue();
                    default -> in.skipChildren();
                }
            }
            devices.add(new RuntimeSpec.WeightDevice(major, minor, weight));
        }
        return devices;
    }

    private List<RuntimeSpec.ThrottleDevice> throttleDevices() throws IOException {
        List<RuntimeSpec.ThrottleDevice> devices = new ArrayList<>();
        for (beginArray(); nextElement(); ) {
            long major = 0;
            long minor = 0;
            long rate = 0;
            beginObject();
            for (String field; (field = nextField()) != null; ) {
                switch (field) {
                    case "major" -> major = in.getLongValue();
                    case "minor" -> minor = in.getLongValue();
                    case "rate" -> rate = number();
                    default -> in.skipChildren();
                }
            }
            devices.add(new RuntimeSpec.ThrottleDevice(major, minor, rate));
        }
        return devices;
    }

    private RuntimeSpec.HugepageLimit hugepageLimit() throws IOException {
        String pageSize = null;
        long limit = 0;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "pageSize" -> pageSize = text();
                case "limit" -> limit = number();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.HugepageLimit(pageSize, limit);
    }

    private RuntimeSpec.Seccomp seccomp() throws IOException {
        String defaultAction = null;
        Integer defaultErrno = null;
        List<String> architectures = null;
        List<String> flags = null;
        List<RuntimeSpec.SyscallRule> syscalls = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "defaultAction" -> defaultAction = text();
                case "defaultErrnoRet" -> defaultErrno = in.getIntValue();
                case "architectures" -> architectures = texts();
                case "flags" -> flags = texts();
                case "syscalls" -> {
                    syscalls = new ArrayList<>();
                    for (beginArray(); nextElement(); ) syscalls.add(syscallRule());
                }
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.Seccomp(defaultAction, defaultErrno, architectures, flags, syscalls);
    }

    private RuntimeSpec.SyscallRule syscallRule() throws IOException {
        List<String> names = null;
        String action = null;
        Integer errno = null;
        List<RuntimeSpec.ArgumentCondition> args = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "names" -> names = texts();
                case "action" -> action = text();
                case "errnoRet" -> errno = in.getIntValue();
                case "args" -> {
                    args = new ArrayList<>();
                    for (beginArray(); nextElement(); ) args.add(condition());
                }
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.SyscallRule(names, action, errno, args);
    }

    private RuntimeSpec.ArgumentCondition condition() throws IOException {
        int index = 0;
        long value = 0;
        long valueTwo = 0;
        String op = null;
        beginObject();
        for (String field; (field = nextField()) != null; ) {
            switch (field) {
                case "index" -> index = in.getIntValue();
                case "value" -> value = number();
                case "valueTwo" -> valueTwo = number();
                case "op" -> op = text();
                default -> in.skipChildren();
            }
        }
        return new RuntimeSpec.ArgumentCondition(index, value, valueTwo, op);
    }

    private void beginObject() throws IOException {
        expect(JsonToken.START_OBJECT);
    }

    private void beginArray() throws IOException {
        expect(JsonToken.START_ARRAY);
    }

    private void expect(JsonToken token) throws IOException {
        if (in.currentToken() != token) {
            throw new IOException("expected " + token + ", found " + in.currentToken() + " at " + in.getParsingContext().pathAsPointer());
        }
    }

    /// Goes to the value of the next field that is not null; null at the end of the object.
    private String nextField() throws IOException {
        for (String field; (field = in.nextFieldName()) != null; ) {
            if (in.nextToken() != JsonToken.VALUE_NULL) return field;
        }
        expect(JsonToken.END_OBJECT);
        return null;
    }

    private boolean nextElement() throws IOException {
        return in.nextToken() != JsonToken.END_ARRAY;
    }

    private String text() throws IOException {
        expect(JsonToken.VALUE_STRING);
        return in.getText();
    }

    private boolean flag() throws IOException {
        return in.getBooleanValue();
    }

    /// The specification's `int64` or `uint64`; what exceeds a long becomes negative.
    private long number() throws IOException {
        if (in.getNumberType() == JsonParser.NumberType.BIG_INTEGER) return in.getBigIntegerValue().longValue();
        return in.getLongValue();
    }

    /// The specification's `uint32`.
    private int unsignedInt() throws IOException {
        return (int) in.getLongValue();
    }

    private List<String> texts() throws IOException {
        List<String> list = new ArrayList<>();
        for (beginArray(); nextElement(); ) list.add(text());
        return list;
    }

    private Map<String, String> textMap() throws IOException {
        Map<String, String> map = new HashMap<>();
        beginObject();
        for (String field; (field = nextField()) != null; ) map.put(field, text());
        return map;
    }
}
