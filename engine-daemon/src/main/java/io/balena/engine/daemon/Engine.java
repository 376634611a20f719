package io.balena.engine.daemon;

import io.balena.engine.daemon.container.ContainerEngine;
import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.ApiIdentity;
import io.balena.engine.daemon.http.ApiServer;
import io.balena.engine.daemon.http.ApiVersion;
import io.balena.engine.daemon.http.Filters;
import io.balena.engine.daemon.http.Listener;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.daemon.image.ArchiveRoutes;
import io.balena.engine.daemon.image.DeltaRoutes;
import io.balena.engine.daemon.image.ImageList;
import io.balena.engine.daemon.image.ImageRoutes;
import io.balena.engine.daemon.image.PushRoutes;
import io.balena.engine.daemon.image.RegistryRoutes;
import io.balena.engine.daemon.network.DockerNetworks;
import io.balena.engine.daemon.system.DiskUsageRoutes;
import io.balena.engine.daemon.system.EventRoutes;
import io.balena.engine.daemon.system.InfoRoutes;
import io.balena.engine.daemon.system.Inventory;
import io.balena.engine.daemon.system.ReloadEvent;
import io.balena.engine.daemon.system.SwarmRoutes;
import io.balena.engine.daemon.system.SystemRoutes;
import io.balena.engine.daemon.volume.VolumeRoutes;
import io.balena.engine.daemon.volume.Volumes;
import io.balena.engine.distribution.DeltaBases;
import io.balena.engine.distribution.DeltaCreation;
import io.balena.engine.distribution.ImageLoader;
import io.balena.engine.distribution.ImagePuller;
import io.balena.engine.distribution.ImagePusher;
import io.balena.engine.distribution.ImageSaver;
import io.balena.engine.distribution.Images;
import io.balena.engine.distribution.Registries;
import io.balena.engine.distribution.RegistryConfig;
import io.balena.engine.distribution.TarDownloads;
import io.balena.engine.graphdriver.LayerStore;
import io.balena.engine.linux.DurableFile;
import io.balena.engine.linux.MappedFiles;
import io.balena.engine.network.Networks;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.stream.Stream;

/// The engine, built from its parts. The one place that knows them all, and it does nothing else.
final class Engine implements AutoCloseable {
    private static final Logger LOG = System.getLogger(Engine.class.getName());

    private final AtomicReference<EngineConfig> configuration;
    private final Events events;
    private final List<Consumer<RegistryConfig>> users;
    private final ContainerEngine containers;
    private final List<AutoCloseable> parts;
    private final List<Route> routes;
    private ApiServer server;

    /// @param users of registries, told when there are others
    /// @param parts in the order in which they were opened
    private Engine(AtomicReference<EngineConfig> configuration, Events events, List<Consumer<RegistryConfig>> users, ContainerEngine containers,
            List<AutoCloseable> parts, List<Route> routes) {
        this.configuration = configuration;
        this.events = events;
        this.users = users;
        this.containers = containers;
        this.parts = parts;
        this.routes = routes;
    }

    /// Opens what is on disk, finds what still runs. Nobody can reach the engine yet.
    static Engine open(EngineConfig config) throws IOException {
        makeDataRoot(config);
        Files.createDirectories(config.execRoot(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        DataRootLock lock = DataRootLock.take(config.dataRoot());
        DurableFile.deleteTemporaries(config.dataRoot());

        var events = new Events();
        LayerStore layers = LayerStore.open(config.dataRoot(), config.execRoot().resolve("mounts"), config.owners());
        Images images = Images.open(config.dataRoot(), layers);
        RegistryConfig registries = registries(config.registries());
        var deltaBases = new DeltaBases(images, layers, config.deltaRoot());
        var puller = new ImagePuller(layers, images, deltaBases, registries);
        var pusher = new ImagePusher(layers, images, registries);
        var downloads = new TarDownloads(registries);
        Networks networks = Networks.open(config.network().networks(), config.dataRoot(), config.execRoot().resolve("network"),
                DockerNetworks.read(config.dataRoot()));

        var questions = new Registries(registries);
        var configuration = new AtomicReference<>(config);

        Volumes volumes = Volumes.open(config.dataRoot(), config.owners(), events);
        ContainerEngine containers = ContainerEngine.open(containerSettings(config), images, layers, volumes, networks, events);

        var list = new ImageList(images, layers, containers.imageUsers());
        var volumeRoutes = new VolumeRoutes(volumes);
        List<Route> routes = Stream.of(
                        containers.routes(),
                        new SystemRoutes(config.experimental()).table(),
                        new InfoRoutes(configuration::get, inventory(containers, images, layers), events).table(),
                        new EventRoutes(events).table(),
                        new DiskUsageRoutes(usage(containers, list, volumeRoutes)).table(),
                        new ImageRoutes(images, layers, puller, downloads, containers.imageUsers(), events).table(),
                        new PushRoutes(pusher, images, events).table(),
                        new RegistryRoutes(questions).table(),
                        new ArchiveRoutes(
                                images, new ImageSaver(layers, images), new ImageLoader(layers, images, deltaBases), events).table(),
                        new DeltaRoutes(new DeltaCreation(images, layers, deltaBases, config.dataRoot().resolve("tmp")), images, events).table(),
                        volumeRoutes.table(),
                        new SwarmRoutes().table())
                .flatMap(List::stream)
                .toList();
        List<AutoCloseable> parts = List.of(lock, layers, networks, containers);
        return new Engine(configuration, events, List.of(puller::reconfigure, pusher::reconfigure, questions::reconfigure), containers, parts, routes);
    }

    /// Whether the API answers, where it has a unix socket to be asked at.
    boolean answers() {
        return server.addresses().stream().filter(address -> address.startsWith("/")).findFirst()
                .map(socket -> Ping.succeeds(Path.of(socket))).orElse(true);
    }

    /// Goes on with what has changed of the configuration, and says so.
    void reload(EngineConfig next) throws IOException {
        RegistryConfig registries = registries(next.registries());
        users.forEach(user -> user.accept(registries));
        containers.reload(next.containers().host());
        configuration.set(next);
        new ReloadEvent(next).publish(events);
    }

    /// Containers' root must get through it, and through the one that holds those of all mappings.
    private static void makeDataRoot(EngineConfig config) throws IOException {
        Path dataRoot = config.dataRoot();
        Files.createDirectories(dataRoot, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x---")));
        config.owners().shareWithRoot(dataRoot.getParent());
        config.owners().shareWithRoot(dataRoot);
    }

    private static RegistryConfig registries(EngineConfig.Registries config) {
        String agent = "balenaEngine/" + EngineVersion.current().version() + " os/linux arch/" + System.getProperty("os.arch");
        return new RegistryConfig(agent, config.endpoints(), config.downloads(), config.uploads(), Duration.ofSeconds(60));
    }

    private static ContainerEngine.Settings containerSettings(EngineConfig config) {
        var defaults = config.containers();
        return new ContainerEngine.Settings(config.dataRoot(), config.execRoot(), ShimProgram.command(),
                defaults.host(), defaults.spec(), defaults.dns(), config.network().hostGateway(), defaults.runtimes(), defaults.cdiSpecs(), config.owners(),
                config.experimental());
    }

    private static Inventory inventory(ContainerEngine containers, Images images, LayerStore layers) {
        return new Inventory() {
            @Override
            public ContainerCounts containers() {
                ContainerEngine.Counts counts = containers.counts();
                return new ContainerCounts(counts.running(), counts.paused(), counts.stopped());
            }

            @Override
            public int images() {
                return images.list().size();
            }

            @Override
            public List<Map.Entry<String, String>> driverStatus() {
                return layers.status();
            }
        };
    }

    private static DiskUsageRoutes.DiskUsage usage(ContainerEngine containers, ImageList list, VolumeRoutes volumes) {
        return new DiskUsageRoutes.DiskUsage() {
            @Override
            public long layersSize() {
                return list.layersSize();
            }

            @Override
            public List<?> images(ApiVersion version) {
                return list.list(version, new Filters(Map.of()), false, true);
            }

            @Override
            public List<?> containers(ApiVersion version) throws IOException {
                return containers.list(version);
            }

            @Override
            public List<?> volumes() throws IOException {
                return volumes.usage();
            }
        };
    }

    /// Answers requests from now on.
    void listen() throws IOException {
        EngineConfig config = configuration.get();
        List<Listener> listeners = Sockets.listeners(config.api());
        server = ApiServer.bind(listeners, routes, new ApiIdentity(EngineVersion.current().version(), config.experimental(), config.api().corsOrigin()),
                Engine::releaseMappedFiles);
        LOG.log(Level.INFO, "Daemon has completed initialization");
        for (String address : server.addresses()) LOG.log(Level.INFO, "API listen on " + address);
        // After the API is there: a container's start may take long, and some want to reach the engine.
        Thread.ofVirtual().name("restarts").start(containers::startRestarting);
    }

    private static void releaseMappedFiles() {
        try {
            MappedFiles.release();
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "What is mapped of files stays: " + e.getMessage());
        }
    }

    /// Stops in the order in which nothing is lost: no new requests, then what was opened last first. One part that cannot be closed
    /// does not keep the others open.
    @Override
    public void close() throws IOException {
        if (server != null) server.stopAccepting();
        // An engine that could not begin to serve has not been asked to stop anything.
        EngineConfig config = configuration.get();
        if (server != null && !config.containers().liveRestore()) containers.stopAll(Duration.ofSeconds(config.containers().shutdownSeconds()));
        if (server != null) server.close();
        for (AutoCloseable part : parts.reversed()) {
            try {
                part.close();
            } catch (Exception e) {
                LOG.log(Level.WARNING, "Could not close " + part.getClass().getSimpleName(), e);
            }
        }
    }
}
