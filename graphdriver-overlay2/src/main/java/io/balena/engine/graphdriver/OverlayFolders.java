package io.balena.engine.graphdriver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.balena.engine.linux.DurableFile;
import io.balena.engine.linux.Errno;
import io.balena.engine.linux.ErrnoException;
import io.balena.engine.linux.Mount;
import io.balena.engine.linux.Mounts;
import io.balena.engine.linux.ThreadRoot;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;

/// The folders of overlay2: how they are made, stacked, mounted and removed.
///
/// ```
/// overlay2/l/<26 characters>   → ../<id>/diff      short names, so that 128 of them fit into the options of one mount
/// overlay2/<id>/diff           the files
/// overlay2/<id>/link           the short name
/// overlay2/<id>/lower          l/<parent>:l/<its parent>:…   absent without a parent
/// overlay2/<id>/work           overlayfs's own               absent without a parent
/// overlay2/<id>/committed      empty: has children, and does not change any more
/// overlay2/<id>/merged         where it is mounted, while it is and unless it is elsewhere
/// ```
/// Nothing here is made durable: whoever publishes a folder does that, once for all of it.
final class OverlayFolders {
    private static final System.Logger LOG = System.getLogger(OverlayFolders.class.getName());
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String LINK_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    private static final int LINK_LENGTH = 26;
    private static final int MAX_LOWERS = 128;
    /// mount(2) takes a page of options, its final zero included. No architecture has smaller pages.
    private static final int MAX_OPTIONS = 4095;

    private final StorePaths paths;
    private final IdentityMapping owners;
    private final String optionsPrefix;

    /// @param owners says whose the files of containers' root are
    OverlayFolders(StorePaths paths, IdentityMapping owners) {
        this.paths = paths;
        this.owners = owners;
        // With its index, overlayfs would refuse an upper folder that was used with other lower ones before.
        optionsPrefix = Files.exists(Path.of("/sys/module/overlay/parameters/index")) ? "index=off," : "";
    }

    /// Makes a folder without a parent.
    void create(CacheId id) throws IOException {
        makePassage(paths.folder(id), owners);
        makeOwned(paths.diff(id), "rwxr-xr-x");
        String link = randomLink();
        Files.createSymbolicLink(paths.links().resolve(link), linkTarget(id));
        Files.write(paths.link(id), link.getBytes(US_ASCII));
    }

    /// Puts `id` on top of `parent`, instead of what it was put on by an attempt before.
    ///
    /// @param inheritRoot give the root of the layer the owner and mode of its parent's
    void stack(CacheId id, CacheId parent, boolean inheritRoot) throws IOException {
        String lower = lowerAbove(parent);
        if (lower.split(":").length > MAX_LOWERS) throw new IOException("max depth exceeded");
        Files.write(paths.lower(id), lower.getBytes(US_ASCII));
        if (!Files.isDirectory(paths.work(id))) makeOwned(paths.work(id), "rwx------");
        if (inheritRoot) inheritRoot(paths.diff(parent), paths.diff(id));
        markCommitted(parent);
    }

    private static void inheritRoot(Path from, Path to) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(from, "unix:uid,gid,mode");
        Files.setAttribute(to, "unix:uid", attributes.get("uid"));
        Files.setAttribute(to, "unix:gid", attributes.get("gid"));
        Files.setAttribute(to, "unix:mode", attributes.get("mode"));
    }

    private void markCommitted(CacheId id) throws IOException {
        Path mark = paths.committed(id);
        if (Files.exists(mark)) return;
        Files.write(mark, new byte[0]);
        Files.setPosixFilePermissions(mark, PosixFilePermissions.fromString("rw-------"));
    }

    boolean exists(CacheId id) {
        return Files.isDirectory(paths.diff(id), LinkOption.NOFOLLOW_LINKS);
    }

    /// Restores what a power cut may have taken from a folder that Docker made, as it does not sync these: the short name. What it was
    /// called does not matter, as long as those above it agree, see [#repairLower].
    void repairLink(CacheId id) throws IOException {
        Optional<String> link = linkOf(id);
        if (link.isEmpty()) {
            link = Optional.of(randomLink());
            LOG.log(Level.WARNING, "the short name of overlay2/" + id + " is lost; it gets another");
            DurableFile.replace(paths.link(id), link.get().getBytes(US_ASCII), "rw-r--r--");
        }
        Path name = paths.links().resolve(link.get());
        if (!Files.isSymbolicLink(name)) Files.createSymbolicLink(name, linkTarget(id));
    }

    /// As [#repairLink]: what `id` lies on, which `parent` and its own list tell.
    void repairLower(CacheId id, CacheId parent) throws IOException {
        String lower = lowerAbove(parent);
        if (!Files.isDirectory(paths.work(id))) makeOwned(paths.work(id), "rwx------");
        if (Files.exists(paths.lower(id)) && Arrays.equals(Files.readAllBytes(paths.lower(id)), lower.getBytes(US_ASCII))) return;
        LOG.log(Level.WARNING, "what lies below overlay2/" + id + " is written anew, as it did not lead to " + parent);
        DurableFile.replace(paths.lower(id), lower.getBytes(US_ASCII), "rw-r--r--");
    }

    /// Removes a folder, whatever there is of it.
    void remove(CacheId id) throws IOException {
        unmount(id);
        // Without it, it was never finished: a short name that leads nowhere is swept at the next start.
        Optional<String> link = linkOf(id);
        if (link.isPresent()) Files.deleteIfExists(paths.links().resolve(link.get()));
        TreeRemoval.remove(paths.folder(id));
    }

    /// Removes short names that lead nowhere.
    void sweepLinks() throws IOException {
        try (var links = Files.newDirectoryStream(paths.links())) {
            for (Path link : links) {
                if (Files.isSymbolicLink(link) && !Files.exists(link)) Files.delete(link);
            }
        }
    }

    /// The `diff` folders below `id`, nearest first.
    List<Path> lowerDiffs(CacheId id) throws IOException {
        var diffs = new ArrayList<Path>();
        for (String lower : lowersOf(id)) {
            Path link = paths.overlay().resolve(lower);
            diffs.add(link.getParent().resolve(Files.readSymbolicLink(link)).normalize());
        }
        return diffs;
    }

    /// Mounts `id` on what is below it, unless it is mounted.
    ///
    /// @return where; the bare `diff` folder when nothing is below it
    Path mount(CacheId id) throws IOException {
        List<String> lowers = lowersOf(id);
        if (lowers.isEmpty()) return paths.diff(id);
        Path merged = paths.merged(id);
        if (Mounts.isMounted(merged)) return merged;
        if (!Files.isDirectory(merged)) makeOwned(merged, "rwx------");
        try {
            mount(id, lowers, merged);
        } catch (IOException e) {
            Files.deleteIfExists(merged);
            throw e;
        }
        return merged;
    }

    private void mount(CacheId id, List<String> lowers, Path merged) throws IOException {
        String absolute = options(paths.overlay() + "/", lowers, id);
        boolean plain = !paths.overlay().toString().matches(".*[,:\\\\].*"); // these have a meaning in mount options
        if (plain && absolute.getBytes(UTF_8).length <= MAX_OPTIONS) {
            Mounts.mount(new Mount("overlay", "overlay", 0, absolute), merged);
            return;
        }
        String relative = options("", lowers, id);
        if (relative.length() > MAX_OPTIONS) {
            throw new IOException("cannot mount layer, mount label too large " + relative.length());
        }
        var task = ThreadRoot.startAt(paths.overlay(), "overlay mount", () -> {
            Mounts.mount(new Mount("overlay", "overlay", 0, relative), merged);
            return null;
        });
        try {
            task.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException io) throw io;
            throw new IOException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while mounting " + merged, e);
        }
    }

    private String options(String base, List<String> lowers, CacheId id) {
        return optionsPrefix + lowers.stream().map(l -> base + l).collect(Collectors.joining(":", "lowerdir=", ""))
                + ",upperdir=" + base + id + "/diff,workdir=" + base + id + "/work";
    }

    boolean isMounted(CacheId id) throws IOException {
        return Mounts.isMounted(paths.merged(id));
    }

    /// Unmounts `id`, however often it was mounted.
    void unmount(CacheId id) throws IOException {
        Path merged = paths.merged(id);
        if (!Files.isDirectory(merged, LinkOption.NOFOLLOW_LINKS)) return;
        try {
            while (true) Mounts.detach(merged);
        } catch (ErrnoException e) {
            if (e.errno() != Errno.EINVAL && e.errno() != Errno.ENOENT) throw e;
        }
        try {
            Files.deleteIfExists(merged);
        } catch (FileSystemException e) {
            // Another mount is on it, which cannot be reached from here since a folder above has been mounted over: Docker does that.
            LOG.log(Level.WARNING, "leaving " + merged + ": " + e.getReason());
        }
    }

    /// `GraphDriver.Data` of inspect, of what is not mounted.
    Map<String, String> data(CacheId id) throws IOException {
        var data = new java.util.TreeMap<String, String>();
        data.put("UpperDir", paths.diff(id).toString());
        data.put("WorkDir", paths.work(id).toString());
        data.put("MergedDir", paths.mergedBesideFiles(id).toString());
        List<Path> lowers = lowerDiffs(id);
        if (!lowers.isEmpty()) data.put("LowerDir", lowers.stream().map(Path::toString).collect(Collectors.joining(":")));
        return data;
    }

    private List<String> lowersOf(CacheId id) throws IOException {
        try {
            return List.of(Files.readString(paths.lower(id), US_ASCII).strip().split(":"));
        } catch (NoSuchFileException e) {
            return List.of();
        }
    }

    /// The content of `lower` in a folder on top of `id`.
    private String lowerAbove(CacheId id) throws IOException {
        return "l/" + readLink(id) + lowersOf(id).stream().map(l -> ":" + l).collect(Collectors.joining());
    }

    private String readLink(CacheId id) throws IOException {
        return linkOf(id).orElseThrow(() -> new IllegalStateException("damaged: " + paths.link(id)));
    }

    /// @return empty when there is no such file, or it does not hold a short name
    private Optional<String> linkOf(CacheId id) throws IOException {
        if (!Files.exists(paths.link(id))) return Optional.empty();
        String link = new String(Files.readAllBytes(paths.link(id)), US_ASCII).strip();
        return link.matches("[" + LINK_ALPHABET + "]{" + LINK_LENGTH + "}") ? Optional.of(link) : Optional.empty();
    }

    private static Path linkTarget(CacheId id) {
        return Path.of("..", id.text(), "diff");
    }

    private static String randomLink() {
        return RANDOM.ints(LINK_LENGTH, 0, LINK_ALPHABET.length())
                .mapToObj(i -> LINK_ALPHABET.substring(i, i + 1)).collect(Collectors.joining());
    }

    /// Makes a folder that is containers' root's.
    private void makeOwned(Path path, String permissions) throws IOException {
        makeDirectory(path, permissions);
        owners.giveToRoot(path);
    }

    /// Makes a folder that is ours, and that containers' root can go through.
    static void makePassage(Path path, IdentityMapping owners) throws IOException {
        makeDirectory(path, "rwx--x---");
        owners.shareWithRoot(path);
    }

    /// Whatever the process's umask.
    static void makeDirectory(Path path, String permissions) throws IOException {
        Files.createDirectory(path);
        Files.getFileAttributeView(path, PosixFileAttributeView.class).setPermissions(PosixFilePermissions.fromString(permissions));
    }

    Optional<CacheId> idIn(Path file) {
        try {
            String text = Files.readString(file, US_ASCII).strip();
            return CacheId.isValid(text) ? Optional.of(new CacheId(text)) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
