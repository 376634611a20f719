package io.balena.engine.packaging;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;

import static java.nio.charset.StandardCharsets.UTF_8;

/// Images of which every byte is known, in the storage of a registry: layers made and unpacked again by GNU tar, which has never
/// heard of the engine. They share layers in all the ways that matter: a base of all, a common middle, the same image twice.
final class KnownImages {
    private final Path work;
    private final Path storage;
    private final Map<String, Layer> layers = new LinkedHashMap<>();
    private final Map<String, String> ids = new LinkedHashMap<>();
    private final Map<String, byte[]> configs = new HashMap<>();

    /// @param diffId `sha256:…` of the tar
    /// @param blob the gzipped tar
    /// @param files what the layer's folder has to hold
    private record Layer(String diffId, byte[] tar, byte[] blob, Map<String, String> files) {}

    private KnownImages(Path folder) {
        this.work = folder.resolve("work");
        this.storage = folder.resolve("registry");
    }

    /// @param mebibytes how large the largest layer is
    static KnownImages make(Path folder, int mebibytes) {
        var images = new KnownImages(folder);
        try {
            images.layers.put("base", images.base());
            for (String name : List.of("1", "2", "3", "4", "5")) images.layers.put(name, images.small(name));
            images.layers.put("big", images.big(mebibytes));
            images.image("a", "1", "base", "1", "2", "3");
            images.image("a", "2", "base", "1", "2", "4");
            images.image("b", "1", "base", "1", "2", "3");
            images.image("c", "1", "base", "5", "big");
            images.image("d", "1", "base", "big", "4");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return images;
    }

    /// What to give to a registry.
    Path storage() {
        return storage;
    }

    /// Pullable names, e.g. `127.0.0.1:5000/known/a:1` → the image's id.
    Map<String, String> ids() {
        return ids;
    }

    /// A root file system with a shell.
    byte[] baseTar() {
        return layers.get("base").tar;
    }

    /// A layer that is none.
    byte[] smallTar() {
        return layers.get("5").tar;
    }

    /// `a:1` and `c:1` as `docker save` writes them, under other names.
    ///
    /// @param names of the two images
    byte[] archive(String... names) {
        Path folder = work.resolve("archive-" + names[0].replaceAll("[/:]", "_"));
        var manifest = new ArrayList<String>();
        try {
            Files.createDirectories(folder);
            for (String[] each : new String[][] {{"a:1", names[0], "base", "1", "2", "3"}, {"c:1", names[1], "base", "5", "big"}}) {
                String id = ids.get(Registry.HOST + "/known/" + each[0]).substring(7);
                Files.write(folder.resolve(id + ".json"), configs.get(id));
                List<String> its = List.of(each).subList(2, each.length);
                for (String layer : its) {
                    Files.write(Files.createDirectories(folder.resolve("layer-" + layer)).resolve("layer.tar"), layers.get(layer).tar);
                }
                manifest.add("{\"Config\":\"%s.json\",\"RepoTags\":[\"%s\"],\"Layers\":[%s]}".formatted(id, each[1],
                        its.stream().map(layer -> "\"layer-" + layer + "/layer.tar\"").collect(Collectors.joining(","))));
            }
            Files.writeString(folder.resolve("manifest.json"), manifest.toString());
            sh("tar -C " + folder + " -cf " + folder + ".tar .");
            return Files.readAllBytes(Path.of(folder + ".tar"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// What `diffId` must look like unpacked, if it is one of ours.
    Map<String, String> files(String diffId) {
        return layers.values().stream().filter(layer -> layer.diffId.equals(diffId)).findFirst().map(Layer::files).orElse(null);
    }

    /// What a volume at `/data` begins with.
    Map<String, String> volume() {
        Map<String, String> content = new TreeMap<>();
        layers.get("base").files.forEach((name, fact) -> {
            if (name.equals("data")) content.put("", fact);
            else if (name.startsWith("data/")) content.put(name.substring(5), fact);
        });
        return content;
    }

    private Layer base() throws IOException {
        return layer("base", """
                mkdir -p bin etc tmp root proc sys dev data/inner; chmod 1777 tmp
                cp /bin/busybox bin/busybox; for a in sh cat ls true sleep touch mkdir; do ln -s busybox bin/$a; done
                echo 'root:x:0:0:root:/root:/bin/sh' > etc/passwd; echo root:x:0: > etc/group
                for i in 1 2 3 4 5 6; do head -c 3000 /dev/urandom > data/inner/$i; done
                chown -R 7:8 data/inner
                """);
    }

    private Layer small(String name) throws IOException {
        return layer(name, """
                mkdir -p app/N/deep/er etc shared
                for i in $(seq 60); do echo layer N file $i > app/N/$i; done
                head -c 200000 /dev/urandom > app/N/data; : > app/N/empty
                ln app/N/1 app/N/deep/hard; ln -s ../../nowhere app/N/deep/er/symbolic; mknod app/N/null c 1 3; mkfifo app/N/fifo
                chmod 4755 app/N/2; chmod 2711 app/N/3; chown 1000:2000000 app/N/4
                setfattr -n user.note -v N app/N/5; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 app/N/6
                echo N > shared/last; : > shared/.wh.of-before; mkdir -p etc/opaque; : > etc/opaque/.wh..wh..opq; echo N > etc/opaque/N
                name=$(printf 'long%.0s' $(seq 40)); mkdir -p app/$name/$name; echo x > app/$name/$name/$name
                touch -d '2001-02-03 04:05:06.789012345' app/N/7 app/N/deep
                """.replace("N", name));
    }

    private Layer big(int mebibytes) throws IOException {
        return layer("big", """
                mkdir -p big; head -c %dM /dev/urandom > big/1; head -c 1M /dev/zero > big/zeros; truncate -s 1M big/hole
                """.formatted(mebibytes));
    }

    private Layer layer(String name, String script) throws IOException {
        Path tree = Files.createDirectories(work.resolve(name));
        sh("cd " + tree + "\n" + script);
        Path tar = work.resolve(name + ".tar");
        sh("tar -C " + tree + " --sort=name --numeric-owner --format=posix --xattrs --xattrs-include='*' -cf " + tar + " .");
        Path unpacked = Files.createDirectories(work.resolve(name + ".unpacked"));
        sh("tar -C " + unpacked + " --numeric-owner --xattrs --xattrs-include='*' -xpf " + tar);
        byte[] bytes = Files.readAllBytes(tar);
        var blob = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(blob)) {
            gzip.write(bytes);
        }
        return new Layer("sha256:" + FileFacts.sha256(bytes), bytes, blob.toByteArray(), FileFacts.ofUnpackedLayer(unpacked));
    }

    private static void sh(String script) {
        Command.of("sh", "-ec", script).run().endedWith(0);
    }

    private void image(String repository, String tag, String... names) throws IOException {
        List<Layer> its = Stream.of(names).map(layers::get).toList();
        String diffIds = its.stream().map(layer -> '"' + layer.diffId + '"').collect(Collectors.joining(","));
        byte[] config = ("{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"],\"Env\":[\"PATH=/bin\"]},"
                + "\"created\":\"2026-01-01T00:00:00Z\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}")
                .formatted(System.getProperty("os.arch").equals("aarch64") ? "arm64" : "amd64", diffIds).getBytes(UTF_8);
        String described = its.stream().map(layer -> descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer.blob))
                .collect(Collectors.joining(","));
        byte[] manifest = ("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\","
                + "\"config\":%s,\"layers\":[%s]}")
                .formatted(descriptor("application/vnd.docker.container.image.v1+json", config), described).getBytes(UTF_8);
        Path folder = storage.resolve("docker/registry/v2/repositories/known").resolve(repository);
        var blobs = new HashMap<>(Map.of(FileFacts.sha256(config), config));
        its.forEach(layer -> blobs.put(FileFacts.sha256(layer.blob), layer.blob));
        for (var blob : blobs.entrySet()) {
            store(blob.getValue());
            link(folder.resolve("_layers/sha256").resolve(blob.getKey()), blob.getKey());
        }
        store(manifest);
        String digest = FileFacts.sha256(manifest);
        link(folder.resolve("_manifests/revisions/sha256").resolve(digest), digest);
        link(folder.resolve("_manifests/tags").resolve(tag).resolve("current"), digest);
        link(folder.resolve("_manifests/tags").resolve(tag).resolve("index/sha256").resolve(digest), digest);
        configs.put(FileFacts.sha256(config), config);
        ids.put(Registry.HOST + "/known/" + repository + ":" + tag, "sha256:" + FileFacts.sha256(config));
    }

    private static String descriptor(String type, byte[] content) {
        return "{\"mediaType\":\"%s\",\"size\":%d,\"digest\":\"sha256:%s\"}".formatted(type, content.length, FileFacts.sha256(content));
    }

    private void store(byte[] blob) throws IOException {
        String digest = FileFacts.sha256(blob);
        Path blobs = storage.resolve("docker/registry/v2/blobs/sha256");
        Path folder = Files.createDirectories(blobs.resolve(digest.substring(0, 2)).resolve(digest));
        Files.write(folder.resolve("data"), blob);
    }

    private static void link(Path folder, String digest) throws IOException {
        Files.writeString(Files.createDirectories(folder).resolve("link"), "sha256:" + digest);
    }
}
