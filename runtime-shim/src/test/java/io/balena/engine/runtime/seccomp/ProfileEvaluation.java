package io.balena.engine.runtime.seccomp;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.spec.RuntimeSpec.SyscallRule;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// What a profile says about a call, found out by reading its rules one after another: slow, and written without a look at the compiler.
final class ProfileEvaluation {
    private static final int ENOSYS = 0x00050000 | 38;
    private static final Map<Integer, String> SOCKETCALLS = Map.of(1, "socket", 2, "bind", 3, "connect", 10, "recv", 18, "accept4");
    private static final Map<Integer, String> IPC = Map.of(1, "semop", 11, "msgsnd", 21, "shmat", 24, "shmctl");
    /// Of the calls that go through others, those above are all that are expected in a profile.
    static final List<String> MULTIPLEXED = List.of("socket", "bind", "connect", "recv", "accept4", "semop", "msgsnd", "shmat", "shmctl");

    private final Seccomp profile;
    private final SyscallNumbers numbers;

    ProfileEvaluation(Seccomp profile, SyscallNumbers numbers) {
        this.profile = profile;
        this.numbers = numbers;
    }

    int action(int audit, int number, long... arguments) throws ContainerFailure {
        Architecture architecture = architecture(audit, number);
        if (architecture == null) return 0;
        boolean low = architecture == Architecture.X86 || architecture == Architecture.ARM || architecture == Architecture.X32;
        Integer conditional = null;
        boolean named = false;
        for (var rule : profile.syscalls()) {
            int action = actionOf(rule);
            if (action == defaultAction()) continue;
            for (String name : rule.names()) {
                if (number >= 0 && numbers.of(name, architecture) == number) {
                    named = true;
                    if (rule.args().isEmpty()) return action;
                    if (conditional == null && holds(rule, low, -1, arguments)) conditional = action;
                }
            }
        }
        if (architecture == Architecture.X86 && conditional == null) conditional = throughOthers(number, arguments);
        if (conditional != null) return conditional;
        return !named && (number > highest(architecture) || number < 0) ? unknown() : defaultAction();
    }

    /// Rules of a multiplexing call itself come first: none of them is given a condition in these tests.
    private Integer throughOthers(int number, long[] arguments) throws ContainerFailure {
        String name = null;
        if (number == numbers.of("socketcall", Architecture.X86)) name = SOCKETCALLS.get((int) arguments[0]);
        else if (number == numbers.of("ipc", Architecture.X86)) name = IPC.get((int) arguments[0] & 0xffff);
        for (var rule : profile.syscalls()) {
            if (name == null || actionOf(rule) == defaultAction() || !rule.names().contains(name)) continue;
            if (holds(rule, true, 0, arguments)) return actionOf(rule);
        }
        return null;
    }

    private Architecture architecture(int audit, int number) throws ContainerFailure {
        for (var each : Architecture.values()) {
            boolean x32 = (number & Architecture.X32_BIT) != 0 && Integer.compareUnsigned(number, Architecture.X32_BIT) >= 0;
            boolean listed = each == Architecture.ofThisMachine();
            for (String name : profile.architectures()) listed |= Architecture.of(name) == each;
            if (!listed || each.audit != audit) continue;
            if (each == Architecture.X86_64 && (x32 || number < 0) && (number != -1 || lists(Architecture.X32))) continue;
            if (each == Architecture.X32 && Integer.compareUnsigned(number, Architecture.X32_BIT) < 0) continue;
            return each;
        }
        return null;
    }

    private boolean lists(Architecture architecture) throws ContainerFailure {
        for (String name : profile.architectures()) if (Architecture.of(name) == architecture) return true;
        return false;
    }

    private int defaultAction() throws ContainerFailure {
        return SeccompAction.of(profile.defaultAction(), profile.defaultErrnoRet());
    }

    private static int actionOf(SyscallRule rule) throws ContainerFailure {
        return SeccompAction.of(rule.action(), rule.errnoRet());
    }

    private int unknown() throws ContainerFailure {
        return switch (profile.defaultAction()) {
            case "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE" -> defaultAction();
            default -> ENOSYS;
        };
    }

    private int highest(Architecture architecture) {
        int highest = -1;
        for (var rule : profile.syscalls()) {
            for (String name : rule.names()) {
                int number = numbers.of(name, architecture);
                if (architecture == Architecture.X86 && SOCKETCALLS.containsValue(name)) number = Math.max(number, 102);
                if (architecture == Architecture.X86 && IPC.containsValue(name)) number = Math.max(number, 117);
                if (number < 0xF0000 || architecture != Architecture.ARM) highest = Math.max(highest, number);
            }
        }
        return highest;
    }

    /// @param hidden an argument that cannot be looked at
    private static boolean holds(SyscallRule rule, boolean low, int hidden, long[] arguments) {
        List<Integer> indices = new ArrayList<>();
        boolean all = true;
        boolean any = false;
        boolean twice = false;
        for (var condition : rule.args()) {
            twice |= indices.contains(condition.index());
            indices.add(condition.index());
            boolean holds = condition.index() == hidden || holds(condition, low, arguments[condition.index()]);
            all &= holds;
            any |= holds;
        }
        return twice ? any : all;
    }

    private static boolean holds(ArgumentCondition condition, boolean low, long argument) {
        long keep = low ? 0xffffffffL : -1L;
        long value = condition.value() & keep;
        int order = Long.compareUnsigned(argument & keep, value);
        return switch (condition.op()) {
            case "SCMP_CMP_EQ" -> order == 0;
            case "SCMP_CMP_NE" -> order != 0;
            case "SCMP_CMP_LT" -> order < 0;
            case "SCMP_CMP_LE" -> order <= 0;
            case "SCMP_CMP_GT" -> order > 0;
            case "SCMP_CMP_GE" -> order >= 0;
            default -> (argument & value) == (condition.valueTwo() & value);
        };
    }
}
