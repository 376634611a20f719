package io.balena.engine.graphdriver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Whose files on the host those of containers are: images and containers count their users from 0, and on disk each is another one.
///
/// Applied to whatever is extracted, and taken back from whatever is read out as a tar; what reproduces a layer's own tar keeps the
/// recorded ids.
///
/// @param users as in `/proc/<pid>/uid_map`
/// @param groups as in `/proc/<pid>/gid_map`
public record IdentityMapping(List<Range> users, List<Range> groups) {
    /// All are the same on both sides.
    public static final IdentityMapping NONE = new IdentityMapping(List.of(), List.of());

    /// Ids that follow each other on both sides.
    ///
    /// @param container the first one in containers
    /// @param host the first one on the host
    /// @param size how many
    public record Range(int container, int host, int size) {}

    public IdentityMapping {
        users = List.copyOf(users);
        groups = List.copyOf(groups);
    }

    public boolean isNone() {
        return users.isEmpty();
    }

    /// The host's user for root; 0 when nothing is mapped.
    public int rootUser() {
        return isNone() || users.getFirst().container != 0 ? 0 : users.getFirst().host;
    }

    /// The host's group for root's; 0 when nothing is mapped.
    public int rootGroup() {
        return isNone() || groups.getFirst().container != 0 ? 0 : groups.getFirst().host;
    }

    /// Makes a file the one of containers' root; nothing is done where that is the host's.
    public void giveToRoot(Path file) throws IOException {
        if (isNone()) return;
        Files.setAttribute(file, "unix:uid", rootUser());
        Files.setAttribute(file, "unix:gid", rootGroup());
    }

    /// Lets the group of containers' root have what a folder's group may have.
    public void shareWithRoot(Path folder) throws IOException {
        if (!isNone()) Files.setAttribute(folder, "unix:gid", rootGroup());
    }

    /// Makes a folder, and those above it, where they are missing: containers' root's.
    ///
    /// @throws java.nio.file.FileAlreadyExistsException when something else has such a name
    public void makeDirectories(Path folder) throws IOException {
        if (isNone()) {
            Files.createDirectories(folder);
            return;
        }
        if (Files.isDirectory(folder)) return;
        if (folder.getParent() != null) makeDirectories(folder.getParent());
        Files.createDirectory(folder);
        giveToRoot(folder);
    }

    /// @throws UnmappedIdException in Docker's words
    int hostUser(int user) throws UnmappedIdException {
        return isNone() ? user : toHost(users, user);
    }

    /// @throws UnmappedIdException in Docker's words
    int hostGroup(int group) throws UnmappedIdException {
        return isNone() ? group : toHost(groups, group);
    }

    /// Never fails: a container that has the host's users leaves files of users no other container has. What it saw is kept, where
    /// Docker leaves such files out.
    int containerUser(int user) {
        return toContainer(users, user);
    }

    /// @see #containerUser(int)
    int containerGroup(int group) {
        return toContainer(groups, group);
    }

    private static int toHost(List<Range> ranges, int id) throws UnmappedIdException {
        for (int i = 0; i < ranges.size(); i++) {
            Range range = ranges.get(i);
            // Unsigned: an id below the range is far above it.
            if (Integer.compareUnsigned(id - range.container, range.size) < 0) return range.host + id - range.container;
        }
        throw new UnmappedIdException("Container ID " + Integer.toUnsignedString(id) + " cannot be mapped to a host ID");
    }

    private static int toContainer(List<Range> ranges, int id) {
        for (int i = 0; i < ranges.size(); i++) {
            Range range = ranges.get(i);
            if (Integer.compareUnsigned(id - range.host, range.size) < 0) return range.container + id - range.host;
        }
        return id;
    }
}
