package io.balena.engine.daemon;

import io.balena.engine.daemon.event.Events;
import io.balena.engine.daemon.http.ApiIdentity;
import io.balena.engine.daemon.http.ApiServer;
import io.balena.engine.daemon.http.Listener;
import io.balena.engine.daemon.http.Route;
import io.balena.engine.daemon.system.SystemRoutes;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/// The engine, built from its parts. The one place that knows them all, and it does nothing else.
final class Engine implements AutoCloseable {
    private static final Logger LOG = System.getLogger(Engine.class.getName());

    private final EngineConfig config;
    private final DataRootLock lock;
    private final List<Route> routes;
    private ApiServer server;

    private Engine(EngineConfig config, DataRootLock lock, List<Route> routes) {
        this.config = config;
        this.lock = lock;
        this.routes = routes;
    }

    /// Opens what is on disk, finds what still runs. Nobody can reach the engine yet.
    static Engine open(EngineConfig config) throws IOException {
        Files.createDirectories(config.dataRoot(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x---")));
        Files.createDirectories(config.execRoot(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        DataRootLock lock = DataRootLock.take(config.dataRoot());
        var events = new Events();
        List<Route> routes = new ArrayList<>();
        routes.addAll(new SystemRoutes(config.experimental()).table());
        return new Engine(config, lock, routes);
    }

    /// Answers requests from now on.
    void listen() throws IOException {
        List<Listener> listeners = Sockets.listeners(config.api());
        server = ApiServer.bind(listeners, routes, new ApiIdentity(EngineVersion.current().version(), config.experimental()));
        LOG.log(Level.INFO, "Daemon has completed initialization");
        for (String address : server.addresses()) LOG.log(Level.INFO, "API listen on " + address);
    }

    /// Stops in the order in which nothing is lost: no new requests, then the containers, then the sockets.
    @Override
    public void close() throws IOException {
        if (server != null) server.stopAccepting();
        if (server != null) server.close();
        lock.close();
    }
}
