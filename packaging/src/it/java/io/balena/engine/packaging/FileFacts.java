package io.balena.engine.packaging;

import io.balena.engine.linux.FileCalls;
import io.balena.engine.linux.OpenFlags;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

import static java.nio.charset.StandardCharsets.UTF_8;

/// All there is to say of the files in a folder: type, mode, owner, time to the nanosecond, extended attributes, content, target,
/// device, and which names are one file. As text, so that a difference can be read.
final class FileFacts {
    private static final String WHITEOUT = "whiteout";
    private static final String OPAQUE = "trusted.overlay.opaque";

    private final FileCalls calls = new FileCalls();
    private final Map<String, String> facts = new TreeMap<>();
    private final Map<Object, String> firstNames = new HashMap<>();

    private final Path root;
    private final int rootFd;

    private FileFacts(Path root) throws IOException {
        this.root = root;
        rootFd = calls.open(root, OpenFlags.PATH | OpenFlags.DIRECTORY);
    }

    /// @return path below `root` → what is there
    static Map<String, String> of(Path root) {
        try (var files = Files.walk(root)) {
            var all = new FileFacts(root);
            try {
                for (Path file : files.sorted().toList()) all.add(file);
            } finally {
                all.calls.close(all.rootFd);
            }
            return all.facts;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The same for a folder into which another program unpacked a layer's tar, whose whiteouts are files with special names.
    static Map<String, String> ofUnpackedLayer(Path root) {
        Map<String, String> found = of(root);
        found.remove(""); // like Docker, the engine leaves the time of its own folder alone
        Map<String, String> meant = new TreeMap<>();
        for (var each : found.entrySet()) {
            String name = each.getKey().substring(each.getKey().lastIndexOf('/') + 1);
            String folder = each.getKey().substring(0, each.getKey().length() - name.length());
            if (name.equals(".wh..wh..opq")) {
                meant.compute(folder.substring(0, folder.length() - 1), (_, fact) -> fact + " " + OPAQUE + "=" + hex("y".getBytes(UTF_8)));
            } else if (name.startsWith(".wh.")) meant.put(folder + name.substring(4), WHITEOUT);
            else meant.put(each.getKey(), each.getValue());
        }
        return meant;
    }

    private void add(Path file) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(file, "unix:*", LinkOption.NOFOLLOW_LINKS);
        String name = root.relativize(file).toString();
        int mode = (int) attributes.get("mode");
        boolean device = (mode & 0xF000) == 0x2000 || (mode & 0xF000) == 0x6000;
        if ((mode & 0xF000) == 0x2000 && (long) attributes.get("rdev") == 0) {
            facts.put(name, WHITEOUT);
            return;
        }
        boolean folder = Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS);
        if (!folder && (int) attributes.get("nlink") > 1) {
            String first = firstNames.putIfAbsent(attributes.get("ino"), name);
            if (first != null) {
                facts.put(name, "the same file as " + first);
                return;
            }
        }
        var fact = new StringBuilder(Integer.toOctalString(mode)).append(' ').append(attributes.get("uid")).append(':').append(attributes.get("gid"))
                .append(' ').append(((FileTime) attributes.get("lastModifiedTime")).toInstant());
        if (device) fact.append(" device ").append(attributes.get("rdev"));
        if (Files.isSymbolicLink(file)) fact.append(" -> ").append(Files.readSymbolicLink(file));
        if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) fact.append(' ').append(Files.size(file)).append(' ').append(digest(file));
        byte[] path = (name.isEmpty() ? "." : name).getBytes(UTF_8);
        for (String attribute : calls.listXattrs(rootFd, path).stream().sorted().toList()) {
            fact.append(' ').append(attribute).append('=').append(hex(calls.getXattr(rootFd, path, attribute)));
        }
        facts.put(name, fact.toString());
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    private static String digest(Path file) throws IOException {
        return "sha256:" + sha256(Files.readAllBytes(file));
    }

    static String sha256(byte[] content) {
        try {
            return hex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
