package io.balena.engine.packaging;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// A data root looked at from outside, file by file, by somebody who knows the layout and trusts no engine.
final class DataRoot {
    private final Path root;
    private final Path image;
    private final Path layerdb;
    private final Path overlay;

    DataRoot(Path root) {
        this.root = root;
        image = root.resolve("image/overlay2");
        layerdb = image.resolve("layerdb");
        overlay = root.resolve("overlay2");
    }

    /// The `diff` folder of a layer.
    Optional<Path> files(String chain) {
        Path cacheId = layerdb.resolve("sha256").resolve(chain).resolve("cache-id");
        return Files.exists(cacheId) ? Optional.of(overlay.resolve(read(cacheId)).resolve("diff")) : Optional.empty();
    }

    /// Everything that is there and belongs to nothing, or belongs to something and is not there.
    ///
    /// @param images ids of all images, without `sha256:`
    /// @param layers chains that images consist of
    /// @param containers ids of all containers
    /// @param volumes names of all their volumes
    List<String> unaccounted(Set<String> images, Set<String> layers, Set<String> containers, Set<String> volumes) {
        List<String> problems = new ArrayList<>();
        compare("imagedb/content", images, names(image.resolve("imagedb/content/sha256")), problems);
        for (String name : names(image.resolve("imagedb/metadata/sha256"))) {
            if (!images.contains(name)) problems.add("imagedb/metadata of no image: " + name);
        }
        Set<String> mounts = names(layerdb.resolve("mounts"));
        compare("containers", containers, names(root.resolve("containers")), problems);
        compare("layerdb/mounts", containers, mounts, problems);
        compare("volumes", volumes, names(root.resolve("volumes")), problems);
        compare("tmp", Set.of(), names(root.resolve("tmp")), problems);
        compare("layerdb/tmp", Set.of(), names(layerdb.resolve("tmp")), problems);
        if (Files.exists(root.resolve("quarantine"))) problems.add("quarantine: " + tree(root.resolve("quarantine")));

        Set<String> folders = new HashSet<>();
        Set<String> wanted = new HashSet<>(layers);
        for (String mount : mounts) {
            Path folder = layerdb.resolve("mounts").resolve(mount);
            for (String file : List.of("mount-id", "init-id")) {
                if (Files.exists(folder.resolve(file))) folders.add(read(folder.resolve(file)));
            }
            if (Files.exists(folder.resolve("parent"))) addChain(read(folder.resolve("parent")).substring(7), wanted);
        }
        Set<String> chains = names(layerdb.resolve("sha256"));
        compare("layerdb/sha256", wanted, chains, problems);
        for (String chain : chains) {
            Path cacheId = layerdb.resolve("sha256").resolve(chain).resolve("cache-id");
            if (!Files.exists(cacheId)) problems.add("no cache-id in " + chain);
            else if (!folders.add(read(cacheId))) problems.add("two layers share " + read(cacheId));
        }
        Set<String> found = new HashSet<>(names(overlay));
        found.remove("l");
        compare("overlay2", folders, found, problems);
        checkLinks(found, problems);
        checkFiles(problems);
        return problems;
    }

    private void addChain(String chain, Set<String> chains) {
        for (String next = chain; chains.add(next); ) {
            Path parent = layerdb.resolve("sha256").resolve(next).resolve("parent");
            if (!Files.exists(parent)) return;
            next = read(parent).substring(7);
        }
    }

    private void checkLinks(Set<String> folders, List<String> problems) {
        Map<String, String> links = new HashMap<>();
        for (String name : names(overlay.resolve("l"))) {
            try {
                links.put(name, Files.readSymbolicLink(overlay.resolve("l").resolve(name)).toString());
            } catch (IOException e) {
                problems.add("overlay2/l/" + name + ": " + e);
            }
        }
        for (String folder : folders) {
            Path link = overlay.resolve(folder).resolve("link");
            String name = Files.exists(link) ? read(link) : "none";
            if (("../" + folder + "/diff").equals(links.remove(name))) continue;
            problems.add("overlay2/" + folder + " is not what its link " + name + " leads to");
        }
        links.forEach((name, target) -> problems.add("overlay2/l/" + name + " is no folder's link, and leads to " + target));
    }

    /// Files that power cuts are known to leave: empty ones, ends of zeros, temporary ones.
    private void checkFiles(List<String> problems) {
        // The latter three are made anew at each start of their container. What is in distribution/ is a cache: an empty file says
        // as much as none.
        Set<String> mayBeEmpty = Set.of("committed", ".engine-lock", "hostname", "hosts", "resolv.conf");
        try (var files = Files.walk(root, 8)) {
            List<Path> state = files.filter(file -> !root.relativize(file).toString().matches("volumes/.*|overlay2/[^/]+/.+/.+|lost.found.*"))
                    .filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)).toList();
            for (Path file : state) {
                String name = file.getFileName().toString();
                byte[] content = Files.readAllBytes(file);
                if (name.startsWith(".tmp")) problems.add("left over: " + root.relativize(file));
                boolean mayBe = mayBeEmpty.contains(name) || file.startsWith(image.resolve("distribution")) || name.endsWith("-json.log");
                if (content.length == 0 && !mayBe) problems.add("empty: " + root.relativize(file));
                if (name.equals("container-states")) continue; // slots of a size of their own
                boolean zeros = content.length > 0 && content[content.length - 1] == 0;
                if (zeros && !name.endsWith(".gz")) problems.add("zeros: " + root.relativize(file));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void compare(String what, Set<String> wanted, Set<String> found, List<String> problems) {
        for (String each : wanted) if (!found.contains(each)) problems.add(what + ": missing " + each);
        for (String each : found) if (!wanted.contains(each)) problems.add(what + ": unaccounted for " + each);
    }

    private static String tree(Path folder) {
        try (var files = Files.walk(folder, 6)) {
            return files.limit(40).map(file -> folder.relativize(file).toString()).toList().toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Set<String> names(Path folder) {
        if (!Files.isDirectory(folder)) return Set.of();
        try (Stream<Path> files = Files.list(folder)) {
            return new HashSet<>(files.map(file -> file.getFileName().toString()).toList());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
