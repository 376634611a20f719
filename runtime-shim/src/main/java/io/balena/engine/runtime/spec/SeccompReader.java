package io.balena.engine.runtime.spec;

import io.balena.engine.runtime.spec.RuntimeSpec.ArgumentCondition;
import io.balena.engine.runtime.spec.RuntimeSpec.Seccomp;
import io.balena.engine.runtime.spec.RuntimeSpec.SyscallRule;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Reads seccomp profiles, with what only some calls are allowed.
final class SeccompReader {
    private final JsonFields in;

    SeccompReader(JsonFields in) {
        this.in = in;
    }

    Seccomp seccomp() throws IOException {
        String defaultAction = null;
        Integer defaultErrno = null;
        List<String> architectures = null;
        List<String> flags = null;
        List<SyscallRule> syscalls = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "defaultAction" -> defaultAction = in.text();
                case "defaultErrnoRet" -> defaultErrno = in.integer();
                case "architectures" -> architectures = in.texts();
                case "flags" -> flags = in.texts();
                case "syscalls" -> {
                    syscalls = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) syscalls.add(syscallRule());
                }
                default -> in.skip();
            }
        }
        return new Seccomp(defaultAction, defaultErrno, architectures, flags, syscalls);
    }

    private SyscallRule syscallRule() throws IOException {
        List<String> names = null;
        String action = null;
        Integer errno = null;
        List<ArgumentCondition> args = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "names" -> names = in.texts();
                case "action" -> action = in.text();
                case "errnoRet" -> errno = in.integer();
                case "args" -> {
                    args = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) args.add(condition());
                }
                default -> in.skip();
            }
        }
        return new SyscallRule(names, action, errno, args);
    }

    private ArgumentCondition condition() throws IOException {
        int index = 0;
        long value = 0;
        long valueTwo = 0;
        String op = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "index" -> index = in.integer();
                case "value" -> value = in.number();
                case "valueTwo" -> valueTwo = in.number();
                case "op" -> op = in.text();
                default -> in.skip();
            }
        }
        return new ArgumentCondition(index, value, valueTwo, op);
    }
}
