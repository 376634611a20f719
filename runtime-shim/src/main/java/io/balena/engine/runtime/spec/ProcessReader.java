package io.balena.engine.runtime.spec;

import io.balena.engine.runtime.spec.RuntimeSpec.Capabilities;
import io.balena.engine.runtime.spec.RuntimeSpec.ConsoleSize;
import io.balena.engine.runtime.spec.RuntimeSpec.Process;
import io.balena.engine.runtime.spec.RuntimeSpec.Rlimit;
import io.balena.engine.runtime.spec.RuntimeSpec.User;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Reads what a program is executed as.
final class ProcessReader {
    private final JsonFields in;

    ProcessReader(JsonFields in) {
        this.in = in;
    }

    Process process() throws IOException {
        boolean terminal = false;
        ConsoleSize size = null;
        User user = null;
        List<String> args = null;
        List<String> env = null;
        String cwd = null;
        Capabilities capabilities = null;
        List<Rlimit> rlimits = null;
        boolean noNewPrivileges = false;
        String apparmor = null;
        Integer oomScoreAdj = null;
        String selinux = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "terminal" -> terminal = in.flag();
                case "consoleSize" -> size = consoleSize();
                case "user" -> user = user();
                case "args" -> args = in.texts();
                case "env" -> env = in.texts();
                case "cwd" -> cwd = in.text();
                case "capabilities" -> capabilities = capabilities();
                case "rlimits" -> {
                    rlimits = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) rlimits.add(rlimit());
                }
                case "noNewPrivileges" -> noNewPrivileges = in.flag();
                case "apparmorProfile" -> apparmor = in.text();
                case "oomScoreAdj" -> oomScoreAdj = in.integer();
                case "selinuxLabel" -> selinux = in.text();
                default -> in.skip();
            }
        }
        return new Process(
                terminal, size, user, args, env, cwd, capabilities, rlimits, noNewPrivileges, apparmor, oomScoreAdj, selinux);
    }

    private ConsoleSize consoleSize() throws IOException {
        int height = 0;
        int width = 0;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "height" -> height = in.integer();
                case "width" -> width = in.integer();
                default -> in.skip();
            }
        }
        return new ConsoleSize(height, width);
    }

    private User user() throws IOException {
        int uid = 0;
        int gid = 0;
        Integer umask = null;
        List<Integer> additional = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "uid" -> uid = in.unsignedInt();
                case "gid" -> gid = in.unsignedInt();
                case "umask" -> umask = in.integer();
                case "additionalGids" -> {
                    additional = new ArrayList<>();
                    for (in.beginArray(); in.nextElement(); ) additional.add(in.unsignedInt());
                }
                default -> in.skip();
            }
        }
        return new User(uid, gid, umask, additional);
    }

    private Capabilities capabilities() throws IOException {
        List<String> bounding = null;
        List<String> effective = null;
        List<String> inheritable = null;
        List<String> permitted = null;
        List<String> ambient = null;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "bounding" -> bounding = in.texts();
                case "effective" -> effective = in.texts();
                case "inheritable" -> inheritable = in.texts();
                case "permitted" -> permitted = in.texts();
                case "ambient" -> ambient = in.texts();
                default -> in.skip();
            }
        }
        return new Capabilities(bounding, effective, inheritable, permitted, ambient);
    }

    private Rlimit rlimit() throws IOException {
        String type = null;
        long soft = 0;
        long hard = 0;
        in.beginObject();
        for (String field; (field = in.nextField()) != null; ) {
            switch (field) {
                case "type" -> type = in.text();
                case "soft" -> soft = in.number();
                case "hard" -> hard = in.number();
                default -> in.skip();
            }
        }
        return new Rlimit(type, soft, hard);
    }
}
