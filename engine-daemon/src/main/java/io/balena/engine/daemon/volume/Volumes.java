package io.balena.engine.daemon.volume;

import io.balena.engine.daemon.EngineException.Conflict;
import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.daemon.EngineException.NotFound;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.linux.Mounts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.locks.ReentrantLock;

/// All volumes, who refers to them, and what is mounted for whom.
///
/// A container refers to a volume from its creation to its removal, and uses it while it runs. The two are counted by the ids of
/// containers, so that doing something twice, as after a crash, does no harm.
///
/// Safe for use by many threads.
public final class Volumes {
    private static final SecureRandom RANDOM = new SecureRandom();

    private final VolumeFolders folders;
    private final Events events;
    private final Map<String, Held> byName = new TreeMap<>(); // guarded by this

    private static final class Held {
        private final Volume volume;
        /// Guarded by the [Volumes].
        private final Set<String> containers = new TreeSet<>();
        /// Held while mounting, which may wait for a server on the network. It may be held when the lock of [Volumes] is taken.
        private final ReentrantLock mounting = new ReentrantLock();
        /// Guarded by `mounting`.
        private final Set<String> running = new HashSet<>();

        private Held(Volume volume) {
            this.volume = volume;
        }
    }

    private Volumes(VolumeFolders folders, Events events) {
        this.folders = folders;
        this.events = events;
    }

    /// Finds the volumes of a data root. One whose files are damaged is there nevertheless, with a warning.
    ///
    /// @param owners says whose a new volume is
    public static Volumes open(Path dataRoot, IdentityMapping owners, Events events) throws IOException {
        var volumes = new Volumes(VolumeFolders.open(dataRoot, owners), events);
        for (Volume volume : volumes.folders.scan()) volumes.byName.put(volume.name(), new Held(volume));
        return volumes;
    }

    /// Where the files of a volume are.
    public static Path data(Path dataRoot, String name) {
        return VolumeFolders.data(dataRoot, name);
    }

    /// @throws InvalidRequest in Docker's words
    public static void requireName(String name) {
        if (name.length() == 1) {
            throw new InvalidRequest("create " + name + ": volume name is too short, names should be at least two alphanumeric characters");
        }
        if (!VolumeFolders.isName(name)) {
            throw new InvalidRequest("create " + name + ": \"" + name + "\" includes invalid characters for a local volume name,"
                    + " only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path");
        }
    }

    /// @param name empty for one without a name of its own
    /// @param driver empty for `local`
    /// @return the volume that was there, when one has that name already
    Volume create(String name, String driver, Description described) throws IOException {
        return obtain(name.isEmpty() ? randomName() : name, driver, described, Optional.empty(), Optional.empty());
    }

    /// Gives a new container its volume, made if there is none of that name.
    ///
    /// @param name empty for one without a name of its own
    /// @param content what the image has in its place, a folder; copied into a volume that is empty
    public Volume provide(String name, String driver, Description described, String container, Optional<Path> content) throws IOException {
        Volume volume = obtain(name.isEmpty() ? randomName() : name, driver, described, Optional.of(container), content);
        try {
            if (content.isPresent()) fill(volume, container, content.get());
            return volume;
        } catch (IOException | RuntimeException e) {
            release(volume.name(), container);
            throw e;
        }
    }

    private Volume obtain(String name, String driver, Description described, Optional<String> container, Optional<Path> content)
            throws IOException {
        if (!driver.isEmpty() && !driver.equals(Volume.DRIVER)) {
            throw new NotFound("create " + name + ": error looking up volume plugin " + driver + ": plugin \"" + driver + "\" not found");
        }
        Optional<Volume> there = join(name, container);
        if (there.isPresent()) return there.get();
        requireName(name);
        folders.requireFree(name);
        Optional<VolumeMount> mount = VolumeMount.of(name, described.options());
        try (var staged = folders.stage()) {
            if (content.isPresent() && mount.isEmpty()) staged.fill(content.get());
            synchronized (this) {
                there = join(name, container);
                if (there.isPresent()) return there.get();
                var held = new Held(staged.publish(name, described, mount));
                container.ifPresent(held.containers::add);
                byName.put(name, held);
                events.publish("volume", "create", name, Map.of("driver", Volume.DRIVER));
                return held.volume;
            }
        }
    }

    private synchronized Optional<Volume> join(String name, Optional<String> container) {
        Held held = byName.get(name);
        if (held == null) return Optional.empty();
        container.ifPresent(held.containers::add);
        return Optional.of(held.volume);
    }

    /// Copies into a volume that was there and is empty. No container begins to use it meanwhile.
    private void fill(Volume volume, String container, Path content) throws IOException {
        Held held = held(volume.name());
        held.mounting.lock();
        try {
            if (volume.mount().isPresent()) fillMounted(volume, container, content);
            else if (Files.isDirectory(volume.data(), LinkOption.NOFOLLOW_LINKS) && isEmpty(volume.data())) fillEmpty(held, content);
        } finally {
            held.mounting.unlock();
        }
    }

    private void fillMounted(Volume volume, String container, Path content) throws IOException {
        mount(volume.name(), container);
        try {
            if (isEmpty(volume.data())) new TreeCopy(content, volume.data()).run();
        } finally {
            unmount(volume.name(), container);
        }
    }

    private void fillEmpty(Held held, Path content) throws IOException {
        Path data = held.volume.data();
        // Who runs has this very folder mounted. And without content there are but owner and mode to copy.
        if (!held.running.isEmpty() || isEmpty(content)) {
            new TreeCopy(content, data).run();
            return;
        }
        try (var staged = folders.stage()) {
            staged.fill(content);
            staged.publishDataOf(held.volume);
        }
    }

    private static boolean isEmpty(Path folder) throws IOException {
        try (var entries = Files.newDirectoryStream(folder)) {
            return !entries.iterator().hasNext();
        }
    }

    /// For a volume that nobody named.
    public static String randomName() {
        byte[] bytes = new byte[32];
        RANDOM.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /// Notes that `container`, of which the engine has a record, refers to a volume; nothing when the volume is gone.
    ///
    /// @param runs it uses the volume, too: what is mounted there is for it
    public void adopt(String name, String container, boolean runs) {
        Held held;
        synchronized (this) {
            held = byName.get(name);
            if (held != null) held.containers.add(container);
        }
        if (held == null || !runs) return;
        held.mounting.lock();
        held.running.add(container);
        held.mounting.unlock();
    }

    /// Takes back what [#provide] and [#adopt] noted.
    public synchronized void release(String name, String container) {
        Held held = byName.get(name);
        if (held != null) held.containers.remove(container);
    }

    /// Makes the volume's files be there for a container that is about to run.
    ///
    /// @throws NotFound when the volume is gone
    public void mount(String name, String container) throws IOException {
        Held held = held(name);
        held.mounting.lock();
        try {
            Path data = held.volume.data();
            Files.createDirectories(data);
            if (held.volume.mount().isPresent() && !Mounts.isMounted(data.toRealPath())) held.volume.mount().get().mount(data);
            held.running.add(container);
        } finally {
            held.mounting.unlock();
        }
    }

    /// A container has ended: what is mounted for no other is unmounted.
    ///
    /// @return whether it had used the volume
    public boolean unmount(String name, String container) throws IOException {
        Held held;
        synchronized (this) {
            held = byName.get(name);
        }
        if (held == null) return false;
        held.mounting.lock();
        try {
            boolean used = held.running.remove(container);
            if (held.running.isEmpty()) detach(held.volume);
            return used;
        } finally {
            held.mounting.unlock();
        }
    }

    private static void detach(Volume volume) throws IOException {
        if (volume.mount().isEmpty() || !Files.exists(volume.data())) return;
        Path data = volume.data().toRealPath();
        while (Mounts.isMounted(data)) Mounts.detach(data);
    }

    private synchronized Held held(String name) {
        Held held = byName.get(name);
        if (held == null) throw new NotFound("get " + name + ": no such volume");
        return held;
    }

    /// @throws NotFound in Docker's words
    Volume find(String name) {
        return held(name).volume;
    }

    /// In the order of their names.
    synchronized List<Volume> all() {
        return byName.values().stream().map(held -> held.volume).toList();
    }

    /// Ids of containers, running or not.
    synchronized List<String> containersOf(String name) {
        Held held = byName.get(name);
        return held == null ? List.of() : List.copyOf(held.containers);
    }

    /// @throws Conflict when a container refers to it
    public void remove(String name) throws IOException {
        discard(name);
        events.publish("volume", "destroy", name, Map.of("driver", Volume.DRIVER));
    }

    private void discard(String name) throws IOException {
        Path removed;
        synchronized (this) {
            Held held = held(name);
            if (!held.containers.isEmpty()) {
                throw new Conflict("remove " + name + ": volume is in use - [" + String.join(", ", held.containers) + "]");
            }
            detach(held.volume);
            Path data = held.volume.data();
            // Its content is not the volume's, and is not to be deleted with it.
            if (Files.exists(data) && Mounts.isMounted(data.toRealPath())) {
                throw new IOException("remove " + name + ": " + data + " has something mounted on it: device or resource busy");
            }
            removed = folders.remove(name);
            byName.remove(name);
        }
        VolumeFolders.discard(removed);
    }

    /// Removes those of `unwanted` that no container refers to by now. As with Docker, listeners hear of all at once.
    Pruned prune(List<Volume> unwanted) throws IOException {
        List<String> names = new ArrayList<>();
        long bytes = 0;
        for (Volume volume : unwanted) {
            long size = VolumeSize.of(volume);
            try {
                discard(volume.name());
            } catch (Conflict | NotFound e) {
                continue; // taken into use, or removed, meanwhile
            }
            names.add(volume.name());
            bytes += size;
        }
        events.publish("volume", "prune", "", Map.of("reclaimed", Long.toString(bytes)));
        return new Pruned(names, bytes);
    }

    /// @param bytes that were freed
    record Pruned(List<String> names, long bytes) {}

    /// Tells listeners that a container begins or ends to use a volume.
    public void announce(String action, String name, Map<String, String> attributes) {
        Map<String, String> all = new TreeMap<>(attributes);
        all.put("driver", Volume.DRIVER);
        events.publish("volume", action, name, all);
    }
}
