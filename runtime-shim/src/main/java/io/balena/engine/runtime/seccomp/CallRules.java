package io.balena.engine.runtime.seccomp;

import io.balena.engine.runtime.ContainerFailure;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// What a profile says about calls, understood, and applied to the numbers of an architecture.
final class CallRules {
    /// From here on ARM has calls of its own, far above all others.
    private static final int ARM_PRIVATE = 0xF0000;

    private final int defaultAction;
    private final List<Rule> rules = new ArrayList<>();
    private final SyscallNumbers numbers;

    private record Rule(List<String> names, int action, CallTreatment treatment) {}

    /// Calls from this number on, up to the next range.
    record Range(int from, CallTreatment treatment) {}

    /// @throws ContainerFailure with runc's words for actions, operators or arguments that do not exist
    CallRules(RuntimeSpec.Seccomp seccomp, SyscallNumbers numbers) throws ContainerFailure {
        if ("SCMP_ACT_NOTIFY".equals(seccomp.defaultAction())) {
            throw SeccompFilter.invalid("SCMP_ACT_NOTIFY cannot be used as default action");
        }
        this.numbers = numbers;
        this.defaultAction = SeccompAction.of(seccomp.defaultAction(), seccomp.defaultErrnoRet());
        for (var rule : seccomp.syscalls()) {
            int action = SeccompAction.of(rule.action(), rule.errnoRet());
            for (String name : rule.names()) {
                if (name.isEmpty()) throw SeccompFilter.invalid("empty string is not a valid syscall");
            }
            if (!rule.names().isEmpty()) rules.add(new Rule(rule.names(), action, treatment(rule, action)));
        }
    }

    private CallTreatment treatment(RuntimeSpec.SyscallRule rule, int action) throws ContainerFailure {
        if (rule.args().isEmpty()) return CallTreatment.always(action);
        List<ArgumentTest> tests = ArgumentTest.of(rule.args(), rule.names().getFirst());
        if (!namesAnArgumentTwice(tests)) {
            return new CallTreatment(List.of(new CallTreatment.Case(tests, action)), defaultAction);
        }
        // Then, as with runc, it is enough that one condition holds.
        List<CallTreatment.Case> cases = new ArrayList<>();
        for (var test : tests) cases.add(new CallTreatment.Case(List.of(test), action));
        return new CallTreatment(cases, defaultAction);
    }

    private static boolean namesAnArgumentTwice(List<ArgumentTest> sorted) {
        for (int i = 1; i < sorted.size(); i++) {
            if (sorted.get(i).index() == sorted.get(i - 1).index()) return true;
        }
        return false;
    }

    /// All numbers an architecture can be called with, least first; neighbours differ.
    ///
    /// @throws ContainerFailure with runc's words for rules that contradict each other
    List<Range> ranges(Architecture architecture) throws ContainerFailure {
        TreeMap<Integer, CallTreatment> calls = new TreeMap<>();
        int highest = -1;
        for (var rule : rules) {
            for (String name : rule.names()) {
                int number = numbers.of(name, architecture);
                if (number >= 0) {
                    if (number < ARM_PRIVATE || architecture != Architecture.ARM) highest = Math.max(highest, number);
                    add(calls, number, rule, rule.treatment(), name);
                }
                if (architecture != Architecture.X86) continue;
                var multiplexed = MultiplexedCalls.of(name);
                if (multiplexed == null) continue;
                number = numbers.of(multiplexed.through(), architecture);
                highest = Math.max(highest, number);
                add(calls, number, rule, rule.treatment().onlyIf(multiplexed.test(), defaultAction), name);
            }
        }
        int first = architecture == Architecture.X32 ? Architecture.X32_BIT : 0;
        return ranges(calls, first, Math.max(highest + 1, first));
    }

    private void add(Map<Integer, CallTreatment> calls, int number, Rule rule, CallTreatment treatment, String name)
            throws ContainerFailure {
        if (rule.action() == defaultAction) return;
        var known = calls.get(number);
        calls.put(number, known == null ? treatment : known.and(treatment, name));
    }

    /// @param unknown where the calls begin that are newer than the profile
    private List<Range> ranges(TreeMap<Integer, CallTreatment> calls, int first, int unknown) {
        var byDefault = CallTreatment.always(defaultAction);
        // What is newer than the profile must look as on an older kernel, or programs take the refusal for the last word.
        var newer = SeccompAction.isPermissive(defaultAction) ? byDefault : CallTreatment.always(SeccompAction.NO_SUCH_CALL);
        List<Range> ranges = new ArrayList<>();
        int next = first;
        for (var call : calls.entrySet()) {
            int number = call.getKey();
            if (next < Math.min(number, unknown)) add(ranges, next, byDefault);
            if (number > Math.max(next, unknown)) add(ranges, Math.max(next, unknown), newer);
            add(ranges, number, call.getValue());
            next = number + 1;
        }
        if (next < unknown) add(ranges, next, byDefault);
        add(ranges, Math.max(next, unknown), newer);
        return ranges;
    }

    static void add(List<Range> ranges, int from, CallTreatment treatment) {
        if (ranges.isEmpty() || !ranges.getLast().treatment().equals(treatment)) ranges.add(new Range(from, treatment));
    }
}
