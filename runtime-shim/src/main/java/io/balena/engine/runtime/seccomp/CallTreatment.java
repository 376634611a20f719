package io.balena.engine.runtime.seccomp;

import io.balena.engine.runtime.ContainerFailure;
import java.util.ArrayList;
import java.util.List;

/// What a filter answers to one call: the action of the first case whose tests all hold, else `otherwise`.
///
/// @param otherwise as [SeccompAction] has it
record CallTreatment(List<Case> cases, int otherwise) {
    record Case(List<ArgumentTest> tests, int action) {}

    /// For a call whatever its arguments are.
    static CallTreatment always(int action) {
        return new CallTreatment(List.of(), action);
    }

    /// The same cases for a call that takes the place of several, where they are only meant if `test` holds.
    CallTreatment onlyIf(ArgumentTest test, int otherwise) {
        List<Case> narrowed = new ArrayList<>();
        if (cases.isEmpty()) narrowed.add(new Case(List.of(test), this.otherwise));
        for (var each : cases) {
            List<ArgumentTest> tests = new ArrayList<>();
            tests.add(test);
            // It takes the first argument, about which the rule would say something else.
            for (var own : each.tests) if (own.index() != test.index()) tests.add(own);
            narrowed.add(new Case(tests, each.action));
        }
        return new CallTreatment(narrowed, otherwise);
    }

    /// The treatment of a call that a further rule is about. As with libseccomp, a rule without conditions makes those with conditions
    /// void, wherever it stands, and of two such rules the first is valid.
    ///
    /// @throws ContainerFailure with runc's words when both want different things under the same conditions
    CallTreatment and(CallTreatment further, String call) throws ContainerFailure {
        if (cases.isEmpty()) return this;
        if (further.cases.isEmpty()) return further;
        List<Case> all = new ArrayList<>(cases);
        for (var each : further.cases) {
            Case known = null;
            for (var earlier : cases) if (earlier.tests.equals(each.tests)) known = earlier;
            if (known == null) all.add(each);
            else if (known.action != each.action) {
                throw SeccompFilter.invalid("error adding seccomp rule for syscall " + call + ": file exists");
            }
        }
        return new CallTreatment(all, otherwise);
    }
}
