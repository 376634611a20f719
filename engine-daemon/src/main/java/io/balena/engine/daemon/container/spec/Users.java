package io.balena.engine.daemon.container.spec;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// The users and groups of an image, from its `/etc/passwd` and `/etc/group`.
///
/// @see <a href="https://man7.org/linux/man-pages/man5/passwd.5.html">passwd(5)</a>
final class Users {
    private static final long LARGEST_ID = Integer.MAX_VALUE;
    /// An image's files are not to be trusted: what is larger is not read.
    private static final long MOST_BYTES = 4 << 20;
    /// Those of passwd(5), and the rest of the line.
    private static final int MOST_FIELDS = 8;
    /// The kernel's NGROUPS_MAX.
    private static final int MOST_GROUPS = 65536;

    private final String passwd;
    private final String group;

    private Users(String passwd, String group) {
        this.passwd = passwd;
        this.group = group;
    }

    static Users of(ContainerRoot root) throws IOException {
        return new Users(content(root, "/etc/passwd"), content(root, "/etc/group"));
    }

    static Users parse(String passwd, String group) {
        return new Users(passwd, group);
    }

    private static String content(ContainerRoot root, String inside) throws IOException {
        return root.read(inside, MOST_BYTES).map(content -> new String(content, ISO_8859_1)).orElse("");
    }

    /// Line by line: all the entries of such a file at once would not fit into the engine's memory.
    private static Stream<String[]> entries(String file) {
        return file.lines().map(line -> line.trim().split(":", MOST_FIELDS)).filter(fields -> fields.length >= 3);
    }

    /// @param user the user part as numbers, and `HOME`
    record Resolved(RuntimeSpec.User user, String home) {}

    /// Finds whom a container runs as.
    ///
    /// @param spec `user[:group]`, names or numbers; empty for root
    /// @param further groups by name or number
    /// @throws InvalidRequest when a name is not in the image
    Resolved resolve(String spec, List<String> further) {
        int colon = spec.indexOf(':');
        String userPart = colon < 0 ? spec : spec.substring(0, colon);
        String groupPart = colon < 0 ? "" : spec.substring(colon + 1);

        Optional<String[]> entry = find(passwd, userPart.isEmpty() ? "0" : userPart);
        if (entry.isEmpty() && !userPart.isEmpty() && number(userPart).isEmpty()) {
            throw new InvalidRequest("unable to find user " + userPart + ": no matching entries in passwd file");
        }
        int uid = entry.flatMap(e -> number(e[2])).or(() -> number(userPart)).orElse(0);
        Optional<String> name = entry.map(e -> e[0]);
        int gid = groupPart.isEmpty() ? entry.filter(e -> e.length > 3).flatMap(e -> number(e[3])).orElse(0) : group(groupPart);

        Set<Integer> groups = new LinkedHashSet<>();
        groups.add(gid); // or dropping it from the list would let a process shed a group that denies it something (CVE-2022-36109)
        if (groupPart.isEmpty()) name.ifPresent(n -> groupsOf(n).forEach(groups::add));
        for (String each : further) groups.add(group(each));
        String home = entry.filter(e -> e.length > 5).map(e -> e[5]).filter(h -> !h.isEmpty()).orElse("/");
        return new Resolved(new RuntimeSpec.User(uid, gid, null, new ArrayList<>(groups)), home);
    }

    private int group(String spec) {
        return find(group, spec).flatMap(e -> number(e[2])).or(() -> number(spec)).orElseThrow(
                () -> new InvalidRequest("unable to find group " + spec + ": no matching entries in group file"));
    }

    private List<Integer> groupsOf(String user) {
        return entries(group).filter(entry -> entry.length > 3 && ("," + entry[3] + ",").contains("," + user + ","))
                .flatMap(entry -> number(entry[2]).stream()).limit(MOST_GROUPS).toList();
    }

    /// A name wins over a number, as in Docker: a user called `1000` is that user.
    private static Optional<String[]> find(String file, String spec) {
        return entries(file).filter(e -> e[0].equals(spec)).findFirst()
                .or(() -> entries(file).filter(e -> number(spec).isPresent() && e[2].equals(spec)).findFirst());
    }

    private static Optional<Integer> number(String text) {
        if (text.isEmpty() || text.length() > 10 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) return Optional.empty();
        long value = Long.parseLong(text);
        return value > LARGEST_ID ? Optional.empty() : Optional.of((int) value);
    }
}
