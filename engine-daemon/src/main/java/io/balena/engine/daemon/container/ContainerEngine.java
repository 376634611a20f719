package io.balena.engine.daemon.container;

import com.fasterxml.jackson.databind.JsonNode;
import io.balena.engine.daemon.Timer;
import io.balena.engine.daemon.container.config.HostDefaults;
import io.balena.engine.daemon.container.health.HealthFiles;
import io.balena.engine.daemon.container.log.FileChanges;
import io.balena.engine.daemon.container.spec.DeviceRequests;
import io.balena.engine.daemon.container.spec.SpecBuilder;
import io.balena.engine.daemon.container.spec.SpecDefaults;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.Filters;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.daemon.image.ImageEvents;
import io.balena.engine.daemon.network.DockerNetwork;
import io.balena.engine.daemon.volume.Volumes;
import io.balena.engine.distribution.Images;
import io.balena.engine.graphdriver.IdentityMapping;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.network.BridgeNetwork;
import io.balena.engine.runtime.client.Shim;
import io.balena.engine.runtime.client.ShimCommand;
import io.balena.engine.runtime.client.ShimEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/// All about containers, put together: opens what is stored, takes up what runs, and offers the routes.
public final class ContainerEngine implements AutoCloseable {
    private final AtomicReference<HostDefaults> defaults;
    private final ContainerStore store;
    private final Creation creation;
    private final Containers containers;
    private final ContainerList list;
    private final Restarts restarts;
    private final Timer timer;
    private final Shim shim;
    private final FileChanges changes;
    private final List<Route> routes;

    /// @param execRoot on a tmpfs
    /// @param cdiSpecs folders of the Container Device Interface, the last one first
    /// @param restartUnhealthy whether a container that turns unhealthy is restarted as its policy has it
    public record Settings(Path dataRoot, Path execRoot, ShimCommand shim, HostDefaults host, SpecDefaults spec, DnsDefaults dns,
            Runtimes runtimes, List<Path> cdiSpecs, IdentityMapping owners, boolean restartUnhealthy) {}

    /// How many containers there are, for `/info`.
    public record Counts(int running, int paused, int stopped) {
        public int all() {
            return running + paused + stopped;
        }
    }

    private ContainerEngine(AtomicReference<HostDefaults> defaults, ContainerStore store, Creation creation, Containers containers, ContainerList list, Restarts restarts, Timer timer,
            Shim shim, FileChanges changes, List<Route> routes) {
        this.defaults = defaults;
        this.store = store;
        this.creation = creation;
        this.containers = containers;
        this.list = list;
        this.restarts = restarts;
        this.timer = timer;
        this.shim = shim;
        this.changes = changes;
        this.routes = routes;
    }

    /// @param bridge empty when containers get no network unless they ask for one
    /// @param dockerNetworks that Docker made, and containers may be on
    public static ContainerEngine open(Settings settings, Images images, LayerStore layers, Volumes allVolumes, Optional<BridgeNetwork> bridge,
            List<DockerNetwork> dockerNetworks, Events bus) throws IOException {
        Path directory = settings.dataRoot.resolve("containers");
        Path bundleFolder = settings.execRoot.resolve("bundles");
        Files.createDirectories(bundleFolder);
        var etc = new EtcFiles(directory, settings.dns, settings.owners);
        var store = ContainerStore.open(directory, etc, settings.owners);
        var volumes = new ContainerVolumes(allVolumes);
        volumes.adopt(store);
        var events = new ContainerEvents(bus);
        var networking = new Networking(bridge, dockerNetworks);
        var healthFiles = new HealthFiles(settings.execRoot.resolve("health"));
        var removal = new Removal(store, layers, volumes, events, healthFiles);
        removal.finish();
        List<String> unfinished = store.unfinished();
        layers.quarantineContainerLayers(id -> store.get(id).isPresent() || unfinished.contains(id));

        // The shim may report at once what ended while no engine listened; it is heard when all is in place.
        var opened = new CountDownLatch(1);
        var ears = new Ears(opened);
        Shim shim = Shim.connect(settings.execRoot, settings.shim, ears);
        var memory = new SharedMemory(directory, settings.owners);
        var donors = new NamespaceDonors(store, memory);
        var specs = new SpecBuilder(settings.spec, settings.owners);
        var timer = new Timer();
        var bundles = new Bundles(bundleFolder, store, layers, volumes, etc, memory, donors,
                new SubpathMounts(settings.execRoot.resolve("subpaths")), specs, new DeviceRequests(settings.cdiSpecs), settings.owners);
        var execs = new Execs(store, specs, bundles, events, shim);
        var health = new HealthMonitor(new HealthProbe(execs, timer), healthFiles, events, timer);
        var start = new Start(store, donors, networking, bundles, settings.runtimes, events, health, shim);
        var restarts = new Restarts(store, start, timer);
        var ending = new Ending(store, start, restarts, removal, events, health, shim);
        ears.listen(store, ending, execs, events);
        var marks = new FreezeMarks(settings.execRoot.resolve("frozen"));
        new Reconciliation(store, start, ending, removal, networking, marks, health, shim).run();
        opened.countDown();

        var defaults = new AtomicReference<>(settings.host);
        var changes = new FileChanges();
        var containers = new Containers(store, start, restarts, removal, events, health, timer, shim);
        if (settings.restartUnhealthy) health.whenUnhealthy(containers::endUnhealthy);
        var inspect = new ContainerInspect(layers, etc, execs);
        var list = new ContainerList(store, images, layers, Clock.systemUTC());
        var creation = new Creation(store, images, layers, volumes, networking, events, settings.runtimes, settings.spec.cgroups(),
                new NamespaceModes(store, !settings.owners.isNone()));
        List<Route> routes = new ArrayList<>(new ContainerRoutes(store, creation, defaults::get, containers,
                new Updates(store, events, shim), inspect, list, layers).table());
        routes.addAll(new ObservationRoutes(store, bundleFolder).table());
        routes.addAll(new StreamRoutes(store, containers, execs, events, shim, new ContainerLogs(store, changes)).table());
        var commits = new Commits(store, containers, marks, layers, images, events, new ImageEvents(bus));
        routes.addAll(new SnapshotRoutes(store, layers, commits, events).table());
        return new ContainerEngine(defaults, store, creation, containers, list, restarts, timer, shim, changes, List.copyOf(routes));
    }

    ContainerStore store() {
        return store;
    }

    Creation creation() {
        return creation;
    }

    Containers containers() {
        return containers;
    }

    public List<Route> routes() {
        return routes;
    }

    /// What containers get from now on that leave it open.
    public void reload(HostDefaults next) {
        defaults.set(next);
    }

    /// Starts what is to run after a restart of the machine or the engine.
    public void startRestarting() {
        Reconciliation.startRestarting(store, containers);
    }

    public Counts counts() {
        int running = 0;
        int paused = 0;
        int stopped = 0;
        for (Container each : store.all()) {
            switch (each.state()) {
                case ContainerState.Running _, ContainerState.Restarting _ -> running++;
                case ContainerState.Paused _ -> paused++;
                default -> stopped++;
            }
        }
        return new Counts(running, paused, stopped);
    }

    /// All containers with their sizes, as `/system/df` shows them.
    public List<JsonNode> list(ApiVersion version) throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        list.list(true, 0, true, new Filters(Map.of()), version).forEach(rows::add);
        return rows;
    }

    /// Who uses which image.
    public Images.ImageUsers imageUsers() {
        return image -> store.all().stream().map(Container::record).filter(record -> record.image().equals(image.toString()))
                .map(record -> new Images.ImageUsers.User(record.id().hex(), record.state().isAlive())).toList();
    }

    /// Stops all containers side by side, each with its own patience but none longer than `most`.
    public void stopAll(Duration most) {
        restarts.close();
        List<Thread> stopping = new ArrayList<>();
        for (Container each : store.all()) {
            if (each.state().isAlive()) stopping.add(Thread.ofVirtual().start(() -> Reconciliation.stopForShutdown(containers, each, most)));
        }
        for (Thread thread : stopping) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    /// Leaves what runs running.
    @Override
    public void close() throws IOException {
        restarts.close();
        timer.close();
        shim.close();
        store.close();
        changes.close();
    }

    /// Takes the shim's reports to where they belong, each on a thread of its own: an end waits for its container's lock, and no
    /// container is to wait for another's.
    private static final class Ears implements Consumer<ShimEvent> {
        private final CountDownLatch opened;
        private ContainerStore store;
        private Ending ending;
        private Execs execs;
        private ContainerEvents events;

        private Ears(CountDownLatch opened) {
            this.opened = opened;
        }

        private void listen(ContainerStore knownContainers, Ending whenEnded, Execs knownExecs, ContainerEvents published) {
            store = knownContainers;
            ending = whenEnded;
            execs = knownExecs;
            events = published;
        }

        @Override
        public void accept(ShimEvent event) {
            try {
                opened.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
            switch (event) {
                case ShimEvent.OutOfMemory oom -> store.get(oom.containerId()).ifPresent(c -> events.publish(c.record(), "oom"));
                case ShimEvent.Exited exited -> Thread.ofVirtual().name("exit").start(() -> handle(exited));
            }
        }

        private void handle(ShimEvent.Exited exited) {
            if (exited.process().execId().isPresent()) {
                execs.exited(exited.process(), exited.status());
                return;
            }
            store.get(exited.process().containerId()).ifPresent(container -> {
                ending.exited(container, exited.status());
                execs.forgetAll(container);
            });
        }
    }
}
