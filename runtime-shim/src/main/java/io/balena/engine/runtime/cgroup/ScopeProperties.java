package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.bus.BusWriter;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.util.ArrayList;
import java.util.List;

/// What systemd is told about a container's scope, so that it keeps what it knows of and shows it.
///
/// All limits are also written into the group's files: systemd knows fewer, and rounds some.
///
/// @see <a href="https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html">systemd.resource-control(5)</a>
final class ScopeProperties {
    private static final long NO_LIMIT = -1; // all bits
    private static final long DEFAULT_PERIOD_MICROS = 100_000;
    /// systemd counts whole percents of a second.
    private static final long ROUNDING_MICROS = 10_000;

    private interface Value {
        void write(BusWriter to);
    }

    private record Property(String name, String signature, Value value) {}

    private final boolean unified;
    private final List<Property> properties = new ArrayList<>();

    private ScopeProperties(boolean unified) {
        this.unified = unified;
    }

    /// Of a new scope.
    ///
    /// @param pid its first process, without which systemd makes none
    static ScopeProperties ofNew(ScopeName scope, String description, int pid, RuntimeSpec.Resources resources, boolean unified) {
        var all = new ScopeProperties(unified);
        all.text("Description", description);
        all.text("Slice", scope.slice());
        all.add("PIDs", "au", to -> to.array(4, each -> each.uint32(pid)));
        // What is below the scope's folder is ours: systemd neither changes nor removes it.
        all.flag("Delegate", true);
        all.flag("MemoryAccounting", true);
        all.flag("CPUAccounting", true);
        all.flag(unified ? "IOAccounting" : "BlockIOAccounting", true);
        all.flag("TasksAccounting", true);
        // Else the scope would be stopped before what the container needs at a shutdown.
        all.flag("DefaultDependencies", false);
        if (resources != null) {
            all.limits(resources);
            all.devices(resources.devices());
        }
        return all;
    }

    /// Of a scope that is to be changed.
    static ScopeProperties ofChange(RuntimeSpec.Resources resources, boolean unified) {
        var all = new ScopeProperties(unified);
        all.limits(resources);
        return all;
    }

    boolean isEmpty() {
        return properties.isEmpty();
    }

    /// As `a(sv)`.
    void write(BusWriter to) {
        to.array(8, array -> {
            for (Property property : properties) {
                array.align(8).string(property.name()).signature(property.signature());
                property.value().write(array);
            }
        });
    }

    private void limits(RuntimeSpec.Resources resources) {
        if (resources.memory() != null) memory(resources.memory());
        if (resources.cpu() != null) cpu(resources.cpu());
        if (resources.pids() != null && resources.pids().limit() != 0) {
            number("TasksMax", resources.pids().limit() < 0 ? NO_LIMIT : resources.pids().limit());
        }
        if (resources.blockIO() != null && resources.blockIO().weight() != null && resources.blockIO().weight() != 0) {
            int weight = resources.blockIO().weight();
            if (unified) number("IOWeight", LimitsV2.ioWeight(weight));
            else number("BlockIOWeight", weight);
        }
    }

    private void memory(RuntimeSpec.Memory memory) {
        if (isSet(memory.limit())) number(unified ? "MemoryMax" : "MemoryLimit", memory.limit());
        if (!unified) return;
        if (isSet(memory.reservation())) number("MemoryLow", memory.reservation());
        if (!isSet(memory.swap())) return;
        if (memory.swap() < 0) number("MemorySwapMax", NO_LIMIT);
        else if (isSet(memory.limit()) && memory.swap() >= memory.limit()) number("MemorySwapMax", memory.swap() - memory.limit());
    }

    private void cpu(RuntimeSpec.Cpu cpu) {
        if (isSet(cpu.shares())) {
            if (unified) number("CPUWeight", LimitsV2.weight(cpu.shares()));
            else number("CPUShares", cpu.shares());
        }
        if (isSet(cpu.period())) number("CPUQuotaPeriodUSec", cpu.period());
        if (isSet(cpu.quota())) {
            long perSecond = NO_LIMIT;
            if (cpu.quota() > 0) {
                long period = isSet(cpu.period()) ? cpu.period() : DEFAULT_PERIOD_MICROS;
                perSecond = cpu.quota() * 1_000_000 / period;
                perSecond = (perSecond + ROUNDING_MICROS - 1) / ROUNDING_MICROS * ROUNDING_MICROS;
            }
            number("CPUQuotaPerSecUSec", perSecond);
        }
        if (!unified) return;
        if (cpu.cpus() != null && !cpu.cpus().isEmpty()) mask("AllowedCPUs", cpu.cpus());
        if (cpu.mems() != null && !cpu.mems().isEmpty()) mask("AllowedMemoryNodes", cpu.mems());
    }

    /// A list such as `0-3,7` as bits, the lowest first.
    private void mask(String name, String list) {
        var bits = new java.util.BitSet();
        try {
            for (String range : list.split(",")) {
                int dash = range.indexOf('-');
                int first = Integer.parseInt((dash < 0 ? range : range.substring(0, dash)).trim());
                int last = dash < 0 ? first : Integer.parseInt(range.substring(dash + 1).trim());
                bits.set(first, last + 1);
            }
        } catch (NumberFormatException | IndexOutOfBoundsException _) {
            return; // the kernel says what is wrong with it when it is written
        }
        byte[] bytes = bits.toByteArray();
        add(name, "ay", to -> to.array(1, each -> {
            for (byte b : bytes) each.octet(b);
        }));
    }

    /// What systemd can express of the rules: it has no order and no "not this one".
    private void devices(List<RuntimeSpec.DeviceRule> rules) {
        List<String[]> allowed = new ArrayList<>();
        boolean all = false;
        for (var rule : rules) {
            boolean everything = rule.type() == null || rule.type().isEmpty() || rule.type().equals("a");
            if (everything) {
                all = rule.allow();
                allowed.clear();
            } else if (rule.allow()) {
                String access = rule.access() == null || rule.access().isEmpty() ? "rwm" : rule.access();
                String path = devicePath(rule);
                if (path != null) allowed.add(new String[] {path, access});
            }
        }
        if (rules.isEmpty()) return;
        text("DevicePolicy", all ? "auto" : "strict");
        List<String[]> entries = all ? List.of() : allowed;
        add("DeviceAllow", "a(ss)", to -> to.array(8, each -> {
            for (String[] entry : entries) each.align(8).string(entry[0]).string(entry[1]);
        }));
    }

    /// Null where systemd has no words for it.
    private static String devicePath(RuntimeSpec.DeviceRule rule) {
        String kind = rule.type().equals("b") ? "block" : "char";
        boolean anyMajor = rule.major() == null || rule.major() < 0;
        boolean anyMinor = rule.minor() == null || rule.minor() < 0;
        if (anyMajor) return anyMinor ? kind + "-*" : null;
        if (!anyMinor) return "/dev/" + kind + "/" + rule.major() + ":" + rule.minor();
        String group = DeviceGroups.name(kind, rule.major());
        return group == null ? null : kind + "-" + group;
    }

    private void text(String name, String value) {
        add(name, "s", to -> to.string(value));
    }

    private void flag(String name, boolean value) {
        add(name, "b", to -> to.flag(value));
    }

    private void number(String name, long value) {
        add(name, "t", to -> to.uint64(value));
    }

    private void add(String name, String signature, Value value) {
        properties.add(new Property(name, signature, value));
    }

    private static boolean isSet(Long value) {
        return value != null && value != 0;
    }
}
