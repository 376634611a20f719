package io.balena.engine.daemon;

import io.balena.engine.graphdriver.IdentityMapping;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/// What `--userns-remap` means: whose subordinate ids containers' users are on the host.
///
/// @param etc the folder with `passwd`, `group`, `subuid` and `subgid`
/// @see <a href="https://man7.org/linux/man-pages/man5/subuid.5.html">subuid(5)</a>
record UserRemapping(Path etc) {
    private static final System.Logger LOG = System.getLogger(UserRemapping.class.getName());
    private static final String DEFAULT = "default";
    private static final String DEFAULT_USER = "dockremap";

    /// @param setting `default`, or `user[:group]`, each by name or number
    /// @throws IllegalArgumentException in dockerd's words
    static IdentityMapping parse(String setting) {
        return new UserRemapping(Path.of("/etc")).of(setting);
    }

    IdentityMapping of(String setting) {
        String[] parts = setting.split(":", -1);
        if (parts.length > 2) throw new IllegalArgumentException("Invalid user/group specification in --userns-remap: \"" + setting + "\"");
        Account user = user(parts[0]);
        // Its ranges are found by the user alone; that the group exists is all that is asked of it.
        if (parts.length == 2) requireGroup(parts[1]);
        else if (isNumber(parts[0])) requireGroupNumber(parts[0], "group");
        else requireGroupOf(user.name);
        if (user.name.equals("root")) {
            LOG.log(System.Logger.Level.WARNING, "User namespaces: root cannot be remapped with itself; user namespaces are OFF");
            return IdentityMapping.NONE;
        }
        LOG.log(System.Logger.Level.INFO, "User namespaces: ID ranges will be mapped to subuid/subgid ranges of: " + user.name);
        return new IdentityMapping(ranges("subuid", user), ranges("subgid", user));
    }

    private record Account(String name, String id) {}

    private Account user(String given) {
        if (isNumber(given)) {
            return find("passwd", account -> account.id.equals(given)).orElseThrow(() ->
                    new IllegalArgumentException("Uid " + given + " has no entry in /etc/passwd: " + missing(given, "passwd")));
        }
        // dockerd makes this user by adduser(8), as far as /etc can be written; here it has to be there.
        String name = given.equals(DEFAULT) ? DEFAULT_USER : given;
        return find("passwd", account -> account.name.equals(name)).orElseThrow(() ->
                new IllegalArgumentException("Error during uid lookup for \"" + name + "\": " + missing(name, "passwd")));
    }

    private void requireGroup(String given) {
        if (isNumber(given)) {
            requireGroupNumber(given, "passwd");
        } else if (find("group", group -> group.name.equals(given)).isEmpty()) {
            throw new IllegalArgumentException("Error during groupname lookup for \"" + given + "\": " + missing(given, "group"));
        }
    }

    /// @param said the file that Docker's message names
    private void requireGroupNumber(String id, String said) {
        if (find("group", group -> group.id.equals(id)).isPresent()) return;
        throw new IllegalArgumentException("Gid " + id + " has no entry in /etc/" + said + ": " + missing(id, "group"));
    }

    private void requireGroupOf(String name) {
        if (find("group", group -> group.name.equals(name)).isPresent()) return;
        throw new IllegalArgumentException("Error during gid lookup for \"" + name + "\": " + missing(name, "group"));
    }

    private static String missing(String entry, String database) {
        return "getent unable to find entry \"" + entry + "\" in " + database + " database";
    }

    /// `name:password:id:…`, as passwd(5) and group(5) begin.
    private Optional<Account> find(String file, Predicate<Account> wanted) {
        for (String line : lines(file)) {
            String[] fields = line.split(":", -1);
            if (fields.length < 3) continue;
            var account = new Account(fields[0], fields[2]);
            if (wanted.test(account)) return Optional.of(account);
        }
        return Optional.empty();
    }

    /// All ranges of a user, one after the other: those by its number, or else those by its name.
    private List<IdentityMapping.Range> ranges(String file, Account user) {
        List<IdentityMapping.Range> ranges = ranges(file, user.id);
        if (ranges.isEmpty()) ranges = ranges(file, user.name);
        if (ranges.isEmpty()) {
            throw new IllegalArgumentException("Can't create ID mappings: no " + file + " ranges found for user \"" + user.name + "\"");
        }
        return ranges;
    }

    private List<IdentityMapping.Range> ranges(String file, String owner) {
        List<IdentityMapping.Range> ranges = new ArrayList<>();
        long next = 0;
        for (String line : lines(file)) {
            String text = line.strip();
            if (text.isEmpty() || text.startsWith("#")) continue;
            String[] fields = text.split(":", -1);
            if (fields.length != 3) {
                throw new IllegalArgumentException("Can't create ID mappings: cannot parse subuid/gid information: Format not correct for "
                        + etc.resolve(file) + " file");
            }
            if (!fields[0].equals(owner)) continue;
            long first = number(fields[1], file);
            long size = number(fields[2], file);
            ranges.add(new IdentityMapping.Range((int) next, (int) first, (int) size));
            next += size;
        }
        return ranges;
    }

    private long number(String text, String file) {
        if (isNumber(text)) return Long.parseLong(text);
        throw new IllegalArgumentException("Can't create ID mappings: String to int conversion failed during subuid/gid parsing of " + etc.resolve(file));
    }

    private static boolean isNumber(String text) {
        return text.matches("[0-9]{1,10}");
    }

    private List<String> lines(String file) {
        try {
            return Files.readAllLines(etc.resolve(file));
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
